"""Signed documents from the centre: one class per word on the wire. Each knows its topic, key, QoS and retain flag."""

from enum import StrEnum
from typing import Annotated, ClassVar

from msgspec import Meta, field

from .content import Broadcast, Voice
from .fields import (
    Count,
    Id,
    Instant,
    KeyId,
    Language,
    Millibel,
    Millis,
    NumericDate,
    Positive,
    Scope,
    Sha256,
    TimeOfDay,
    Wire,
)
from .states import KeyUse
from .topics import Word

MAX_INLINE_BYTES = 16 * 1024
"""Audio that may ride inside an urgent (DESIGN section 4): 4 s of speech at 32 kbit/s."""

MAX_RELEASE_BYTES = 2048
"""A release with four keys has 930."""


class Signed(Wire, frozen=True, kw_only=True):
    """Claims that every signed document carries."""

    word: ClassVar[Word]
    key_use: ClassVar[KeyUse] = KeyUse.DISPATCH
    qos: ClassVar[int] = 1
    retain: ClassVar[bool] = False

    aud: Scope
    """For whom. Must be the scope of the topic on which it arrives."""
    epoch: Positive
    """Life of the centre: rises with every restore, never falls."""
    version: Positive
    """Rises with every document of this word for this scope within the epoch."""
    iat: NumericDate
    nbf: NumericDate
    exp: NumericDate

    def __post_init__(self) -> None:
        """Check that the window is not empty."""
        super().__post_init__()
        if self.nbf >= self.exp:
            raise ValueError(f"{type(self).__name__}: nbf must be before exp")


class HoldOrder(Wire, frozen=True, kw_only=True):
    """One STOP."""

    hold_id: Id
    ordered_at: Instant


class Hold(Signed, frozen=True, kw_only=True):
    """All STOPs of a scope, and the releases. A hold ends only by a release that names it, here or on another scope.

    Obeyed whatever the clock says: ``nbf`` and ``exp`` are not applied.
    """

    word = Word.HOLD
    retain = True

    active: Annotated[tuple[HoldOrder, ...], Meta(max_length=64)] = ()
    released: Annotated[tuple[Id, ...], Meta(max_length=256)] = ()
    """Holds that are over. Names stay here until every node of the scope has reported that it let go."""


class Stop(Wire, frozen=True, kw_only=True):
    """Ends one broadcast, begun or not."""

    broadcast_id: Id
    stopped_at: Instant


class Urgent(Signed, frozen=True, kw_only=True):
    """What must sound now, and explicit stops. Usually empty. Loses a broadcast only after its latest end or a stop."""

    word = Word.URGENT
    retain = True

    broadcasts: Annotated[tuple[Broadcast, ...], Meta(max_length=64)] = ()
    stops: Annotated[tuple[Stop, ...], Meta(max_length=256)] = ()
    """Kept until the latest end of the broadcast they name."""
    inline: dict[Sha256, bytes] = field(default_factory=dict)
    """Short audio by its hash (base64 on the wire), at most 16 KiB together."""

    def __post_init__(self) -> None:
        """Check the size of what rides inside."""
        super().__post_init__()
        if sum(map(len, self.inline.values())) > MAX_INLINE_BYTES:
            raise ValueError(f"Urgent.inline: more than {MAX_INLINE_BYTES} bytes")


class Plan(Signed, frozen=True, kw_only=True):
    """Manifest of what a scope is to play. Re-signed every 6 h, which renews the lease."""

    word = Word.PLAN
    retain = True

    covers_until: Instant
    """Up to here the plan is complete; later broadcasts come with a later version."""
    lease_until: Instant
    """The node plays by this plan until then without hearing from the centre."""
    body_sha256: Sha256
    body_bytes: Count
    """Size of the packed body at ``/plans/{body_sha256}``."""


class Membership(Wire, frozen=True, kw_only=True):
    """An area that a node hears."""

    area_id: Id
    plan_from_version: Positive = 1
    """The node waits for at least this plan version before it drops the plan of an area it left."""


class QuietHours(Wire, frozen=True, kw_only=True):
    """Wall-clock window in the settings' zone; over midnight when ``until`` is before ``start``."""

    start: TimeOfDay
    until: TimeOfDay

    def __post_init__(self) -> None:
        """Check that the window is not empty."""
        super().__post_init__()
        if self.start == self.until:
            raise ValueError("QuietHours: start and until are the same; leave the window out instead")


class NightCap(Wire, frozen=True, kw_only=True):
    """Lower ceiling of the volume within a window."""

    window: QuietHours
    cap_mb: Millibel


