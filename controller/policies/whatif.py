"""What a change would change: days behind and ahead, run through the function that nodes play by.

Of a policy the rules change, of a schedule what is aimed where: ``Swap``. Both are looked at here.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.rules import Tree
from controller.broadcasts.forecast import Guards, guards_of, listing_of, settings_of
from controller.broadcasts.models import Broadcast, BroadcastTarget
from controller.broadcasts.wire_form import wire_forms
from controller.db import in_pieces
from controller.schedules.day import Entry, approved, resolve, thought
from edge_agent.protocol import content
from edge_agent.protocol.documents import TrustedKey
from edge_agent.protocol.states import Level, Outcome
from edge_agent.protocol.timeline import View

from .checks import Named, Places, hearers, was_heard
from .limits import Airing, check, unusual
from .rules import EffectivePolicy
from .schemas import ChangeOut, EndOut, Rule, UnusualOut, WhatIfOut
from .shapes import Shape, shape_of, together

BEHIND = AHEAD = timedelta(days=30)
SECOND = timedelta(seconds=1)
MS = timedelta(milliseconds=1)
NO_WORD = EndOut(outcome=Outcome.UNKNOWN, reason=None)

Runs = frozenset[Named]
_Alike = tuple[EffectivePolicy, EffectivePolicy, Runs]
"""Places at which all is the same, before and after."""


class Swap(NamedTuple):
    """Broadcasts that would be gone, and what would come."""

    gone: frozenset[str] = frozenset()
    """Their ids."""
    come: Mapping[str, Entry] = {}
    """By ids that nothing else has; each stands in the scopes that it is approved for."""
    instead: Mapping[str, str] = {}
    """Which of ``come`` takes the place of which of ``gone``, by that one's id."""


NOTHING = Swap()


class Difference(NamedTuple):
    """What becomes of a broadcast where it makes a difference. One that is only after has no ``before``."""

    before_id: str | None
    after_id: str | None
    before: EndOut | None
    after: EndOut | None
    rules: tuple[Rule, ...]
    unusual: UnusualOut | None


