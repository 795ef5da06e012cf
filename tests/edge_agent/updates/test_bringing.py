"""One bundle is brought at a time, also when another is wanted while one comes."""

import asyncio
import threading

import pytest

from edge_agent.download import Throttle
from edge_agent.errors import ConfigError
from edge_agent.protocol.updates import Release
from edge_agent.updates.bringing import Bringing
from tests.edge_agent.updates.making import release


@pytest.mark.timeout(60)
async def test_the_end_of_one_that_was_given_up_makes_no_room_for_a_second_download_of_the_next() -> None:
    loop, begun, end = asyncio.get_running_loop(), asyncio.Queue[str](), threading.Event()

    def bring(wanted: Release, _: Throttle) -> None:
        loop.call_soon_threadsafe(begun.put_nowait, wanted.version)
        end.wait(30)

    bringing = Bringing(bring, yields=lambda: False, monotonic_s=lambda: 0.0)
    old, new = release(2), release(3)
    bringing.begin(old, lambda _: None)
    first = bringing.task
    assert await asyncio.wait_for(begun.get(), 10) == "0.2"
    bringing.cancel()
    bringing.begin(new, lambda _: None)
    under_way = bringing.task
    assert first is not None
    assert under_way is not None
    await asyncio.wait([first], timeout=10)
    assert await asyncio.wait_for(begun.get(), 10) == "0.3"
    bringing.begin(new, lambda _: None)
    assert bringing.task is under_way
    end.set()
    await asyncio.wait_for(under_way, 10)
    assert begun.empty()


async def test_an_identity_that_cannot_be_read_just_now_is_a_download_that_failed() -> None:
    """It is being changed: the next try waits as after any other failure, and the reason is told."""

    def bring(_: Release, __: Throttle) -> None:
        raise ConfigError("key and certificate do not belong together")

    told: list[str] = []
    bringing = Bringing(bring, yields=lambda: False, monotonic_s=lambda: 0.0)
    bringing.begin(release(2), told.append)
    assert bringing.task is not None
    await asyncio.wait_for(bringing.task, 20)
    assert told == ["config"]
    bringing.begin(release(2), told.append)
    assert bringing.task is None, "it is too early"
