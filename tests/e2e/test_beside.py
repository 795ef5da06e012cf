"""The excuse of what plays beside other tests: only the machine gives it, and what is played again begins anew."""

import asyncio
import json
import signal
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.e2e import beside
from tests.e2e.beside import STALL, TRIES, Corner, corner, plays
from tests.e2e.stalls import MS
from tests.e2e.waiting import until


async def lines(folder: Path, late: Iterable[tuple[datetime, timedelta]]) -> list[str]:
    """Say what a scene that begins now is excused by, when a program ran so late at these instants."""
    ticks = folder / "ticks.jsonl"
    there: Any = SimpleNamespace(check=lambda: None, log=ticks)
    here = Corner(folder, there)
    here.begin()
    spans = [{"from_ns": at.timestamp() * 1e9, "to_ns": (at + by).timestamp() * 1e9} for at, by in late]
    ticks.write_text("".join(json.dumps(span) + "\n" for span in spans))
    return await here.stalls()


async def test_a_program_that_ran_late_in_the_scene_is_an_excuse_and_one_before_or_hardly_late_is_none(
    tmp_path: Path,
) -> None:
    now, before = datetime.now(UTC), datetime.now(UTC) - timedelta(minutes=1)
    assert await lines(tmp_path, [(now, STALL - MS), (before, 5 * STALL)]) == []
    (tmp_path / "time-1").rmdir()
    assert await lines(tmp_path, [(now, STALL + MS), (now, 3 * STALL)]) == [
        f"a program ran {one // MS} ms late" for one in (3 * STALL, STALL + MS)
    ]


async def test_a_program_that_is_kept_from_running_is_seen(tmp_path: Path) -> None:
    async with corner(tmp_path) as here:
        here.begin()

        async def stalled() -> list[str]:
            here._ticker.process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(3 * STALL / timedelta(seconds=1))  # what is tried is that time passes without it
            here._ticker.process.send_signal(signal.SIGCONT)
            return await here.stalls()

        await until(stalled, 30, "a stall that was noted")  # once it ticks


@pytest.mark.parametrize(("stalls", "times"), [([], 1), (["a program ran 100 ms late"], TRIES)])
async def test_what_fails_without_a_stall_or_too_often_fails(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, stalls: list[str], times: int
) -> None:
    async def found(_: Corner) -> list[str]:
        return stalls

    monkeypatch.setattr(Corner, "stalls", found)
    monkeypatch.setattr(beside, "SOON_S", 0)
    left: list[list[Path]] = []

    @plays
    def scene(folder: Path) -> None:
        left.append(list(folder.iterdir()))
        (folder / "state").touch()
        raise AssertionError("a period is lost")

    with pytest.raises(AssertionError, match="a period is lost"):
        await scene(tmp_path, request)
    assert left == [[]] * times, "each begins with nothing of the time before"


@plays
def test_a_scene_that_waits_for_nobody_may_ask_for_fixtures_too(folder: Path, free_port: Any) -> None:
    assert list(folder.iterdir()) == []
    assert free_port() > 0
