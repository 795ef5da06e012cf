"""Phát ngay over HTTP: nothing typed is lost, nothing is sent twice, and what would happen is said before."""

import asyncio
import re
from datetime import timedelta
from types import SimpleNamespace
from typing import cast
from unittest.mock import AsyncMock
from zoneinfo import ZoneInfo

import pytest

from controller.broadcasts import room
from controller.recordings.models import Recording
from controller.recordings.schemas import SpeechIn
from controller.recordings.states import RecordingState
from edge_agent.protocol.states import PlayState
from tests.web.harness import MONDAY, Commune, visitor
from tests.web.pages import draft, everything
from web.formats import Formats
from web.i18n import load
from web.pages import sounds
from web.site import Visit
from web.views.recordings import card


async def test_sending_twice_sends_once(site: Commune) -> None:
    typed = await draft(site)
    async with visitor(site) as client:
        first, second = await client.post("/say", data=typed), await client.post("/say", data=typed)
    assert first.status_code == second.status_code == 303
    assert first.headers["location"] == second.headers["location"]
    assert len((await everything(site))["broadcasts"]) == 1


async def test_ones_own_commune_is_chosen_and_said_and_above_communes_nothing_is(site: Commune) -> None:
    async with visitor(site) as client:
        page = (await client.get("/say")).text
        assert re.search(rf'name="whole" value="{site.root.scope}" checked', page)
        assert "Toàn Xã Nga My" in page
        typed = await draft(site, target=[], whole=site.root.scope)
        preview = (await client.post("/say/preview", data=typed)).text
        assert "PHÁT tới toàn Xã Nga My · 4 cụm" in preview
        assert (await client.post("/say", data=typed)).status_code == 303
        await site.centre.area("Xã Kha Sơn", kind="commune")
        assert 'name="whole"' not in (await client.get("/say")).text


async def test_a_place_chosen_in_the_tree_counts_only_when_the_whole_is_not(site: Commune) -> None:
    typed = await draft(site, target=[site.hamlets["Thôn Trại"].scope], whole="")
    async with visitor(site) as client:
        assert "PHÁT tới 2 cụm" in (await client.post("/say/preview", data=typed)).text
        both = (await client.post("/say/preview", data=typed | {"whole": site.root.scope})).text
    assert "toàn Xã Nga My · 4 cụm" in both


