"""A broken glass survives the centre: whatever was killed in between, it is sent once, or people are told that not."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from controller.emergencies.firing import HOLDS_STAND
from controller.emergencies.rules import CANCEL_WINDOW, LATEST_FIRING
from controller.emergencies.sending import Sending
from controller.emergencies.states import EmergencyState
from controller.events import Event, Topic
from controller.people.models import Grant
from controller.people.rights import Role
from controller.recordings.models import Recording
from tests.controller import factories
from tests.controller.factories import Centre
from tests.controller.test_emergencies import ALONE, alarms, propose, village

WITHIN_S = 20


async def counting(here: Centre) -> tuple[dict[str, Any], str]:
    """A village in which the glass was broken just now; gives the emergency's id."""
    place = await village(here)
    asked = await propose(here, place)
    await here.services.emergencies.break_glass(place["operator"], asked.id, ALONE)
    return place, asked.id


@asynccontextmanager
async def next_life(before: Centre, folder: Path, **later: float) -> AsyncIterator[Centre]:
    """A new centre on the same database, some time after."""
    async with factories.centre(folder, known=before.person) as after:
        after.clock.now = before.clock.now
        after.clock.step(**later)
        yield after


@asynccontextmanager
async def awake(here: Centre) -> AsyncIterator[None]:
    """The waker, running."""
    task = asyncio.create_task(here.services.firing.run())
    try:
        async with asyncio.timeout(WITHIN_S):
            await here.services.firing.ready.wait()
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("later", [CANCEL_WINDOW, CANCEL_WINDOW + LATEST_FIRING])
async def test_a_centre_killed_within_the_window_sends_it_at_its_next_start(tmp_path: Path, later: Any) -> None:
    async with factories.centre(tmp_path) as here:
        _, key = await counting(here)
        async with next_life(here, tmp_path, seconds=later.total_seconds()) as after, awake(after):
            sent = await after.services.emergencies.get(after.actor, key)
            assert sent.state is EmergencyState.SENT
            assert len(await after.services.broadcasts.today(after.actor)) == 1
            async with next_life(after, tmp_path, seconds=1) as again, awake(again):
                assert len(await again.services.broadcasts.today(again.actor)) == 1


async def test_what_is_far_too_late_is_given_up_and_people_are_told(tmp_path: Path) -> None:
    async with factories.centre(tmp_path) as here:
        _, key = await counting(here)
        later = CANCEL_WINDOW + LATEST_FIRING
        async with next_life(here, tmp_path, seconds=later.total_seconds() + 0.001) as after, awake(after):
            found = await after.services.emergencies.get(after.actor, key)
            assert (found.state, found.problem) == (EmergencyState.CANCELLED, "too_late")
            assert await after.services.broadcasts.today(after.actor) == []
            assert await alarms(after) == ["emergencies.break_glass", "emergencies.not_sent"]


async def test_what_cannot_be_sent_is_told_and_does_not_stop_the_waker(tmp_path: Path) -> None:
    async with factories.centre(tmp_path) as here:
        place, key = await counting(here)
        other = await propose(here, place, targets=[place["west"].scope], again=True)
        await here.services.emergencies.break_glass(place["operator"], other.id, ALONE)
        message = await here.services.messages.get(here.actor, place["message"])
        async with here.database.transaction() as tx:  # beneath it all: the centre itself refuses this
            recording = await tx.session.get_one(Recording, message.voices[0].recording_id)
            recording.withdrawn_at = here.clock()
        here.clock.step(seconds=30)
        await here.services.firing.do_due()
        for emergency_id in (key, other.id):
            found = await here.services.emergencies.get(here.actor, emergency_id)
            assert (found.state, found.problem) == (EmergencyState.CANCELLED, "invalid")
        assert await alarms(here) == ["emergencies.break_glass"] * 2 + ["emergencies.not_sent"] * 2


async def test_an_emergency_at_which_the_centre_fails_is_told_and_the_next_one_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with factories.centre(tmp_path) as here:
        place, key = await counting(here)
        other = await propose(here, place, targets=[place["west"].scope], again=True)
        await here.services.emergencies.break_glass(place["operator"], other.id, ALONE)
        send = Sending.send

        async def fail_at_the_first(sending: Sending, *said: Any, **given: Any) -> Any:
            if said[2].id == key:
                raise ZeroDivisionError
            return await send(sending, *said, **given)

        monkeypatch.setattr(Sending, "send", fail_at_the_first)
        here.clock.step(seconds=30)
        await here.services.firing.do_due()
        found = [await here.services.emergencies.get(here.actor, each) for each in (key, other.id)]
        assert [(each.state, each.problem) for each in found] == [
            (EmergencyState.CANCELLED, "internal"),
            (EmergencyState.SENT, None),
        ]
        assert (await alarms(here)).count("emergencies.not_sent") == 1
        assert here.services.failures.names == {f"emergencies.fire/{key}"}


async def test_rights_lost_while_it_counts_down_keep_a_hold_and_not_the_emergency(tmp_path: Path) -> None:
    async with factories.centre(tmp_path) as here:
        place = await village(here)
        [hold] = await here.services.holds.order(here.actor, [place["west"].scope])
        asked = await propose(here, place, release_holds=[hold.id])
        await here.services.emergencies.break_glass(place["operator"], asked.id, ALONE)
        async with here.database.transaction() as tx:
            mine = update(Grant).where(Grant.person_id == place["operator"].person_id)
            await tx.session.execute(mine.values(role=Role.OBSERVER))
        here.clock.step(seconds=30)
        await here.services.firing.do_due()
        assert (await here.services.emergencies.get(here.actor, asked.id)).state is EmergencyState.SENT
        assert [each.id for each in await here.services.holds.active(here.actor)] == [hold.id]
        [told] = [each for each in await here.services.alarms.list(here.actor) if each.kind == HOLDS_STAND]
        assert (told.detail["title"], told.detail["count"]) == ("Lũ quét", 1)


async def test_the_waker_hears_of_a_broken_glass_and_sends_it(tmp_path: Path) -> None:
    async with factories.centre(tmp_path) as here, awake(here):
        _, key = await counting(here)
        with here.bus.listen() as events:
            here.clock.step(seconds=30)
            here.bus.publish(Event(Topic.EMERGENCY, key))
            async with asyncio.timeout(WITHIN_S):
                async for event in events:
                    if event.topic is Topic.BROADCAST:
                        break
        assert (await here.services.emergencies.get(here.actor, key)).state is EmergencyState.SENT
