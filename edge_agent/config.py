"""Where the agent keeps its things, and who it is. Reads files; knows no network and no sound."""

import contextlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from edge_agent import failpoints
from edge_agent.errors import ConfigError, NotEnrolledError
from edge_agent.protocol.enrolment import Adoption

DEFAULT_STATE = Path("/var/lib/loa-agent")

OutputKind = Literal["card", "virtual"]
InputDriver = Literal["card", "virtual", "none"]
InputKind = Literal["loopback", "line", "microphone"]


def spare_store() -> Path | None:
    """Where the store goes when the card takes no more: in memory, across restarts of the service until the next boot.

    By ``RuntimeDirectory=`` of the unit; None where the agent is run by hand.
    """
    folder = os.environ.get("RUNTIME_DIRECTORY")
    return None if folder is None else Path(folder, "store.db")


def spare_media() -> Path:
    """Where recordings go then."""
    folder = os.environ.get("RUNTIME_DIRECTORY")
    return Path(tempfile.mkdtemp(prefix="loa-agent-")) if folder is None else Path(folder, "media")


@dataclass(frozen=True, slots=True)
class StateDir:
    """Layout of the state directory. Everything the node must remember lies in it and nowhere else."""

    root: Path

    @property
    def node(self) -> Path:
        """The adoption as it came: name, certificate, broker, trusted keys."""
        return self.root / "node.json"

    @property
    def key(self) -> Path:
        """Private Ed25519 key, PKCS #8, mode 0600; signs receipts and TLS handshakes."""
        return self.root / "node.key"

    @property
    def certificate(self) -> Path:
        """Client certificate; its common name is the node's name."""
        return self.root / "node.crt"

    @property
    def next_key(self) -> Path:
        """The key that is to follow, while its certificate is asked for."""
        return self.root / "node.next.key"

    @property
    def next_certificate(self) -> Path:
        """Its certificate, for the moment in which both take their places."""
        return self.root / "node.next.crt"

    @property
    def authority(self) -> Path:
        """The private authority of broker and media server."""
        return self.root / "ca.crt"

    @property
    def database(self) -> Path:
        """What decides whether to speak, and receipts."""
        return self.root / "agent.db"

    @property
    def update(self) -> Path:
        """What the agent asks of whoever lays updates down, and the bundle; all may read it."""
        return self.root / "update"

    @property
    def log(self) -> Path:
        """The agent's own last words, for whoever asks from afar."""
        return self.root / "log"

    @property
    def lock(self) -> Path:
        """Held by the one agent that runs with this state."""
        return self.root / "lock"

    @property
    def media(self) -> Path:
        """Recordings by hash."""
        return self.root / "media"

    @property
    def claim_svg(self) -> Path:
        """The claim code as a QR code, until the node is adopted."""
        return self.root / "claim.svg"

    @property
    def claim_png(self) -> Path:
        """The same."""
        return self.root / "claim.png"

    @property
    def wav(self) -> Path:
        """Ground truth of a virtual output: every frame that it consumed."""
        return self.root / "output.wav"

    @property
    def instants(self) -> Path:
        """When the frames of ``wav`` were consumed, one JSON object a line."""
        return self.root / "output.instants.jsonl"


@dataclass(frozen=True, slots=True)
class Options:
    """What ``loa-agent run`` was asked to do."""

    state: StateDir
    output: OutputKind = "card"
    device: str | None = None
    """Name or part of the name of the sound card; None takes the system's default."""
    input: InputDriver = "none"
    """What listens. A virtual one hears a virtual output."""
    input_device: str | None = None
    input_kind: InputKind = "microphone"
    """What the input is: a loopback or line sensor proves grade E2, a microphone E3."""
    input_simulated: bool = False
    """It is a monitor of the output, or the like: what it proves is marked so."""
    amplifier: str = "none"
    """The pin that powers it: ``none``, or as ``amplifier.drivers.new_pin`` takes it."""
    amplifier_lead_ms: int = 500
    """How long before a start."""
    bulk_kbit_s: int | None = None
    """Ceiling of what is fetched ahead of time, thousands of bits a second; emergencies and urgents know none."""
    button: str = "none"
    """What ends all sound at the node: ``none``, or as ``button.drivers.new_button`` takes it."""
    slots: Path | None = None
    """Where environments lie that run as the agent, laid down by another; None where it is not updated from afar."""
    trial_s: float = 900.0
    """How long another release has to show that it is good."""


def default_state() -> Path:
    """Give the state directory: ``LOA_AGENT_STATE`` or the packaged place."""
    return Path(os.environ.get("LOA_AGENT_STATE") or DEFAULT_STATE)


def load_adoption(state: StateDir) -> Adoption:
    """Read who this node is.

    Raises:
        NotEnrolledError: there is no ``node.json``.
        ConfigError: it is damaged.
    """
    try:
        return msgspec.json.decode(state.node.read_bytes(), type=Adoption)
    except FileNotFoundError:
        raise NotEnrolledError(f"{state.node} does not exist: run `loa-agent enroll` first") from None
    except (msgspec.DecodeError, OSError) as error:
        raise ConfigError(f"{state.node} cannot be read ({error}): enrol this node again") from None


def load_key(state: StateDir) -> Ed25519PrivateKey:
    """Read the node's private key.

    Raises:
        ConfigError: missing, unreadable, or not an Ed25519 key.
    """
    try:
        return read_key(state.key)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{state.key} cannot be read ({error}): enrol this node again") from None


def read_key(path: Path) -> Ed25519PrivateKey:
    """Read a private key.

    Raises:
        OSError: there is none, or it cannot be read.
        ValueError: it is not a private key.
        TypeError: it is not an Ed25519 key.
    """
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError("not an Ed25519 key")
    return key


def write_atomically(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write so that a power cut leaves either the old file or the new one."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            failpoints.reach("file.before_sync")
            os.fsync(file.fileno())
        failpoints.reach("file.before_rename")
        Path(name).replace(path)
        failpoints.reach("file.after_rename")
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def sweep(directory: Path) -> None:
    """Throw away what ``write_atomically`` had not finished when the power went."""
    for path in directory.glob(".*.????????"):
        with contextlib.suppress(OSError):  # a disk with errors may refuse even that
            path.unlink()


def sync_directory(path: Path) -> None:
    """Make a rename in ``path`` survive a power cut."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        failpoints.reach("directory.before_sync")
        os.fsync(handle)
        failpoints.reach("directory.after_sync")
    finally:
        os.close(handle)
