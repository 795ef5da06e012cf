"""The machine of one node in a stepped world: its clocks, its disk as enrolment leaves it, what its speaker gives."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from edge_agent.agent import Agent
from edge_agent.clock import NS
from edge_agent.outputs.base import Render
from edge_agent.protocol.enrolment import Adoption
from edge_agent.store import Store
from tests.edge_agent.centre import Keys
from tests.edge_agent.fakes import SteppedInstruments
from tests.faults.truth import Stretch, pool

NODE = "node-1"
BLOCK_MS = 20
_BLOCK = BLOCK_MS * 48 * 2


class CrashedError(BaseException):
    """The process dies here and now; nobody catches it."""


class Ticking(SteppedInstruments):
    """Stepped clocks, a monotonic one that stands still while the machine sleeps, and true time."""

    def __init__(self, at: datetime) -> None:
        super().__init__(at)
        self.true_at = at
        self._asleep_ns = 0

    def pass_(self, **time: float) -> None:
        super().pass_(**time)
        self.true_at += timedelta(**time)

    def sleep(self, time: timedelta) -> None:
        self.pass_(seconds=time.total_seconds())
        self._asleep_ns += round(time.total_seconds() * NS)

    def monotonic_ns(self) -> int:
        return self._boot_ns - self._asleep_ns

    def reboot(self, boot_id: str = "boot-2") -> None:
        super().reboot(boot_id)
        self._asleep_ns = 0

    def error(self) -> timedelta:
        """How far the wall clock is off."""
        return datetime.fromtimestamp(self._wall_ns / NS, UTC) - self.true_at


class Speaker:
    """The output's ground truth: asks for every frame, and keeps what was not silent."""

    def __init__(self) -> None:
        self.stretches: list[Stretch] = []
        self._goes_on = False

    def take(self, render: Render, at: datetime, at_ns: int) -> None:
        """Let one block pass."""
        block = bytearray(_BLOCK)
        render(memoryview(block), at_ns)
        if any(block):
            if not self._goes_on:
                self.stretches.append(Stretch(at, bytearray()))
            self.stretches[-1].pcm += block
        self._goes_on = any(block)

    def pause(self) -> None:
        """Say that what sounds afterwards does not sound from before on."""
        self._goes_on = False


async def primed(agent: Agent) -> None:
    """Let the decoders come along: time passes faster here than they work."""
    for cue in [*agent.parts.stage._cues, *agent.parts.stage._own]:
        feed = cue.feed
        while not (feed.ended or feed._closed or feed._held >= 4 * _BLOCK):  # noqa: ASYNC110 - threads tell nobody
            await asyncio.sleep(0.0005)
    await asyncio.sleep(0)


def spoil(path: Path, how: str) -> None:
    """Let a file of the cache rot: one bit, its end, all of it, or another's bytes under its name."""
    if not path.exists():
        return
    data = bytearray(path.read_bytes())
    if how == "bit":
        data[len(data) // 2] ^= 1
    elif how == "short":
        data = data[: len(data) // 2]
    elif how == "empty":
        data = bytearray()
    else:
        data = bytearray(pool()[-1].data)
    path.write_bytes(data)


def make_state(folder: Path, keys: Keys) -> None:
    """Write what enrolment leaves."""
    folder.mkdir(parents=True, exist_ok=True)
    key = Ed25519PrivateKey.generate()
    (folder / "node.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    adoption = Adoption(
        node_id=NODE,
        name="Cụm 1",
        certificate_pem="none",
        ca_pem="none",
        broker_host="127.0.0.1",
        broker_port=1,
        media_url="https://127.0.0.1:1",
        trusted_keys=keys.trusted,
    )
    (folder / "node.json").write_bytes(msgspec.json.encode(adoption))
    store = Store.open(folder / "agent.db")
    store.begin()
    store.close()
