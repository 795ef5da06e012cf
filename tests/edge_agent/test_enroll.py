"""Being adopted: over real HTTPS, by a centre that is believed only by its authority's fingerprint."""

import asyncio
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from edge_agent.config import Options, StateDir, load_adoption, load_key
from edge_agent.enroll import PATH, enroll
from edge_agent.errors import ConfigError, EnrolmentError
from edge_agent.protocol.enrolment import EnrolmentRequest, EnrolmentStatus, EnrolmentTicket, claim_hash
from edge_agent.selftest import self_test
from tests.edge_agent.centre import Authority, Centre

pytestmark = pytest.mark.broker


class Registry:
    """The enrolment pages of a centre; adopts who has said the right code."""

    def __init__(self, centre: Centre) -> None:
        self.centre = centre
        self.requests: list[EnrolmentRequest] = []
        self.codes: list[str] = []
        self.polls = 0
        self.key_of: Callable[[Any], Any] = lambda public: public
        self.name = "node-7"
        self.changes: dict[str, str] = {}
        self.state = "adopted"
        pages = centre.files.shelves.pages
        pages["POST", PATH] = self._post
        pages["GET", f"{PATH}/e-1"] = self._get

    def _post(self, body: bytes) -> tuple[int, bytes]:
        self.requests.append(msgspec.json.decode(body, type=EnrolmentRequest))
        return 201, msgspec.json.encode(EnrolmentTicket(enrolment_id="e-1", poll_ms=100))

    def _get(self, _: bytes) -> tuple[int, bytes]:
        self.polls += 1
        if self.polls < 3 or self.state == "waiting":
            return 200, msgspec.json.encode(EnrolmentStatus(state="waiting"))
        if self.state == "expired":
            return 200, msgspec.json.encode(EnrolmentStatus(state="expired"))
        request = x509.load_pem_x509_csr(self.requests[-1].csr_pem.encode())
        assert request.is_signature_valid
        adoption = self.centre.adoption("node-7", self.key_of(request.public_key()))
        adoption = msgspec.structs.replace(adoption, node_id=self.name, **self.changes)
        return 200, msgspec.json.encode(EnrolmentStatus(state="adopted", adoption=adoption))

    def show(self, line: str) -> None:
        if line.startswith("Claim code: "):
            self.codes.append(line.removeprefix("Claim code: "))


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    async with Centre(tmp_path / "centre") as centre:
        yield Registry(centre)


def options(root: Path) -> Options:
    state = StateDir(root / "node")
    state.root.mkdir(exist_ok=True)
    return Options(state=state, output="virtual")


async def join(registry: Registry, root: Path, **changes: Any) -> None:
    centre = registry.centre
    fields = {"server": centre.files.url, "ca_sha256": centre.authority.sha256, "timeout_s": 60.0, **changes}
    await enroll(options(root), show=registry.show, **fields)


async def test_an_adopted_node_has_all_that_it_needs(registry: Registry, tmp_path: Path) -> None:
    await join(registry, tmp_path)
    state = options(tmp_path).state
    assert load_adoption(state).node_id == "node-7"
    assert stat.S_IMODE(state.key.stat().st_mode) == 0o600
    assert claim_hash(registry.codes[0]) == registry.requests[0].claim_sha256
    assert registry.codes[0] not in msgspec.json.encode(registry.requests[0]).decode()
    assert [line.ok for line in self_test(options(tmp_path))] == [True] * 4


async def test_a_code_that_was_agreed_beforehand_is_the_one_that_is_shown(registry: Registry, tmp_path: Path) -> None:
    await join(registry, tmp_path, code="ABCD-2345")
    assert registry.codes == ["ABCD-2345"]
    assert registry.requests[0].claim_sha256 == claim_hash("ABCD-2345")


async def test_a_server_with_another_authority_is_not_even_asked(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(EnrolmentError, match="fingerprint"):
        await join(registry, tmp_path, ca_sha256="ab" * 32)
    assert registry.requests == []


async def test_without_a_fingerprint_only_the_systems_authorities_count(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(EnrolmentError, match=r"certificate verify failed .*give --ca-sha256"):
        await join(registry, tmp_path, ca_sha256=None)
    assert registry.requests == []


async def test_a_certificate_for_another_key_or_name_is_refused(registry: Registry, tmp_path: Path) -> None:
    registry.key_of = lambda _: Ed25519PrivateKey.generate().public_key()
    with pytest.raises(EnrolmentError, match="another node"):
        await join(registry, tmp_path)
    registry.key_of, registry.name = lambda public: public, "node-8"
    with pytest.raises(EnrolmentError, match="another node"):
        await join(registry, tmp_path)
    assert not options(tmp_path).state.node.exists()


async def test_another_authority_than_the_pinned_one_is_refused(registry: Registry, tmp_path: Path) -> None:
    """It would let whoever sent it speak to this node from then on."""
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    registry.changes = {"ca_pem": other.pem}
    with pytest.raises(EnrolmentError, match="does not hold"):
        await join(registry, tmp_path)
    key = Ed25519PrivateKey.generate()
    options(tmp_path).state.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    registry.changes["certificate_pem"] = other.client("node-7", key.public_key())
    with pytest.raises(EnrolmentError, match="another authority"):
        await join(registry, tmp_path)
    assert not options(tmp_path).state.node.exists()


async def test_a_second_try_keeps_the_key_and_an_enrolled_node_is_left_alone(
    registry: Registry, tmp_path: Path
) -> None:
    registry.state = "expired"
    with pytest.raises(EnrolmentError, match="expired"):
        await join(registry, tmp_path)
    first = load_key(options(tmp_path).state).public_key()
    registry.state = "adopted"
    await join(registry, tmp_path)
    assert load_key(options(tmp_path).state).public_key() == first
    with pytest.raises(ConfigError, match="is enrolled"):
        await join(registry, tmp_path)


async def test_who_waits_in_vain_is_told(registry: Registry, tmp_path: Path) -> None:
    registry.state = "waiting"
    with pytest.raises(EnrolmentError, match="nobody adopted"):
        await join(registry, tmp_path, timeout_s=0.3)


@pytest.mark.parametrize("ca_sha256", [None, "ab" * 32])
async def test_a_port_that_speaks_no_tls_is_named_as_the_wrong_one(tmp_path: Path, ca_sha256: str | None) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as pages:
        server = f"https://127.0.0.1:{pages.sockets[0].getsockname()[1]}"
        with pytest.raises(EnrolmentError, match="not the nodes' port"):
            await enroll(options(tmp_path), server=server, ca_sha256=ca_sha256, timeout_s=60, show=print)


async def test_the_last_word_is_the_command_that_runs_what_was_enrolled(registry: Registry, tmp_path: Path) -> None:
    lines: list[str] = []
    registry.show = lines.append  # type: ignore[method-assign, assignment] # what a person at the node reads
    await join(registry, tmp_path)
    assert lines[-1].endswith(f"loa-agent run --state {tmp_path / 'node'} --output virtual")


@pytest.mark.parametrize("server", ["http://127.0.0.1:1", "127.0.0.1", "https://", "https://host/path"])
async def test_an_address_that_is_none_is_a_clear_error(tmp_path: Path, server: str) -> None:
    with pytest.raises(ConfigError, match="https://host:port"):
        await enroll(options(tmp_path), server=server, ca_sha256=None, timeout_s=1, show=print)


async def test_a_centre_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    with pytest.raises(EnrolmentError, match="refused"):
        await enroll(
            options(tmp_path), server=f"https://127.0.0.1:{port}", ca_sha256="ab" * 32, timeout_s=60, show=print
        )
