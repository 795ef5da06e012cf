"""The journeys of the issue, by whose hands they are, on a phone and a PC, in both languages, in counted taps.

Everything is real: the centre's process, its broker, three agents. The one of a microphone is in ``test_say_now``.
"""

import re
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from playwright.async_api import ViewportSize, expect

from tests.e2e.journeys.conftest import Note
from tests.e2e.journeys.stage import HELPER_PHONE, LOOKS, PATIENT_MS, Row, Stage, last_start
from tests.e2e.journeys.steps import (
    approve,
    break_glass,
    call_helper,
    confirm,
    id_in,
    in_first_window,
    plan_tomorrow,
    propose,
    ready_message,
    release,
    say_now,
    stop,
)
from tests.web.browser import AXE, SERIOUS

pytestmark = [
    pytest.mark.browser,
    pytest.mark.broker,
    pytest.mark.long,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(300),
]
LOW: ViewportSize = {"width": 360, "height": 640}
"""The window of a small and old phone."""
ALL_THREE = re.compile("3(/| of )3")
looks = pytest.mark.parametrize("look", LOOKS)


@pytest_asyncio.fixture(loop_scope="module")
async def flood(stage: Stage) -> Row:
    """A message of this test alone: the same one is not proposed twice while it may still sound."""
    return await ready_message(stage)


async def test_whether_it_sounded_everywhere_is_answered_in_the_first_window(stage: Stage, note: Note) -> None:
    """Of a morning like any other, in no tap: in a sentence, and in the row of its hour."""
    run = await stage.commune.broadcast("Buổi sáng", await stage.sound("Buổi sáng"))
    await stage.over(run["id"])
    for look in LOOKS:
        async with stage.way("operator", look) as way:
            for part in ("#answer", f"#run-{run['id']}"):
                await expect(way.page.locator(part)).to_contain_text(ALL_THREE)
                await in_first_window(way.page.locator(part))
            note("did it sound everywhere?", look, await way.done(0, issue="0 taps, 5 s"))
            if look == "phone-vi":
                await way.page.set_viewport_size(LOW)
                await in_first_window(way.page.locator("#answer"))


@pytest.mark.parametrize("look", [look for look in LOOKS if look != "phone-vi"])
async def test_said_now_in_four_taps(stage: Stage, note: Note, look: str) -> None:
    async with stage.way("operator", look) as way:
        sent_at = await say_now(way)
        broadcast_id = id_in(way.page)
        row = await way.done(4)
    sound_s = last_start(await stage.sounded(broadcast_id)) - sent_at
    note("say now", look, row | {"sound_s": round(sound_s, 2), "issue": "4 taps, 15 s, sound 3 s"})
    await stage.over(broadcast_id)


async def template(stage: Stage) -> tuple[Row, Row]:
    """Have a template with a place for news, and news to put there."""
    area_id, call = stage.commune.areas["commune"], stage.commune.call
    tune, words = await stage.sound("Nhạc hiệu", 2), await stage.sound("Lịch tiêm chủng", 4)
    voices = [{"language": "vi", "text": "Sáng mai tiêm chủng.", "recording_id": words["id"]}]
    bulletin = {"area_id": area_id, "title": "Lịch tiêm chủng", "category": "notice", "voices": voices}
    items = [{"kind": "tune", "recording_id": tune["id"]}, {"kind": "slot", "category": "notice"}]
    wanted = {"area_id": area_id, "title": "Buổi sáng", "is_template": True, "items": items}
    written = await call("POST", "/bulletins", json=bulletin)
    path, seen = f"/bulletins/{written['id']}", {"version": written["version"]}
    if (await call("POST", f"{path}/submit", json=seen))["state"] != "approved":
        await call("POST", f"{path}/approve", json=seen)
    return await call("POST", "/programmes", json=wanted), written


@looks
async def test_tomorrow_at_five_is_planned_from_a_template_in_six_taps(stage: Stage, note: Note, look: str) -> None:
    made, bulletin = await template(stage)
    async with stage.way("operator", look) as way:
        await plan_tomorrow(way, made, bulletin)
        taps = (await way.counted.read()).taps
        assert taps <= 6
        note("tomorrow 05:00 from a template", look, await way.done(taps, issue="6 taps, 60 s"))
    here = ZoneInfo("Asia/Ho_Chi_Minh")
    five = datetime.combine(datetime.now(here).date() + timedelta(days=1), time(5), here)
    params = {"from_at": (five - timedelta(minutes=5)).isoformat(), "to_at": (five + timedelta(minutes=5)).isoformat()}
    planned = await stage.commune.call("GET", "/broadcasts", params=params)
    assert [datetime.fromisoformat(run["start_at"]) for run in planned if run["title"] == made["title"]] != []
    assert all(datetime.fromisoformat(run["start_at"]) == five for run in planned)
    for schedule in await stage.commune.call("GET", "/schedules"):  # the next look plans the same hour
        await stage.commune.call("POST", f"/schedules/{schedule['id']}/end")


