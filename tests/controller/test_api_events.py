"""The event stream, over a real connection."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from controller.events import Event, Topic
from controller.http import stream
from edge_agent.protocol.states import PlayState
from tests.controller.factories import PASSWORD, Centre, served
from tests.controller.test_services_broadcasts import commune, tell, wish


@asynccontextmanager
async def signed_in(here: Centre) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API behind a real server."""
    opened = await here.services.people.sign_in(login="lan", password=PASSWORD, origin="tests")
    headers = {"Authorization": f"Bearer {opened.token}"}
    async with (
        served(here) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers) as client,
    ):
        yield client


@asynccontextmanager
async def listening(client: httpx.AsyncClient, **params: str) -> AsyncIterator[AsyncIterator[str]]:
    """The lines of the stream, once it listens."""
    async with asyncio.timeout(20), client.stream("GET", "/api/v1/events", params=params) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.aiter_lines()
        while await anext(lines) != ": listening":
            pass
        yield lines


async def next_event(lines: AsyncIterator[str]) -> tuple[str, dict[str, str]]:
    async for line in lines:
        if line.startswith("event: "):
            return line.removeprefix("event: "), json.loads((await anext(lines)).removeprefix("data: "))
    raise AssertionError("the stream ended")


async def test_pages_hear_what_changed_and_only_of_their_broadcast(lite: Centre) -> None:
    place = await commune(lite)
    async with signed_in(lite) as client:
        mine = (await client.post("/api/v1/broadcasts", json=wish(place))).json()["id"]
        other = (await client.post("/api/v1/broadcasts", json=wish(place))).json()["id"]
        async with listening(client, broadcast_id=mine) as lines:
            await tell(lite, place["first"].id, other, state=PlayState.CACHED)
            await tell(lite, place["first"].id, mine, state=PlayState.CACHED)
            assert await next_event(lines) == ("play", {"key": mine, "node_id": place["first"].id})
            (hold,) = (await client.post("/api/v1/holds", json={"scopes": [place["area"].scope]})).json()
            told = [await next_event(lines), await next_event(lines)]
            assert sorted(topic for topic, _ in told) == ["audit", "hold"]  # and nothing of documents
            assert ("hold", {"key": hold["id"]}) in told


async def test_the_same_news_is_told_once(lite: Centre) -> None:
    async with signed_in(lite) as client, listening(client) as lines:
        for _ in range(50):
            lite.bus.publish(Event(Topic.NODE, "n"))
        lite.bus.publish(Event(Topic.AREA, "a"))
        assert await next_event(lines) == ("node", {"key": "n"})
        assert await next_event(lines) == ("area", {"key": "a"})


async def test_who_reads_too_slowly_is_told_to_look_at_everything() -> None:
    gathered, never = stream._Gathered(), asyncio.Event()

    async def many() -> AsyncIterator[Event]:
        for number in range(stream.MOST_WAITING + 1):
            yield Event(Topic.NODE, str(number))
        filled.set()
        await never.wait()

    filled = asyncio.Event()
    task = asyncio.create_task(gathered.fill(many()))
    async with asyncio.timeout(10):
        await filled.wait()
        batch = await gathered.batch(1)
    task.cancel()
    assert [event.topic for event in batch] == [Topic.MISSED, Topic.NODE]


async def test_a_quiet_stream_shows_that_it_lives_and_ends_with_the_session(
    lite: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = await lite.services.people.sign_in(login="lan", password=PASSWORD, origin="tests")
    lines = stream.OpenStreams().stream(lite.services, person_id="lan", token=opened.token, heartbeat_s=0.01)
    async with asyncio.timeout(10):
        assert "listening" in await anext(lines)
        assert await anext(lines) == ": still here\n\n"
        await lite.services.people.sign_out(opened.token)
        assert [text async for text in lines if text != ": still here\n\n"] == []


async def test_a_stream_that_is_never_quiet_ends_with_the_session_too(lite: Centre) -> None:
    opened = await lite.services.people.sign_in(login="lan", password=PASSWORD, origin="tests")
    lines = stream.OpenStreams().stream(lite.services, person_id="lan", token=opened.token, heartbeat_s=0.2)
    await anext(lines)
    await lite.services.people.sign_out(opened.token)
    for number in range(50):
        lite.bus.publish(Event(Topic.AREA, str(number)))
        if await anext(lines, None) is None:
            break
    else:
        pytest.fail(f"{number + 1} events after the end of the session")


async def test_who_sees_everything_hears_of_alarms_only_with_the_right_to_them(lite: Centre) -> None:
    """Also later than in the first batch, after which it is known that everything is in sight."""
    observer = await lite.somebody("hieu", "observer")
    token = await lite.session_of(observer)
    lines = stream.OpenStreams().stream(lite.services, person_id=observer.id, token=token)
    async with asyncio.timeout(20):
        await anext(lines)
        for number in range(3):
            lite.bus.publish(Event(Topic.ALARM, f"alarm-{number}"))
            lite.bus.publish(Event(Topic.ENROLMENT, f"enrolment-{number}"))
            lite.bus.publish(Event(Topic.NODE, f"node-{number}"))
            assert await anext(lines) == f'event: node\ndata: {{"key": "node-{number}"}}\n\n'


async def test_one_person_opens_only_so_many_streams(lite: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.http.stream.STREAMS_PER_PERSON", 1)
    async with signed_in(lite) as client, listening(client) as lines:
        async with asyncio.timeout(10), client.stream("GET", "/api/v1/events") as second:
            assert await next_event(second.aiter_lines()) == ("too_many", {})
        lite.bus.publish(Event(Topic.AREA, "a"))
        assert await next_event(lines) == ("area", {"key": "a"})


async def test_a_stream_that_is_closed_listens_no_more(lite: Centre) -> None:
    opened = await lite.services.people.sign_in(login="lan", password=PASSWORD, origin="tests")
    lines = stream.OpenStreams().stream(lite.services, person_id="lan", token=opened.token)
    await anext(lines)
    assert len(lite.bus._queues) == 1
    await lines.aclose()  # type: ignore[attr-defined]  # a generator in fact
    assert len(lite.bus._queues) == 0


async def test_open_streams_do_not_keep_the_server_from_stopping(lite: Centre) -> None:
    opened = await lite.services.people.sign_in(login="lan", password=PASSWORD, origin="tests")
    streams = stream.OpenStreams()
    lines = streams.stream(lite.services, person_id="lan", token=opened.token, heartbeat_s=3600)
    await anext(lines)
    ended = asyncio.create_task(anext(lines, None))
    streams.close()
    async with asyncio.timeout(10):
        assert not await ended
    later = streams.stream(lite.services, person_id="lan", token=opened.token)
    assert len([text async for text in later]) == 1
