"""A release that hangs its nodes, silences them at the switch, or kills them after the verdict goes no further."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.updates.progress import PATIENCE
from controller.updates.rules import next_steps
from controller.updates.states import Course, Member, RolloutState, State, Steps, Stopped
from controller.updates.waves import SOAK, WAVES
from edge_agent.protocol.updates import UpdateReport, UpdateState
from tests.controller.factories import Centre

from .test_rollouts import QUICK, shop_with

T0 = datetime(2026, 3, 1, tzinfo=UTC)
RELEASE = 5


def member(number: int, state: State, **changes: Any) -> Member:
    """A node of the second wave that was told at the start and is heard."""
    found = Member(f"n{number:02}", state, wave=1, state_at=T0, sent_at=T0, commands=(f"c{number}",), online=True)
    said = UpdateState(state.value) if state.value in set(UpdateState) else None
    report = UpdateReport(command_id=f"c{number}", release=RELEASE, state=said) if said is not None else None
    running = RELEASE if state is State.GOOD else 0
    said_so: dict[str, Any] = {"heard_at": T0, "report": report, "running": running}
    return replace(found, **(said_so | changes))


def after(hours: float, *own: Member, **first: Any) -> Steps:
    """Look at the second wave of a hundred nodes, so long after it began."""
    now = T0 + timedelta(hours=hours)
    course = Course(RELEASE, 100, WAVES, SOAK, 5, 1, T0, T0 + timedelta(days=90))
    rest = [Member(f"n{number:02}", online=True, heard_at=now) for number in range(5, 100)]
    return next_steps(course, [member(0, State.GOOD, wave=0, **first), *own, *rest], now, running=True)


def heard(hours: float) -> dict[str, Any]:
    return {"heard_at": T0 + timedelta(hours=hours), "online": True}


SILENT: dict[str, Any] = {"heard_at": T0 + timedelta(minutes=20), "online": False}


@pytest.mark.parametrize("state", [State.WAITING, State.TRYING])
@pytest.mark.fault("F27")
def test_a_node_that_comes_no_further_in_a_day_is_lost(state: State) -> None:
    steps = after(26, *(member(number, state, **heard(26)) for number in range(1, 5)))
    assert [each.state for each in steps.changes] == [State.LOST] * 4
    assert (steps.why, steps.tell) == (Stopped.TOO_MANY, ())


@pytest.mark.fault("F27")
def test_a_wave_in_which_none_was_good_is_not_gone_on_from() -> None:
    own = [member(number, State.FETCHING) for number in range(1, 5)]
    for there in (heard(23.5), SILENT):
        waits = after(23.5, *(replace(each, **there) for each in own))
        assert (waits.wave, waits.tell, waits.ends) == (1, (), None)
        ends = after(24, *(replace(each, **there) for each in own))
        assert (ends.wave, ends.tell, ends.why) == (1, (), Stopped.STUCK)


@pytest.mark.fault("F27")
def test_who_waits_for_its_moment_and_falls_silent_is_waited_for_and_then_lost() -> None:
    """Dead at the switch, and its goodbye lost with the link."""
    own = [member(1, State.GOOD, **heard(23)), *(member(number, State.WAITING, **SILENT) for number in range(2, 5))]
    waits = after(23, *own)
    assert (waits.wave, waits.tell, waits.ends) == (1, (), None)
    assert after(24, *own).why is Stopped.TOO_MANY


@pytest.mark.fault("F27")
def test_who_was_good_and_falls_silent_in_the_soak_is_waited_for_and_then_lost() -> None:
    own = [member(number, State.GOOD, **SILENT) for number in range(1, 5)]
    waits = after(1.2, *own)
    assert (waits.wave, waits.tell, waits.ends) == (1, (), None)
    ends = after(1.4, *own)
    assert ([each.state for each in ends.changes], ends.why) == ([State.LOST] * 4, Stopped.TOO_MANY)
    back = after(1.4, *(replace(each, **heard(1.4)) for each in own))
    assert back.wave == 2
    assert back.tell


@pytest.mark.fault("F27")
def test_who_was_good_and_runs_another_release_in_the_soak_is_returned() -> None:
    own = [member(number, State.GOOD, **heard(2)) for number in range(1, 5)]
    ends = after(2, replace(own[0], running=4), *own[1:])
    assert ([each.state for each in ends.changes], ends.why) == ([State.RETURNED], Stopped.TOO_MANY)


def test_a_node_that_was_lost_after_good_is_good_again_only_when_it_is_heard() -> None:
    lost = member(1, State.LOST, report=member(1, State.GOOD).report, running=RELEASE)
    own = [member(number, State.GOOD, **heard(2)) for number in range(2, 30)]
    assert after(2, replace(lost, **SILENT), *own).changes == ()
    back = after(2, replace(lost, **heard(2)), *own).changes
    assert [(each.node_id, each.state) for each in back] == [("n01", State.GOOD)]


def test_nodes_of_earlier_waves_that_fall_silent_stop_nothing() -> None:
    own = [member(number, State.GOOD, **heard(2)) for number in range(1, 5)]
    assert after(2, *own, **SILENT).wave == 2


def test_a_wave_of_removed_nodes_shows_nothing() -> None:
    steps = after(26, *(member(number, State.FETCHING, gone=True, **heard(26)) for number in range(1, 5)))
    assert {(each.state, each.wave) for each in steps.changes[:4]} == {(State.SKIPPED, None)}
    assert (steps.wave, len(steps.tell)) == (1, 4), "others take their places in the same wave"


def test_where_nobody_can_be_told_the_wave_stays_small() -> None:
    now = T0 + 3 * PATIENCE
    course = Course(RELEASE, 100, WAVES, SOAK, 5, 1, T0, T0 + timedelta(days=90))
    rest = [Member(f"n{number:02}", heard_at=T0) for number in range(1, 100)]
    assert next_steps(course, [member(0, State.GOOD, wave=0), *rest], now, running=True).wave == 1


@pytest.mark.fault("F27")
async def test_a_release_that_kills_its_first_node_after_the_verdict_reaches_no_other(lite: Centre) -> None:
    shop, area, nodes = await shop_with(lite, 4)
    rollout = await shop.start(area.scope, **QUICK)
    await shop.look()
    shop.hears(nodes[0], "good", running=7)
    await shop.look()
    del shop.says[nodes[0]]
    for _ in range(7):
        assert await shop.look(minutes=12) == []
    ended = await lite.services.rollouts.get(lite.actor, rollout.id)
    assert (ended.state, ended.reason, ended.nodes[0].state) == (
        RolloutState.STOPPED,
        Stopped.FIRST_WAVE,
        State.LOST,
    )
