"""``loa demo``: the whole way from a file to sound at three nodes, for a person to see or for a machine to check."""

import argparse
import asyncio
import json
import os
import signal
import socket
import sys
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from audio import correlate, mix, speech, tune
from audio.errors import AudioError
from controller.errors import LoaError

from .check import Expected, NodeVerdict, VirtualRecording, judge_node, report
from .commune import LOGIN, THREE_HAMLETS, Commune, DemoNode, NodeSpec
from .notice import TEXT, TITLE
from .processes import ProgramFailedError
from .template import TEMPLATE, make_template


class DemoFailedError(LoaError):
    """The demo could not do its work; the message says what went wrong."""

    code = "demo_failed"


PORT = 8080
MOST_PORT = 65_535
AHEAD = timedelta(seconds=5)
"""How far ahead the check schedules its first broadcast."""
GRACE_S = 30
"""How long nodes may take to report after a broadcast's end."""
OFF_S = 120
"""How long a node that somebody ended is off: long enough to see it on the pages."""


@dataclass(frozen=True)
class Notice:
    """What is broadcast."""

    file: Path
    words: Path | None
    """The same without the tune before it; None: the file was brought."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument("--check", action="store_true", help="do it once without a person, compare, and end")
    parser.add_argument("--json", action="store_true", help="with --check: one JSON object as the last line")
    parser.add_argument("--audio", type=Path, metavar="FILE", help="use this recording instead of our own notice")
    parser.add_argument("--port", type=int, default=PORT, help=f"port of the pages (default {PORT}, or a free one)")


def run(options: argparse.Namespace) -> int:
    """Run the demo; gives the exit status.

    Raises:
        LoaError: a program failed, or the recording cannot be used.
    """
    if options.json and not options.check:
        raise DemoFailedError("--json goes with --check")
    if options.audio is not None and not options.audio.is_file():
        raise DemoFailedError(f"{options.audio}: there is no such file, or it is a folder")
    if not 0 <= options.port <= MOST_PORT:
        raise DemoFailedError(f"--port {options.port}: give a port from 0 to {MOST_PORT}")
    with tempfile.TemporaryDirectory(prefix="loa-demo-") as folder:
        try:
            return asyncio.run(_main(options, Path(folder)))
        except AudioError as error:
            raise DemoFailedError(f"{options.audio or 'our own notice'}: {error}") from error


async def _main(options: argparse.Namespace, folder: Path) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(one, stop.set)
    work = asyncio.create_task(_verdict(options, folder) if options.check else _show(options, folder, stop))
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if stop.is_set() and not work.done():
        work.cancel()
        await asyncio.wait({work})
        _say("stopped; nothing is left running")
        return 130 if options.check else 0
    return work.result()


async def _verdict(options: argparse.Namespace, folder: Path) -> int:
    """Check, and print the verdict; what could not be checked has not passed.

    Raises:
        LoaError: it could not be checked.
        AudioError: the recording cannot be used.
    """
    verdicts: list[NodeVerdict] = []
    try:
        verdicts = await _check(options, folder)
    finally:
        found = report(verdicts)
        _print_verdict(found)
        if options.json:
            print(json.dumps(found, ensure_ascii=False), flush=True)  # noqa: T201  the result is the output
    return 0 if found["pass"] else 1


async def _check(options: argparse.Namespace, folder: Path) -> list[NodeVerdict]:
    """Broadcast once 5 s ahead and once now to all nodes, and compare."""
    file = (await _notice(options, folder)).file
    reference = await correlate.load(file)
    async with AsyncExitStack() as stack:
        _say("starting a broker, a controller and three nodes")
        commune = await stack.enter_async_context(Commune(folder, THREE_HAMLETS))
        recording = await commune.upload(file, TITLE)
        _say(f"uploaded {file.name}: {recording['length_ms'] / 1000:.1f} s, {recording['loudness_lufs']:.1f} LUFS")
        expected = [
            await _broadcast(commune, recording, "scheduled", datetime.now(UTC) + AHEAD),
            await _broadcast(commune, recording, "now", None),
        ]
        for node in commune.nodes:  # so that their files are complete
            if node.program:
                await node.program.stop()
        return [
            await judge_node(node.spec.name, node.node_id, VirtualRecording(node.folder), reference, expected)
            for node in commune.nodes
        ]


async def _broadcast(commune: Commune, recording: dict[str, Any], kind: str, start_at: datetime | None) -> Expected:
    title = f"{TITLE} ({kind})"
    created = await commune.broadcast(title, recording, start_at=start_at.isoformat() if start_at else None)
    due_at = datetime.fromisoformat(created["start_at"])
    _say(f"broadcast {kind}: starts at {due_at:%H:%M:%S.%f} UTC on {len(commune.nodes)} nodes")
    wait_s = (due_at - datetime.now(UTC)).total_seconds() + recording["length_ms"] / 1000 + GRACE_S
    plays = await commune.until_over(created["id"], timeout_s=wait_s)
    return Expected(kind, due_at, {play["node_id"]: play for play in plays})


async def _show(options: argparse.Namespace, folder: Path, stop: asyncio.Event) -> int:
    """Leave a real broadcast playing and the pages open, until Ctrl-C."""
    notice = await _notice(options, folder)
    specs = list(THREE_HAMLETS)
    card = sound_card()
    if card:
        specs[0] = replace(specs[0], output="card")
    _say("starting a broker, a controller and three nodes")
    async with Commune(folder, specs, port=_port(options.port)) as commune:
        recording = await commune.upload(notice.file, TITLE)
        await commune.broadcast(TITLE, recording)
        later = datetime.now(UTC) + timedelta(minutes=5)
        await commune.broadcast(f"{TITLE} (phát lại)", recording, start_at=later.isoformat())
        _say("")
        _say(f"  open       {commune.url}/")
        _say(f"  sign in    {LOGIN}   password  {commune.password}")
        _say(f"  sound      {_where(specs, commune)}")
        _say("  a notice is being broadcast to three hamlets now; another follows in 5 minutes")
        _say(
            "  the commune has no quiet hours, so that the demo sounds at any hour; real ones rest from 22:00 to 05:00"
        )
        sick = commune.nodes[-1]
        if sick.program:
            _say(
                f"  to see a node fail, type `kill {sick.program.process.pid}` elsewhere: {sick.spec.name} is off then"
            )
        _say("  Ctrl-C ends everything. Nothing is kept: the next start has a new commune and another password")
        await _prepare(commune, recording, notice, folder)  # after the address: nobody waits for it
        await _watch(commune, stop)
    return 0


async def _prepare(commune: Commune, recording: dict[str, Any], notice: Notice, folder: Path) -> None:
    """Have a template to plan from. What sounds goes on without; a program that ended is told by ``_watch``."""
    file = folder / "nhac-hieu.wav"
    await asyncio.to_thread(file.write_bytes, tune.signature())
    try:
        await make_template(commune, recording, tune=file, words=notice.words)
    except ProgramFailedError as error:
        _say(f"  no template: {error}")
        return
    _say(f"  ready      a template, {TEMPLATE}: Lên lịch on the first page plans it for tomorrow at 05:00")


async def _watch(commune: Commune, stop: asyncio.Event) -> None:
    """Go on until told; a node that somebody ends is off for a while, as in a power cut.

    Raises:
        ProgramFailedError: the centre ended, or an agent failed.
    """
    lives = [asyncio.create_task(_live(commune, node)) for node in commune.nodes]
    centre = asyncio.create_task(commune.centre.process.wait()) if commune.centre else None
    stopped = asyncio.create_task(stop.wait())
    watched = {task for task in (*lives, centre, stopped) if task}
    try:
        ended, _ = await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
        if stopped not in ended:
            for task in ended:
                task.result()
            if commune.centre:
                commune.centre.check()
    finally:
        for task in watched:
            task.cancel()
        await asyncio.gather(*watched, return_exceptions=True)


async def _live(commune: Commune, node: DemoNode) -> None:
    """Start a node again, some time after somebody ended it.

    Raises:
        ProgramFailedError: it ended by itself.
    """
    while node.program:
        if await node.program.process.wait() > 0:
            node.program.check()
        _say(f"  {node.spec.name} is off: the pages say so within 45 s; it comes back in {OFF_S} s")
        await asyncio.sleep(OFF_S)
        await commune.start_node(node)
        _say(f"  {node.spec.name} is on again")


async def _notice(options: argparse.Namespace, folder: Path) -> Notice:
    if options.audio is not None:
        return Notice(options.audio, None)
    _say("making a notice: our signature tune, then espeak-ng reads Vietnamese")
    spoken = await speech.speak(TEXT)
    file, words = folder / "thong-bao.mp3", folder / "loi-doc.wav"
    joined = await mix.join([tune.signature(), spoken])
    await asyncio.to_thread(file.write_bytes, await mix.to_mp3(joined))
    await asyncio.to_thread(words.write_bytes, spoken)
    return Notice(file, words)


def sound_card() -> bool:
    """Tell whether this machine has a sound card or a sound server to play on."""
    cards = Path("/proc/asound/cards")
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return (
        bool(os.environ.get("PULSE_SERVER"))
        or (cards.exists() and "no soundcards" not in cards.read_text())
        or (runtime is not None and Path(runtime, "pulse", "native").exists())
    )


def _port(wanted: int) -> int:
    """Give the port if nobody listens there, else 0: any. A demo that has just ended is in nobody's way."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", wanted))
        except OSError:
            _say(f"port {wanted} is taken: the pages get another")
            return 0
        return wanted


def _where(specs: list[NodeSpec], commune: Commune) -> str:
    files = ", ".join(str(node.folder / "output.wav") for node in commune.nodes if node.spec.output == "virtual")
    return f"{'the sound card; also ' if specs[0].output == 'card' else ''}{files}"


def _print_verdict(found: dict[str, Any]) -> None:
    for node in found["nodes"]:
        for play in node["plays"]:
            _say(
                f"  {node['node']}: {play['kind']} {play['outcome']} {play['evidence']}"
                f"{' (simulated)' if play['simulated'] else ''}, correlation {play['correlation']},"
                f" start error {play['start_error_ms']} ms, {play['played_ms']}/{play['requested_ms']} ms"
            )
        for problem in node["problems"]:
            _say(f"  {node['node']}: NOT GOOD: {problem}")
    _say("PASS" if found["pass"] else "FAIL")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201  a command speaks to its terminal
