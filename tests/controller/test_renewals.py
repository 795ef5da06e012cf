"""The next certificate: for who has the last key, at its time; after a long outage only with a person's yes."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID
from sqlalchemy import func, select, update

from controller.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, TooManyAttemptsError
from controller.nodes.models import Node
from controller.people.actor import Actor
from controller.people.rights import Role
from controller.renewals.models import NodeCertificate
from controller.renewals.rules import GRACE, Standing, standing
from edge_agent.protocol.enrolment import new_claim_code
from edge_agent.protocol.renewal import RenewalRequest, RenewalStatus
from edge_agent.protocol.signing import SigningKey, key_id, public_x

from .factories import ADDRESS, SYSTEM, Centre, csr, enrolment_request

DUE_DAYS, ENDED_DAYS = 250, 400


async def alarms(centre: Centre) -> list[str]:
    return [one.kind for one in await centre.services.alarms.list(centre.actor, waiting=True)]


@dataclass
class Pole:
    """A node that holds its keys."""

    centre: Centre
    id: str
    key: Ed25519PrivateKey
    next: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    async def ask(self, *, signed_by: Ed25519PrivateKey | None = None, csr_pem: str | None = None) -> RenewalStatus:
        wanted = RenewalRequest(iss=self.id, iat=1, csr_pem=csr_pem or csr(self.next))
        token = SigningKey(signed_by or self.key).sign(wanted)
        status: RenewalStatus = await self.centre.services.renewals.ask(self.id, token, ADDRESS)
        return status

    async def row(self) -> Node:
        async with self.centre.database.reading() as session:
            row: Node = await session.get_one(Node, self.id)
            return row


async def pole(centre: Centre, hamlet: str = "Thôn Đông") -> Pole:
    area, code, key = await centre.area(hamlet), new_claim_code(), Ed25519PrivateKey.generate()
    await centre.services.enrolments.ask(enrolment_request(code, key), ADDRESS)
    node = await centre.services.enrolments.adopt(centre.actor, claim_code=code, area_id=area.id, name="Cụm 1")
    return Pole(centre, node.id, key)


def certified(status: RenewalStatus) -> x509.Certificate:
    assert status.state == "renewed"
    assert status.certificate_pem is not None
    return x509.load_pem_x509_certificate(status.certificate_pem.encode())


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (0, Standing.EARLY),
        (242, Standing.EARLY),
        (243, Standing.DUE),
        (364, Standing.DUE),
        (365, Standing.ENDED),
        (364 + GRACE.days, Standing.ENDED),
        (365 + GRACE.days, Standing.GONE),
    ],
)
def test_a_certificate_is_early_due_ended_and_gone(days: int, expected: Standing) -> None:
    issued_at = datetime(2026, 3, 9, tzinfo=UTC)
    assert standing(issued_at, issued_at + timedelta(days=365), issued_at + timedelta(days=days)) is expected


async def test_a_node_gets_its_next_certificate_by_itself_at_two_thirds_of_its_life(here: Centre) -> None:
    node = await pole(here)
    assert (await node.ask()).state == "early"
    here.clock.step(days=DUE_DAYS)
    made = certified(await node.ask())
    assert made.public_key() == node.next.public_key()
    assert [one.value for one in made.subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == [node.id]
    row = await node.row()
    assert (row.public_key, row.certificate_expires_at) == (public_x(node.next.public_key()), made.not_valid_after_utc)
    assert row.previous_public_key == public_x(node.key.public_key())


async def test_an_answer_that_was_lost_is_given_again(lite: Centre) -> None:
    """The node was cut off in the middle: it asks again, with the same key, and is signed by the old one still."""
    node = await pole(lite)
    lite.clock.step(days=DUE_DAYS)
    assert await node.ask() == await node.ask()
    async with lite.database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(NodeCertificate)) == 2


async def test_a_node_that_lost_its_next_key_asks_for_another(lite: Centre) -> None:
    node = await pole(lite)
    lite.clock.step(days=DUE_DAYS)
    lost = await node.ask()
    node.next = Ed25519PrivateKey.generate()
    lite.clock.step(days=DUE_DAYS)  # the lost one would be due too by now
    assert certified(await node.ask()) != certified(lost)
    row = await node.row()
    assert row.previous_public_key == public_x(node.key.public_key())  # the one that it has, not the lost one


async def test_the_old_key_is_worth_nothing_once_the_new_one_is_used(lite: Centre) -> None:
    node = await pole(lite)
    lite.clock.step(days=DUE_DAYS)
    await node.ask()
    assert (await node.ask(signed_by=node.next)).state == "renewed"
    assert (await node.row()).previous_public_key is None
    with pytest.raises(NotFoundError):
        await node.ask()


@pytest.mark.parametrize("days", [DUE_DAYS, ENDED_DAYS])
async def test_without_the_nodes_key_nothing_is_certified(lite: Centre, days: int) -> None:
    node, other = await pole(lite), await pole(lite, "Thôn Tây")
    lite.clock.step(days=days)
    with pytest.raises(NotFoundError):
        await node.ask(signed_by=Ed25519PrivateKey.generate())
    with pytest.raises(NotFoundError):
        await node.ask(signed_by=other.key)
    with pytest.raises(NotFoundError):
        await lite.services.renewals.ask(node.id, b"no.token.here", ADDRESS)
    token = SigningKey(node.key).sign(RenewalRequest(iss=other.id, iat=1, csr_pem=csr(node.next)))
    with pytest.raises(NotFoundError):
        await lite.services.renewals.ask(node.id, token, ADDRESS)
    assert await lite.services.renewals.waiting(lite.actor) == []


async def test_only_a_new_key_is_certified(lite: Centre) -> None:
    node, other = await pole(lite), await pole(lite, "Thôn Tây")
    lite.clock.step(days=DUE_DAYS)
    for wanted in (csr(other.key), "no request"):
        with pytest.raises(InvalidError):
            await node.ask(csr_pem=wanted)


async def test_a_key_that_was_revoked_is_not_certified_again(lite: Centre) -> None:
    """Not even to the node that had got it."""
    node = await pole(lite)
    lite.clock.step(days=DUE_DAYS)
    certified(await node.ask())
    async with lite.database.transaction() as tx:
        stolen = NodeCertificate.public_key == public_x(node.next.public_key())
        await tx.session.execute(update(NodeCertificate).where(stolen).values(revoked_at=lite.clock()))
    with pytest.raises(InvalidError, match="revoked"):
        await node.ask()


async def test_after_its_end_a_node_waits_for_a_person(here: Centre) -> None:
    node = await pole(here)
    here.clock.step(days=ENDED_DAYS)
    for _ in range(3):
        assert (await node.ask()).state == "waiting"
    [wish] = await here.services.renewals.waiting(here.actor)
    assert (wish.node_id, wish.node_name) == (node.id, "Cụm 1")
    assert wish.fingerprint == key_id(node.next.public_key())
    assert (await node.row()).public_key == public_x(node.key.public_key())
    await here.services.renewals.answer(here.actor, wish.id, confirmed=True)
    assert certified(await node.ask()).public_key() == node.next.public_key()
    assert await here.services.renewals.waiting(here.actor) == []
    acts = [entry.action for entry in await here.services.audit.list(here.actor, limit=10)]
    assert {"nodes.confirm", "renewals.given"} <= set(acts)


async def test_who_is_refused_gets_nothing_and_an_old_yes_is_none(lite: Centre) -> None:
    node, late = await pole(lite), await pole(lite, "Thôn Tây")
    lite.clock.step(days=ENDED_DAYS)
    for each, confirmed in ((node, False), (late, True)):
        await each.ask()
        [wish] = await lite.services.renewals.waiting(lite.actor)
        await lite.services.renewals.answer(lite.actor, wish.id, confirmed=confirmed)
        with pytest.raises(ConflictError):
            await lite.services.renewals.answer(lite.actor, wish.id, confirmed=True)
    assert (await node.ask()).state == "refused"
    lite.clock.step(days=8)
    assert (await late.ask()).state == "waiting"


async def test_a_second_machine_with_the_old_key_is_seen_beside_the_first(lite: Centre) -> None:
    node = await pole(lite)
    lite.clock.step(days=ENDED_DAYS)
    keys = [Ed25519PrivateKey.generate() for _ in range(3)]
    for node.next in keys:
        await node.ask()
    wishes = {wish.fingerprint: wish.id for wish in await lite.services.renewals.waiting(lite.actor)}
    assert wishes.keys() == {key_id(key.public_key()) for key in keys}
    node.next = Ed25519PrivateKey.generate()
    with pytest.raises(TooManyAttemptsError):
        await node.ask()
    await lite.services.renewals.answer(lite.actor, wishes[key_id(keys[1].public_key())], confirmed=True)
    assert await lite.services.renewals.waiting(lite.actor) == []
    states = []
    for node.next in keys:
        states.append((await node.ask()).state)
        if states[-1] == "renewed":
            break
    assert states == ["refused", "renewed"]


async def test_what_ended_too_long_ago_is_enrolled_anew(lite: Centre) -> None:
    node = await pole(lite)
    lite.clock.step(days=366 + GRACE.days)
    assert (await node.ask()).state == "refused"
    assert await lite.services.renewals.waiting(lite.actor) == []


async def test_only_who_looks_after_the_place_may_confirm(lite: Centre) -> None:
    node = await pole(lite)
    elsewhere = await lite.area("Xã khác")
    lite.clock.step(days=ENDED_DAYS)
    await node.ask()
    [wish] = await lite.services.renewals.waiting(lite.actor)
    stranger = Actor((await lite.somebody("xa.khac", Role.TECHNICIAN, elsewhere)).id, ADDRESS)
    assert await lite.services.renewals.waiting(stranger) == []
    with pytest.raises(NotFoundError):
        await lite.services.renewals.answer(stranger, wish.id, confirmed=True)
    clerk = Actor((await lite.somebody("can.bo", Role.OPERATOR, None)).id, ADDRESS)
    with pytest.raises(ForbiddenError):
        await lite.services.renewals.answer(clerk, wish.id, confirmed=True)
    assert (await node.ask()).state == "waiting"


async def test_a_revoked_node_gets_no_next_certificate(lite: Centre) -> None:
    node = await pole(lite)
    lite.clock.step(days=ENDED_DAYS)
    await node.ask()
    await lite.services.revocations.revoke(SYSTEM, node.id, "mất trộm")
    assert await lite.services.renewals.waiting(lite.actor) == []
    with pytest.raises(NotFoundError):
        await node.ask()


@pytest.mark.parametrize("used", [False, True])
async def test_of_a_card_and_its_copy_the_quicker_one_is_not_followed_in_silence(lite: Centre, *, used: bool) -> None:
    """A thief who renews first has the node's name; the node on its pole is what people go and look at."""
    node, thief = await pole(lite), Ed25519PrivateKey.generate()
    lite.clock.step(days=DUE_DAYS)
    assert (await node.ask(csr_pem=csr(thief))).state == "renewed"
    assert await alarms(lite) == [], "so far it is a renewal like any"
    if used:
        await node.ask(signed_by=thief, csr_pem=csr(thief))
        with pytest.raises(NotFoundError):
            await node.ask()
    else:
        assert (await node.ask()).state == "waiting", "a person says which of the two is the node"
        assert len(await lite.services.renewals.waiting(lite.actor)) == 1
    assert await alarms(lite) == ["nodes.cloned"]


async def test_a_strangers_key_raises_no_alarm(lite: Centre) -> None:
    node = await pole(lite)
    with pytest.raises(NotFoundError):
        await node.ask(signed_by=Ed25519PrivateKey.generate())
    assert await alarms(lite) == []


async def test_the_same_request_again_by_the_old_key_is_an_answer_that_was_lost(lite: Centre) -> None:
    node = await pole(lite)
    lite.clock.step(days=DUE_DAYS)
    assert (await node.ask()).state == (await node.ask()).state == "renewed"
    assert await alarms(lite) == []
