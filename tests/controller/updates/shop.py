"""Releases made, signed and added in one step, and nodes that say how far they are."""

import hashlib
import lzma
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller.signing.ring import trust_update
from controller.updates.schemas import ReleaseOut, RolloutIn, RolloutWithNodes
from controller.updates.steering import Steering
from controller.wire.keys import load_keys, write_ring
from edge_agent.protocol.signing import SigningKey
from edge_agent.protocol.states import KeyUse
from edge_agent.protocol.updates import Release
from tests.controller.factories import Centre
from tests.edge_agent.updates.making import tar_of

ELF = {"amd64": 62, "arm64": 183, "riscv64": 243}


def packed(
    board: str = "arm64", *, version: str = "0.7.0", python: str = "311", files: dict[str, bytes] | None = None
) -> bytes:
    """A bundle that is small, and all that a look into it asks for; ``files`` come in addition."""
    program = b"\x7fELF\x02\x01\x01".ljust(18, b"\0") + ELF[board].to_bytes(2, "little") + bytes(100)
    inside = {
        "edge_agent/__main__.py": b"raise SystemExit('an agent, as far as the centre goes')\n",
        f"_cffi_backend.cpython-{python}-linux-gnu.so": program,
        "av/_core.abi3.so": program,
        f"loa-{version}.dist-info/METADATA": b"Name: loa\n" * 200,
        "tzdata/zones": Random(7).randbytes(3000),  # nothing packs it
    }
    return lzma.compress(tar_of(inside | (files or {})))


BUNDLE = packed()


def new_update_key() -> SigningKey:
    """A key as ``loa keys make-update-key`` makes it."""
    return SigningKey(Ed25519PrivateKey.generate())


def trust(folder: Path, key: SigningKey, now: datetime) -> None:
    """Let a centre's nodes believe it, as ``loa keys trust-update-key`` does."""
    ring = load_keys(folder).ring
    write_ring(folder, trust_update(ring, key.trusted_as(KeyUse.UPDATE), now))


def signed(key: SigningKey, now: datetime, number: int = 7, bundle: bytes = BUNDLE, **given: Any) -> str:
    """What ``loa updates sign`` writes."""
    said: dict[str, Any] = {
        "release": number,
        "version": "0.7.0",
        "board": "arm64",
        "python": "3.11",
        "size": len(bundle),
        "sha256": hashlib.sha256(bundle).hexdigest(),
        "iat": int(now.timestamp()),
        "exp": int((now + timedelta(days=90)).timestamp()),
    }
    return key.sign(Release(**said | given)).decode()


async def body(content: bytes = BUNDLE) -> AsyncIterator[bytes]:
    """A bundle as it comes over a link."""
    for at in range(0, len(content), 1000):
        yield content[at : at + 1000]


@dataclass
class Shop:
    """A centre that believes one update key, and a wire that notes what is sent."""

    here: Centre
    key: SigningKey = field(default_factory=new_update_key)
    sent: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    says: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What each node that is there keeps saying."""

    def __post_init__(self) -> None:
        folder = self.here.services.config.keys
        trust(folder, self.key, self.here.clock())
        self.here.services.releases._trusted = lambda: load_keys(folder).trusted
        self._wire(self.here.services.steering)

    def _wire(self, steering: Steering) -> None:
        steering.send = self.send
        steering.lot = lambda _, node_id: node_id.encode()  # by their names, not drawn

    async def send(self, scope: str, fields: dict[str, Any], _readable: timedelta) -> None:
        self.sent.append((scope, fields))

    async def add(self, number: int = 7, bundle: bytes = BUNDLE, **given: Any) -> ReleaseOut:
        token = signed(self.key, self.here.clock(), number, bundle, **given)
        return await self.here.services.releases.add(self.here.actor, token, body(bundle))

    async def start(self, *targets: str, number: int = 7, **given: Any) -> RolloutWithNodes:
        return await self.here.services.rollouts.start(
            self.here.actor, RolloutIn(release=number, targets=targets, **given)
        )

    async def look(self, *, minutes: float = 1) -> list[str]:
        """Time passes, the centre looks; gives the nodes that it told."""
        self.here.clock.step(minutes=minutes)
        for node_id, said in self.says.items():
            self.here.hears(node_id, **said)
        before = len(self.sent)
        await self.here.services.steering.look()
        return [scope.removeprefix("nodes/") for scope, _ in self.sent[before:]]

    def next_life(self) -> None:
        """The centre begins anew: all that it has are its rows."""
        services, here = self.here.services, self.here
        steering = Steering(
            here.database,
            here.clock,
            services.live,
            alarms=services.alarms,
            releases=services.releases,
            failures=services.failures,
        )
        self._wire(steering)
        object.__setattr__(services, "steering", steering)

    def hears(self, node_id: str, state: str | None = None, *, running: int = 0, **report: Any) -> None:
        """A node says that it takes updates, and how far it is with what it was told last."""
        said: dict[str, Any] = {"release": running}
        if state is not None:
            commands = [fields["command_id"] for scope, fields in self.sent if scope == f"nodes/{node_id}"]
            said["update"] = {"release": 7, "version": "0.7.0", "state": state, "command_id": commands[-1]} | report
        self.says[node_id] = said
        self.here.services.live.note(node_id, abilities=self.here.services.live.heard(node_id).abilities or able())
        self.here.hears(node_id, **said)


def able(board: str = "arm64", *commands: str) -> dict[str, Any]:
    """The abilities of a node that takes updates."""
    return {"commands": ["restart", "update", *commands], "board": board, "python": "3.11", "best_grade": 1}
