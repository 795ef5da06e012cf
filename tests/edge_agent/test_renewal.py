"""A node's next certificate: asked for in time, taken whole, in place after every power cut."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent import failpoints, identity, tls
from edge_agent.config import StateDir, load_adoption, load_key
from edge_agent.protocol.renewal import RenewalRequest, RenewalStatus
from edge_agent.protocol.signing import SigningKey, TrustStore, open_renewal, public_x
from edge_agent.renewal import LONELY_S, Renewer
from tests.edge_agent.centre import Centre

NODE = "node-1"


class PowerCut(BaseException):
    """Everything ends here."""


class Registry:
    """The page of a centre that renews; answers as it is told."""

    def __init__(self, centre: Centre, state: StateDir) -> None:
        self.centre, self.answer = centre, "renewed"
        self.requests: list[RenewalRequest] = []
        self.trust = TrustStore.of_node(public_x(load_key(state).public_key()))
        self.key_of: Callable[[x509.CertificateSigningRequest], Ed25519PrivateKey | None] = lambda _: None
        centre.files.shelves.pages["POST", f"/api/v1/nodes/{NODE}/renewal"] = self._post

    def _post(self, body: bytes) -> tuple[int, bytes]:
        if self.answer == "lost":
            return 503, b""
        self.requests.append(open_renewal(body, node_id=NODE, trust=self.trust))
        if self.answer != "renewed":
            return 200, msgspec.json.encode(RenewalStatus(state=self.answer))  # type: ignore[arg-type]  # one of them
        request = x509.load_pem_x509_csr(self.requests[-1].csr_pem.encode())
        other = self.key_of(request)
        public = request.public_key() if other is None else other.public_key()
        pem = self.centre.authority.client(NODE, public)
        return 200, msgspec.json.encode(RenewalStatus(state="renewed", certificate_pem=pem))


@dataclass
class Desk:
    """A renewer whose clocks are stepped."""

    registry: Registry
    state: StateDir
    now: datetime
    seconds: float = 0.0
    knows_date: bool = True
    linked: bool = True
    busy: bool = False
    keys: list[SigningKey] = field(default_factory=list)
    connected_anew: int = 0

    def __post_init__(self) -> None:
        self.renewer = Renewer(
            self.state,
            load_adoption(self.state),
            now=lambda: self.now,
            knows_date=lambda: self.knows_date,
            monotonic_s=lambda: self.seconds,
            linked=lambda: self.linked,
            is_near=lambda _: self.busy,
            tls=lambda: tls.context(self.state, check_dates=False, as_node=False),
        )
        self.renewer.on_renewed = self.keys.append
        self.renewer.on_quiet = self._anew

    def _anew(self) -> None:
        self.connected_anew += 1

    async def look(self, *, days: float = 0, seconds: float = 0) -> None:
        self.now += timedelta(days=days, seconds=seconds)
        self.seconds += days * 86_400 + seconds
        await self.renewer.look()

    @property
    def asked(self) -> int:
        return len(self.registry.requests)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with Centre(tmp_path / "centre") as centre:
        centre.adopt(tmp_path / "node", NODE)
        state = StateDir(tmp_path / "node")
        yield Desk(Registry(centre, state), state, datetime.now(UTC))


@pytest.fixture(autouse=True)
def _no_power_cut_is_left() -> Iterator[None]:
    yield
    failpoints.arm(None)


def is_whole(state: StateDir) -> bool:
    """The key and the certificate belong together and can be used."""
    tls.context(state, check_dates=True, as_node=True)
    return identity.own_certificate(state).public_key() == load_key(state).public_key()


def life(state: StateDir) -> timedelta:
    found = identity.own_certificate(state)
    return found.not_valid_after_utc - found.not_valid_before_utc


async def test_the_next_certificate_is_asked_for_at_two_thirds_of_its_life(desk: Desk) -> None:
    before = load_key(desk.state)
    begun_at = identity.own_certificate(desk.state).not_valid_before_utc
    desk.now = begun_at + life(desk.state) * 2 / 3 - timedelta(minutes=1)
    await desk.look()
    assert desk.asked == 0
    await desk.look(seconds=120)
    assert desk.asked == 1
    assert load_key(desk.state).public_key() != before.public_key()
    assert is_whole(desk.state)
    assert [key.public for key in desk.keys] == [load_key(desk.state).public_key()]
    await desk.look(seconds=120)
    assert desk.asked == 1


async def test_the_link_is_made_anew_only_between_plays(desk: Desk) -> None:
    desk.busy = True
    await desk.look(days=300)
    await desk.look(seconds=60)
    assert (desk.asked, desk.connected_anew) == (1, 0)
    desk.busy = False
    await desk.look(seconds=60)
    await desk.look(seconds=60)
    assert desk.connected_anew == 1


async def test_who_waits_for_a_person_asks_again_with_the_same_key_each_minute(desk: Desk) -> None:
    desk.registry.answer = "waiting"
    await desk.look(days=500)
    await desk.look(seconds=30)
    assert desk.asked == 1
    await desk.look(seconds=31)
    assert desk.asked == 2
    assert len({_key_in(request) for request in desk.registry.requests}) == 1
    desk.registry.answer = "renewed"
    await desk.look(seconds=61)
    assert is_whole(desk.state)
    assert len(desk.keys) == 1


async def test_without_an_answer_the_node_stays_who_it_was_and_asks_less_and_less_often(desk: Desk) -> None:
    before = desk.state.key.read_bytes(), desk.state.certificate.read_bytes()
    desk.registry.answer = "lost"
    await desk.look(days=300)
    await desk.look(seconds=29)
    desk.registry.answer = "renewed"
    await desk.look()
    assert desk.asked == 0
    assert (desk.state.key.read_bytes(), desk.state.certificate.read_bytes()) == before
    await desk.look(seconds=3600)
    assert desk.asked == 1


async def test_a_node_that_knows_no_date_asks_when_nobody_lets_it_in(desk: Desk) -> None:
    """Its certificate may have ended; without a link it never learns the time."""
    desk.knows_date, desk.linked = False, False
    desk.registry.answer = "early"
    await desk.look(seconds=LONELY_S - 1)
    assert desk.asked == 0
    await desk.look(seconds=1)
    assert desk.asked == 1
    await desk.look(seconds=LONELY_S)
    assert desk.asked == 1  # the centre said that it is early
    desk.linked = True
    await desk.look(days=1)
    assert desk.asked == 1


async def test_a_certificate_of_another_key_is_not_taken(desk: Desk) -> None:
    before = desk.state.certificate.read_bytes()
    desk.registry.key_of = lambda _: Ed25519PrivateKey.generate()
    await desk.look(days=300)
    assert (desk.asked, desk.keys) == (1, [])
    assert desk.state.certificate.read_bytes() == before
    assert is_whole(desk.state)


@pytest.mark.parametrize("point", ["identity.decided", "identity.found", "identity.key", "identity.settled"])
@pytest.mark.parametrize("again", [None, "identity.key", "identity.settled"])
async def test_a_power_cut_in_the_middle_leaves_an_identity_that_works(
    desk: Desk, point: str, again: str | None
) -> None:
    """Cut while changing, and perhaps once more while finishing at the next start."""

    def cut_at(wanted: str | None) -> None:
        def act(reached: str) -> None:
            if reached == wanted:
                raise PowerCut

        failpoints.arm(act)

    cut_at(point)
    with pytest.raises(PowerCut):
        await desk.look(days=300)
    cut_at(again)
    try:
        identity.settle(desk.state)
    except PowerCut:
        failpoints.arm(None)
        identity.settle(desk.state)
    assert is_whole(desk.state)
    assert not desk.state.next_key.exists()
    assert not desk.state.next_certificate.exists()
    asked = x509.load_pem_x509_csr(desk.registry.requests[-1].csr_pem.encode())
    assert load_key(desk.state).public_key() == asked.public_key()


async def test_a_power_cut_before_the_answer_asks_for_the_same_key_again(desk: Desk) -> None:
    desk.registry.answer = "waiting"
    await desk.look(days=500)
    after = Desk(desk.registry, desk.state, desk.now)
    await after.look()
    assert len({_key_in(request) for request in desk.registry.requests}) == 1


async def test_a_damaged_next_key_is_made_anew(desk: Desk) -> None:
    desk.state.next_key.write_bytes(b"")
    await desk.look(days=300)
    assert is_whole(desk.state)


def _key_in(request: RenewalRequest) -> str:
    key = x509.load_pem_x509_csr(request.csr_pem.encode()).public_key()
    return public_x(key)  # type: ignore[arg-type]  # ours are Ed25519
