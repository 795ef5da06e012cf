"""Rollouts as people order them: begun, paused, let go on, stopped; and shown."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.targets import areas_of
from controller.audit import service as audit
from controller.clock import Clock
from controller.db import Database, Transaction
from controller.errors import NotFoundError
from controller.events import Event, Topic
from controller.ids import new_id
from controller.nodes.live import LiveNodes
from controller.nodes.models import Node
from controller.nodes.rules import HEARD, NodeStatus
from controller.people import rights
from controller.people.actor import Actor
from controller.people.models import Person
from controller.people.rights import Act, Sight

from .errors import RolloutError
from .models import Rollout, RolloutNode
from .planning import forecast, planned, require_free
from .repository import Known, Nodes, bundles_of, in_sight
from .schemas import ForecastOut, RolloutIn, RolloutNodeOut, RolloutOut, RolloutWithNodes
from .states import OPEN, SETTLED, Member, RolloutState, Skipped, State, Stopped


class Rollouts:
    """Releases on their way. What a rollout does between is ``steering``'s."""

    def __init__(self, database: Database, clock: Clock, live: LiveNodes) -> None:
        self._database, self._clock, self._live = database, clock, live

    async def preview(self, actor: Actor, wanted: RolloutIn) -> ForecastOut:
        """Say what sending a release would do; begins nothing.

        Raises:
            ForbiddenError, InvalidError, RolloutError: as ``start``.
        """
        now = self._clock()
        async with self._database.reading() as session:
            found = await planned(session, self._live, actor, wanted, now)
            await require_free(session, found.agents)
            return await forecast(session, self._live, found, wanted, now)

    async def start(self, actor: Actor, wanted: RolloutIn) -> RolloutWithNodes:
        """Begin to send a release to nodes.

        Raises:
            ForbiddenError: the person may not there.
            InvalidError: no such release or target, the waves are none, or no node there would get anything.
            RolloutError: a node there is in another rollout.
        """
        now = self._clock()
        async with self._database.reading() as session:
            found = await planned(session, self._live, actor, wanted, now)
        row = Rollout(
            id=new_id(),
            release=wanted.release,
            version=found.release.version,
            scopes=list(found.targets.scopes),
            area_id=found.targets.area_id,
            waves=list(wanted.waves),
            soak_s=wanted.soak_s,
            error_percent=wanted.error_percent,
            total=len(found.needing),
            state=RolloutState.RUNNING,
            wave=0,
            wave_since_at=now,
            expires_at=found.expires_at,
            created_by=actor.person_id,
            created_at=now,
        )
        async with self._database.transaction() as tx:
            await rights.require(tx.session, actor, Act.ROLLOUTS_START, found.targets.area_ids)
            await self._join(tx, row, found.agents, found.needing)
            detail = {"release": row.release, "targets": row.scopes, "nodes": row.total, "waves": row.waves}
            await self._note(tx, actor, Act.ROLLOUTS_START, row, detail)
        return await self.get(actor, row.id)

    async def pause(self, actor: Actor, rollout_id: str) -> RolloutWithNodes:
        """Tell no more nodes for now. What is under way goes on.

        Raises:
            NotFoundError, ForbiddenError: as always.
            RolloutError: it does not run.
        """
        return await self._turn(actor, rollout_id, Act.ROLLOUTS_HALT, RolloutState.RUNNING, RolloutState.PAUSED)

    async def resume(self, actor: Actor, rollout_id: str) -> RolloutWithNodes:
        """Let it go on.

        Raises:
            NotFoundError, ForbiddenError: as always.
            RolloutError: it was not paused.
        """
        return await self._turn(actor, rollout_id, Act.ROLLOUTS_START, RolloutState.PAUSED, RolloutState.RUNNING)

    async def stop(self, actor: Actor, rollout_id: str) -> RolloutWithNodes:
        """Tell no more nodes, for good. Those that have it keep it.

        Raises:
            NotFoundError, ForbiddenError: as always.
            RolloutError: it is over already.
        """
        return await self._turn(actor, rollout_id, Act.ROLLOUTS_HALT, None, RolloutState.STOPPED)

    async def list(self, actor: Actor, *, limit: int = 100) -> list[RolloutOut]:
        """Give the latest rollouts that have nodes in sight, the newest first."""
        async with self._database.reading() as session:
            seen = await rights.sight(session, actor)
            query = select(Rollout, Person.name).outerjoin(Person, Person.id == Rollout.created_by)
            query = query.where(in_sight(seen)).order_by(Rollout.created_at.desc(), Rollout.id).limit(limit)
            rows = [(row, name) for row, name in (await session.execute(query)).all()]
            counts, unbelieved = await _counted(session, seen, [row.id for row, _ in rows])
            return [_out(row, counts[row.id], unbelieved[row.id], name) for row, name in rows]

    async def get(self, actor: Actor, rollout_id: str) -> RolloutWithNodes:
        """Give one with the nodes in sight.

        Raises:
            NotFoundError: there is none.
        """
        async with self._database.reading() as session:
            seen = await rights.sight(session, actor)
            row = await _one(session, seen, rollout_id)
            return await self._with_nodes(session, row, seen, await _name(session, row))

    async def _join(self, tx: Transaction, row: Rollout, node_ids: Sequence[str], needing: Collection[str]) -> None:
        """Write down whom it is for. Who runs it already needs nothing."""
        await require_free(tx.session, node_ids)
        tx.session.add(row)
        await tx.session.flush()
        begins = {"rollout_id": row.id, "state_at": row.created_at, "commands": []}
        wants, has = {"state": State.PLANNED, "reason": None}, {"state": State.SKIPPED, "reason": Skipped.ALREADY}
        rows = [{**begins, "node_id": each, **(wants if each in needing else has)} for each in node_ids]
        await tx.session.execute(insert(RolloutNode), rows)

    async def _turn(
        self, actor: Actor, rollout_id: str, act: Act, before: RolloutState | None, after: RolloutState
    ) -> RolloutWithNodes:
        now = self._clock()
        async with self._database.transaction() as tx:
            seen = await rights.sight(tx.session, actor)
            row = await _one(tx.session, seen, rollout_id, lock=True)
            areas = await areas_of(tx.session, row.scopes, removed=True)
            await rights.require(tx.session, actor, act, sorted(set(areas.values())))
            if row.state not in OPEN or (before is not None and row.state != before):
                raise RolloutError(f"this rollout is {row.state}", id=row.id, state=row.state, problem="state")
            row.state = after
            if after is RolloutState.STOPPED:
                row.reason, row.ended_at = Stopped.BY_PERSON, now
            await self._note(tx, actor, act, row, {"release": row.release, "state": row.state})
            await tx.session.flush()
        return await self.get(actor, row.id)

    async def _note(self, tx: Transaction, actor: Actor, act: Act, row: Rollout, detail: dict[str, object]) -> None:
        subject, at = f"rollouts/{row.id}", self._clock()
        await audit.write(tx, actor, act, subject, detail, at=at, area_id=row.area_id)
        tx.tell(Event(Topic.ROLLOUT, row.id))

    async def _with_nodes(
        self, session: AsyncSession, row: Rollout, seen: Sight, created_by_name: str | None
    ) -> RolloutWithNodes:
        looked = Nodes(session, self._live, self._clock(), await bundles_of(session, row.release))
        nodes: list[RolloutNodeOut] = []
        async for some in looked.read(row.id, seen):
            nodes += [_node(known, member, looked.status(known)) for known, member in some]
        undone = [each for each in nodes if each.state not in SETTLED]
        counts, unbelieved = Counter(each.state for each in nodes), sum(each.unbelieved is not None for each in nodes)
        return RolloutWithNodes(
            **_out(row, counts, unbelieved, created_by_name).model_dump(),
            away=sum(each.status not in HEARD for each in undone),
            unable=sum(not each.able for each in undone),
            nodes=tuple(nodes),
        )


