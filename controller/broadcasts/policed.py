"""Asks the policies of all places of a draft: what it would break, and whether its hour is unusual there."""

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from controller.errors import LoaError
from controller.policies.checks import Besides, Places, breaches, refusal, unusual_hour
from controller.policies.errors import UnusualHourError
from controller.policies.limits import Airing
from controller.policies.schemas import BreachOut, UnusualOut
from edge_agent.protocol.states import Level

from .drafts import Draft


class Verdict(NamedTuple):
    """What the policies say to a draft."""

    breaches: tuple[BreachOut, ...] = ()
    unusual: UnusualOut | None = None

    @property
    def refusal(self) -> LoaError | None:
        """The error with which it is refused, whatever the hour."""
        return refusal(self.breaches)


async def ask_policies(session: AsyncSession, draft: Draft, *, now: datetime) -> Verdict:
    """Say what a draft would break, and why its hour is unusual; an emergency breaks nothing."""
    if draft.level is Level.EMERGENCY:
        return Verdict()
    places = Places.of_nodes(draft.targets.tree, draft.targets.nodes)
    run = Airing(draft.window.start_at, timedelta(milliseconds=draft.length_ms))
    besides = Besides(broadcast_ids=frozenset([draft.replaces_id] if draft.replaces_id else ()))
    found = await breaches(session, places, [run], besides=besides)
    return Verdict(tuple(found), await unusual_hour(session, places, run, now=now))


def unusual_error(found: UnusualOut) -> UnusualHourError:
    """Write the error with which an unusual hour is asked about once more."""
    why = "it is night there" if found.reason == "night" else "nothing sounded there at such an hour for 30 days"
    return UnusualHourError(
        f"{found.hour}: {why}; send confirm_unusual if it is meant", field="start_at", **found.model_dump()
    )