async def test_whoever_sends_while_it_is_processed_waits_and_presses_once(
    site: Commune, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way of the four taps, without a browser: spoken, still processing, sent."""
    monkeypatch.setattr(sounds, "READY_WITHIN_S", 18)  # a machine that does much else processes slowly
    services, actor = site.centre.services, site.centre.actor
    taken = await services.speech.speak(actor, SpeechIn(text="Mời bà con ra họp."))
    typed = await draft(site, recording=taken.id, target=[], whole=site.root.scope)
    async with visitor(site) as client:
        assert (await client.post("/say", data=typed)).status_code == 303
    [run] = await services.broadcasts.today(actor)
    assert run.items[0].recording_id == taken.id


async def test_whoever_waits_for_a_recording_has_the_database_asked_ever_less_often(
    site: Commune, monkeypatch: pytest.MonkeyPatch
) -> None:
    services, pauses = site.centre.services, list[float]()
    monkeypatch.setattr(services.processing, "_process_one", AsyncMock())  # it is ready when we say so
    waited_for = await site.centre.recording(state="processing")

    async def sleep(pause: float) -> None:
        pauses.append(pause)
        if len(pauses) == 9:
            async with site.centre.database.transaction() as tx:
                (await tx.session.get_one(Recording, waited_for)).state = RecordingState.READY

    monkeypatch.setattr(sounds, "asyncio", SimpleNamespace(get_running_loop=asyncio.get_running_loop, sleep=sleep))
    await sounds.until_ready(cast("Visit", SimpleNamespace(services=services, actor=site.centre.actor)), waited_for)
    assert len(pauses) == 9, "and no longer than it takes"
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (0.1, 1.0)


async def test_a_trial_in_quiet_hours_is_not_made_and_says_why(site: Commune) -> None:
    typed = await draft(site, trial_node=site.nodes["Cổng chợ Trại"].scope)
    site.centre.clock.step(hours=6)
    for node in site.nodes.values():
        site.centre.hears(node.id)
    async with visitor(site) as client:
        told = (await client.post("/say/trial", data=typed)).text
    assert "22:00–05:00 là giờ yên tĩnh" in told
    assert (await everything(site))["broadcasts"] == []


async def test_a_wrong_hour_keeps_everything_that_was_typed(site: Commune) -> None:
    chosen = site.hamlets["Thôn Trại"].scope
    typed = await draft(site, title="Họp thôn", target=[chosen], when="later", day="2031-11-25", hour="25:99")
    async with visitor(site) as client:
        answer = await client.post("/say", data=typed)
    page = answer.text
    assert answer.status_code == 422
    assert 'value="Họp thôn"' in page
    assert 'value="25:99"' in page
    assert f'value="{chosen}" checked' in page
    assert f'name="recording" value="{typed["recording"]}"' in page
    assert 'value="2031-11-25" selected' in page
    assert 'value="later" checked' in page
    assert str(typed["key"]) in page
    assert 'id="wrong-hour"' in page
    assert 'aria-describedby="wrong-hour hour-hint"' in page


async def test_all_that_is_missing_is_said_at_once(site: Commune) -> None:
    async with visitor(site) as client:
        page = (await client.post("/say", data={"when": "later"})).text
        recording = await site.centre.recording("Mất nước")
        unnamed = (await client.post("/say", data={"when": "later", "recording": recording})).text
    assert re.findall(r'id="wrong-(\w+)"', page) == ["recording", "targets", "hour"]
    assert re.findall(r'id="wrong-(\w+)"', unnamed) == ["title", "targets", "hour"]


async def test_quiet_hours_are_told_before_and_at_sending(site: Commune) -> None:
    typed = await draft(site, when="later", day="2031-11-25", hour="3:15")
    async with visitor(site) as client:
        preview = (await client.post("/say/preview", data=typed)).text
        sent = await client.post("/say", data=typed)
    assert "22:00–05:00" in preview
    assert sent.status_code == 422
    assert "giờ yên tĩnh (22:00–05:00)" in sent.text
    assert (await everything(site))["broadcasts"] == []


async def test_a_full_plan_is_told_before_and_at_sending(site: Commune, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "PLAN_ROOM", room.Room(broadcasts=1, bytes=100_000))
    await site.broadcast("Bản tin", start_at=site.centre.clock() + timedelta(hours=1))
    typed = await draft(site, when="later", day="2031-11-25", hour="8:15")
    async with visitor(site) as client:
        preview = (await client.post("/say/preview", data=typed)).text
        sent = await client.post("/say", data=typed)
    for said in (preview, sent.text):
        assert "Xã Nga My đã kín lịch vào dịp đó" in said
    assert sent.status_code == 422
    assert len((await everything(site))["broadcasts"]) == 1


async def test_the_sentence_says_length_nodes_places_and_who_is_connected(site: Commune) -> None:
    site.centre.clock.step(minutes=2)
    for name in list(site.nodes)[:3]:
        site.centre.hears(site.nodes[name].id)
    async with visitor(site) as client:
        preview = (await client.post("/say/preview", data=await draft(site))).text
    assert "Phát ngay 24 giây tới 4 cụm của 3 nơi" in preview
    assert "3 cụm đang kết nối" in preview
    assert "1 cụm đang mất kết nối" in preview


async def test_what_is_said_now_asks_how_it_comes_into_a_session(site: Commune) -> None:
    soon = site.centre.clock() + timedelta(minutes=1)
    run = await site.broadcast("Bản tin chiều", length_ms=600_000, start_at=soon, confirm_unusual=True)
    site.centre.clock.step(minutes=1)
    for name in site.nodes:
        await site.says(run, name, state=PlayState.PLAYING, item=0)
    site.centre.clock.step(minutes=1)
    recording = await site.centre.recording("Mất nước")
    typed = {"recording": recording, "title": "Mất nước", "target": [site.root.scope], "when": "now"}
    async with visitor(site) as client:
        waits = (await client.post("/say/preview", data=typed)).text
        assert 'name="during" value="" checked' in waits
        assert "chọn “Sau mục đang phát” hoặc “Ngay”" in waits  # both stand below
        assert waits.count("Cụm đang phát nội dung khác.") == 1  # of all nodes alike, online or not
        fades = (await client.post("/say/preview", data=typed | {"during": "fade"})).text
        assert 'name="during" value="fade" checked' in fades
        sent = await client.post("/say", data=typed | {"during": "fade"})
    assert sent.status_code == 303


async def test_how_far_a_recording_is_processed_is_shown(site: Commune) -> None:
    taken = await site.centre.services.speech.speak(site.centre.actor, SpeechIn(text="Mời bà con ra họp."))
    form = Formats(load("vi"), ZoneInfo("Asia/Ho_Chi_Minh"), MONDAY)
    going = taken.model_copy(update={"state": "processing", "length_ms": None, "progress": 0.4})
    assert card(going, (), form).share == 0.4
    async with visitor(site) as client:
        page = (await client.get(f"/say/recordings/{taken.id}")).text
    assert "<progress" in page or "data-title" in page  # it may be ready by now
