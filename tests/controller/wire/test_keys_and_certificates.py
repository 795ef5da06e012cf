"""Keys and certificates: made once, never replaced by themselves, and good for exactly what they are for."""

import ipaddress
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from controller.errors import InvalidError
from controller.wire.keys import KeyFileError, load_keys
from controller.wire.pki import LEAF_LIFE, Authority, Revoked
from edge_agent.protocol.signing import public_x
from tests.controller.factories import SteppedClock, csr

NAMES = ("loa.example", "192.0.2.7")


def authority(folder: Path, clock: SteppedClock | None = None, names: tuple[str, ...] = NAMES) -> Authority:
    return Authority(folder, load_keys(folder), clock or SteppedClock(), names=names)


def server_certificate(made: Authority) -> x509.Certificate:
    return x509.load_pem_x509_certificates(made.server_chain.read_bytes())[0]


def test_keys_are_made_once_and_kept_from_others(tmp_path: Path) -> None:
    first, second = load_keys(tmp_path), load_keys(tmp_path)
    assert first.trusted == second.trusted
    assert first.dispatch.kid != first.policy.kid
    assert (first.epoch, second.epoch) == (1, 1)
    authority(tmp_path)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert set(modes.values()) == {0o600}
    assert {"dispatch.key", "policy.key", "epoch", "ca.key", "server.key"} <= modes.keys()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("dispatch.key", b"damaged"),
        ("dispatch.key", b""),
        ("epoch", b"0"),
        ("epoch", b"two"),
        ("ca.crt", b"-----BEGIN CERTIFICATE-----"),
    ],
)
def test_a_damaged_file_is_named_and_stays_as_it_is(tmp_path: Path, name: str, content: bytes) -> None:
    """Nodes trust what it held: a new key would cut every one of them off."""
    authority(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(KeyFileError, match=name):
        authority(tmp_path)
    assert (tmp_path / name).read_bytes() == content


def test_a_certificate_of_another_authority_is_not_taken(tmp_path: Path) -> None:
    authority(tmp_path)
    (tmp_path / "other").mkdir()
    authority(tmp_path / "other")
    (tmp_path / "ca.crt").write_bytes((tmp_path / "other" / "ca.crt").read_bytes())
    with pytest.raises(KeyFileError, match=r"does not belong to ca\.key"):
        authority(tmp_path)


def test_a_node_certificate_says_its_name_and_is_for_clients_only(tmp_path: Path) -> None:
    made, key = authority(tmp_path), Ed25519PrivateKey.generate()
    issued = made.issue_node_certificate(csr(key, name="centre"), "node-7")
    found = x509.load_pem_x509_certificate(issued.pem.encode())
    assert found.subject.rfc4514_string() == "CN=node-7"
    assert issued.public_key_x == public_x(key.public_key())
    assert issued.expires_at == found.not_valid_after_utc
    assert int(issued.serial, 16) == found.serial_number
    assert list(found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.CLIENT_AUTH
    ]
    constraints = found.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.value.ca, constraints.critical) == (False, True)
    found.verify_directly_issued_by(x509.load_pem_x509_certificate(made.ca_pem.encode()))


def test_a_request_gets_nothing_but_a_certified_key(tmp_path: Path) -> None:
    """Whatever else a request asks for (to be an authority, other names) is not in the certificate."""
    key = Ed25519PrivateKey.generate()
    wanting = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "#")]))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, None)
    )
    issued = authority(tmp_path).issue_node_certificate(wanting.public_bytes(Encoding.PEM).decode(), "n1")
    found = x509.load_pem_x509_certificate(issued.pem.encode())
    assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    with pytest.raises(x509.ExtensionNotFound):
        found.extensions.get_extension_for_class(x509.SubjectAlternativeName)


def other_requests() -> list[str]:
    empty = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    keys = (ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048))
    signed = [empty.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode() for key in keys]
    genuine = csr(Ed25519PrivateKey.generate()).splitlines()
    last = genuine[-2]
    forged = [*genuine[:-2], ("A" if last[0] != "A" else "B") + last[1:], genuine[-1]]
    return [*signed, "\n".join(forged), "", "no request", "-----BEGIN CERTIFICATE REQUEST-----\n"]


@pytest.mark.parametrize("request_number", range(6))
def test_only_a_request_signed_by_its_own_ed25519_key_is_certified(tmp_path: Path, request_number: int) -> None:
    with pytest.raises(InvalidError):
        authority(tmp_path).issue_node_certificate(other_requests()[request_number], "n1")


def test_no_node_is_called_like_the_centre(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="centre"):
        authority(tmp_path).issue_node_certificate(csr(Ed25519PrivateKey.generate()), "centre")


def test_the_server_certificate_covers_its_names_and_comes_with_the_authority(tmp_path: Path) -> None:
    made = authority(tmp_path)
    leaf, root = x509.load_pem_x509_certificates(made.server_chain.read_bytes())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["loa.example"]
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("192.0.2.7")]
    assert root.public_bytes(Encoding.PEM).decode() == made.ca_pem
    assert isinstance(leaf.public_key(), Ed25519PublicKey)


def test_the_authority_lives_ten_years_at_least(tmp_path: Path) -> None:
    clock = SteppedClock()
    root = x509.load_pem_x509_certificate(authority(tmp_path, clock).ca_pem.encode())
    assert root.not_valid_after_utc - clock() >= timedelta(days=3650)


def test_the_server_certificate_is_renewed_in_the_last_third_of_its_life(tmp_path: Path) -> None:
    clock = SteppedClock()
    made = authority(tmp_path, clock)
    first = server_certificate(made).serial_number
    clock.step(days=LEAF_LIFE.days * 2 / 3 - 1)
    assert not made.renew()
    clock.step(days=2)
    assert made.renew()
    renewed = server_certificate(made)
    assert renewed.serial_number != first
    assert renewed.not_valid_after_utc - clock() == LEAF_LIFE


def test_a_new_name_makes_a_new_server_certificate_under_the_same_authority(tmp_path: Path) -> None:
    first = authority(tmp_path)
    serial = server_certificate(first).serial_number
    assert server_certificate(authority(tmp_path)).serial_number == serial
    second = authority(tmp_path, names=("other.example",))
    assert server_certificate(second).serial_number != serial
    assert second.ca_sha256 == first.ca_sha256


def test_the_centre_knows_when_its_own_certificates_end(tmp_path: Path) -> None:
    clock = SteppedClock()
    found = authority(tmp_path, clock).ends()
    assert found.keys() == {"authority", "server", "centre"}
    assert clock() + LEAF_LIFE - timedelta(days=1) < found["server"] < found["authority"]


def test_the_list_of_void_certificates_is_signed_and_names_them(tmp_path: Path) -> None:
    clock = SteppedClock()
    made = authority(tmp_path, clock)
    issued = made.issue_node_certificate(csr(Ed25519PrivateKey.generate()), "node-7")
    found = x509.load_pem_x509_crl(made.revocation_list([Revoked("node-7", issued.serial, clock())]))
    signer = x509.load_pem_x509_certificate(made.ca_pem.encode()).public_key()
    assert isinstance(signer, Ed25519PublicKey)
    assert found.is_signature_valid(signer)
    assert [f"{each.serial_number:x}" for each in found] == [issued.serial]
    assert found.last_update_utc < clock()
    assert found.next_update_utc is not None
    assert found.next_update_utc > clock() + timedelta(days=300)