class WhatIf:
    """Looks at the days of some places before and after a change. Holds do not count: they are of the moment."""

    def __init__(
        self, session: AsyncSession, places: Places, now: datetime, trusted_keys: tuple[TrustedKey, ...]
    ) -> None:
        self._session, self._places, self._now, self._trusted_keys = session, places, now, trusted_keys
        self.span = (now - BEHIND, now + AHEAD)
        self.entries: dict[str, Entry] = {}
        """What was and is to be heard, by id."""
        self._heard: dict[str, set[Named]] = defaultdict(set)
        self._habit: set[str] = set()
        """Those of them that were heard, by id."""
        self._ends: dict[tuple[Guards, Runs], dict[str, EndOut]] = {}
        self._parts: dict[Runs, list[list[content.Broadcast]]] = {}
        self._alike: dict[tuple[Guards, Shape], list[EndOut]] = {}
        self._hours: dict[tuple[Runs, str, Airing], UnusualOut | None] = {}

    async def read(self) -> None:
        """Read what was and is to be heard, with the dates that no roll has reached yet."""
        scopes = sorted(self._places.scopes())
        for scope, entry in await self._saved(scopes):
            self._keep(entry, [scope])
        for entry in await thought(self._session, self._places.tree, scopes, (self._now, self.span[1]), self._now):
            self._keep(entry, _scopes_of(entry))

    async def compare(self, after: Tree, swap: Swap = NOTHING) -> WhatIfOut:
        """Say what would be different if the tree were ``after``, and things were swapped."""
        count = len(self.entries)
        for entry in swap.come.values():
            self._keep(entry, _scopes_of(entry))
        found: dict[Difference, Counter[str]] = defaultdict(Counter)
        for (old, new, runs), where in self._groups(after, swap).items():
            before = frozenset(each for each in runs if each[0] not in swap.come)
            then = frozenset(each for each in runs if each[0] not in swap.gone)
            for each in self._differences((old, before), (new, then), swap):
                found[each].update(where)
            await asyncio.sleep(0)  # others get a turn
        changes = [self._out(each, where) for each, where in found.items()]
        return WhatIfOut(
            from_at=self.span[0],
            until_at=self.span[1],
            node_count=len(self._places.area_ids),
            broadcast_count=count,
            changes=tuple(sorted(changes, key=lambda each: (each.start_at, each.title, each.area_ids))),
        )

    def _groups(self, after: Tree, swap: Swap) -> dict[_Alike, Counter[str]]:
        """Put places together at which the change is the same, and leave out those at which there is none."""
        found: dict[_Alike, Counter[str]] = defaultdict(Counter)
        swapped = swap.gone.union(swap.come)
        for area_id, runs, count in hearers(self._places, self._heard):
            policies = self._places.tree.effective(area_id), after.effective(area_id)
            if policies[0] != policies[1] or any(key in swapped for key, _ in runs):
                found[*policies, runs][area_id] += count
        return found

    def _keep(self, entry: Entry, scopes: Collection[str]) -> None:
        self.entries[entry.wire.broadcast_id] = entry
        for scope in scopes:
            self._heard[scope].add(_named(entry))

    async def _saved(self, scopes: Sequence[str]) -> list[tuple[str, Entry]]:
        found: list[tuple[str, Entry]] = []
        for some in in_pieces(scopes):
            query = (
                select(Broadcast, BroadcastTarget.scope, was_heard())
                .join(BroadcastTarget, BroadcastTarget.broadcast_id == Broadcast.id)
                .where(BroadcastTarget.scope.in_(some), Broadcast.level != Level.EMERGENCY, Broadcast.drill.is_(None))
                .where(Broadcast.superseded_at.is_(None), Broadcast.cancelled_at.is_(None))
                .where(Broadcast.start_at >= self.span[0], Broadcast.start_at < self.span[1])
            )
            rows = (await self._session.execute(query)).all()
            pairs = [(row, scope) for row, scope, _ in rows]
            self._habit |= {row.id for row, _, was in rows if was}
            forms = await wire_forms(self._session, [row for row, _ in pairs])
            found += [
                (scope, Entry(approved(forms[row.id], [scope]), row.title, row.schedule_id, True, row.awaits_approval))
                for row, scope in pairs
                if row.id in forms
            ]
        return found

    def _differences(
        self, before: tuple[EffectivePolicy, Runs], after: tuple[EffectivePolicy, Runs], swap: Swap
    ) -> Iterator[Difference]:
        ends = self._all_ends(*before), self._all_ends(*after)
        broken, breaks = _broken(*before), _broken(*after)
        runs = dict(before[1]), dict(after[1])
        for old, new in _pairs(*runs, swap):
            was, will = ends[0].get(old or ""), ends[1].get(new or "")
            at = runs[1].get(new or "")
            rules = breaks[at.start_at] - (broken[runs[0][old].start_at] if old else set()) if at else set()
            if rules or was != will or (old != new and not self._is_same(old, new)):
                hour = self._unusual(before[1], after[0].zone, at) if at is not None and old != new else None
                yield Difference(old, new, was, will, tuple(sorted(rules)), hour)

    def _is_same(self, old: str | None, new: str | None) -> bool:
        """Tell whether what takes another's place is heard as that one was."""
        if old is None or new is None:
            return False
        one, other = self.entries[old].wire, self.entries[new].wire
        return (one.start_at, one.items) == (other.start_at, other.items) and not self.entries[new].left_out

    def _unusual(self, runs: Runs, zone: str, run: Airing) -> UnusualOut | None:
        key = (runs, zone, Airing(run.start_at.astimezone(ZoneInfo(zone)).replace(2000, 1, 1), run.length))
        if key not in self._hours:
            history = sorted(each.start_at for name, each in runs if name in self._habit and each.start_at <= self._now)
            found = unusual(history, run, zone)
            self._hours[key] = None if found is None else UnusualOut(reason=found.reason, hour=found.hour)
        return self._hours[key]

    def _all_ends(self, policy: EffectivePolicy, runs: Runs) -> dict[str, EndOut]:
        """Say how each broadcast ends at a node there that is on and has everything."""
        guards = guards_of(policy)
        if (guards, runs) not in self._ends:
            found: dict[str, EndOut] = {}
            for some in self._cut(runs):
                shape = (guards, shape_of(some, guards.zone))
                if shape not in self._alike:
                    self._alike[shape] = self._resolve(guards, some)
                found |= zip((each.broadcast_id for each in some), self._alike[shape], strict=True)
            self._ends[guards, runs] = found
        return self._ends[guards, runs]

    def _cut(self, runs: Runs) -> list[list[content.Broadcast]]:
        if runs not in self._parts:
            self._parts[runs] = list(together(self.entries[key].wire for key, _ in runs))
        return self._parts[runs]

    def _resolve(self, guards: Guards, some: Sequence[content.Broadcast]) -> list[EndOut]:
        view = View(
            listings={each.broadcast_id: listing_of(each) for each in some},
            settings=settings_of(guards, self._trusted_keys, self._now),
        )
        until_at = max(each.latest_end_at for each in some) + SECOND
        found = resolve(view, some[0].start_at - SECOND, until_at)
        answers = []
        for each in some:
            end, begins = found.ends.get(each.broadcast_id), found.sounds.get(each.broadcast_id, {})
            late = min((sound.begins_at for sound in begins.values()), default=None)
            late_ms = None if late is None else (late - each.start_at) // MS
            answers.append(NO_WORD if end is None else EndOut(outcome=end.outcome, reason=end.reason, late_ms=late_ms))
        return answers

    def _out(self, found: Difference, where: Counter[str]) -> ChangeOut:
        known = [self.entries[key] for key in (found.before_id, found.after_id) if key is not None]
        first, entry, tree = known[0], known[-1], self._places.tree
        area_ids = [place.id for place in tree.walk() if place.id in where]
        return ChangeOut(
            title=entry.title,
            schedule_id=entry.schedule_id,
            start_at=first.wire.start_at,
            moved_to_at=None if entry.wire.start_at == first.wire.start_at else entry.wire.start_at,
            is_past=first.wire.start_at <= self._now,
            before=found.before,
            after=found.after,
            rules=found.rules,
            unusual=found.unusual,
            left_out=() if found.after_id is None else self.entries[found.after_id].left_out,
            area_ids=tuple(area_ids),
            area_names=tuple(tree.places[area_id].name for area_id in area_ids),
            node_count=where.total(),
        )


def _pairs(
    before: Mapping[str, Airing], after: Mapping[str, Airing], swap: Swap
) -> Iterator[tuple[str | None, str | None]]:
    """Put each broadcast next to what it would be."""
    taken: set[str] = set()
    for key in sorted(before):
        new = swap.instead.get(key, key)
        yield key, new if new in after else None
        taken.add(new)
    yield from ((None, key) for key in sorted(after.keys() - taken))


def _named(entry: Entry) -> Named:
    wire = entry.wire
    return wire.broadcast_id, Airing(wire.start_at, timedelta(milliseconds=wire.length_ms))


def _scopes_of(entry: Entry) -> frozenset[str]:
    return frozenset(scope for approval in entry.wire.approvals for scope in approval.scopes)


def _broken(policy: EffectivePolicy, runs: Runs) -> dict[datetime, set[Rule]]:
    found: dict[datetime, set[Rule]] = defaultdict(set)
    for breach in check(policy, [run for _, run in runs]):
        found[breach.at].add(breach.rule)
    return found
