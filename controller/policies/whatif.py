"""What a change of policy would change: days behind and ahead, run through the function that nodes play by."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.rules import Tree
from controller.broadcasts.forecast import Guards, guards_of, listing_of, settings_of
from controller.broadcasts.models import Broadcast, BroadcastTarget
from controller.broadcasts.wire_form import wire_forms
from controller.db import in_pieces
from controller.schedules.day import Entry, approved, resolve, thought
from controller.schedules.models import Schedule
from edge_agent.protocol import content
from edge_agent.protocol.documents import TrustedKey
from edge_agent.protocol.states import Level, Outcome
from edge_agent.protocol.timeline import View

from .checks import Named, Places, hearers
from .limits import Airing, check
from .rules import EffectivePolicy
from .schemas import ChangeOut, EndOut, Rule, WhatIfOut

BEHIND = AHEAD = timedelta(days=30)
SECOND = timedelta(seconds=1)
NO_WORD = EndOut(outcome=Outcome.UNKNOWN, reason=None)


Shape = tuple[Any, ...]
"""All that decides about some broadcasts, but for the day: one day is like another, unless the clocks change."""


class Difference(NamedTuple):
    """What becomes of a broadcast where it makes a difference."""

    broadcast_id: str
    before: EndOut
    after: EndOut
    rules: tuple[Rule, ...]


class WhatIf:
    """Looks at the days of some places under two policies. Holds do not count: they are of the moment."""

    def __init__(
        self, session: AsyncSession, places: Places, now: datetime, trusted_keys: tuple[TrustedKey, ...]
    ) -> None:
        self._session, self._places, self._now, self._trusted_keys = session, places, now, trusted_keys
        self._span = (now - BEHIND, now + AHEAD)
        self._entries: dict[str, Entry] = {}
        self._ends: dict[tuple[Guards, frozenset[Named]], dict[str, EndOut]] = {}
        self._parts: dict[frozenset[Named], list[list[content.Broadcast]]] = {}
        self._alike: dict[tuple[Guards, Shape], list[EndOut]] = {}

    async def compare(self, after: Tree) -> WhatIfOut:
        """Say what would be different if the tree were ``after``."""
        alike: dict[tuple[EffectivePolicy, EffectivePolicy, frozenset[Named]], Counter[str]] = defaultdict(Counter)
        for area_id, runs, count in hearers(self._places, await self._heard()):
            policies = self._places.tree.effective(area_id), after.effective(area_id)
            if policies[0] != policies[1]:
                alike[*policies, runs][area_id] += count
        found: dict[Difference, Counter[str]] = defaultdict(Counter)
        for (old, new, runs), where in alike.items():
            for each in self._differences(old, new, runs):
                found[each].update(where)
            await asyncio.sleep(0)  # others get a turn
        changes = [self._out(each, where) for each, where in found.items()]
        return WhatIfOut(
            from_at=self._span[0],
            until_at=self._span[1],
            node_count=len(self._places.area_ids),
            broadcast_count=len(self._entries),
            changes=tuple(sorted(changes, key=lambda each: (each.start_at, each.title, each.area_ids))),
        )

    async def _heard(self) -> dict[str, set[Named]]:
        """Read, by scope, what was and is to be heard, with the dates that no roll has reached yet."""
        found: dict[str, set[Named]] = defaultdict(set)
        scopes = sorted(self._places.scopes())
        for scope, entry in await self._saved(scopes):
            found[scope].add(self._keep(entry))
        rows = await self._session.scalars(select(Schedule.scopes).where(Schedule.ended_at.is_(None)))
        planned = {scope for row in rows for scope in row}
        for scope in planned.intersection(scopes):
            ahead = (self._now, self._span[1])
            for entry in await thought(self._session, self._places.tree, [scope], ahead, self._now):
                found[scope].add(self._keep(entry))
        return found

    def _keep(self, entry: Entry) -> Named:
        wire = entry.wire
        self._entries[wire.broadcast_id] = entry
        return wire.broadcast_id, Airing(wire.start_at, timedelta(milliseconds=wire.length_ms))

    async def _saved(self, scopes: Sequence[str]) -> list[tuple[str, Entry]]:
        found: list[tuple[str, Entry]] = []
        for some in in_pieces(scopes):
            query = (
                select(Broadcast, BroadcastTarget.scope)
                .join(BroadcastTarget, BroadcastTarget.broadcast_id == Broadcast.id)
                .where(BroadcastTarget.scope.in_(some), Broadcast.level != Level.EMERGENCY, Broadcast.drill.is_(None))
                .where(Broadcast.superseded_at.is_(None), Broadcast.cancelled_at.is_(None))
                .where(Broadcast.start_at >= self._span[0], Broadcast.start_at < self._span[1])
            )
            pairs = (await self._session.execute(query)).all()
            forms = await wire_forms(self._session, [row for row, _ in pairs])
            found += [
                (scope, Entry(approved(forms[row.id], [scope]), row.title, row.schedule_id, True, row.awaits_approval))
                for row, scope in pairs
                if row.id in forms
            ]
        return found

    def _differences(self, old: EffectivePolicy, new: EffectivePolicy, runs: frozenset[Named]) -> Iterator[Difference]:
        before, after = self._all_ends(old, runs), self._all_ends(new, runs)
        broken, breaks = _broken(old, runs), _broken(new, runs)
        for key, run in sorted(runs):
            rules = tuple(sorted(breaks[run.start_at] - broken[run.start_at]))
            ends = before.get(key, NO_WORD), after.get(key, NO_WORD)
            if rules or ends[0] != ends[1]:
                yield Difference(key, *ends, rules)

    def _all_ends(self, policy: EffectivePolicy, runs: frozenset[Named]) -> dict[str, EndOut]:
        """Say how each broadcast ends at a node there that is on and has everything."""
        guards = guards_of(policy)
        if (guards, runs) not in self._ends:
            found: dict[str, EndOut] = {}
            for some in self._cut(runs):
                shape = (guards, _shape(some, guards.zone))
                if shape not in self._alike:
                    self._alike[shape] = self._resolve(guards, some)
                found |= zip((each.broadcast_id for each in some), self._alike[shape], strict=True)
            self._ends[guards, runs] = found
        return self._ends[guards, runs]

    def _cut(self, runs: frozenset[Named]) -> list[list[content.Broadcast]]:
        if runs not in self._parts:
            self._parts[runs] = list(_together(self._entries[key].wire for key, _ in runs))
        return self._parts[runs]

    def _resolve(self, guards: Guards, some: Sequence[content.Broadcast]) -> list[EndOut]:
        view = View(
            listings={each.broadcast_id: listing_of(each) for each in some},
            settings=settings_of(guards, self._trusted_keys, self._now),
        )
        until_at = max(each.latest_end_at for each in some) + SECOND
        ends = resolve(view, some[0].start_at - SECOND, until_at).ends
        found = (ends.get(each.broadcast_id) for each in some)
        return [NO_WORD if end is None else EndOut(outcome=end.outcome, reason=end.reason) for end in found]

    def _out(self, found: Difference, where: Counter[str]) -> ChangeOut:
        entry, tree = self._entries[found.broadcast_id], self._places.tree
        area_ids = [place.id for place in tree.walk() if place.id in where]
        return ChangeOut(
            title=entry.title,
            start_at=entry.wire.start_at,
            is_past=entry.wire.start_at <= self._now,
            before=found.before,
            after=found.after,
            rules=found.rules,
            area_ids=tuple(area_ids),
            area_names=tuple(tree.places[area_id].name for area_id in area_ids),
            node_count=where.total(),
        )


def _broken(policy: EffectivePolicy, runs: frozenset[Named]) -> dict[datetime, set[Rule]]:
    found: dict[datetime, set[Rule]] = defaultdict(set)
    for breach in check(policy, [run for _, run in runs]):
        found[breach.at].add(breach.rule)
    return found


def _together(broadcasts: Iterable[content.Broadcast]) -> Iterator[list[content.Broadcast]]:
    """Cut days into what can meet: the timeline is asked for little at a time."""
    met: list[content.Broadcast] = []
    free_at: datetime | None = None
    for each in sorted(broadcasts, key=lambda each: (each.start_at, each.broadcast_id)):
        if free_at is not None and each.start_at > free_at:
            yield met
            met, free_at = [], None
        met.append(each)
        free_at = max(free_at or each.latest_end_at, each.latest_end_at)
    if met:
        yield met


def _shape(some: Sequence[content.Broadcast], zone: str) -> Shape:
    """Give what the timeline looks at: the hour by the wall, and everything counted from there."""
    first_at = some[0].start_at
    last_at = max(each.latest_end_at for each in some)
    local, last = first_at.astimezone(ZoneInfo(zone)), last_at.astimezone(ZoneInfo(zone))
    return (local.time(), local.utcoffset(), last.utcoffset(), *(_one_shape(each, first_at) for each in some))


def _one_shape(each: content.Broadcast, first_at: datetime) -> Shape:
    return (
        each.start_at - first_at,
        each.latest_start_at - first_at,
        each.latest_end_at - first_at,
        (each.level, each.order, each.start, each.resumes),
        tuple(
            (item.offset_ms, item.choice, *((voice.language, voice.length_ms) for voice in item.voices))
            for item in each.items
        ),
    )
