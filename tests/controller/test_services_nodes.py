"""Nodes: how they stand, how they come in."""

import contextlib
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import select, update

from controller.enrolments import service as enrolments
from controller.errors import ConflictError, InvalidError, NotFoundError, TooManyAttemptsError
from controller.nodes.rules import NodeStatus, status_of
from controller.plans.models import Document
from edge_agent.protocol.enrolment import EnrolmentRequest, claim_hash, new_claim_code
from edge_agent.protocol.signing import key_id, public_x
from tests.controller.factories import ADDRESS, MORNING, Centre, abilities, enrolment_request
from tests.controller.test_services_areas import dirty


@pytest.mark.parametrize(
    ("presence", "silent_s", "status"),
    [
        ("online", 0, "online"),
        ("online", 35, "online"),
        ("online", 36, "late"),
        ("online", 43, "late"),
        ("online", 44, "offline"),
        ("lost", 1, "offline"),
        ("leaving", 1, "offline"),
        (None, 1, "online"),
        (None, None, "never_seen"),
    ],
)
def test_status_follows_from_what_was_heard(presence: str | None, silent_s: int | None, status: str) -> None:
    now = MORNING
    heard_at = None if silent_s is None else now - timedelta(seconds=silent_s)
    assert status_of(presence, heard_at, heard_at, now).status == NodeStatus(status)


async def test_a_node_is_offline_since_it_was_last_heard(here: Centre) -> None:
    node = await here.node(await here.area())
    heard_at = here.clock()
    here.clock.step(seconds=50)
    found = await here.services.nodes.get(here.actor, node.id)
    assert (found.status, found.status_since) == ("offline", heard_at)


async def test_a_node_that_fell_silent_is_not_on_air_for_ever(here: Centre) -> None:
    node = await here.node(await here.area())
    at = here.clock()
    playing = {"broadcast_id": "b", "item": 0, "started_at": at, "ends_at": at + timedelta(minutes=1)}
    here.hears(node.id, now_playing=playing)
    on_air = (await here.services.nodes.get(here.actor, node.id)).now_playing
    assert on_air is not None
    assert on_air.title is None
    here.clock.step(minutes=1)
    assert (await here.services.nodes.get(here.actor, node.id)).now_playing is None


async def test_a_node_is_up_to_date_when_it_holds_the_newest_of_everything(here: Centre) -> None:
    area = await here.area()
    node = await here.node(area)
    assert (await here.services.nodes.get(here.actor, node.id)).held_up_to_date  # nothing is signed yet
    async with here.database.transaction() as tx:
        await tx.session.execute(update(Document).values(epoch=1, version=2))
        signed = (await tx.session.execute(select(Document.scope, Document.word))).all()
    held: dict[str, dict[str, dict[str, object]]] = {}
    for scope, word in signed:
        held.setdefault(scope, {})[word] = {"epoch": 1, "version": 2}
    here.hears(node.id, held=held)
    assert (await here.services.nodes.get(here.actor, node.id)).held_up_to_date
    for changed in ({"version": 1}, {"complete": False}):
        plan = held[area.scope]["plan"]
        here.hears(node.id, held=held | {area.scope: held[area.scope] | {"plan": plan | changed}})
        assert not (await here.services.nodes.get(here.actor, node.id)).held_up_to_date


async def test_turning_down_a_node_signs_its_settings_anew(here: Centre) -> None:
    node = await here.node(await here.area("Thôn 1"))
    await dirty(here)
    assert (await here.services.nodes.change(here.actor, node.id, volume_mb=-600)).volume_mb == -600
    assert await dirty(here) == {(node.scope, "settings")}
    await here.services.nodes.change(here.actor, node.id, name="Cụm nhà văn hóa")
    assert await dirty(here) == set()


@pytest.mark.parametrize("volume_mb", [1201, -6001, 1000_000])
async def test_the_volume_has_a_range(lite: Centre, volume_mb: int) -> None:
    node = await lite.node(await lite.area())
    with pytest.raises(InvalidError):
        await lite.services.nodes.change(lite.actor, node.id, volume_mb=volume_mb)
    with pytest.raises(NotFoundError):
        await lite.services.nodes.change(lite.actor, "nothing", name="x")


