"""A signer as a process of its own, as it runs apart from a centre."""

import asyncio
import getpass
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

WITHIN_S = 30.0


@asynccontextmanager
async def signer(folder: Path) -> AsyncIterator[tuple[Path, asyncio.subprocess.Process]]:
    """Run one; gives its socket and the process, which may be stopped."""
    path = folder / "signer.sock"
    arguments = ("--folder", str(folder / "signer"), "serve", "--socket", str(path), "--user", getpass.getuser())
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "controller.cli", "signer", *arguments, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(WITHIN_S):
            assert b"answers" in await process.stderr.readline()
        yield path, process
    finally:
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGTERM)
        await process.communicate()
