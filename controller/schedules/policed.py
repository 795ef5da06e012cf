"""Asks the policies of all places of a schedule: what its dates would break, and whether their hours are unusual."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import Standing
from controller.areas.rules import Tree
from controller.broadcasts.policed import unusual_error
from controller.errors import LoaError
from controller.nodes.models import Node
from controller.policies.checks import (
    Besides,
    Places,
    breaches,
    quiet_refusal,
    refusal,
    refused_by_nodes,
    unguarded,
    unusual_hour,
)
from controller.policies.errors import PolicyBreachError
from controller.policies.limits import Airing
from controller.policies.schemas import BreachOut, UnusualOut

from .meetings import Span
from .planning import Planned


class Where(NamedTuple):
    """Places of a schedule."""

    tree: Tree
    nodes: Sequence[Node | Standing]
    area_id: str
    zone: str

    @property
    def places(self) -> Places:
        """Give those that policies are asked for: the area itself where nothing stands yet."""
        nodes = self.nodes
        return Places.of_nodes(self.tree, nodes) if nodes else Places(self.tree, (self.area_id,))


class Asked:
    """What the policies say to the dates of a schedule."""

    def __init__(self, found: Sequence[BreachOut], unusual: UnusualOut | None) -> None:
        self.breaches, self.unusual = tuple(found), unusual

    def refusal(self, *, confirmed: bool) -> LoaError | None:
        """Give the error with which it is refused. ``confirmed``: the hour is meant."""
        if (refused := refusal(self.breaches)) is not None:
            return refused
        quiet = next((each for each in self.breaches if each.rule == "quiet_hours" and each.everywhere), None)
        if quiet is not None:
            return PolicyBreachError(
                f"quiet hours {quiet.limit}: no node would play this; choose another time",
                field="starts_at_local",
                rules=["quiet_hours"],
                place=quiet.area_names[0],
                breaches=[quiet.model_dump(mode="json")],
            )
        return unusual_error(self.unusual) if self.unusual is not None and not confirmed else None


async def refused_dates(
    session: AsyncSession, where: Where, planned: Iterable[Planned], *, besides: Besides
) -> dict[str, PolicyBreachError]:
    """Give the dates, by name, that break what no node guards: sessions and minutes, the earliest hour."""
    runs = {
        each.recurrence: Airing(each.session.start_at, timedelta(milliseconds=each.laid_out.length_ms))
        for each in planned
    }
    found = await unguarded(session, where.places, runs.values(), besides=besides) if runs else {}
    return {name: found[run] for name, run in runs.items() if run in found}


def refused_by_their_nodes(where: Where, planned: Iterable[Planned]) -> dict[str, tuple[BreachOut, ...]]:
    """Give the dates, by name, of which nodes refuse at least a part by their own rules."""
    runs = {
        each.recurrence: Airing(each.session.start_at, timedelta(milliseconds=each.laid_out.length_ms))
        for each in planned
    }
    found = refused_by_nodes(where.places, runs.values())
    return {name: found[run] for name, run in runs.items() if run in found}


def refused_everywhere(where: Where, planned: Iterable[Planned]) -> dict[str, PolicyBreachError]:
    """Give the dates, by name, that no node would sound whole, each with its error."""
    found = refused_by_their_nodes(where, planned)
    errors = {name: refusal(each) or quiet_refusal(each, field="start_at") for name, each in found.items()}
    return {name: error for name, error in errors.items() if error is not None}


async def ask_policies(
    session: AsyncSession,
    where: Where,
    spans: Sequence[Span],
    *,
    schedule_id: str,
    own: Sequence[Span] = (),
    now: datetime,
) -> Asked:
    """Say what dates would break. The schedule as it was is not counted; ``own``: its other dates, which are."""
    places, runs, kept = where.places, _runs(spans), _runs(own)
    if not runs:
        return Asked((), None)
    found = await breaches(session, places, runs, besides=Besides(schedule_id=schedule_id), kept=kept)
    hours = {each.start_at.astimezone(ZoneInfo(where.zone)).time(): each for each in reversed(runs)}
    for run in sorted(hours.values()):
        if (unusual := await unusual_hour(session, places, run, now=now)) is not None:
            return Asked(found, unusual)
    return Asked(found, None)


def _runs(spans: Sequence[Span]) -> list[Airing]:
    return [Airing(each.start_at, each.end_at - each.start_at) for each in spans if each.end_at > each.start_at]
