"""``loa demo``: passes when all is well, fails when it is not, and leaves nothing running however it ends."""

import asyncio
import json
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx
import psutil
import pytest

from audio import tune
from controller.cli import main
from controller.demo import command
from controller.demo.check import Expected, NodeVerdict, VirtualRecording, judge_node, report
from controller.demo.commune import THREE_HAMLETS, Commune, DemoNode
from controller.demo.processes import Program, ProgramFailedError
from tests import sounds
from tests.e2e.waiting import until

RATE = 48_000
LOA = Path(sys.executable).with_name("loa")
CTRL_C = "ctrl-c"
MARK = "DEMO_TEST_MARK"
"""Every process of a demo has it in its environment, however far down."""


@dataclass
class Demo:
    """A running ``loa demo``."""

    process: asyncio.subprocess.Process
    mark: str
    log: Path

    def running(self) -> list[psutil.Process]:
        """Give the processes of this demo, the command itself included."""
        return [process for process in psutil.process_iter() if _marked(process, self.mark)]

    def names(self) -> list[str]:
        with suppress(psutil.NoSuchProcess):  # one has ended meanwhile
            return sorted(process.name() for process in self.running())
        return []

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def address(self) -> re.Match[str] | None:
        assert self.process.returncode is None, self.said()
        return re.search(r"open +(http://127\.0\.0\.1:(\d+)/)", self.said())


@asynccontextmanager
async def demo(folder: Path, *arguments: str) -> AsyncIterator[Demo]:
    """Run ``loa demo`` in a session of its own, as a terminal does; whatever is left at the end is killed."""
    mark, log = uuid4().hex, folder / "demo.log"
    env = {**os.environ, MARK: mark, "TMPDIR": str(folder)}
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            LOA,
            "demo",
            *arguments,
            env=env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=output,
            start_new_session=True,
        )
    found = Demo(process, mark, log)
    try:
        yield found
    finally:
        for one in found.running():
            with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
                one.kill()
        await process.communicate()


def _marked(process: psutil.Process, mark: str) -> bool:
    try:
        return process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:  # ended meanwhile, or somebody else's
        return False


@pytest.mark.broker
@pytest.mark.listening
@pytest.mark.timeout(200)
async def test_the_check_passes_with_any_recording_and_prints_what_the_design_says(tmp_path: Path) -> None:
    """Music in stereo at 44.1 kHz, as somebody brings it."""
    file = tmp_path / "nhạc hiệu.wav"
    file.write_bytes(music())
    async with demo(tmp_path, "--check", "--json", "--audio", str(file)) as running:
        output, _ = await running.process.communicate()
        assert running.process.returncode == 0, running.said()
        await until(lambda: not running.running(), 30, "nothing left running")
    assert_shape(json.loads(output.decode().splitlines()[-1]))
    assert left_behind(tmp_path) == []


