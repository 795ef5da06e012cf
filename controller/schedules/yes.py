"""The yeses on which the broadcasts of a schedule rest.

One yes to a schedule is to one content at its places for a span of days, so weeks ahead need one. A programme that
changed is another content: its dates are made, await a yes, and one request for it stands in the queue.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.approvals import asking, listening, yeses
from controller.approvals.asking import Matter
from controller.approvals.cover import Standing
from controller.approvals.models import ApprovalRequest
from controller.approvals.needs import Need, Said, asks_another
from controller.approvals.shown import DATES, Shown, shown
from controller.approvals.states import RequestState
from controller.approvals.yeses import Bound, Yes
from controller.areas.repository import read_tree
from controller.areas.rules import Tree
from controller.areas.targets import areas_of
from controller.broadcasts.models import Broadcast
from controller.db import Transaction
from controller.people.actor import Actor
from controller.people.proof import MAX_TIMES, Runs
from controller.plays.models import Play
from edge_agent.protocol.states import Level

from .far import ASKED_SPAN
from .looking import Looking
from .models import Schedule, ScheduleException
from .planning import Planned, Planner, is_aired
from .repository import exceptions_of
from .walltime import instant, wall_time

OWN_SPAN = timedelta(days=366)
"""So far does the act of who needs nobody else reach, as with single broadcasts."""
TAIL = timedelta(days=2)
"""What begins on the last day may end on the next."""


OF_WHAT_IS_HEARD = (
    "programme_id",
    "scopes",
    "level",
    "zone",
    "starts_at_local",
    "rule",
    "last_date",
    "start_mode",
    "late_ms",
    "ends_at_local",
    "back_timed",
    "overrun",
    "filler_recording_id",
)
"""Columns of a schedule whose edit ends its yeses; the others change what it is called and its order."""


def subject_of(row: Schedule) -> str:
    """Give the name under which yeses to a schedule stand."""
    return f"schedules/{row.id}"


class Yeses:
    """What was agreed to of one schedule, and what is lacking. Reads once; ``settle`` writes."""

    def __init__(self, row: Schedule, planner: Planner, tree: Tree, aimed_at: Iterable[str], now: datetime) -> None:
        self._row, self._now, self.aimed_at = row, now, frozenset(aimed_at)
        places = self.aimed_at.union(node.area_id for node in planner.nodes)
        self._policies = tuple(dict.fromkeys(tree.effective(area_id) for area_id in sorted(places)))
        self.proven = False
        """The signer stands apart: nobody's yes is taken for granted, not even where the policy asks for nobody's."""
        self._standing = Standing(())
        self._planned: set[str] = set()
        self._dropped: set[str] = set()
        self._lacking: dict[str, Matter] = {}
        self._otherwise: dict[str, str] = {}
        """Date → when it is, of those that are moved, or kept on a day of silence."""

    @classmethod
    async def of(
        cls,
        session: AsyncSession,
        row: Schedule,
        planner: Planner,
        tree: Tree,
        known: Iterable[str],
        *,
        now: datetime,
        proven: bool = False,
    ) -> "Yeses":
        """Read the yeses to a schedule, and to the broadcasts ``known`` that were made of it."""
        found = cls(row, planner, tree, (await areas_of(session, row.scopes)).values(), now)
        found.proven = proven
        subjects = [subject_of(row), *(f"broadcasts/{each}" for each in known)]
        found._standing = await Standing.of(session, subjects)
        changes = (await exceptions_of(session, [row.id])).get(row.id, [])
        found._otherwise = {
            each.recurrence_local: each.moved_to_local or each.recurrence_local
            for each in changes
            if each.moved_to_local or each.in_spite_of
        }
        return found

    def to(self, planned: Planned) -> tuple[Yes, ...]:
        """Give the yeses that a date has; without any it is noted as lacking one."""
        wanted = self.bound(planned)
        self._planned.add(wanted.content_sha256)
        found = self._standing.covering(subject_of(self._row), wanted)
        if found:
            return found
        known = self._lacking.get(wanted.content_sha256)
        matter = known or self.matter(planned, ASKED_SPAN)
        if not self.proven and asks_another(self._policies, matter.said.categories, matter.said.level) is False:
            return (Yes(self._row.changed_by),)  # the policy asks nobody else, whatever changed
        self._lacking[wanted.content_sha256] = matter
        return ()

    def has(self, planned: Planned) -> bool:
        """Say whether a yes to the schedule covers a date."""
        return bool(self._standing.covering(subject_of(self._row), self.bound(planned)))

    def kept(self, broadcast: Broadcast, planned: Planned) -> bool:
        """Say whether a broadcast has a yes of its own, from an earlier roll."""
        return bool(self._standing.covering(f"broadcasts/{broadcast.id}", self.bound(planned)))

    def drop(self, broadcast: Broadcast) -> None:
        """Note that a date no longer airs what was agreed to: unless others do, that yes is over."""
        self._dropped |= self._standing.contents(f"broadcasts/{broadcast.id}")

    def bound(self, planned: Planned) -> Bound:
        """Say what a yes to a date must cover."""
        session = planned.session
        return Bound(planned.laid_out.content_sha256, tuple(self._row.scopes), session.start_at, session.latest_end_at)

    def matter(self, planned: Planned, span: timedelta) -> Matter:
        """Say what those who may have to agree are asked about: from now on, for a span from its first date."""
        row, laid_out = self._row, planned.laid_out
        until_at = min(max(self._now, planned.session.start_at) + span, _end(row))
        return Matter(
            subject=subject_of(row),
            title=row.title,
            bound=Bound(laid_out.content_sha256, tuple(row.scopes), self._now, until_at),
            said=Said(
                laid_out.categories,
                Level(row.level),
                laid_out.session_ms,
                recurs=row.rule is not None,
            ),
            recordings=tuple(dict.fromkeys(voice.sha256 for item in laid_out.items for voice in item.voices)),
            area_id=row.area_id,
            aimed_at=self.aimed_at,
            policies=self._policies,
            first_start_at=planned.session.start_at,
            shown=self._shown(planned),
        )

    def _shown(self, planned: Planned) -> Shown:
        """Say what is put before who is asked: how it airs, what one date of it says, which dates are otherwise."""
        said = {name: getattr(self._row, name) for name in OF_WHAT_IS_HEARD}
        last = self._row.last_date
        said |= {"title": self._row.title, "last_date": last.isoformat() if last else None}
        said |= {"programme_id": planned.occurrence.programme_id, DATES: self._otherwise}
        return shown(planned.laid_out.slots, **said)

    async def settle(self, tx: Transaction) -> None:
        """End the yeses to what is aired no more, and ask for those that are lacking; what is asked is asked once."""
        subject, runs = subject_of(self._row), dict[str, Runs]()
        if self.proven and self._lacking:
            runs = await self._runs(tx.session)
        if gone := self._dropped - self._planned:
            ended = await yeses.void(tx, subject, now=self._now, contents=gone)
            asking.note_void(tx, subject, yeses=ended, now=self._now)
        answered = await self._answered(tx)
        for content_sha256, matter in self._lacking.items():
            if content_sha256 not in answered:
                bound = replace(matter, runs=runs.get(content_sha256))
                await asking.ask(tx, bound, self._row.changed_by, now=self._now)

    async def _runs(self, session: AsyncSession) -> dict[str, Runs]:
        """Say, by content, when it is to be heard in the time that a yes is asked for, whatever calendars say."""
        row = self._row
        changes = (await exceptions_of(session, [row.id])).get(row.id, [])
        tree = await read_tree(session)
        dates = await Looking.ahead(session, tree, row, self._now, ASKED_SPAN).dates(row, changes)
        planner = await Planner.of(session, row, tree)
        planned, _ = await planner.plan_all(dates)
        by_content: dict[str, list[Planned]] = defaultdict(list)
        for each in planned.values():
            by_content[each.laid_out.content_sha256].append(each)
        return {content_sha256: _runs_of(row.zone, some) for content_sha256, some in by_content.items()}

    async def _answered(self, tx: Transaction) -> set[str]:
        """Name the contents that are asked for, or were refused since the last edit; close what is aired no more."""
        since = self._row.changed_at.replace(microsecond=self._row.changed_at.microsecond // 1000 * 1000)
        refused = ApprovalRequest.state.in_([RequestState.RETURNED, RequestState.WITHDRAWN])
        query = select(ApprovalRequest).where(
            ApprovalRequest.subject == subject_of(self._row),
            or_(ApprovalRequest.state == RequestState.OPEN, refused & (ApprovalRequest.asked_at >= since)),
        )
        rows = (await tx.session.scalars(query)).all()
        stale = [row for row in rows if row.state == RequestState.OPEN and self._is_stale(row)]
        for row in stale:
            await asking.close_one(tx, row, now=self._now)
        return {row.content_sha256 for row in rows if row not in stale}

    def _is_stale(self, request: ApprovalRequest) -> bool:
        """Say whether nobody needs to answer: another content is aired, or its days are nearly over."""
        wanted = self._lacking.get(request.content_sha256)
        other = bool(self._planned) and request.content_sha256 not in self._planned
        return other or (wanted is not None and request.not_after_at < self._now + TAIL < wanted.bound.not_after_at)


async def need_of(
    session: AsyncSession,
    actor: Actor,
    row: Schedule,
    tree: Tree,
    changes: Sequence[ScheduleException],
    *,
    now: datetime,
    standing: bool,
) -> Need | None:
    """Say whose yes it takes when somebody saves this; None where nothing of it can be aired.

    ``standing``: the yeses to it, as it was, go on to count.
    """
    planner = await Planner.of(session, row, tree)
    found = await Yeses.of(session, row, planner, tree, (), now=now)
    needs = set()
    for planned in await firsts(session, row, tree, planner, changes, now=now):
        if standing and found.has(planned):
            needs.add(Need.AUTHOR)
        else:
            need = await asking.need_of(session, actor, found.matter(planned, OWN_SPAN), now=now)
            needs.add(need if actor.proof is None else Need.ANOTHER)
    return next((each for each in (Need.ANOTHER, Need.ALONE, Need.AUTHOR) if each in needs), None)


async def firsts(
    session: AsyncSession,
    row: Schedule,
    tree: Tree,
    planner: Planner,
    changes: Sequence[ScheduleException],
    *,
    now: datetime,
) -> list[Planned]:
    """Plan the first date of each programme of the coming quarter, and of that from the next date on.

    What cannot be aired as it is is left out: the date says why, and another content has to be asked for.
    """
    dates = await Looking.ahead(session, tree, row, now, ASKED_SPAN).dates(row, changes)
    first = {each.programme_id: each for each in reversed(dates) if is_aired(each)}
    planned, _ = await planner.plan_all(first.values())
    return list(planned.values())


async def agree(tx: Transaction, actor: Actor, row: Schedule, tree: Tree, *, now: datetime) -> None:
    """Let the act of who writes a schedule be the yes to what it airs, where no other person must agree.

    Not where a yes has to be proven: a series may say several things, and a code is for one. It is asked for.
    """
    if actor.proof is not None:
        return
    changes = (await exceptions_of(tx.session, [row.id])).get(row.id, [])
    planner = await Planner.of(tx.session, row, tree)
    found = await Yeses.of(tx.session, row, planner, tree, (), now=now)
    for planned in await firsts(tx.session, row, tree, planner, changes, now=now):
        matter = found.matter(planned, OWN_SPAN)
        given = await asking.of_the_author(tx.session, actor, matter, now=now)
        await yeses.write(tx, matter.subject, matter.bound, given, now=now, shown=matter.shown)
        for yes in given:
            await listening.note_approved(tx, yes.person_id, matter.recordings, now=now)


async def agree_anew(tx: Transaction, actor: Actor, row: Schedule, *, now: datetime) -> None:
    """End the yes to a series of which a date is otherwise; dates that stand as they were keep their own."""
    await forget(tx, row, broadcasts=False, now=now)
    await agree(tx, actor, row, await read_tree(tx.session), now=now)


async def forget(tx: Transaction, row: Schedule, *, broadcasts: bool, now: datetime) -> None:
    """Let the yeses to a schedule count no more; with ``broadcasts``, those to its coming broadcasts neither."""
    await asking.void(tx, subject_of(row), now=now)
    if not broadcasts:
        return
    begun = select(Play.node_id).where(Play.broadcast_id == Broadcast.id, Play.started_at.is_not(None)).exists()
    coming = select(Broadcast.id).where(Broadcast.schedule_id == row.id, Broadcast.start_at > now, ~begun)
    for broadcast_id in (await tx.session.scalars(coming.where(Broadcast.superseded_at.is_(None)))).all():
        await yeses.void(tx, f"broadcasts/{broadcast_id}", now=now)


def _runs_of(zone: str, planned: Sequence[Planned]) -> Runs:
    """Say when some dates are heard: by their times of day, but those by their dates that are at times of their own."""
    starts = [wall_time(each.session.start_at, zone) for each in planned]
    often = Counter(start.time() for start in starts)
    usual = {time for time, count in often.items() if count > 1}
    times = {start.time().isoformat() if start.time() in usual else start.isoformat() for start in starts}
    lasts = max(each.session.latest_end_at - each.session.start_at for each in planned)
    named = tuple(sorted(times)[:MAX_TIMES])
    return Runs(zone=zone, times=named, lasts_ms=lasts // timedelta(milliseconds=1), count=len(starts))


def _end(row: Schedule) -> datetime:
    """Give an instant after the last date."""
    first = datetime.fromisoformat(row.starts_at_local)
    if row.rule is not None and row.last_date is None:
        return datetime.max.replace(tzinfo=UTC)
    last = first if row.rule is None or row.last_date is None else datetime.combine(row.last_date, time())
    return instant(last, row.zone) + TAIL