def _out(row: Rollout, counts: Mapping[State, int], unbelieved: int, created_by_name: str | None) -> RolloutOut:
    return RolloutOut(
        id=row.id,
        release=row.release,
        version=row.version,
        targets=tuple(row.scopes),
        area_id=row.area_id,
        state=RolloutState(row.state),
        reason=None if row.reason is None else Stopped(row.reason),
        waves=tuple(row.waves),
        wave=row.wave + 1,
        wave_since_at=row.wave_since_at,
        soak_s=row.soak_s,
        error_percent=row.error_percent,
        total=row.total,
        counts={state: counts[state] for state in State if counts.get(state)},
        unbelieved=unbelieved,
        created_by_name=created_by_name,
        created_at=row.created_at,
        ended_at=row.ended_at,
    )


async def _counted(
    session: AsyncSession, seen: Sight, rollout_ids: Sequence[str]
) -> tuple[dict[str, Counter[State]], Counter[str]]:
    """Count the nodes in sight by rollout: by state, and those that claimed what could not be."""
    query = (
        select(RolloutNode.rollout_id, RolloutNode.state, func.count(), func.count(RolloutNode.unbelieved))
        .join(Node, Node.id == RolloutNode.node_id)
        .where(RolloutNode.rollout_id.in_(rollout_ids), seen.where(Node.area_id))
        .group_by(RolloutNode.rollout_id, RolloutNode.state)
    )
    counts: dict[str, Counter[State]] = {each: Counter() for each in rollout_ids}
    unbelieved: Counter[str] = Counter()
    for rollout_id, state, count, lied in await session.execute(query):
        counts[rollout_id][State(state)] = count
        unbelieved[rollout_id] += lied
    return counts, unbelieved


def _node(known: Known, member: Member, status: NodeStatus) -> RolloutNodeOut:
    return RolloutNodeOut(
        node_id=known.node_id,
        node_name=known.name,
        area_id=known.area_id,
        state=member.state,
        reason=known.reason,
        wave=None if known.wave is None else known.wave + 1,
        status=status,
        able=member.able,
        state_at=known.state_at,
        sent_at=known.sent_at,
        unbelieved=known.unbelieved,
    )


async def _one(session: AsyncSession, seen: Sight, rollout_id: str, *, lock: bool = False) -> Rollout:
    query = select(Rollout).where(Rollout.id == rollout_id, in_sight(seen))
    row = await session.scalar(query.with_for_update(of=Rollout) if lock else query)
    if row is None:
        raise NotFoundError("there is no such rollout", resource="rollouts", id=rollout_id[:64])
    found: Rollout = row
    return found


async def _name(session: AsyncSession, row: Rollout) -> str | None:
    by = await session.get(Person, row.created_by) if row.created_by else None
    return by.name if by else None
