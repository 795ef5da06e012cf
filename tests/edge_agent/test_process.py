"""The agent as one process: its life at the broker, its end, its supervisor."""

import asyncio
import contextlib
import functools
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import psutil
import pytest

from edge_agent.agent import Agent
from edge_agent.config import Options, StateDir
from edge_agent.faults import Fault
from edge_agent.protocol.documents import CommandAction
from edge_agent.protocol.reports import Online
from edge_agent.protocol.states import ClockState, Grade, Level, Outcome, PlayState
from edge_agent.protocol.topics import Word
from edge_agent.store import Store
from tests.e2e.agents import OURS, Node, by_our_agent
from tests.edge_agent.centre import Authority, Centre, broadcast, make_opus, soon

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]
NODE = "node-1"
SO_ACCEPTCON = 0x10000
"""Somebody may connect to it (linux/net.h)."""


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with contextlib.ExitStack() as stack:
        yield Node(OURS, tmp_path / "node", stack)


@pytest.fixture
async def centre(tmp_path: Path, node: Node) -> AsyncIterator[Centre]:
    async with Centre(tmp_path / "centre") as made:
        made.adopt(node.state, NODE)
        await made.settle(NODE)
        yield made


async def state(centre: Centre, wanted: str) -> dict[str, object]:
    found = await centre.until(lambda: (one := centre.presence(NODE)).get("state") == wanted and one)
    assert isinstance(found, dict)
    return found


async def test_a_running_agent_listens_at_no_socket(centre: Centre, node: Node) -> None:
    """As the kernel has it: its one way out is a connection that it made itself."""
    node.start()
    await state(centre, "online")
    assert node.process is not None
    agent = psutil.Process(node.process.pid)
    sockets = [each for one in (agent, *agent.children(recursive=True)) for each in one.net_connections("all")]
    made = [each.raddr.port for each in sockets if each.status == psutil.CONN_ESTABLISHED]
    assert centre.broker.port in made, "sockets are seen at all"
    assert [each for each in sockets if each.status == psutil.CONN_LISTEN] == []
    assert [each for each in sockets if each.type == socket.SOCK_DGRAM and each.laddr] == []
    assert unix_listeners(agent.pid) == []


def unix_listeners(pid: int) -> list[str]:
    """Name the Unix sockets at which a process takes connections."""
    inodes = set()
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a file that was closed meanwhile
            inodes.add(path.readlink().name)
    lines = (line.split(maxsplit=7) for line in Path("/proc/net/unix").read_text().splitlines()[1:])
    return [" ".join(each) for each in lines if int(each[3], 16) & SO_ACCEPTCON and f"socket:[{each[6]}]" in inodes]


async def test_presence_tells_hello_and_a_sudden_end(centre: Centre, node: Node) -> None:
    node.start()
    await state(centre, "online")
    hello = msgspec.json.decode(centre.said(NODE, Word.PRESENCE)[0], type=Online)
    assert hello.abilities.output == "virtual"
    assert len(hello.boot_id) == 36
    node.kill()
    lost = await state(centre, "lost")
    assert lost["boot_id"] == hello.boot_id


def said_more_than(centre: Centre, reports: int) -> bool:
    return len(centre.said(NODE, Word.HEALTH)) > reports


async def test_a_restart_command_ends_the_process_well(centre: Centre, node: Node) -> None:
    node.start()
    await centre.until(lambda: (one := centre.health(NODE)) and one.clock.state is ClockState.TRUSTED)
    # Commands are not retained and subscribed to last: said again until it is heard, and counted once all the same.
    while not (one := centre.health(NODE)) or not one.dropped:
        await centre.command(NODE, CommandAction.UPDATE, "command-0")
        await centre.until(functools.partial(said_more_than, centre, len(centre.said(NODE, Word.HEALTH))))
    assert one.dropped == {"unsupported_command": 1}
    await centre.command(NODE, CommandAction.RESTART)
    leaving = await state(centre, "leaving")
    assert leaving["reason"] == "restart"
    assert node.process is not None
    assert await asyncio.to_thread(node.process.wait, 30) == 0


@by_our_agent
async def test_who_is_to_give_way_in_a_play_ends_after_it(centre: Centre, node: Node) -> None:
    """What an upgraded package asks for (the unit's reload)."""
    voice = centre.add_media(make_opus(1, 1500))
    node.start()
    await state(centre, "online")
    await centre.urgent(broadcast("b-1", soon(1.0), voice))
    await centre.until(lambda: any(one.state is PlayState.PLAYING for one in centre.plays(NODE, "b-1")))
    assert node.process is not None
    node.process.send_signal(signal.SIGUSR1)
    assert (await centre.until_outcome(NODE, "b-1")).outcome is Outcome.PLAYED
    assert (await state(centre, "leaving"))["reason"] == "update"
    assert await asyncio.to_thread(node.process.wait, 30) == 0


@by_our_agent
async def test_settings_that_name_another_area_are_followed_at_once(centre: Centre, node: Node) -> None:
    voice = centre.add_media(make_opus(1, 500))
    node.start()
    await state(centre, "online")
    await centre.settle(NODE, areas=("thon-2", "xa-1"))
    scope = "areas/xa-1"
    await centre.plan(broadcast("b-1", soon(1.5), voice, scopes=(scope,)), scope=scope)
    assert (await centre.until_outcome(NODE, "b-1")).outcome is Outcome.PLAYED