async def test_the_demo_takes_no_setting_of_a_real_centre(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOA_DATABASE_URL", "postgresql+psycopg://real.example/loa")
    monkeypatch.setenv("loa_node_host", "0.0.0.0")  # the settings read names in any case
    monkeypatch.setenv("LOA_LOG", "info")
    commune = Commune(tmp_path)
    await commune.api.aclose()
    own = {"LOA_STATE", "LOA_PORT", "LOA_MEDIA_PORT", "LOA_BROKER_PORT", "LOA_PUBLIC_NAME"}
    assert {name for name in commune.env if name.upper().startswith("LOA_")} == {*own, "LOA_LOG"}


async def test_a_template_that_cannot_be_made_is_said_and_ends_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commune = Commune(tmp_path)  # whose centre does not run
    commune.areas["commune"] = "0"
    await command._prepare(commune, {"id": "notice"}, command.Notice(tmp_path / "notice.mp3", None), tmp_path)
    await commune.api.aclose()
    assert capsys.readouterr().err.startswith("  no template: POST ")


def test_the_port_of_a_demo_that_has_just_ended_is_free_and_one_that_is_taken_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as ended:
        port: int = ended.getsockname()[1]
        assert command._port(port) == 0
        assert capsys.readouterr().err == f"port {port} is taken: the pages get another\n"
        left = socket.create_connection(("127.0.0.1", port))
        ended.accept()[0].close()  # who closes first keeps the port for a while
    left.close()
    assert command._port(port) == port


@pytest.mark.parametrize("port", ["99999", "-1"])
def test_a_port_that_is_none_is_refused_in_one_line(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--port", port]) == 1
    assert capsys.readouterr().err == f"loa: --port {port}: give a port from 0 to 65535\n"


async def test_what_is_no_recording_fails_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "danh-sach.mp3"
    file.write_text("Danh sách hộ dân thôn Đông\n")
    async with demo(tmp_path, "--check", "--json", "--audio", str(file)) as running:
        output, _ = await running.process.communicate()
        assert running.process.returncode == 1
        assert json.loads(output.decode().splitlines()[-1]) == {"pass": False, "nodes": []}
        assert running.said().splitlines()[-1].startswith(f"loa: {file}: ")
        assert "Traceback" not in running.said()


@pytest.mark.broker
@pytest.mark.timeout(200)
async def test_nothing_is_left_running_after_ctrl_c_or_a_kill(tmp_path: Path) -> None:
    """Nor of the demo as people start it, with our own notice. Two at once are in nobody's way."""
    folders = [tmp_path / how for how in (CTRL_C, "kill -9")]
    for folder in folders:
        folder.mkdir()
    await asyncio.gather(*(_end_a_demo(folder) for folder in folders))


async def _end_a_demo(folder: Path) -> None:
    async with demo(folder, "--port", "0") as running:
        url = await until(running.address, 120, "its address")
        assert url is not None
        await until(lambda: "  ready " in running.said(), 60, "its template")
        if folder.name == CTRL_C:
            await assert_tomorrow_can_be_planned(url[1], running.said())
            await assert_a_node_may_fail(running)
        expected = 5 + (folder.name != CTRL_C)  # the command, the centre, its broker, nodes
        # What works for a moment only (it decodes a sound) may be seen beside them.
        names = await until(lambda: now if len(now := running.names()) == expected else [], 30, f"{expected} programs")
        assert "mosquitto" in names
        if folder.name == CTRL_C:
            os.killpg(running.process.pid, signal.SIGINT)  # a terminal sends it to all in the foreground
        else:
            running.process.kill()
        await running.process.wait()
        await until(lambda: not running.running(), 40, "nothing left running")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))  # else it may be given that very port as its own, and connect to itself
            assert probe.connect_ex(("127.0.0.1", int(url[2]))) != 0
    if folder.name == CTRL_C:
        assert running.process.returncode == 0
        assert left_behind(folder) == []


async def assert_a_node_may_fail(running: Demo) -> None:
    """By what the demo says to type; the others go on."""
    typed = re.search(r"type `kill (\d+)` elsewhere: (.+) is off then", running.said())
    assert typed is not None
    os.kill(int(typed[1]), signal.SIGTERM)
    await until(lambda: f"  {typed[2]} is off: " in running.said(), 60, "word of the node that is off")
    assert running.process.returncode is None


async def test_a_node_that_was_ended_comes_back_and_one_that_failed_ends_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "OFF_S", 0)
    commune = Commune(tmp_path)
    await commune.api.aclose()
    node = DemoNode(THREE_HAMLETS[0], "node-1", "area-1", tmp_path)
    ends = iter(["kill -TERM $$", "kill -KILL $$", "exit 3"])

    async def start(one: DemoNode) -> None:
        one.program = await Program.start("agent", ["sh", "-c", next(ends)], env={}, log=tmp_path / "agent.log")

    monkeypatch.setattr(commune, "start_node", start)
    await start(node)
    commune.nodes = [node]
    with pytest.raises(ProgramFailedError, match="agent ended with status 3"):
        await command._watch(commune, asyncio.Event())
    assert capsys.readouterr().err.count("is on again") == 2


