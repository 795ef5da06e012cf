"""Starts and ends the programs of the demo, so that nothing is left running however it ends."""

import asyncio
import ctypes
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from controller.errors import LoaError

PR_SET_PDEATHSIG = 1
"""prctl(2): the signal that a child gets when its parent dies."""

STOP_TIMEOUT_S = 10
"""How long a program may take to say goodbye before it is killed."""


class ProgramFailedError(LoaError):
    """A program of the demo ended, or did not become ready; the message carries the end of its log."""

    code = "program_failed"


class Program:
    """One running program with its log file."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name, self.process, self.log = name, process, log

    @classmethod
    async def start(cls, name: str, argv: Sequence[str], *, env: Mapping[str, str], log: Path) -> "Program":
        """Start it; what it says goes to ``log``."""
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *argv,
                env=dict(env),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=_die_with_parent,
            )
        return cls(name, process, log)

    def check(self) -> None:
        """Fail when it has ended.

        Raises:
            ProgramFailedError: with its exit status and last lines.
        """
        if self.process.returncode is not None:
            raise ProgramFailedError(f"{self.name} ended with status {self.process.returncode}:\n{self.last_words()}")

    def last_words(self, lines: int = 15) -> str:
        """Give the end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, and kill it if it does not; gives its exit status."""
        if self.process.returncode is None:
            self.process.send_signal(how)
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                return await self.process.wait()
        except TimeoutError:
            self.process.kill()
            return await self.process.wait()


def script(name: str) -> str:
    """Path of one of our commands, beside the Python that runs us.

    Raises:
        ProgramFailedError: Loa is not installed in this environment.
    """
    path = Path(sys.executable).with_name(name)
    if not path.exists():
        raise ProgramFailedError(f"{name} is not installed beside {sys.executable}; run `make setup`")
    return str(path)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