async def test_an_adopted_node_gets_its_name_certificate_and_keys_to_trust(here: Centre) -> None:
    area = await here.area()
    code, key = new_claim_code(), Ed25519PrivateKey.generate()
    ticket = await here.services.enrolments.ask(enrolment_request(code, key, name="centre"), ADDRESS)
    assert (await here.services.enrolments.status(ticket.enrolment_id)).state == "waiting"
    await dirty(here)
    typed = f" {code.lower().replace('-', ' ')} "
    node = await here.services.enrolments.adopt(here.actor, claim_code=typed, area_id=area.id, name="Cụm 1")
    assert await dirty(here) == {(node.scope, word) for word in ("hold", "urgent", "plan", "settings")}
    status = await here.services.enrolments.status(ticket.enrolment_id)
    assert status.state == "adopted"
    assert status.adoption is not None
    certificate = x509.load_pem_x509_certificate(status.adoption.certificate_pem.encode())
    names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    assert [name.value for name in names] == [node.id] == [status.adoption.node_id]
    assert certificate.public_key() == key.public_key()
    assert public_x(key.public_key())  # the same key checks its receipts
    assert len(status.adoption.trusted_keys) == 2
    assert await here.services.enrolments.waiting(here.actor) == []


async def test_a_code_counts_once(here: Centre) -> None:
    area = await here.area()
    code = new_claim_code()
    await here.services.enrolments.ask(enrolment_request(code), ADDRESS)
    await here.services.enrolments.adopt(here.actor, claim_code=code, area_id=area.id, name="Cụm 1")
    with pytest.raises(InvalidError) as refused:
        await here.services.enrolments.adopt(here.actor, claim_code=code, area_id=area.id, name="Cụm 2")
    assert refused.value.fields["field"] == "claim_code"
    with pytest.raises(ConflictError):
        await here.services.enrolments.ask(enrolment_request(code), ADDRESS)


async def test_a_code_is_worth_nothing_after_a_day(here: Centre) -> None:
    area = await here.area()
    code = new_claim_code()
    ticket = await here.services.enrolments.ask(enrolment_request(code), ADDRESS)
    assert len(await here.services.enrolments.waiting(here.actor)) == 1
    here.clock.step(hours=24)
    with pytest.raises(InvalidError):
        await here.services.enrolments.adopt(here.actor, claim_code=code, area_id=area.id, name="Cụm 1")
    assert (await here.services.enrolments.status(ticket.enrolment_id)).state == "expired"
    await here.services.enrolments.ask(enrolment_request(new_claim_code()), ADDRESS)
    with pytest.raises(NotFoundError):  # swept by the next one who asks
        await here.services.enrolments.status(ticket.enrolment_id)


async def test_two_nodes_cannot_wait_with_one_code_but_one_may_ask_twice(here: Centre) -> None:
    code = new_claim_code()
    request = enrolment_request(code)
    ticket = await here.services.enrolments.ask(request, ADDRESS)
    assert await here.services.enrolments.ask(request, ADDRESS) == ticket
    with pytest.raises(ConflictError):
        await here.services.enrolments.ask(enrolment_request(code), ADDRESS)


@pytest.mark.parametrize(
    "pem", ["", "x" * 16_384, "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----"]
)
async def test_what_is_not_a_certificate_request_is_refused(lite: Centre, pem: str) -> None:
    request = EnrolmentRequest(csr_pem=pem, claim_sha256=claim_hash("ABCD-2345"), abilities=abilities())
    with pytest.raises(InvalidError) as refused:
        await lite.services.enrolments.ask(request, ADDRESS)
    assert refused.value.fields["field"] == "csr_pem"


async def test_only_ed25519_is_certified(lite: Centre) -> None:
    pem = csr_of_another_kind()
    request = EnrolmentRequest(csr_pem=pem, claim_sha256=claim_hash("ABCD-2345"), abilities=abilities())
    with pytest.raises(InvalidError) as refused:
        await lite.services.enrolments.ask(request, ADDRESS)
    assert refused.value.fields["problem"] == "key"


