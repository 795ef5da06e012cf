"""The cell in which other programs run, tried with programs that want out."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from audio import _jail, _tools
from audio._tools import MIB, Limits
from audio.errors import LimitReachedError, Reason, ToolMissingError

PATIENCE_S = 20
PYTHON = next((path for path in ("/usr/bin/python3", "/usr/local/bin/python3") if Path(path).exists()), sys.executable)
"""One that nobody may start too: the cell is not root, and ours may lie in root's home."""
ROOT = Path(__file__).parents[2]


async def python(
    code: str, *, limits: Limits | None = None, source: bytes | None = None
) -> tuple[_tools.Finished, str]:
    """Run a few lines of Python in a cell; what they print and how they ended."""
    printed = bytearray()
    finished = await _tools.run(
        PYTHON, ["-I", "-c", code], limits=limits or Limits(), source=source, sink=printed.extend
    )
    return finished, printed.decode()


def ended(pid: int) -> bool:
    """Wait until a process that is not ours is gone; False when it outlives our patience."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        return bool(poll.poll(PATIENCE_S * 1000))
    finally:
        os.close(handle)


def namespaces_allowed() -> bool:
    code = "import sys; sys.path.insert(0, sys.argv[1]); import _jail; print(_jail.leave_network())"
    answer = subprocess.run(
        [sys.executable, "-c", code, str(Path(_jail.__file__).parent)],
        capture_output=True,
        check=True,
        timeout=PATIENCE_S,
    )
    return answer.stdout.strip() == b"True"


async def test_output_and_exit_code_come_back() -> None:
    finished, printed = await python("import sys; print('out'); print('[error] bad', file=sys.stderr); sys.exit(3)")
    assert (finished.exit_code, printed, finished.last_words, finished.errors) == (3, "out\n", "[error] bad", 1)


async def test_bytes_reach_standard_input_whole() -> None:
    data = bytes(range(256)) * 4096
    _, printed = await python(
        "import sys, hashlib; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())", source=data
    )
    assert printed.strip() == hashlib.sha256(data).hexdigest()


async def test_a_program_that_does_not_read_its_input_is_no_error() -> None:
    finished, _ = await python("pass", source=bytes(8 * MIB))
    assert finished.exit_code == 0


async def test_the_cell_has_no_environment_files_or_rights_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOA_SECRET", "do not tell")
    code = "import json, os; print(json.dumps([dict(os.environ), sorted(os.listdir('/proc/self/fd')), os.geteuid()]))"
    ours = os.open(__file__, os.O_RDONLY)
    try:
        os.set_inheritable(ours, True)
        _, printed = await python(code)
    finally:
        os.close(ours)
    environment, files, user = json.loads(printed)
    assert "LOA_SECRET" not in environment
    assert len(files) == 4  # three streams, and the folder being listed
    assert user != 0


async def test_limits_stand_in_the_program() -> None:
    limits = Limits(cpu_s=7, memory=900 * MIB, file_bytes=5 * MIB, files=20)
    code = (
        "import json, resource as r;"
        "print(json.dumps([r.getrlimit(k) for k in (r.RLIMIT_CPU, r.RLIMIT_AS, r.RLIMIT_FSIZE, r.RLIMIT_NOFILE)]))"
    )
    _, printed = await python(code, limits=limits)
    assert json.loads(printed) == [[7, 7], [900 * MIB] * 2, [5 * MIB] * 2, [20, 20]]


async def test_a_program_gives_way_to_who_started_it() -> None:
    """Somebody uploads without end, and somebody else presses STOP."""
    _, printed = await python("import os; print(os.nice(0))")
    assert int(printed) == min(os.nice(0) + _jail.POLITE, 19)


async def test_the_cell_reaches_no_network_not_even_loopback() -> None:
    if not namespaces_allowed():
        pytest.skip("this kernel forbids network namespaces to us; the protocol list still stands")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        code = f"import socket; print(socket.socket().connect_ex(('127.0.0.1', {listener.getsockname()[1]})))"
        _, printed = await python(code)
        assert int(printed) == errno.ENETUNREACH
        with pytest.raises(BlockingIOError):
            listener.accept()


async def test_processor_time_runs_out() -> None:
    with pytest.raises(LimitReachedError) as caught:
        await python("while True: pass", limits=Limits(cpu_s=1))
    assert caught.value.reason is Reason.TOOK_TOO_LONG


async def test_wall_time_runs_out_and_the_program_is_gone() -> None:
    pids: list[int] = []
    with pytest.raises(LimitReachedError) as caught:
        await _tools.run(
            "sh", ["-c", "echo $$; exec sleep 600"], limits=Limits(wall_s=0.5), sink=lambda line: pids.append(int(line))
        )
    assert caught.value.reason is Reason.TOOK_TOO_LONG
    assert ended(pids[0])


async def test_memory_runs_out() -> None:
    with pytest.raises(LimitReachedError) as caught:
        await python("x = bytes(2 << 30)", limits=Limits(memory=300 * MIB))
    assert caught.value.reason is Reason.OUT_OF_MEMORY


async def test_endless_output_is_cut() -> None:
    with pytest.raises(LimitReachedError) as caught:
        await python("while True: print('x' * 1000)", limits=Limits(output_bytes=MIB))
    assert caught.value.reason is Reason.TOO_LONG


async def test_endless_complaints_are_kept_small() -> None:
    finished, _ = await python("import sys\nfor i in range(200_000): print('complaint', i, file=sys.stderr)")
    assert len(finished.words) < 200_000
    assert finished.words.startswith("complaint 0\n")
    assert finished.last_words == "complaint 199999"


async def test_an_error_in_the_sink_ends_the_program() -> None:
    pids: list[int] = []

    def refuse(line: bytes) -> None:
        pids.append(int(line))
        raise KeyError("no more")

    with pytest.raises(KeyError):
        await _tools.run("sh", ["-c", "echo $$; exec sleep 600"], limits=Limits(), sink=refuse)
    assert ended(pids[0])


async def test_cancelling_ends_the_program_and_its_children() -> None:
    pids: list[int] = []
    told = asyncio.Event()

    def hear(line: bytes) -> None:
        pids.extend(int(pid) for pid in line.split())
        told.set()

    task = asyncio.create_task(
        _tools.run("sh", ["-c", "sleep 600 & echo $$ $!; wait"], limits=Limits(), sink=hear), name="to-be-cancelled"
    )
    async with asyncio.timeout(PATIENCE_S):
        await told.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(pids) == 2
    assert all(ended(pid) for pid in pids)


def test_no_program_outlives_a_parent_that_was_killed() -> None:
    code = (
        "import asyncio; from audio import _tools;"
        "asyncio.run(_tools.run('sh', ['-c', 'echo $$; exec sleep 600'], limits=_tools.Limits(),"
        " sink=lambda line: print(int(line), flush=True)))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
        parent.wait(PATIENCE_S)
        assert ended(pid)


async def test_a_missing_program_is_named_with_what_to_do() -> None:
    with pytest.raises(ToolMissingError, match="apt install no-such-program"):
        await _tools.run("no-such-program", [], limits=Limits())


def test_the_probe_says_whether_a_cell_has_no_network() -> None:
    assert _tools.network_is_cut() is namespaces_allowed()
