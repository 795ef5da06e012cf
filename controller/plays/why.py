"""Why a node sounds in a broadcast or does not: past plays by its own word, coming ones by the node's own function.

The same view as the preview of a day is asked (``schedules.day``); what the centre alone knows goes before.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.broadcasts.repository import as_sent
from controller.clock import Clock
from controller.db import Database
from controller.nodes.live import LiveNodes
from controller.nodes.rules import NodeKind
from controller.people import rights
from controller.people.actor import Actor
from controller.receipts.models import Receipt
from controller.schedules.day import look
from edge_agent.protocol import why as protocol
from edge_agent.protocol.documents import TrustedKey
from edge_agent.protocol.moment import View
from edge_agent.protocol.states import Level

from .cases import Case, read_case, stopped_by_centre, who
from .doubts import doubts
from .verdicts import BY_THE_CENTRE, Values, asked_of_node, blocker_of, ended, stopped_at, unasked, values_of
from .why_schemas import SaidOut, WhyOut, WhyRuleOut

INSTANT = timedelta(milliseconds=1)
Answer = tuple[datetime, tuple[WhyRuleOut, ...]]
"""The instant that decides, and the rules at it."""


class Whys:
    """Says why."""

    def __init__(
        self, database: Database, clock: Clock, live: LiveNodes, *, trusted_keys: tuple[TrustedKey, ...]
    ) -> None:
        self._database, self._clock, self._live, self._trusted_keys = database, clock, live, trusted_keys

    async def of(self, actor: Actor, node_id: str, broadcast_id: str) -> WhyOut:
        """Give the rules in order with their verdicts, for one node and one broadcast, past or to come.

        Raises:
            NotFoundError: there is no such node or broadcast.
        """
        async with self._database.reading() as session:
            seen = await rights.sight(session, actor)
            case = await read_case(session, seen, node_id, broadcast_id, self._clock())
            said = await _said(session, node_id, broadcast_id)
            at, rules = await self._answer(case, said)
            notes = await doubts(case, self._live)
        return WhyOut(
            node_id=node_id,
            broadcast_id=broadcast_id,
            title=case.row.title,
            is_past=case.is_over,
            at=at,
            outcome=case.outcome,
            level=Level(case.row.level),
            grade=case.play.grade if case.play is not None else None,
            simulated=case.play is not None and case.play.simulated,
            reason=case.reason,
            blocker=blocker_of(rules),
            rules=rules,
            notes=notes,
            said=said,
        )

    async def _answer(self, case: Case, said: Sequence[SaidOut]) -> Answer:
        """Ask the centre; then the node's word, or else its function."""
        view, values = await self._view(case)
        stopped = await stopped_by_centre(case)
        if stopped is not None and (case.word is None or case.reason in BY_THE_CENTRE):
            return stopped.at, stopped_at(stopped.name, values, by=stopped.by)
        if case.word is not None and case.play is not None:
            at = next((each.at for each in reversed(said) if each.outcome), case.play.updated_at)
            by = await who(case, case.play.interrupted_by)
            return at, stopped_at(ended(case.word, case.reason), values, reason=case.reason, by=by)
        if case.is_over or case.node.kind != NodeKind.AGENT:
            return min(case.row.latest_end_at, case.now), unasked(values)
        return await _foreseen(case, view, values)

    async def _view(self, case: Case) -> tuple[View, Values]:
        span = (case.row.start_at, case.row.latest_end_at)
        around = await look(
            case.session, self._live, case.tree, case.node, span, now=case.now, trusted_keys=self._trusted_keys
        )
        wire = (await as_sent(case.session, [case.row.id])).get(case.row.id)
        return around.view, {} if wire is None else values_of(wire, around.view.settings)


async def _foreseen(case: Case, view: View, values: Values) -> Answer:
    key = case.row.id
    if case.has_begun:
        at, rules = case.now, protocol.explain(view, key, case.now)
    else:
        at, rules = protocol.foresee(view, key, case.now, case.row.latest_end_at + INSTANT)
    blocker = protocol.blocker_of(rules)
    by = await who(case, blocker.by) if blocker is not None else None
    return at, asked_of_node(rules, values, by, begun=case.has_begun)


async def _said(session: AsyncSession, node_id: str, broadcast_id: str) -> tuple[SaidOut, ...]:
    query = select(Receipt).where(Receipt.node_id == node_id, Receipt.broadcast_id == broadcast_id)
    rows = await session.scalars(query.order_by(Receipt.stored_at, Receipt.seq))
    return tuple(
        SaidOut(
            at=row.at,
            state=row.event.get("state"),
            outcome=row.event.get("outcome"),
            reason=row.event.get("reason"),
        )
        for row in rows
    )