def csr_of_another_kind() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return request.public_bytes(Encoding.PEM).decode()


async def test_codes_cannot_be_guessed_at(lite: Centre) -> None:
    area = await lite.area()

    async def guess() -> None:
        with contextlib.suppress(InvalidError):
            await lite.services.enrolments.adopt(lite.actor, claim_code=new_claim_code(), area_id=area.id, name="Cụm")

    for _ in range(20):
        await guess()
    with pytest.raises(TooManyAttemptsError):
        await guess()
    lite.clock.step(seconds=10)
    await guess()


async def test_one_address_cannot_fill_the_waiting_room(lite: Centre) -> None:
    request = enrolment_request(new_claim_code())
    for _ in range(150):
        await lite.services.enrolments.ask(request, "192.0.2.66")
    with pytest.raises(TooManyAttemptsError):
        await lite.services.enrolments.ask(request, "192.0.2.66")
    assert await lite.services.enrolments.ask(request, ADDRESS)
    assert len(await lite.services.enrolments.waiting(lite.actor)) == 1


async def test_a_full_waiting_room_makes_room_at_the_cost_of_who_fills_it(
    lite: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Strangers at some addresses, each within its bound, keep no node from asking."""
    monkeypatch.setattr(enrolments, "MAX_WAITING", 6)
    monkeypatch.setattr(enrolments, "MAX_WAITING_OF_ORIGIN", 4)
    honest = enrolment_request(new_claim_code())
    await lite.services.enrolments.ask(honest, ADDRESS)
    for number in range(6):
        await lite.services.enrolments.ask(enrolment_request(new_claim_code()), f"203.0.113.{number % 2}")
        lite.clock.step(minutes=1)
    late = await lite.services.enrolments.ask(enrolment_request(new_claim_code()), "198.51.100.7")
    waiting = await lite.services.enrolments.waiting(lite.actor)
    assert len(waiting) == 6
    assert {ADDRESS, "198.51.100.7"} <= {one.origin for one in waiting}
    assert (await lite.services.enrolments.status(late.enrolment_id)).state == "waiting"


@pytest.mark.parametrize("adopted", [False, True])
async def test_two_devices_with_one_code_are_told_and_can_be_told_apart(lite: Centre, *, adopted: bool) -> None:
    """Whoever reads an agreed code from a box can ask first."""
    area, code = await lite.area(), new_claim_code()
    thief, honest = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    await lite.services.enrolments.ask(enrolment_request(code, thief), "203.0.113.9")
    assert [one.fingerprint for one in await lite.services.enrolments.waiting(lite.actor)] == [
        key_id(thief.public_key())
    ]
    if adopted:
        await lite.services.enrolments.adopt(lite.actor, claim_code=code, area_id=area.id, name="Cụm 1")
    for _ in range(2):
        with pytest.raises(ConflictError):
            await lite.services.enrolments.ask(enrolment_request(code, honest), ADDRESS)
    [alarm] = await lite.services.alarms.list(lite.actor, waiting=True)
    assert (alarm.kind, alarm.detail["first"], alarm.detail["then"]) == ("enrolments.contested", "203.0.113.9", ADDRESS)


async def test_one_origin_waits_with_a_bounded_number_of_nodes_and_keeps_no_other_out(
    lite: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each request is another node's: what is asked again takes no room."""
    monkeypatch.setattr(enrolments, "MAX_WAITING_OF_ORIGIN", 3)
    asked = [enrolment_request(new_claim_code()) for _ in range(4)]
    for number, request in enumerate(asked[:3]):
        await lite.services.enrolments.ask(request, f"2001:db8::{number}")
        lite.clock.step(minutes=10)
    with pytest.raises(TooManyAttemptsError):
        await lite.services.enrolments.ask(asked[3], "2001:db8::3")
    await lite.services.enrolments.ask(asked[0], "2001:db8::3")
    await lite.services.enrolments.ask(asked[3], ADDRESS)
    assert len(await lite.services.enrolments.waiting(lite.actor)) == 4
