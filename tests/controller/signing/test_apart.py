"""A signer apart: whoever writes every row, publishes as the centre and even asks the signer, makes no node speak."""

import asyncio
import base64
import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller.errors import BusyError
from controller.people import totp
from controller.people.proof import Agreed, CodeError, Runs
from controller.plans.build import NodeFacts, Stamp, build_hold, build_settings, build_urgent
from controller.policies.rules import EffectivePolicy
from controller.signing.apart import Strongroom
from controller.signing.ledger import Ledger
from controller.signing.places import KnownArea, KnownNode, KnownPerson, Places
from controller.signing.process import listening
from controller.signing.remote import RemoteDesk, RemoteKeys, Wire
from controller.signing.ring import begin
from controller.signing.rules import RefusedError
from controller.wire.keys import load_keys, new_key
from edge_agent.protocol.content import Broadcast, content_hash
from edge_agent.protocol.documents import Hold, Urgent
from edge_agent.protocol.signing import SigningKey, TrustStore, open_document
from edge_agent.protocol.states import KeyUse, Level
from edge_agent.protocol.topics import Topic, Word
from tests.controller.factories import SteppedClock
from tests.controller.signing.test_rules import VOICE
from tests.edge_agent import fakes
from tests.edge_agent.centre import SCOPE, broadcast

PLACES = Places(
    areas=(KnownArea("commune", "Xã Đông"), KnownArea("hamlet", "Thôn 1", "commune"), KnownArea("other", "Xã Tây")),
    nodes=(KnownNode("node-1", "Cụm 1", "hamlet"),),
    people=(KnownPerson("lan", "lan", "Lan"), KnownPerson("minh", "minh", "Minh"), KnownPerson("nam", "nam.vu", "Nam")),
)


@dataclass
class Apart:
    """A signer behind its socket's frames, and what the centre has of it."""

    clock: SteppedClock
    room: Strongroom
    ledger: Ledger
    desk: RemoteDesk
    keys: RemoteKeys

    def due(self, name: str = "b-1", **how: Any) -> Broadcast:
        return broadcast(name, self.clock() + timedelta(minutes=5), VOICE, **how)

    def urgent(self, *broadcasts: Broadcast, version: int = 1) -> Urgent:
        return build_urgent(Stamp(SCOPE, self.keys.epoch, version, self.clock()), broadcasts, (), {})

    async def sign(self, *broadcasts: Broadcast) -> bytes:
        return await self.desk.sign(self.urgent(*broadcasts), self.keys.dispatch.kid, body=None, facts={})

    def code(self, person: str) -> str:
        [secret] = [
            row[0] for row in self.ledger._db.execute("SELECT secret FROM approvers WHERE person_id = ?", (person,))
        ]
        return totp.code_at(secret, self.clock())

    async def approve(self, person: str, to: Broadcast, code: str | None = None, **how: Any) -> None:
        await self.desk.approve(person, code or self.code(person), agreed(to, **how))


def agreed(to: Broadcast, **how: Any) -> Agreed:
    """A yes to a broadcast as it is, but for what is said."""
    return Agreed(
        **{
            "name": f"broadcasts/{to.broadcast_id}",
            "content_sha256": content_hash(to.items, to.drill),
            "scopes": (SCOPE,),
            "level": to.level,
            "not_before_at": to.start_at,
            "not_after_at": to.latest_end_at,
            **how,
        }
    )


class Direct(Wire):
    """Frames without a socket."""

    def __init__(self, room: Strongroom) -> None:
        self.room = room

    def ask(self, request: Any, *, first: bool = False) -> Any:  # noqa: ARG002  a Wire's
        return self.room.handle(request)

    async def asked(self, request: Any, *, first: bool = False) -> Any:  # noqa: ARG002  a Wire's
        return self.room.handle(request)


@pytest.fixture
def apart(tmp_path: Path) -> Any:
    clock = SteppedClock()
    ledger = Ledger(tmp_path / "signer.db")
    room = Strongroom(load_keys(tmp_path / "signer"), ledger, clock)
    for person in ("lan", "minh"):
        ledger.enrol(person, None, clock())
    ledger.take_places(PLACES, clock())
    wire = Direct(room)
    yield Apart(clock, room, ledger, RemoteDesk(wire), RemoteKeys(wire))
    ledger.close()


