"""What systemd hears of the centre: ready when all of it is, and alive only as long as its rows answer."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from controller import life
from controller.db import Database
from controller.events import EventBus
from controller.life import Life
from tests.e2e.waiting import until


@pytest.fixture
def supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setattr(life, "EVERY_S", 0.001)
        yield heard


@asynccontextmanager
async def living(url: str) -> AsyncIterator[None]:
    database = Database(url, EventBus())
    task = asyncio.create_task(Life(database).run())
    yield
    task.cancel()
    await asyncio.wait([task])
    await database.close()


async def said(supervisor: socket.socket) -> str:
    async with asyncio.timeout(5):
        return (await asyncio.get_running_loop().sock_recv(supervisor, 100)).decode()


async def test_it_is_ready_once_and_alive_again_and_again(supervisor: socket.socket, tmp_path: Path) -> None:
    async with living(f"sqlite+aiosqlite:///{tmp_path / 'loa.db'}"):
        assert [await said(supervisor) for _ in range(3)] == ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]


async def test_rows_that_do_not_answer_are_no_life(
    supervisor: socket.socket, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with living(f"sqlite+aiosqlite:///{tmp_path / 'no folder' / 'loa.db'}"):
        assert await said(supervisor) == "READY=1"
        await until(lambda: len(caplog.records) >= 3, 5, "several tries")
        with pytest.raises(BlockingIOError):
            supervisor.recv(100)
        (tmp_path / "no folder").mkdir()
        assert await said(supervisor) == "WATCHDOG=1"


def test_without_a_supervisor_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    life.notify("READY=1")
