"""What the tests of one node in a stepped world share: its noon, how it ended, what it told."""

from datetime import datetime, timedelta

from edge_agent.protocol.states import Outcome
from tests.edge_agent.fakes import NOON
from tests.faults.checker import violations
from tests.faults.history import History
from tests.faults.world import World


def minutes(count: float) -> datetime:
    return NOON + timedelta(minutes=count)


async def ended(one: World) -> History:
    """Give the facts, which keep to the rules."""
    history = await one.end()
    assert violations(history) == []
    return history


def outcomes(history: History) -> dict[str, Outcome]:
    return {told.broadcast_id: told.outcome for told in history.told if told.outcome}
