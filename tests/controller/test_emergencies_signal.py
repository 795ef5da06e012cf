"""The alarm signal goes before an emergency wherever nodes take both, and keeps none from being heard."""

from datetime import timedelta
from typing import Any

import pytest

from controller.areas.repository import read_tree
from controller.emergencies.rules import GAP_MS, LONGEST_MS, LONGEST_SIGNAL_MS, PAUSE_MS
from controller.emergencies.schemas import FollowIn, MessageIn
from controller.emergencies.states import MessageKind, SignalState
from controller.plans.build import NodeFacts, Stamp, build_settings
from edge_agent.protocol.content import Broadcast
from edge_agent.protocol.listings import merge
from edge_agent.protocol.states import Drill, Outcome
from edge_agent.protocol.timeline import View, project
from tests.controller.factories import Centre
from tests.controller.test_emergencies import propose, village, wire, wish

SIGNAL_MS = 1_600
BARELY_MS = LONGEST_MS - LONGEST_SIGNAL_MS - GAP_MS
"""What is as long as this goes on air with the signal, and what is longer without."""


async def unsignalled(here: Centre) -> dict[str, Any]:
    """The village before its centre has a signal."""
    place = await village(here)
    await here.services.recordings.withdraw(here.actor, place["signal"])
    return place


async def words(here: Centre, place: dict[str, Any], length_ms: int, repeats: int = 1) -> dict[str, Any]:
    """What asks for one recording of this length."""
    said = await here.recording("Vỡ đê", length_ms=length_ms, area_id=place["area"].id)
    return {"message_id": None, "recordings": [said], "title": "Vỡ đê", "repeats": repeats}


async def heard(here: Centre, place: dict[str, Any], said: Broadcast) -> tuple[list[int], set[Outcome]]:
    """What one of its nodes does by its own settings: the lengths that sound there, and how it ends."""
    node, now = place["first"], here.clock()
    async with here.database.reading() as session:
        local = (await read_tree(session)).effective(node.area_id)
    settings = build_settings(Stamp(node.scope, 1, 1, now), NodeFacts(), [], local, here.trusted_keys)
    view = View(listings=merge([], [(place["area"].scope, [said])]), settings=settings)
    steps = list(project(view, now, now + timedelta(days=1)))
    sounds = {step.sound.item: step.sound.voice.length_ms for step in steps if step.sound is not None}
    return [*sounds.values()], {each.outcome for step in steps for each in step.conclusions}


@pytest.mark.parametrize(
    ("length_ms", "before", "after"),
    [
        (BARELY_MS, SignalState.COMING, SignalState.FIRST),
        (BARELY_MS + 1, SignalState.LEFT_OUT, SignalState.LEFT_OUT),
        (LONGEST_MS - SIGNAL_MS - GAP_MS, SignalState.LEFT_OUT, SignalState.LEFT_OUT),
        (LONGEST_MS, SignalState.LEFT_OUT, SignalState.LEFT_OUT),
    ],
)
async def test_what_is_said_of_a_signal_that_is_being_made_is_true_when_it_is_ready_and_nodes_play_it(
    lite: Centre, length_ms: int, before: SignalState, after: SignalState
) -> None:
    place = await unsignalled(lite)
    asked = await words(lite, place, length_ms)
    foreseen = await lite.services.emergencies.preview(place["operator"], wish(place, **asked))
    made = await propose(lite, place, **asked)
    shown = await lite.services.emergencies.get(place["leader"], made.id)
    assert (foreseen.signal, shown.signal) == (before, before)
    await lite.recording("Tín hiệu", length_ms=SIGNAL_MS, is_signal=True)
    shown = await lite.services.emergencies.get(place["leader"], made.id)
    assert (shown.signal, shown.sounds[0].is_signal) == (after, after is SignalState.FIRST)
    sent = await lite.services.emergencies.confirm(place["leader"], made.id)
    said = await wire(lite, sent.broadcast_id)
    signal = [SIGNAL_MS] if after is SignalState.FIRST else []
    assert await heard(lite, place, said) == ([*signal, length_ms], {Outcome.PLAYED})
    assert (await lite.services.emergencies.get(place["leader"], made.id)).signal is after


