"""What was aired, to whom, and what became of it: a list of days gone by. What is still to come is the schedules'."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, false, select, true, union_all

from controller.clock import Clock
from controller.db import Database
from controller.errors import InvalidError
from controller.nodes.live import LiveNodes
from controller.paging import Found, Wanted, paged
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import Sight
from controller.plays.models import Play
from controller.plays.seen import play_in_sight
from controller.plays.unconfirmed import Watch
from controller.schedules import unaired
from controller.schedules.models import UnairedDate
from controller.schedules.schemas import UnairedOut
from controller.search import matches
from controller.spans import span_of
from edge_agent.protocol.states import Level, Outcome

from .models import Broadcast
from .repository import in_sight, outs, sounds_in
from .schemas import BroadcastOut, as_on_the_wire

RESULTS = ("whole", "missed", "open", "cancelled", "unsaid", "unaired")
"""Heard wherever it was to be; not everywhere; not over; taken back; never given its yes; never made."""
KINDS = (*Level, "drill")
_NOT_WELL = (Outcome.INTERRUPTED, Outcome.MISSED, Outcome.REFUSED, Outcome.EXPIRED, Outcome.UNKNOWN)


class History:
    """Reads what was aired, and what was to be and was not."""

    def __init__(self, database: Database, clock: Clock, live: LiveNodes) -> None:
        self._database, self._clock, self._live = database, clock, live

    async def find(self, actor: Actor, wanted: Wanted) -> Found[BroadcastOut | UnairedOut]:
        """Give one part of what was to begin, sorted by ``start`` or ``title``; of several versions the last alone.

        Dates of schedules of which no broadcast came to be stand among the broadcasts.

        Filters: ``area``, ``result`` (``RESULTS``), ``kind`` (``KINDS``), ``from`` and ``until`` (instants,
        ISO 8601; without ``until`` what was to begin by now).

        Raises:
            InvalidError: a filter says what it cannot mean.
            NotFoundError: there is no such area in sight.
        """
        now = as_on_the_wire(self._clock())
        async with self._database.reading() as session:
            whole = await rights.sight(session, actor)
            area_id = wanted.having.get("area") or None
            seen = await rights.within(session, whole, area_id)
            runs = _runs(wanted, seen, now).where(in_sight(whole), true() if area_id is None else sounds_in(seen))
            dates = _dates(wanted, unaired.shown_to(whole), now).where(
                unaired.seen_by(whole), true() if area_id is None else unaired.heard_in(seen)
            )
            both = union_all(runs, dates).subquery()
            query = select(both.c.id, both.c.start_at, both.c.title)
            orders = {"start": both.c.start_at, "title": both.c.title}
            rows, total = await paged(session, query, wanted, orders, last=both.c.id)
            ids = [row.id for row in rows]
            chosen = select(Broadcast).where(Broadcast.id.in_(ids))
            found: dict[str, BroadcastOut | UnairedOut] = {
                each.id: each for each in await outs(session, chosen, Watch(self._live, seen, now), whole=whole)
            }
            not_made = select(UnairedDate).where(UnairedDate.id.in_([each for each in ids if each not in found]))
            found |= {each.id: each for each in await unaired.outs(session, not_made, whole)}
        return Found(tuple(found[each] for each in ids), total)


def _runs(wanted: Wanted, seen: Sight, now: datetime) -> Select[*tuple[Any, ...]]:
    return (
        select(Broadcast.id, Broadcast.start_at, Broadcast.title)
        .where(Broadcast.superseded_at.is_(None))
        .where(true() if wanted.having.get("until") else Broadcast.start_at <= now)
        .where(_result(wanted.having.get("result", ""), seen), _kind(wanted.having.get("kind", "")))
        .where(*span_of(wanted, Broadcast.start_at), matches(Broadcast.search, wanted.q))
    )


def _dates(wanted: Wanted, shown: unaired.Shown, now: datetime) -> Select[*tuple[Any, ...]]:
    """Find those of which nothing came to be: of no result but their own, of the level of their schedule, no drills."""
    kind = wanted.having.get("kind", "")
    return (
        select(UnairedDate.id, UnairedDate.start_at, shown.title.label("title"))
        .where(true() if wanted.having.get("result", "") in {"", "unaired"} else false())
        .where(shown.level == kind if kind else true())
        .where(true() if wanted.having.get("until") else UnairedDate.start_at <= now)
        .where(*span_of(wanted, UnairedDate.start_at), matches(shown.search, wanted.q))
    )


def _result(result: str, seen: Sight) -> ColumnElement[bool]:
    play = exists().where(Play.broadcast_id == Broadcast.id, play_in_sight(seen))
    missed, open_ = play.where(Play.outcome.in_(_NOT_WELL)), play.where(Play.outcome.is_(None))
    sent = and_(Broadcast.cancelled_at.is_(None), Broadcast.awaits_approval.is_(False))
    found = {
        "": true(),
        "whole": and_(sent, play.where(Play.outcome == Outcome.PLAYED), ~missed, ~open_),
        "missed": and_(sent, missed),
        "open": and_(sent, open_),
        "cancelled": Broadcast.cancelled_at.is_not(None),
        "unsaid": and_(Broadcast.cancelled_at.is_(None), Broadcast.awaits_approval),
        "unaired": false(),
    }
    if result not in found:
        raise InvalidError(f"result: one of {', '.join(RESULTS)}", field="result", problem="unknown")
    return found[result]


def _kind(kind: str) -> ColumnElement[bool]:
    if not kind:
        return true()
    if kind not in KINDS:
        raise InvalidError(f"kind: one of {', '.join(KINDS)}", field="kind", problem="unknown")
    if kind == "drill":
        return Broadcast.drill.is_not(None)
    return and_(Broadcast.level == kind, Broadcast.drill.is_(None))
