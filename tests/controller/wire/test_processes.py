"""``loa serve`` as a process: killed at the worst moment, stopped politely, started twice."""

import asyncio
import contextlib
import ipaddress
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from controller.config import Config
from controller.errors import LoaError
from controller.life_lock import StartError
from controller.main import _ports, running
from controller.wire.broker import _check_free
from edge_agent.protocol.documents import Hold
from tests.controller import factories

from .live import WITHIN_S, live_centre, settings

pytestmark = pytest.mark.broker

# A process dies between the commit of a signed document and its publishing, for the hold of one area.
DIES_BEFORE_PUBLISHING = """
import os, signal, sys
from controller.wire.bridge import Bridge

publish = Bridge.publish_document

async def publish_or_die(self, scope, word, token, **options):
    if word == "hold" and b"active" in __import__("base64").urlsafe_b64decode(token.split(b".")[1] + b"=="):
        os.kill(os.getpid(), signal.SIGKILL)
    await publish(self, scope, word, token, **options)

Bridge.publish_document = publish_or_die
from controller.cli import main
sys.exit(main(sys.argv[1:]))
"""

# What a process says at its end: how much of what it holds is never looked through again.
COUNTS_WHAT_STAYS = """
import atexit, gc, pathlib, sys

atexit.register(lambda: pathlib.Path(sys.argv[3], "stays").write_text(str(gc.get_freeze_count())))
from controller.cli import main
sys.exit(main(sys.argv[1:]))
"""


class Served:
    """A running ``loa serve``."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self.process, self.url = process, url

    @property
    def brokers(self) -> list[psutil.Process]:
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in children if child.name() == "mosquitto"]

    async def end(self) -> int:
        async with asyncio.timeout(WITHIN_S):
            return await self.process.wait()


@asynccontextmanager
async def serve(
    state: Path, *options: str, program: tuple[str, ...] = ("-m", "controller.cli")
) -> AsyncIterator[Served]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *program, "serve", "--state", str(state)),
        *(options or ("--port=0", "--broker-port=0", "--media-port=0", "--public-name=127.0.0.1")),
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(60):
            url = ""
            while not url:
                line = (await process.stderr.readline()).decode()
                assert line, "it ended before it was ready"
                url = line.partition("Loa is ready: ")[2].strip()
        yield Served(process, url)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.stderr.read()
        await process.wait()


@asynccontextmanager
async def signed_in(url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"{url}/api/v1", trust_env=False) as client:
        opened = await client.post("/sessions", json={"login": "lan", "password": factories.PASSWORD})
        assert opened.status_code == 201, opened.text
        client.headers["Authorization"] = f"Bearer {opened.json()['token']}"
        yield client


async def test_a_stop_that_was_acknowledged_survives_a_kill_before_its_publishing(tmp_path: Path) -> None:
    async with live_centre(tmp_path) as live:
        area = await live.area()
        node = await live.node(area)
    state = tmp_path / "centre"
    async with serve(state, program=("-c", DIES_BEFORE_PUBLISHING)) as served:
        [broker] = served.brokers
        async with signed_in(served.url) as client:
            with contextlib.suppress(httpx.TransportError):  # the answer may still come, or not
                await client.post("/holds", json={"scopes": [f"areas/{area.id}"]})
        assert await served.end() == -signal.SIGKILL
        _, alive = await asyncio.to_thread(psutil.wait_procs, [broker], WITHIN_S)
        assert alive == []
    async with live_centre(tmp_path) as live:
        node.centre = live.centre
        async with node.connected(f"loa/v1/areas/{area.id}/#"):
            found = await node.document(Hold, f"areas/{area.id}", lambda said: said.active != ())
        assert [each.id for each in await live.centre.services.holds.active(factories.SYSTEM)] == [
            found.active[0].hold_id
        ]


async def test_one_centre_serves_a_folder_and_its_polite_end_leaves_nothing_behind(tmp_path: Path) -> None:
    async with serve(tmp_path, program=("-c", COUNTS_WHAT_STAYS)) as served:
        [broker] = served.brokers
        assert broker.uids().effective != 0 or os.geteuid() != 0
        listening = {each.laddr.port for each in broker.net_connections("inet") if each.status == psutil.CONN_LISTEN}
        assert len(listening) == 1
        assert 1883 not in listening
        [conf] = [Path(word) for word in broker.cmdline() if word.endswith("mosquitto.conf")]
        # It is read again on SIGHUP, so it stays, for the broker's own user alone.
        (folder, *files) = (conf.parent, *conf.parent.iterdir())
        assert {path.stat().st_uid for path in (folder, *files)} == {broker.uids().effective}
        assert (folder.stat().st_mode & 0o777, {path.stat().st_mode & 0o777 for path in files}) == (0o700, {0o600})
        async with httpx.AsyncClient(trust_env=False) as client:
            ready = await client.get(f"{served.url}/readyz")
            assert ready.json()["parts"] == {"database": True, "broker": True, "bridge": True, "dispatcher": True}
        with pytest.raises(StartError, match="another `loa serve` uses"):
            async with running(settings(tmp_path)):
                pass
        served.process.send_signal(signal.SIGTERM)
        assert await served.end() == 0
        assert int((tmp_path / "stays").read_text()) > 100_000, "a full collection holds up whoever presses STOP"
        assert not broker.is_running()
        assert not folder.exists(), "a copy of the server's key lies about"


@pytest.mark.parametrize("setting", ["port", "media_port", "broker_port"])
async def test_a_port_that_is_taken_is_named(tmp_path: Path, setting: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LoaError, match=rf"127\.0\.0\.1:{port} \(Address already in use\)"):
            async with running(settings(tmp_path, **{setting: port})):
                pass


def test_a_port_that_is_found_for_the_broker_is_given_to_nobody_else(tmp_path: Path) -> None:
    with _ports(settings(tmp_path)) as ports, socket.socket() as other:
        address = ("127.0.0.1", ports.config.broker_port)
        with pytest.raises(OSError, match="in use"):
            other.bind(address)
        _check_free(*address)


async def test_nobody_else_of_the_machine_reads_the_state(tmp_path: Path) -> None:
    """Whoever made the folder, and whatever the umask is."""
    for folder in ("", "media", "uploads"):
        (tmp_path / "state" / folder).mkdir()
        (tmp_path / "state" / folder).chmod(0o755)
    async with running(settings(tmp_path / "state")):
        found = [tmp_path / "state", *(tmp_path / "state").iterdir()]
        assert {path.name for path in found} >= {"state", "media", "uploads", "loa.db", "keys", "lock"}
        assert [path for path in found if path.stat().st_mode & 0o077] == []


def test_the_readmes_settings_let_nodes_in_and_keep_the_pages_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    readme = (Path(__file__).parents[3] / "README.md").read_text("utf-8")
    [said] = re.findall(r"^    export (LOA_STATE=.*)$", readme, re.MULTILINE)
    for name, value in (each.split("=") for each in said.split()):
        monkeypatch.setenv(name, value)
    config = Config()
    assert ipaddress.ip_address(config.node_host).is_unspecified
    assert ipaddress.ip_address(config.host).is_loopback
    assert config.public_name != Config.model_fields["public_name"].default


async def test_a_member_that_dies_ends_the_centre(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        await run_with_a_fault(tmp_path)


async def run_with_a_fault(folder: Path) -> None:
    async with asyncio.timeout(WITHIN_S), running(settings(folder)) as centre:
        centre.presence.sweep = lambda: [str(1 // 0)]  # type: ignore[method-assign]  # its loop calls it
        await asyncio.Event().wait()
