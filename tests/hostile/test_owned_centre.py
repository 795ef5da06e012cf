"""T4, the centre is owned: every row, the broker in its name, the signer's socket, but no telephone. 0 plays."""

import asyncio
import getpass
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select, update

from controller.alarms.models import Alarm
from controller.broadcasts.models import Broadcast
from controller.broadcasts.schemas import BroadcastIn
from controller.wire.signer import REFUSED
from edge_agent.protocol.content import Voice
from edge_agent.protocol.documents import Hold, Urgent
from edge_agent.protocol.signing import SigningKey, TrustStore
from edge_agent.protocol.topics import Topic, Word
from tests.controller.wire.live import Live, live_centre
from tests.edge_agent import fakes
from tests.edge_agent.centre import broadcast

WITHIN_S = 20.0
VOICE = Voice(language="vi", sha256="a" * 64, bytes=1000, length_ms=4000)


@asynccontextmanager
async def signer(folder: Path) -> AsyncIterator[Path]:
    """A signer as a process of its own."""
    path = folder / "signer.sock"
    arguments = ("--folder", str(folder / "signer"), "serve", "--socket", str(path), "--user", getpass.getuser())
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "controller.cli", "signer", *arguments, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(WITHIN_S):
            assert b"answers" in await process.stderr.readline()
        yield path
    finally:
        process.send_signal(signal.SIGTERM)
        await process.communicate()


async def test_an_owned_centre_makes_no_node_speak_and_still_stops_them(tmp_path: Path) -> None:
    async with signer(tmp_path) as path, live_centre(tmp_path, signer=path) as live:
        area = await live.area()
        scope = f"areas/{area.id}"
        node = await live.node(area)
        trusted = live.centre.authority.trusted_keys
        listener = fakes.Desk(tmp_path / "node", fakes.SteppedInstruments(datetime.now(UTC)))
        listener.keeper.trust = TrustStore(trusted)
        async with node.connected(f"loa/v1/{scope}/#"):
            await forge_rows(live, scope)
            await refused(live)
            evil = live.centre.dispatcher._signer._desk
            now = datetime.now(UTC)
            thief = SigningKey(Ed25519PrivateKey.generate())
            urgent = Urgent(
                aud=scope,
                epoch=1,
                version=1_000_000,
                iat=int(now.timestamp()),
                nbf=int(now.timestamp()) - 60,
                exp=int(now.timestamp()) + 600,
                broadcasts=(broadcast("b-evil", now, VOICE, scopes=(scope,)),),
            )
            for token in (thief.sign(urgent), msgspec.json.encode(urgent)):
                await live.centre.bridge.publish_document(scope, Word.URGENT, token)
                await node.until(f"loa/v1/{scope}/urgent", token.__eq__)
            assert evil is not None
            [hold] = await live.rows.services.holds.order(live.rows.actor, [scope])
            await node.document(Hold, scope, lambda found: any(each.hold_id == hold.id for each in found.active))
        heard = 0
        for came in node.inbox:
            if came.topic in {str(Topic(scope, Word.URGENT)), str(Topic(scope, Word.PLAN))}:
                try_one(listener, came.topic, came.payload, scope)
                heard += 1
        assert heard >= 2
        assert listener.keeper.listings == {}, "0 plays"
        listener.close()


def try_one(listener: fakes.Desk, topic: str, payload: bytes, scope: str) -> None:
    """Have a node take it that listens to this area."""
    listener.keeper._lingering = lambda: {scope}  # type: ignore[method-assign]  # without settings it would hear no area
    listener.inbox.take(topic, payload)


async def forge_rows(live: Live, scope: str) -> None:
    """Send in the name of the administrator, who may approve alone, and lift it to an emergency by hand."""
    recording = await live.rows.recording()
    wanted = BroadcastIn(title="Giả", recordings=(recording,), targets=(scope,), confirm_unusual=True)
    made = await live.rows.services.broadcasts.create(live.rows.actor, wanted)
    async with live.rows.database.transaction() as tx:
        later = datetime.now(UTC) + timedelta(hours=1)
        row = update(Broadcast).where(Broadcast.id == made.id)
        await tx.session.execute(row.values(level="emergency", latest_end_at=later))
        await live.rows.services.documents.touch(tx, scope, Word.URGENT)


async def refused(live: Live) -> None:
    """Wait until the signer has refused it, and somebody was told."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            async with live.rows.database.reading() as session:
                if await session.scalar(select(Alarm.id).where(Alarm.kind == REFUSED)):
                    return
            await asyncio.sleep(0.1)
