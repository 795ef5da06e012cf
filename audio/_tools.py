"""The only starter of other programs in this package: ffmpeg, ffprobe and espeak-ng, each in a cell of its own.

A cell has no network (empty namespace where the kernel allows it), no rights of root, no environment, no open files
but its three streams, and limits on processor, memory, files and wall time. It ends when its parent ends. What the
programs are asked to do is the callers' business.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from audio.errors import LimitReachedError, Reason, ToolMissingError

MIB = 1 << 20
CHUNK = 1 << 16
"""Bytes handed to a sink at once: 0.7 s of sound, about 1 ms of work, so the event loop breathes."""
HEAD, TAIL = 1 << 14, 1 << 16
"""Bytes of a program's complaints that are kept from the beginning and from the end."""
_ERROR = re.compile(rb"(?!\[cache )(\[[^]]* @ 0x[0-9a-f]+\] )?\[error\]")
"""A line that ffmpeg marked as an error, at its beginning: titles are printed indented. The cache in front of a pipe
calls it an error that a pipe has no end to seek to; it is none."""
_NO_MEMORY = ("Cannot allocate memory", "failed to map segment", "MemoryError")
"""How ffmpeg, the loader and Python say it."""
PROBE_S = 20
"""The probe takes 15 ms."""
_JAIL = str(Path(__file__).with_name("_jail.py"))
_ENV = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "AV_LOG_FORCE_NOCOLOR": "1", "MALLOC_ARENA_MAX": "2"}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one program may use up before it is ended."""

    cpu_s: int = 300
    """Processor seconds."""
    wall_s: float = 600
    """Seconds from start to end."""
    memory: int = 1024 * MIB
    """Bytes of address space; ffmpeg's libraries alone map about 300 MiB."""
    file_bytes: int = 0
    """Size any file it writes may reach. Only ``cache:`` writes one, unlinked at birth."""
    files: int = 32
    """Open files."""
    processes: int = 512
    """Threads and processes of its user; in a user namespace of its own, its own alone."""
    output_bytes: int = 1 << 40
    """Bytes it may print."""


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended."""

    tool: str
    exit_code: int
    """0 is well; negative is the signal that ended it."""
    words: str
    """What it wrote on standard error: beginning and end, the middle left out when long."""
    errors: int
    """Lines it marked as errors (needs ``-v level+…``)."""

    @property
    def last_words(self) -> str:
        """The last line worth showing to a technician."""
        lines = [line.strip() for line in self.words.splitlines() if line.strip()]
        return lines[-1][:300] if lines else ""


Sink = Callable[[bytes], object]


@functools.cache
def find(tool: str) -> str:
    """Absolute path of an installed program.

    Raises:
        ToolMissingError: it is not on the search path.
    """
    path = shutil.which(tool)
    if path is None:
        raise ToolMissingError(tool)
    return str(Path(path).resolve())


def command(tool: str, args: list[str], limits: Limits) -> list[str]:
    """The argument list that starts ``tool`` inside its cell."""
    order = {
        "argv": [find(tool), *args],
        "env": _ENV,
        "parent": os.getpid(),
        "cpu_s": limits.cpu_s,
        "memory": limits.memory,
        "file_bytes": limits.file_bytes,
        "files": limits.files,
        "processes": limits.processes,
    }
    return [sys.executable, "-I", "-S", "-B", _JAIL, json.dumps(order)]


@functools.cache
def network_is_cut() -> bool:
    """Tell whether a cell really has no network; a kernel may forbid it. Tried once."""
    answer = subprocess.run(
        [sys.executable, "-I", "-S", "-B", _JAIL, "--probe"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
        timeout=PROBE_S,
    )
    return answer.returncode == 0


async def run(
    tool: str,
    args: list[str],
    *,
    limits: Limits,
    source: IO[bytes] | bytes | None = None,
    sink: Sink | None = None,
) -> Finished:
    """Run one program to its end and hand its output to ``sink`` piece by piece.

    ``source`` becomes its standard input: an open file from where it stands, or bytes. Whatever ``sink`` raises ends
    the program and is raised here; so does cancellation.

    Raises:
        ToolMissingError: the program is not installed.
        LimitReachedError: it used up its processor time, wall time, memory or output.
    """
    stdin = asyncio.subprocess.PIPE if isinstance(source, bytes) else (source or asyncio.subprocess.DEVNULL)
    process = await asyncio.create_subprocess_exec(
        *command(tool, args, limits),
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    words = _Words()
    try:
        async with asyncio.timeout(limits.wall_s), asyncio.TaskGroup() as group:
            group.create_task(_drain(process.stderr, words.feed))
            group.create_task(_drain(process.stdout, _capped(tool, sink, limits.output_bytes)))
            if isinstance(source, bytes):
                group.create_task(_feed(process.stdin, source))
            code = await process.wait()
    except TimeoutError as error:
        message = f"it ran longer than {limits.wall_s:g} s"
        raise LimitReachedError(tool, Reason.TOOK_TOO_LONG, message) from error
    except BaseExceptionGroup as group_error:
        raise _first(group_error) from None
    finally:
        await _end(process)
    finished = Finished(tool, code, words.text(), words.errors)
    _check_limits(finished, limits)
    return finished


def with_file_room(limits: Limits, size: int) -> Limits:
    """The same limits with room for a temporary copy of ``size`` bytes."""
    return replace(limits, file_bytes=size + MIB)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _check_limits(finished: Finished, limits: Limits) -> None:
    if finished.exit_code in {-signal.SIGXCPU, -signal.SIGKILL}:
        message = f"it used more than {limits.cpu_s} s of processor time"
        raise LimitReachedError(finished.tool, Reason.TOOK_TOO_LONG, message)
    if finished.exit_code != 0 and any(sign in finished.words for sign in _NO_MEMORY):
        message = f"it wanted more than {limits.memory // MIB} MiB"
        raise LimitReachedError(finished.tool, Reason.OUT_OF_MEMORY, message)


def _capped(tool: str, sink: Sink | None, limit: int) -> Sink:
    seen = 0

    def take(piece: bytes) -> None:
        nonlocal seen
        seen += len(piece)
        if seen > limit:
            raise LimitReachedError(tool, Reason.TOO_LONG, f"it printed more than {limit} bytes")
        if sink is not None:
            sink(piece)

    return take


async def _drain(stream: asyncio.StreamReader | None, sink: Sink) -> None:
    while stream is not None and (piece := await stream.read(CHUNK)):
        sink(piece)
        await asyncio.sleep(0)  # a full buffer is read without waiting: let others have their turn


async def _feed(stream: asyncio.StreamWriter | None, data: bytes) -> None:
    """Write and close; a program that has read enough may hang up early."""
    if stream is None:
        return
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        stream.write(data)
        await stream.drain()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        stream.close()
        await stream.wait_closed()


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill what still runs, whole session, and reap it; shielded, since cancellation brings us here."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await asyncio.shield(_reap(process))


async def _reap(process: asyncio.subprocess.Process) -> None:
    """Pipes must be read out, or their transports stay open."""
    await asyncio.gather(_drain(process.stdout, len), _drain(process.stderr, len))
    await process.wait()


class _Words:
    """Standard error, kept small whatever the program prints."""

    def __init__(self) -> None:
        self._head, self._tail, self._line, self.errors = b"", b"", b"", 0

    def feed(self, piece: bytes) -> None:
        *lines, rest = (self._line + piece).split(b"\n")
        self.errors += sum(_ERROR.match(line) is not None for line in lines)
        self._line = rest[-1024:]
        room = HEAD - len(self._head)
        self._head += piece[:room]
        self._tail = (self._tail + piece[room:])[-TAIL:] if len(piece) > room else self._tail

    def text(self) -> str:
        return (self._head + self._tail).decode("utf-8", "replace")
