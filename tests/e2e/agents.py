"""Agents as black boxes: a command line, a state directory, and the files of a virtual output.

An agent that is to pass ``test_agent_contract.py`` takes ``--state DIR``, finds ``node.json`` (an ``Adoption``),
``node.key``, ``node.crt`` and ``ca.crt`` there, and leaves ``output.wav`` (16 bit mono, 48 kHz, header of 44 bytes,
continued by the next run) and ``output.instants.jsonl`` (lines of ``{"frame": n, "at_ns": utc}``) there.
"""

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

from audio.correlate import compare, samples
from tests.e2e.beside import Test, named_after, plays
from tests.e2e.waiting import until, whole_lines
from tests.edge_agent.centre import Centre, VirtualRecording, agent_process, running_centre

NODE = "node-1"
"""Name of the agent in every test of its own."""
ALIKE = 0.95
"""Correlation from which a sound counts as the right one (issue: over the whole length)."""


@dataclass(frozen=True)
class Kind:
    """One implementation."""

    name: str
    command: Callable[[Path], list[str]]


_PYTHON = [sys.executable, "-X", "faulthandler"]
"""Says on SIGABRT where each thread stands."""
OURS = Kind("ours", lambda state: [*_PYTHON, "-m", "edge_agent", "run", "--state", str(state), "--output=virtual"])
KINDS = [OURS, Kind("tiny", lambda state: [*_PYTHON, "-m", "tests.e2e.tiny_agent", "--state", str(state)])]


@dataclass
class Node:
    """One agent process, started and ended as a test wants."""

    kind: Kind
    state: Path
    stack: contextlib.ExitStack
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        command = self.kind.command(self.state)
        self.process = self.stack.enter_context(agent_process(command, self.state / "agent.log"))

    def stop(self) -> int:
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired as still_there:
            self.process.send_signal(signal.SIGABRT)
            self.process.wait(10)
            log = (self.state / "agent.log").read_text("utf-8", "replace")
            raise RuntimeError(f"{self.kind.name} did not end; where it stood:\n{log[-8000:]}") from still_there

    async def consumed_until(self, at: datetime) -> None:
        """Wait until the output has consumed what was due by ``at``; there is nothing but its file to tell."""
        path = self.state / "output.instants.jsonl"

        def consumed() -> bool:
            marks = whole_lines(path)
            return bool(marks) and json.loads(marks[-1])["at_ns"] >= at.timestamp() * 1e9

        await until(consumed, 40, f"what was due by {at} consumed")

    def recording(self) -> VirtualRecording:
        return VirtualRecording(self.state / "output.wav", self.state / "output.instants.jsonl")


Body = Callable[[Centre, Node], Awaitable[None]]


def by_every_agent(body: Body) -> Test:
    """Make a test of what is wanted of one agent with a centre of its own: all kinds of agents, side by side."""
    return _by(KINDS, body)


def by_our_agent(body: Body) -> Test:
    """Make a test of what is wanted of our agent alone."""
    return _by([OURS], body)


def _by(kinds: list[Kind], body: Body) -> Test:
    async def scene(folder: Path) -> None:
        folders = [folder / kind.name for kind in kinds]
        for each in folders:
            each.mkdir()
        runs = [_alone(body, kind, each) for kind, each in zip(kinds, folders, strict=True)]
        alone = [asyncio.to_thread(asyncio.run, run) for run in runs]
        ends = await asyncio.gather(*alone, return_exceptions=True)
        failed = [end for end in ends if end is not None]
        for kind, end in zip(kinds, ends, strict=True):
            if end is not None:
                end.add_note(f"agent: {kind.name}")
        if len(failed) > 1:
            both = BaseExceptionGroup("more than one agent failed", failed)
            if all(isinstance(end, AssertionError) for end in failed):
                raise AssertionError("more than one agent failed") from both
            raise both
        for end in failed:
            raise end

    return plays(named_after(body, scene))


async def _alone(body: Body, kind: Kind, folder: Path) -> None:
    with contextlib.ExitStack() as stack:
        node = Node(kind, folder / "node", stack)
        async with running_centre(folder / "centre") as centre:
            centre.adopt(node.state, NODE)
            await centre.settle(NODE)
            await body(centre, node)


@dataclass(frozen=True)
class Start:
    """Where a sound was found in a recording."""

    at: datetime
    whole: bool


def starts(recording: VirtualRecording, sound: bytes) -> list[Start]:
    """Give the instants at which a sound began, whole or cut."""
    if not any(recording.pcm):
        return []
    found = compare(samples(sound), samples(recording.pcm))
    return [Start(recording.at(match.start), match.correlation >= ALIKE) for match in found.matches]


def is_silent_but_for(recording: VirtualRecording, *sounds: bytes) -> bool:
    """Say whether, outside of these sounds, every sample is exactly zero."""
    rest = samples(recording.pcm).copy()
    for sound in sounds:
        reference = samples(sound)
        for match in compare(reference, rest).matches:
            # The decoder of another agent may be some samples longer.
            rest[max(0, match.start - 480) : match.start + len(reference) + 480] = 0
    return not np.any(rest)