async def test_the_link_comes_back_after_the_broker_was_killed(centre: Centre, node: Node) -> None:
    node.start()
    await state(centre, "online")
    hellos = len(centre.said(NODE, Word.PRESENCE))
    await centre.lose_broker()
    await centre.bring_broker_back()
    await centre.until(lambda: len(centre.said(NODE, Word.PRESENCE)) > hellos, within_s=30)
    hold = await centre.hold("hold-1")
    await centre.until_held(NODE, hold)


async def test_a_broker_of_another_authority_is_not_spoken_to(centre: Centre, node: Node, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (node.state / "ca.crt").write_text(Authority(tmp_path / "other").pem)
    node.start()
    log = node.state / "agent.log"
    async with asyncio.timeout(30):
        while "certificate verify failed" not in log.read_text():  # noqa: ASYNC110 - a log tells nobody
            await asyncio.sleep(0.05)
    assert centre.said(NODE, Word.PRESENCE) == []
    assert node.stop() == 0


async def test_a_store_that_is_gone_is_a_loss_and_a_new_nodes_is_none(centre: Centre, node: Node) -> None:
    def faults() -> set[str]:
        agent = Agent(Options(state=StateDir(node.state), output="virtual"))
        agent.ground.store.close()
        return {fault.code for fault in agent.ground.faults.standing()}

    assert Fault.STORE_RESET not in faults()
    for file in node.state.glob("agent.db*"):
        file.unlink()
    Store.open(node.state / "agent.db").close()  # as a self-test makes it, before the agent looks
    assert Fault.STORE_RESET in faults()
    assert Fault.STORE_RESET not in faults()


async def test_a_service_that_dies_ends_the_process(centre: Centre, node: Node) -> None:
    class Bad(Exception):  # noqa: N818 - nothing but this test raises it
        pass

    async def die() -> None:
        raise Bad

    agent = Agent(Options(state=StateDir(node.state), output="virtual"))
    agent.parts.voucher.run = die  # type: ignore[method-assign]
    with pytest.raises(ExceptionGroup) as caught:
        await agent.run()
    assert caught.value.subgroup(Bad)


async def test_a_process_that_dies_does_not_say_zero(centre: Centre, node: Node) -> None:
    """A supervisor starts it again only then."""
    script = (
        "import sys\n"
        "from edge_agent import voucher\n"
        "async def die(self):\n    raise ZeroDivisionError\n"
        "voucher.Voucher.run = die\n"
        "from edge_agent.cli import main\n"
        f"sys.exit(main(['run', '--state', {str(node.state)!r}, '--output', 'virtual']))\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stderr=asyncio.subprocess.DEVNULL)
    assert await asyncio.wait_for(process.wait(), 60) != 0


async def test_a_service_that_hangs_does_not_keep_the_process(centre: Centre, node: Node) -> None:
    script = (
        "import asyncio, sys\n"
        "from edge_agent import ending, voucher\n"
        "ending.END_S = 1.0\n"
        "async def hang(self):\n"
        "    self.ready.set()\n"
        "    while True:\n"
        "        try:\n            await asyncio.Event().wait()\n"
        "        except asyncio.CancelledError:\n            pass\n"
        "voucher.Voucher.run = hang\n"
        "from edge_agent.cli import main\n"
        f"sys.exit(main(['run', '--state', {str(node.state)!r}, '--output', 'virtual']))\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stderr=asyncio.subprocess.DEVNULL)
    await state(centre, "online")
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 60) == 1


async def test_the_supervisor_hears_ready_and_then_that_the_player_lives(
    centre: Centre, node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(tmp_path / "notify"))
        supervisor.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        node.start()
        loop = asyncio.get_running_loop()
        heard = [await asyncio.wait_for(loop.sock_recv(supervisor, 100), 30) for _ in range(4)]
    assert b"READY=1" in heard
    assert heard.count(b"WATCHDOG=1") >= 2


@by_our_agent
async def test_an_emergency_of_before_a_restart_waits_until_the_centre_has_told_the_time(
    centre: Centre, node: Node
) -> None:
    """On a slow clock, by which nothing is due yet; and after the restart nobody knows how slow it is."""
    voice, centre.ahead = centre.add_media(make_opus(1, 500)), timedelta(seconds=20)
    node.start()
    health = await centre.until(lambda: (one := centre.health(NODE)) and one.clock.offset_ms is not None and one)
    if health.clock.state is not ClockState.UNTRUSTED:
        pytest.skip("the kernel of this machine says that its clock is synchronised")
    due = broadcast(
        "b-1", centre.now() + timedelta(seconds=3), voice, level=Level.EMERGENCY, late=timedelta(seconds=30)
    )
    await centre.urgent(due)
    await centre.until(lambda: any(one.state is PlayState.CACHED for one in centre.plays(NODE, "b-1")))
    node.kill()
    centre.answers_time = False
    node.start()
    await centre.until(lambda: centre.now() > due.start_at + timedelta(seconds=1), what="the start to be over")
    assert {one.state for one in centre.plays(NODE, "b-1")} == {PlayState.RECEIVED, PlayState.CACHED}
    centre.answers_time = True
    event = await centre.until_outcome(NODE, "b-1")
    assert (event.outcome, event.grade) == (Outcome.PLAYED, Grade.E1)