async def assert_tomorrow_can_be_planned(url: str, said: str) -> None:
    """With what the demo brings and what it says on the terminal, and nothing else: at 05:00, from its template."""
    signed = re.search(r"sign in +(\S+) +password +(\S+)", said)
    assert signed is not None
    async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as client:

        async def call(method: str, path: str, **options: Any) -> Any:
            answer = await client.request(method, f"/api/v1{path}", **options)
            assert answer.is_success, answer.text
            return answer.json()

        session = await call("POST", "/sessions", json={"login": signed[1], "password": signed[2]})
        client.headers["Authorization"] = f"Bearer {session['token']}"
        (template,) = [each for each in await call("GET", "/programmes") if each["is_template"]]
        (bulletin,) = await call("GET", "/bulletins")
        page = f"/schedules/new?template={template['id']}"
        assert page.removeprefix("/schedules/new") in (await client.get("/schedules/new")).text
        assert bulletin["id"] in (await client.get(page)).text  # to be chosen for the slot
        here = ZoneInfo("Asia/Ho_Chi_Minh")
        five = datetime.combine(datetime.now(here).date() + timedelta(days=1), time(5))
        wanted = {
            "template_id": template["id"],
            "title": template["title"],
            "targets": [f"areas/{template['area_id']}"],
            "starts_at_local": five.isoformat(),
            "fill": [{"position": 1, "bulletins": [bulletin["id"]]}],
        }
        shown = await call("POST", "/schedules/from-template/preview", json=wanted)
        assert (shown["refusal"], shown["unusual"], shown["approval"]) == (None, None, "author")
        planned = await call("POST", "/schedules/from-template", json=wanted)
        assert datetime.fromisoformat(planned["next_at"]) == five.replace(tzinfo=here)
        span = {
            "from_at": five.replace(tzinfo=here).isoformat(),
            "to_at": five.replace(hour=6, tzinfo=here).isoformat(),
        }
        (run,) = await call("GET", "/broadcasts", params=span)
        assert run["title"] == template["title"]


# The check itself: it hears what is wrong, whatever the node says.

START_AT = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
BEFORE_S = 2.0
"""Silence in an output before the start."""
SPEECH = sounds.speech(3)
TOLD = {"outcome": "played", "grade": 1, "simulated": True, "played_ms": 3000, "requested_ms": 3000}