HALF_MS = (LONGEST_MS - PAUSE_MS) // 2
"""Two of these, with the pause between them, are all that nodes take."""


@pytest.mark.parametrize(
    ("length_ms", "signals", "state"),
    [
        (HALF_MS - SIGNAL_MS - GAP_MS, 2, SignalState.FIRST),
        (HALF_MS - SIGNAL_MS, 1, SignalState.FIRST),
        (HALF_MS, 0, SignalState.LEFT_OUT),
    ],
)
async def test_no_emergency_is_refused_for_its_signal(
    lite: Centre, length_ms: int, signals: int, state: SignalState
) -> None:
    """It goes before every time where nodes take that, before the first, or not at all; the form says so."""
    place = await village(lite)
    asked = await words(lite, place, length_ms, repeats=2)
    foreseen = await lite.services.emergencies.preview(place["operator"], wish(place, **asked))
    assert (foreseen.signal, {each.outcome for each in foreseen.broadcast.forecasts}) == (state, {Outcome.PLAYED})
    made = await propose(lite, place, **asked)
    shown = await lite.services.emergencies.get(place["leader"], made.id)
    assert shown.signal is state
    assert [each.times for each in shown.sounds if each.is_signal] == [signals] * bool(signals)
    sent = await lite.services.emergencies.confirm(place["leader"], made.id)
    sounds, outcomes = await heard(lite, place, await wire(lite, sent.broadcast_id))
    assert (sorted(sounds), outcomes) == ([*[SIGNAL_MS] * signals, length_ms, length_ms], {Outcome.PLAYED})


async def test_the_end_of_an_emergency_is_not_refused_for_its_signal_either(lite: Centre) -> None:
    place = await village(lite)
    made = await propose(lite, place)
    await lite.services.emergencies.confirm(place["leader"], made.id)
    await lite.services.messages.archive(lite.actor, place["clear"])
    long = await lite.recording("Hết lũ", length_ms=HALF_MS, area_id=place["area"].id)
    voices = [{"language": "vi", "recording_id": long}]
    ready = {"area_id": place["area"].id, "kind": MessageKind.ALL_CLEAR, "title": "Hết lũ", "voices": voices}
    await lite.services.messages.create(lite.actor, MessageIn.model_validate(ready))
    over = await lite.services.emergencies.follow(place["operator"], made.id, MessageKind.ALL_CLEAR, FollowIn())
    assert await heard(lite, place, await wire(lite, over.broadcast_id)) == ([HALF_MS, HALF_MS], {Outcome.PLAYED})


async def test_a_drill_has_words_before_it_and_nothing_is_said_of_a_signal(lite: Centre) -> None:
    place = await village(lite)
    for drill in Drill:
        foreseen = await lite.services.emergencies.preview(place["operator"], wish(place, drill=drill))
        made = await propose(lite, place, drill=drill)
        shown = await lite.services.emergencies.get(place["leader"], made.id)
        assert (foreseen.signal, shown.signal) == (SignalState.NONE, SignalState.NONE)


async def test_a_centre_without_a_signal_says_nothing_of_it_once_it_is_sent(lite: Centre) -> None:
    place = await unsignalled(lite)
    made = await propose(lite, place)
    assert (await lite.services.emergencies.get(place["leader"], made.id)).signal is SignalState.COMING
    await lite.services.emergencies.confirm(place["leader"], made.id)
    await lite.recording("Tín hiệu", length_ms=SIGNAL_MS, is_signal=True)
    assert (await lite.services.emergencies.get(place["leader"], made.id)).signal is SignalState.NONE