async def test_a_code_for_this_content_place_and_time_lets_it_be_signed(apart: Apart) -> None:
    due = apart.due()
    with pytest.raises(RefusedError, match="no_yes"):
        await apart.sign(due)
    await apart.approve("lan", due)
    opened = open_document(await apart.sign(due), Urgent, audience=SCOPE, trust=TrustStore(apart.keys.trusted))
    assert opened.broadcasts == (due,)


async def test_a_code_is_good_for_one_yes(apart: Apart) -> None:
    due, other, code = apart.due(), apart.due("b-2", level=Level.PRIORITY), apart.code("lan")
    await apart.approve("lan", due, code)
    with pytest.raises(CodeError, match="used"):
        await apart.approve("lan", other, code)


async def test_a_wrong_code_and_a_strangers_are_none_and_guessing_is_slow(apart: Apart) -> None:
    due = apart.due()
    with pytest.raises(CodeError, match="no approval secret"):
        await apart.approve("thief", due, "123456")
    for _ in range(5):
        with pytest.raises(CodeError, match="wrong"):
            await apart.approve("lan", due, "000000")
    with pytest.raises(CodeError, match="three minutes"):
        await apart.approve("lan", due)
    apart.clock.step(minutes=4)
    await apart.approve("lan", due)


async def test_an_emergency_takes_codes_of_two_people_or_one_and_the_cancel_window(apart: Apart) -> None:
    alarm = apart.due(level=Level.EMERGENCY)
    await apart.approve("lan", alarm)
    with pytest.raises(RefusedError, match="one_person"):
        await apart.sign(alarm)
    await apart.approve("minh", alarm)
    assert await apart.sign(alarm)
    other = broadcast("b-3", alarm.start_at, VOICE, VOICE, level=Level.EMERGENCY)
    apart.clock.step(seconds=30)
    await apart.approve("lan", other, glass=True)
    with pytest.raises(RefusedError, match="one_person"):
        await apart.sign(other)
    with pytest.raises(RefusedError, match="no_yes"):
        await apart.sign(broadcast("b-4", alarm.start_at, VOICE, VOICE))
    apart.clock.step(seconds=30)
    assert await apart.sign(other)
    third = broadcast("b-5", alarm.start_at, VOICE, VOICE, VOICE, level=Level.EMERGENCY)
    await apart.approve("lan", third, glass=True)
    await apart.approve("minh", third)
    assert await apart.sign(third), "a second person ends the wait"


@pytest.mark.parametrize(
    ("first", "last", "recurs", "fits"),
    [
        (0, 92, True, True),
        (300, 391, True, True),
        (0, 93, True, False),
        (370, 371, True, False),
        (0, 3, False, True),
        (0, 4, False, False),
    ],
)
async def test_a_yes_is_for_a_quarter_at_most_and_not_years_ahead(
    apart: Apart, first: int, last: int, *, recurs: bool, fits: bool
) -> None:
    due, now = apart.due(), apart.clock()
    runs = Runs(zone="UTC", times=("02:05:00",), lasts_ms=3_600_000, count=9) if recurs else None
    window: dict[str, Any] = {"not_before_at": now + timedelta(days=first), "not_after_at": now + timedelta(days=last)}
    if fits:
        await apart.approve("lan", due, runs=runs, **window)
        return
    with pytest.raises(CodeError) as refused:
        await apart.approve("lan", due, runs=runs, **window)
    assert refused.value.fields["problem"] == "span"


async def test_a_stop_is_signed_without_any_code(apart: Apart) -> None:
    hold = build_hold(Stamp(SCOPE, 1, 1, apart.clock()), [])
    assert open_document(
        await apart.desk.sign(hold, apart.keys.dispatch.kid, body=None, facts={}),
        Hold,
        audience=SCOPE,
        trust=TrustStore(apart.keys.trusted),
    )


