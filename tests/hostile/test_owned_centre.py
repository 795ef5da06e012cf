"""T4, the centre is owned: every row, the broker in its name, the signer's socket, but no telephone. 0 plays.

The signer is a process of its own, the node a real agent that listens all the while; what its output got is judged.
"""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select, update

from controller.alarms.models import Alarm
from controller.approvals.models import Approval
from controller.broadcasts.models import Broadcast
from controller.broadcasts.schemas import BroadcastIn
from controller.nodes.models import Node
from controller.people import totp
from controller.people.proof import CodeError, Loosened
from controller.plans.models import Document
from controller.signing.places import KnownArea, Places
from controller.signing.remote import RemoteDesk, Wire
from controller.signing.rules import Facts, RefusedError
from controller.wire.keys import private_pem
from controller.wire.signer import REFUSED, own_document
from edge_agent.protocol.documents import Urgent
from edge_agent.protocol.enrolment import new_claim_code
from edge_agent.protocol.signing import SigningKey
from edge_agent.protocol.states import Outcome
from edge_agent.protocol.topics import Word
from tests.controller import factories
from tests.controller.signing.process import WITHIN_S, signer
from tests.controller.signing.test_apart import agreed
from tests.controller.wire.live import Live, live_centre
from tests.e2e.beside import plays
from tests.e2e.waiting import until
from tests.edge_agent.centre import VirtualRecording, agent_process, broadcast, make_opus, pcm_of, voice_of

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]

EVIL, GOOD = make_opus(1, 700), make_opus(2, 700)
FORGED = 4
"""Messages published in the centre's name."""
ALL_YES = Facts()
"""What is said of rows at the socket; nobody there listens."""


async def loa(*arguments: str) -> str:
    """Run a command of the signer; gives what it says."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "controller.cli", "signer", *arguments, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    return said.decode()


@plays
async def test_an_owned_centre_makes_no_node_speak_and_still_stops_them(folder: Path) -> None:
    async with signer(folder) as (path, _), live_centre(folder, signer=path) as live:
        area, place = await live.area(), ("--folder", str(folder / "signer"))
        scope, known = f"areas/{area.id}", folder / "places.json"
        known.write_bytes(msgspec.json.encode(Places(areas=(KnownArea(area.id, area.name),))))
        await loa(*place, "places", str(known), "--accept")
        secret = (await loa(*place, "enrol", live.rows.person.id, "--area", area.id)).splitlines()[0]
        await loosen(path, folder / "signer", scope)
        state = await adopted(live, area.id, folder / "node")
        command = [sys.executable, "-m", "edge_agent", "run", "--state", str(state), "--output=virtual"]
        with agent_process(command, folder / "agent.log"):
            await heard(live, lambda health: scope in health["held"])
            evil = await forge_rows(live, scope)
            await ask_the_signer(path, live, scope)
            await publish_forged(live, scope)
            with pytest.raises(CodeError, match="type the code"):
                await say(live, scope, "")
            said = await say(live, scope, totp.code_at(secret, datetime.now(UTC)))
            assert await outcome(live, said) == Outcome.PLAYED
            assert evil not in await signed_for(live, scope), "the signer left it out"
            [hold] = await live.rows.services.holds.order(live.rows.actor, [scope])
            health = await heard(live, lambda health: hold.id in health["holds"])
            assert sum(health["dropped"].values()) >= FORGED
        sound = VirtualRecording(state / "output.wav", state / "output.instants.jsonl")
        good = pcm_of(GOOD)
        assert len(sound.find(good)) == 1, "what somebody gave a code for"
        assert not any(sound.pcm.replace(good, b"")), "and nothing else: 0 plays"


async def loosen(path: Path, folder: Path, scope: str) -> None:
    """Have somebody agree that the place has no quiet hours: the test runs at any."""
    secret = (await loa("--folder", str(folder), "enrol", "keeper", "--everywhere")).splitlines()[0]
    wire, to = Wire(path), Loosened(scope=scope, zone="Asia/Ho_Chi_Minh", quiet_hours=())
    await RemoteDesk(wire).approve("keeper", totp.code_at(secret, datetime.now(UTC)), to)
    wire.close()


async def adopted(live: Live, area_id: str, state: Path) -> Path:
    """Adopt a real agent: what enrolling leaves on its card."""
    code, key = new_claim_code(), Ed25519PrivateKey.generate()
    enrolments = live.rows.services.enrolments
    ticket = await enrolments.ask(factories.enrolment_request(code, key), factories.ADDRESS)
    await enrolments.adopt(live.rows.actor, claim_code=code, area_id=area_id, name="Cụm 1")
    adoption = (await enrolments.status(ticket.enrolment_id)).adoption
    assert adoption is not None
    await asyncio.to_thread(state.mkdir)
    (state / "node.json").write_bytes(msgspec.json.encode(adoption))
    for name, content in (
        ("node.key", private_pem(key)),
        ("node.crt", adoption.certificate_pem.encode()),
        ("ca.crt", adoption.ca_pem.encode()),
    ):
        (state / name).write_bytes(content)
        (state / name).chmod(0o600)
    return state


async def heard(live: Live, fits: Callable[[Any], bool]) -> Any:
    """Wait until the node says of itself what is wanted; gives that health."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            [node] = await live.rows.services.nodes.all(live.rows.actor)
            async with live.rows.database.reading() as session:
                found = live.rows.services.live.over(await session.get_one(Node, node.id)).health
            if found is not None and fits({"now_playing": None, "holds": (), "held": {}, "dropped": {}} | dict(found)):
                return found
            await asyncio.sleep(0.05)