@looks
async def test_a_leader_hears_it_and_says_yes_in_three_taps_without_typing(stage: Stage, note: Note, look: str) -> None:
    """The operator's words wait for a yes; with it they sound at every node."""
    await stage.ask_second_person({})
    try:
        async with stage.way("operator") as way:
            await say_now(way, 2 + list(LOOKS).index(look))  # the same sound would count as heard
            broadcast_id = id_in(way.page)
            title = await way.page.locator("h1").inner_text()
        assert [play["started_at"] for play in await stage.plays(broadcast_id)] == [None] * 3
        async with stage.way("leader", look) as way:
            await approve(way, title)
            note("leader approves", look, await way.done(3, issue="3 taps, 20 s besides listening, no typing"))
        await stage.over(broadcast_id)
    finally:
        await stage.ask_second_person()


@looks
async def test_two_people_bring_a_flood_on_air_one_tap_silences_it_and_two_release(
    stage: Stage, note: Note, look: str, flood: Row
) -> None:
    async with stage.way("operator", look) as first:
        emergency_id = await propose(first, flood)
        row = await first.done(4)
        note("emergency, first person", look, row | {"issue": "5 taps, 30 s"})
        async with stage.way("leader", look) as second:
            await confirm(second)
            row = await second.done(2)
            note("emergency, second person", look, row | {"issue": "2 taps, 15 s"})
        emergency = await stage.commune.call("GET", f"/emergencies/{emergency_id}")
        await stage.sounded(emergency["broadcast_id"])
        await expect(first.page.locator("#emergency .count")).to_contain_text("3", timeout=PATIENT_MS)
    async with stage.way("operator", look) as way:
        await stop(way)
        note("STOP", look, await way.done(1, issue="1 tap"))
        await stage.over(emergency["broadcast_id"])
    async with stage.way("operator", look) as way:
        await release(way)
        note("release", look, await way.done(2, issue="2 taps"))
    assert await stage.commune.call("GET", "/holds") == []


@looks
async def test_one_alone_decides_with_a_button_and_may_stop_the_countdown(
    stage: Stage, note: Note, look: str, flood: Row
) -> None:
    async with stage.way("operator", look) as way:
        await propose(way, flood)
        await break_glass(way)
        note("emergency, alone", look, await way.done(6, issue="5 taps and a reason that is a button"))
        await way.page.evaluate(AXE)
        assert await way.page.evaluate(SERIOUS) == []
        await way.page.locator("#emergency form:has(input[value=cancel]) button").tap()
        await expect(way.page.locator("[data-countdown]")).to_have_count(0)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def flooded(stage: Stage) -> str:
    """A day with a morning and an emergency that sounded; gives the id of its first broadcast."""
    morning = await stage.commune.broadcast("Buổi sáng", await stage.sound("Buổi sáng"))
    await stage.over(morning["id"])
    async with stage.way("operator") as first:
        emergency_id = await propose(first, await ready_message(stage))
        async with stage.way("leader") as second:
            await confirm(second)
    emergency = await stage.commune.call("GET", f"/emergencies/{emergency_id}")
    await stage.over(emergency["broadcast_id"])  # else it stands in the strip of whoever comes next
    return str(min(await stage.broadcasts(), key=lambda run: str(run["start_at"]))["id"])


@pytest.mark.parametrize("look", ["phone-vi", "phone-en"])
async def test_after_an_emergency_the_morning_still_stands_in_the_first_window(
    stage: Stage, look: str, flooded: str
) -> None:
    async with stage.seat("operator", look) as (page, _):
        await expect(page.locator(".run .mark.stop").first).to_be_attached()  # the emergency is in the day
        await in_first_window(page.locator("#answer"))
        await in_first_window(page.locator(f"#run-{flooded}"))


@looks
async def test_from_a_sick_node_to_a_call_in_three_taps(stage: Stage, note: Note, look: str) -> None:
    helper = await stage.person("helper")
    await stage.commune.call("PATCH", f"/people/{helper.id}", json={"phone": HELPER_PHONE})
    node = stage.commune.nodes[0]
    assert node.program is not None
    await node.program.stop()
    try:
        async with stage.seat("technician") as (page, _):
            await expect(page.locator("#strip .row.fault")).to_be_visible(timeout=2 * PATIENT_MS)
        async with stage.way("technician", look, expected=("tel:",)) as way:
            await call_helper(way, HELPER_PHONE)
            taps = (await way.counted.read()).taps
            assert taps <= 3
            note("sick node, call the helper", look, await way.done(taps, issue="3 taps, 30 s"))
    finally:
        await stage.commune.start_node(node)
        await stage.commune.until_online(90)