class TrustedKey(Wire, frozen=True, kw_only=True):
    """A key of the centre that the node is to trust."""

    kid: KeyId
    use: KeyUse
    x: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{43}\Z")]
    """Ed25519 public key, base64url without padding (RFC 8037)."""


class Settings(Signed, frozen=True, kw_only=True):
    """The node's last guard, signed by the policy key so that it does not fall with the dispatcher."""

    word = Word.SETTINGS
    key_use = KeyUse.POLICY
    retain = True

    areas: Annotated[tuple[Membership, ...], Meta(max_length=16)] = ()
    """From the node's own area upwards to the root."""
    zone: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_+/-]{1,64}\Z")] = "Asia/Ho_Chi_Minh"
    """IANA zone of windows, quiet hours and night cap."""
    quiet_hours: Annotated[tuple[QuietHours, ...], Meta(max_length=8)] = ()
    windows: Annotated[tuple[QuietHours, ...], Meta(max_length=8)] = ()
    """Routine sounds only within one of them; empty: at any hour that is not quiet."""
    volume_mb: Millibel = 0
    trim_mb: Millibel = 0
    cap_mb: Millibel = 0
    """No sound is louder, emergencies included."""
    night_cap: NightCap | None = None
    languages: Annotated[tuple[Language, ...], Meta(min_length=1, max_length=16)] = ("vi",)
    """In the order in which the area wants to hear them."""
    max_broadcast_ms: Millis = 3_600_000
    max_emergency_ms: Millis = 1_800_000
    plays_per_hour: Annotated[int, Meta(ge=0, le=1000)] = 30
    clock_hold_ms: Annotated[int, Meta(ge=0, le=30 * 86_400_000)] = 72 * 3_600_000
    """How long a trusted clock stays good without a new source, while not rebooted."""
    health_interval_ms: Annotated[int, Meta(ge=1_000, le=600_000)] = 30_000
    trusted_keys: Annotated[tuple[TrustedKey, ...], Meta(min_length=2, max_length=16)]
    """All keys to trust from now on; the policy key that signs this must be among them. What a key signed that is no
    longer here stays in force until something newer takes its place."""
    pinned: Annotated[tuple[Voice, ...], Meta(max_length=256)] = ()
    """Recordings to be kept here always, fetched before others: what an emergency may need when nothing connects."""
    revoked_keys: Annotated[tuple[KeyId, ...], Meta(max_length=64)] = ()
    """Keys that others may have: what they signed is void at once, as if it had never come. Named for good."""
    download_kbit_s: Annotated[int, Meta(ge=8, le=1_000_000)] | None = None
    """Ceiling of what is fetched ahead of time, thousands of bits a second. What is urgent knows none."""

    def __post_init__(self) -> None:
        """Check that no key is believed and not believed."""
        super().__post_init__()
        if both := {key.kid for key in self.trusted_keys}.intersection(self.revoked_keys):
            raise ValueError(f"Settings.revoked_keys: {min(both)} is among trusted_keys too")


class CommandAction(StrEnum):
    """One-off acts."""

    IDENTIFY = "identify"
    SELF_TEST = "self_test"
    SEND_LOG = "send_log"
    RESTART = "restart"
    UPDATE = "update"
    REFERENCE = "reference"
    """Take the acoustic reference anew, from the session in which the tune sounds next."""


class Command(Signed, frozen=True, kw_only=True):
    """A one-off act; twice is once (by ``command_id``), too late is never (by ``exp``)."""

    word = Word.COMMAND

    command_id: Id
    action: CommandAction
    sha256: Sha256 | None = None
    """With ``reference``: the signature tune; without it, what the next session begins with."""
    release: Annotated[str, Meta(max_length=MAX_RELEASE_BYTES)] | None = None
    """With ``update``: the release to take, as a compact JWS with an update key (``updates.Release``)."""


class ReceiptsAck(Signed, frozen=True, kw_only=True):
    """Highest receipt stored, sent after the database commit."""

    word = Word.RECEIPTS_ACK

    store_id: Id
    stored_through_seq: Count
    """All events up to here are in the database."""
    send_from_seq: Positive | None = None
    """Asks the node to send again from here."""


class TimeAnswer(Signed, frozen=True, kw_only=True):
    """The centre's time, for the nonce that was asked."""

    word = Word.TIME_ANSWER

    nonce: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
    time_at: Instant


DOCUMENTS: tuple[type[Signed], ...] = (Hold, Urgent, Plan, Settings, Command, ReceiptsAck, TimeAnswer)
"""Every signed document of the centre."""

BY_WORD: dict[Word, type[Signed]] = {document.word: document for document in DOCUMENTS}