async def outcome(live: Live, broadcast_id: str) -> str:
    """Wait until the node has told how its play ended."""

    async def told() -> str | None:
        [play] = await live.rows.services.broadcasts.plays(live.rows.actor, broadcast_id)
        return None if play.outcome == "unknown" else play.outcome

    return str(await until(told, WITHIN_S, "the end of the play"))


async def recorded(live: Live, audio: bytes) -> str:
    """A recording with a file that nodes can fetch."""
    voice = voice_of(audio)
    media = live.centre.config.media / f"{voice.sha256}.opus"
    media.write_bytes(audio)
    return await live.rows.recording(sha256=voice.sha256, bytes=voice.bytes, length_ms=voice.length_ms)


async def say(live: Live, scope: str, code: str) -> str:
    """Say something now as a person does at the desk; gives its id."""
    wanted = BroadcastIn(title="Thật", recordings=(await recorded(live, GOOD),), targets=(scope,), confirm_unusual=True)
    actor = replace(live.rows.actor, proof=live.rows.services.proof(code))
    return (await live.rows.services.broadcasts.create(actor, wanted)).id


async def forge_rows(live: Live, scope: str) -> str:
    """Write a broadcast with two yeses as if they had been given, and lift it to an emergency by hand; gives its id."""
    wanted = BroadcastIn(title="Giả", recordings=(await recorded(live, EVIL),), targets=(scope,), confirm_unusual=True)
    made = await live.rows.services.broadcasts.create(live.rows.actor, wanted)
    later = datetime.now(UTC) + timedelta(hours=1)
    async with live.rows.database.transaction() as tx:
        row = update(Broadcast).where(Broadcast.id == made.id)
        await tx.session.execute(row.values(level="emergency", latest_start_at=later, latest_end_at=later))
        yeses = update(Approval).where(Approval.subject == f"broadcasts/{made.id}")
        await tx.session.execute(yeses.values(not_after_at=later))
        await live.rows.services.documents.touch(tx, scope, Word.URGENT)
    async with asyncio.timeout(WITHIN_S):
        while True:
            async with live.rows.database.reading() as session:
                if await session.scalar(select(Alarm.id).where(Alarm.kind == REFUSED)):
                    return made.id
            await asyncio.sleep(0.05)


def urgent(live: Live, scope: str, version: int) -> Urgent:
    now = datetime.now(UTC)
    at = int(now.timestamp())
    evil = broadcast("b-evil", now, voice_of(EVIL), scopes=(scope,))
    return Urgent(aud=scope, epoch=1, version=version, iat=at, nbf=at - 60, exp=at + 600, broadcasts=(evil,))


async def ask_the_signer(path: Path, live: Live, scope: str) -> None:
    """Ask at its socket, as whoever owns the centre's process may: for a signature, and by guessing codes."""
    wire = Wire(path)
    desk, document = RemoteDesk(wire), urgent(live, scope, 1_000_000)
    [evil] = document.broadcasts
    with pytest.raises(RefusedError):
        await desk.sign(document, live.centre.authority.trusted_keys[0].kid, body=None, facts={"b-evil": ALL_YES})
    for _ in range(3):
        with pytest.raises(CodeError):
            await desk.approve(live.rows.person.id, "000000", agreed(evil, scopes=(scope,)))
    wire.close()


async def publish_forged(live: Live, scope: str) -> None:
    """Publish in the centre's name: with a strange key, with none, with a signature of something else."""
    thief, document = SigningKey(Ed25519PrivateKey.generate()), urgent(live, scope, 2_000_000)
    async with live.rows.database.reading() as session:
        row = await session.get_one(Document, (scope, Word.URGENT))
    assert row.token is not None
    head, _, signature = row.token.split(b".")
    payload = thief.sign(document).split(b".")[1]
    forged = [
        thief.sign(document),
        msgspec.json.encode(document),
        b".".join((head, payload, signature)),
        head + b"." + thief.sign(document).split(b".", 1)[1],
    ]
    assert len(forged) == FORGED
    for token in forged:
        await live.centre.bridge.publish_document(scope, Word.URGENT, token)


async def signed_for(live: Live, scope: str) -> set[str]:
    """Name what the signer lets be said at once."""
    async with live.rows.database.reading() as session:
        row = await session.get_one(Document, (scope, Word.URGENT))
    assert row.token is not None
    return {each.broadcast_id for each in own_document(row.token, Urgent).broadcasts}