def recorded(folder: Path, *parts: tuple[float, sounds.Samples]) -> VirtualRecording:
    """Write what a virtual output would have left: 12 s, with sounds at so many seconds after the start."""
    samples = sounds.silence(12)
    for after_s, sound in parts:
        at = round((BEFORE_S + after_s) * RATE)
        samples[at : at + len(sound)] += sound
    (folder / "output.wav").write_bytes(sounds.wav(samples))
    begun_ns = round((START_AT.timestamp() - BEFORE_S) * 1e9)
    marks = [{"frame": frame, "at_ns": begun_ns + frame * 10**9 // RATE} for frame in range(0, len(samples), RATE)]
    (folder / "output.instants.jsonl").write_text("".join(json.dumps(mark) + "\n" for mark in marks))
    return VirtualRecording(folder)


async def judge(recording: VirtualRecording, **told: Any) -> NodeVerdict:
    expected = Expected("scheduled", START_AT, {"n": {**TOLD, **told}})
    return await judge_node("Nhà văn hóa", "n", recording, SPEECH, [expected])


async def test_a_good_play_passes_to_the_sample(tmp_path: Path) -> None:
    verdict = await judge(recorded(tmp_path, (0, SPEECH)))
    assert verdict.problems == []
    (play,) = verdict.plays
    assert (play.correlation, play.evidence, play.simulated, play.outcome) == (1.0, "E1", True, "played")
    assert play.start_error_ms == pytest.approx(0, abs=0.03)
    assert report([verdict])["pass"] is True


WRONG = {
    "silence": ((), "sounded 0 times instead of 1"),
    "twice": (((0, SPEECH), (4, SPEECH)), "sounded 2 times instead of 1"),
    "another sound beside it": (((0, SPEECH), (6, sounds.sine(440, 0.05))), "something else sounded: -23 dBFS"),
    "another sound under it": (((0, SPEECH), (0, sounds.noise(3, dbfs=-14, seed=7))), "correlation 0."),
    "another sound instead": (((0, sounds.speech(3, seed=9)),), "sounded 0 times instead of 1"),
    "late": (((0.06, SPEECH),), "start error 60"),
    "early": (((-0.06, SPEECH),), "start error -60"),
    "cut": (((0, SPEECH[: 2 * RATE]),), "correlation 0."),
    "begun in the middle": (((1, SPEECH[RATE:]),), "correlation 0."),
    "a gap of 100 ms": (((0, SPEECH[:RATE]), (1.1, SPEECH[RATE:])), "correlation 0."),
}


@pytest.mark.parametrize(("parts", "problem"), WRONG.values(), ids=WRONG)
async def test_the_check_hears_what_is_wrong(
    tmp_path: Path, parts: tuple[tuple[float, sounds.Samples], ...], problem: str
) -> None:
    verdict = await judge(recorded(tmp_path, *parts))
    assert any(problem in found for found in verdict.problems), verdict
    assert report([verdict])["pass"] is False


UNTRUE: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({"outcome": None, "grade": None, "played_ms": None}, "outcome none"),
    "interrupted": ({"outcome": "interrupted"}, "outcome interrupted"),
    "without evidence": ({"grade": 0}, "evidence E0"),
    "shorter": ({"played_ms": 2900}, "2900 of 3000 ms"),
    "nothing was asked": ({"requested_ms": 0, "played_ms": 0}, "0 of 0 ms"),
}


@pytest.mark.parametrize(("told", "problem"), UNTRUE.values(), ids=UNTRUE)
async def test_a_good_sound_with_a_report_that_does_not_agree_fails(
    tmp_path: Path, told: dict[str, Any], problem: str
) -> None:
    verdict = await judge(recorded(tmp_path, (0, SPEECH)), **told)
    assert any(problem in found for found in verdict.problems)


def test_no_node_is_no_pass() -> None:
    assert report([]) == {"pass": False, "nodes": []}


def assert_shape(found: dict[str, Any]) -> None:
    """DESIGN section 10, and what the figures must be."""
    assert found["pass"] is True
    assert len(found["nodes"]) == 3
    assert len({node["node"] for node in found["nodes"]}) == 3
    for node in found["nodes"]:
        assert [play["kind"] for play in node["plays"]] == ["scheduled", "now"]
        for play in node["plays"]:
            keys = {"kind", "correlation", "start_error_ms", "played_ms", "requested_ms", "evidence", "outcome"}
            assert play.keys() >= keys
            assert play["correlation"] >= 0.95
            assert play["played_ms"] == pytest.approx(play["requested_ms"], rel=0.01)
            assert (play["evidence"], play["outcome"]) == ("E1", "played")
            assert play["simulated"] is True  # a virtual output, and it says so


def left_behind(folder: Path) -> list[Path]:
    """Give the working folders of demos."""
    return list(folder.glob("loa-demo-*"))


def music() -> bytes:
    """Our own tune as others bring theirs: stereo at 44.1 kHz."""
    after = ["-ar", "44100", "-ac", "2", "-c:a", "pcm_s16le", "-f", "wav"]
    return sounds.ffmpeg(tune.signature(), ["-f", "wav"], after, suffix=".wav")