async def test_settings_name_no_keys_but_the_rings(apart: Apart) -> None:
    thief = SigningKey(Ed25519PrivateKey.generate()).trusted_as(KeyUse.DISPATCH)
    stamp = Stamp("nodes/node-1", 1, 1, apart.clock())
    for trusted, fits in ((apart.keys.trusted, True), ((*apart.keys.trusted, thief), False)):
        settings = build_settings(stamp, NodeFacts(), (), EffectivePolicy(), trusted)
        if fits:
            assert await apart.desk.sign(settings, apart.keys.policy.kid, body=None, facts={})
            continue
        with pytest.raises(ValueError, match="other keys"):
            await apart.desk.sign(settings, apart.keys.policy.kid, body=None, facts={})


async def test_a_key_signs_what_it_is_for_in_the_life_of_now(apart: Apart) -> None:
    hold = build_hold(Stamp(SCOPE, 1, 1, apart.clock()), [])
    with pytest.raises(ValueError, match="does not sign"):
        await apart.desk.sign(hold, apart.keys.policy.kid, body=None, facts={})
    with pytest.raises(ValueError, match="epoch"):
        await apart.desk.sign(msgspec.structs.replace(hold, epoch=2), apart.keys.dispatch.kid, body=None, facts={})


async def test_a_rotation_goes_on_apart(apart: Apart) -> None:
    keys = apart.room._keys
    keys.change(begin(keys.ring, new_key(keys._folder, KeyUse.DISPATCH, apart.clock())))
    old = apart.keys.dispatch.kid
    assert apart.keys.refresh()
    apart.keys.turn(KeyUse.DISPATCH, apart.clock())
    assert apart.keys.dispatch.kid != old
    apart.keys.turn(KeyUse.DISPATCH, apart.clock())
    assert old not in {key.kid for key in apart.keys.trusted}


async def test_who_owns_rows_and_broker_makes_no_node_speak(apart: Apart, tmp_path: Path) -> None:
    """T4: everything but the signer's folder and a telephone. The node is a real one, but for its link."""
    node = fakes.Desk(tmp_path / "node")
    node.keys = _Signers(apart)  # type: ignore[assignment]  # it only signs settings here
    first = apart.keys.trusted
    node.keeper.trust = TrustStore(first)
    topic = str(Topic(SCOPE, Word.URGENT))
    evil = apart.due("b-evil", level=Level.EMERGENCY)
    approved = apart.due("b-good")
    await apart.approve("lan", approved)
    good = await apart.sign(approved)
    thief = SigningKey(Ed25519PrivateKey.generate())
    stolen_kid = msgspec.json.decode(_head(good))["kid"]
    attempts = [
        thief.sign(apart.urgent(evil)),
        good.split(b".")[0] + b"." + thief.sign(apart.urgent(evil)).split(b".", 1)[1],
        msgspec.json.encode(apart.urgent(evil)),
        good[:-4] + b"AAAA",
    ]
    assert stolen_kid == apart.keys.dispatch.kid
    for louder in (evil, apart.due("b-good", level=Level.NORMAL, scopes=("areas/other",))):
        with pytest.raises(RefusedError):
            await apart.desk.sign(
                msgspec.structs.replace(apart.urgent(louder), aud="areas/other"),
                apart.keys.dispatch.kid,
                body=None,
                facts={},
            )
    for token in attempts:
        node.inbox.take(topic, token)
    assert node.keeper.listings == {}
    assert sum(node.inbox.dropped.values()) == len(attempts)
    node.close()


async def test_only_the_centres_user_may_ask_at_the_socket(apart: Apart, tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with listening(path, apart.room, {os.getuid()}):
        wire = Wire(path)
        keys = await asyncio.to_thread(RemoteKeys, wire)
        assert keys.trusted == apart.keys.trusted
        wire.close()
    async with listening(path, apart.room, {os.getuid() + 1}):
        wire = Wire(path)
        with pytest.raises(BusyError, match="does not answer"):
            await asyncio.to_thread(RemoteKeys, wire)


class _Signers:
    """What the node's desk asks of keys."""

    def __init__(self, apart: Apart) -> None:
        self.trusted = apart.keys.trusted


def _head(token: bytes) -> bytes:
    head = token.split(b".")[0]
    return base64.urlsafe_b64decode(head + b"=" * (-len(head) % 4))
