"""What a node says: presence, health, receipts, the question for the time."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, field

from .fields import Code, Count, Id, Instant, KeyId, Language, NumericDate, Positive, Scope, Sha256, Text, Wire
from .states import CENTRE_OUTCOMES, ClockState, Drill, Grade, Outcome, PlayState, Reason
from .topics import Word
from .updates import Board, PythonVersion, UpdateReport

PROTOCOL = 1
"""Major version of this wire, the ``v1`` of the topics."""


class Report(Wire, frozen=True, kw_only=True):
    """Base of what a node publishes under its own name."""

    word: ClassVar[Word]
    qos: ClassVar[int]
    retain: ClassVar[bool] = False


class Abilities(Wire, frozen=True, kw_only=True):
    """What a node can do. The centre uses nothing that was not offered."""

    software: Annotated[str, Meta(max_length=64)]
    """Name and version, as ``loa-agent 0.1.0``."""
    protocols: Annotated[tuple[int, ...], Meta(min_length=1, max_length=8)] = (PROTOCOL,)
    codecs: Annotated[tuple[Code, ...], Meta(max_length=16)] = ("opus",)
    output: Literal["card", "virtual"]
    best_grade: Grade
    input: Literal["none", "loopback", "line", "microphone"] = "none"
    """What listens to its own sound."""
    input_simulated: bool = False
    languages: Annotated[tuple[Language, ...], Meta(max_length=32)] = ("vi",)
    clock_battery: bool = False
    commands: Annotated[tuple[Code, ...], Meta(max_length=32)] = ("restart",)
    """Actions it obeys. The centre sends no others: an older agent does not even know some words."""
    board: Board | None = None
    """Which bundles it takes; absent where it cannot be updated."""
    python: PythonVersion | None = None


class Online(Report, frozen=True, kw_only=True, tag_field="state", tag="online"):
    """Hello."""

    word = Word.PRESENCE
    qos = 1
    retain = True

    boot_id: Id
    """Changes with every boot of the machine."""
    connected_at: Instant
    """By the node's clock, which may be wrong."""
    abilities: Abilities
    release: Count = 0
    """The one that runs; 0 for what came with the card."""
    update: UpdateReport | None = None
    """The last one that it was told to take; absent when there was none."""


class Leaving(Report, frozen=True, kw_only=True, tag_field="state", tag="leaving"):
    """Goodbye with a reason: ``shutdown``, ``restart``, ``update``."""

    word = Word.PRESENCE
    qos = 1
    retain = True

    reason: Code


class Lost(Report, frozen=True, kw_only=True, tag_field="state", tag="lost"):
    """The last will: the broker says it when the link breaks."""

    word = Word.PRESENCE
    qos = 1
    retain = True

    boot_id: Id


Presence = Online | Leaving | Lost


class Held(Wire, frozen=True, kw_only=True):
    """Version of a document that the node obeys."""

    epoch: Positive
    version: Positive
    complete: bool = True
    """For a plan: its body is here too."""


class NowPlaying(Wire, frozen=True, kw_only=True):
    """What leaves the output right now."""

    broadcast_id: Id
    item: Annotated[int, Meta(ge=0, le=499)]
    started_at: Instant
    ends_at: Instant


class ClockReport(Wire, frozen=True, kw_only=True):
    """State of the node's clock."""

    state: ClockState
    offset_ms: Annotated[float, Meta(ge=-1e14, le=1e14)] | None = None
    """Node minus centre at the last answer; absent before the first."""
    why: Code | None = None
    """While it is ``untrusted``: ``no_source`` ``stepped`` ``behind`` ``disagrees`` ``expired``."""


class FaultReport(Wire, frozen=True, kw_only=True):
    """Something wrong with the node, standing now."""

    code: Code
    since_at: Instant
    detail: Text = ""


class SelfTestReport(Wire, frozen=True, kw_only=True):
    """The last self-test, a short tone that the node plays and listens to; or the last time that it said its number."""

    command_id: Id
    at: Instant
    result: Literal["heard", "not_heard", "unsure", "not_listened", "refused", "failed"]
    """``not_listened``: it left the output, and nothing here can hear."""
    reason: Reason | None = None
    """With ``refused`` and ``failed``: why."""
    simulated: bool = False
    """It rests on a virtual output or microphone."""


class ReferenceReport(Wire, frozen=True, kw_only=True):
    """What the place did to sound when its horns were new, and whether it still does."""

    wanted: bool = False
    """A person has asked for a new one: it is taken from the session in which the tune sounds next."""
    sha256: Sha256 | None = None
    """The tune; sessions with it are compared. Absent while there is none."""
    taken_at: Instant | None = None
    change: Literal["same", "weaker", "different", "silent"] | None = None
    """What the last of those sessions told; absent before the first."""
    judged_at: Instant | None = None
    level_db: Annotated[float, Meta(ge=-200, le=200)] | None = None
    """That session less the reference; absent when it was silent."""


class LackReport(Wire, frozen=True, kw_only=True):
    """A broadcast that cannot sound whole as it stands."""

    broadcast_id: Id
    start_at: Instant
    reason: Reason
    """As its receipt will say it, if nothing comes: ``no_file`` ``corrupt_file`` ``no_space``."""


class CacheReport(Wire, frozen=True, kw_only=True):
    """Recordings that are due within 24 h."""

    due: Count
    here: Count
    lacks: Annotated[tuple[LackReport, ...], Meta(max_length=8)] = ()
    """Of the broadcasts of the next ten minutes, the first of those that lack something."""


class Health(Report, frozen=True, kw_only=True):
    """State of a node: every 30 s and on change. A heartbeat is not a record."""

    word = Word.HEALTH
    qos = 0

    sent_at: Instant
    uptime_ms: Count
    """Of the agent."""
    held: Annotated[dict[Scope, dict[Code, Held]], Meta(max_length=64)] = field(default_factory=dict)
    """Scope → word (``hold urgent plan settings``) → version obeyed."""
    holds: Annotated[tuple[Id, ...], Meta(max_length=256)] = ()
    """Holds that silence the node now."""
    now_playing: NowPlaying | None = None
    clock: ClockReport
    faults: Annotated[tuple[FaultReport, ...], Meta(max_length=64)] = ()
    dropped: Annotated[dict[Code, Count], Meta(max_length=64)] = field(default_factory=dict)
    """Messages without effect since the agent started, by error code."""
    disk_free_bytes: Count | None = None
    disk_free_files: Count | None = None
    """How many more files fit; absent where the file system does not count them."""
    memory_bytes: Count | None = None
    """Resident size of the agent."""
    temperature_c: Annotated[float, Meta(ge=-60, le=150)] | None = None
    supply_low: bool | None = None
    """The supply's voltage is too low, or was within the last minute; absent where the machine does not tell."""
    link_rtt_ms: Annotated[float, Meta(ge=0, le=1e7)] | None = None
    link_reconnects: Count | None = None
    """Within the last hour."""
    link_kind: Code | None = None
    """The radio that carries it: ``wifi``, ``mobile``; absent where none tells."""
    link_signal: Annotated[int, Meta(ge=0, le=100)] | None = None
    """Percent: 0 is about to break."""
    lease_until: Instant | None = None
    """The first of the plans held may be played until then; absent when none is held."""
    cache: CacheReport | None = None
    """Absent before settings and a first look."""
    storage_errors: Count | None = None
    """That the kernel has counted on the file system of the state; absent where it does not."""
    muted: bool | None = None
    """The card's mixer lets nothing through; absent for an output without one."""
    amplifier_on: bool | None = None
    """Absent where no pin is given."""
    store_id: Id
    last_seq: Count
    """Highest receipt event written; 0 when none."""
    acked_seq: Count
    """Highest that the centre has acknowledged."""
    self_test: SelfTestReport | None = None
    identified: SelfTestReport | None = None
    """The last time that it said its number (``calling``) aloud, by command."""
    reference: ReferenceReport | None = None
    """Absent when nothing here can hear."""
    keys: Annotated[tuple[KeyId, ...], Meta(max_length=16)] = ()
    """Names of the centre's keys that the node trusts: a rotation waits for it."""
    release: Count = 0
    update: UpdateReport | None = None
    """As in the hello."""


class PlayEvent(Wire, frozen=True, kw_only=True):
    """One thing that happened to a play: a step forward, or its end. Exactly one of ``state`` and ``outcome``."""

    seq: Positive
    """1, 2, 3… within one store, without gaps."""
    at: Instant
    broadcast_id: Id
    state: PlayState | None = None
    outcome: Outcome | None = None
    reason: Reason | None = None
    """With an outcome other than ``played``: why."""
    by: Id | None = None
    """With ``interrupted``: the broadcast or hold that cut it. With ``already_begun``: the version that began."""
    item: Annotated[int, Meta(ge=0, le=499)] | None = None
    """With ``playing``: the item that began."""
    start_error_ms: Annotated[float, Meta(ge=-1e7, le=1e9)] | None = None
    """First frame at the output minus the start that was due."""
    requested_ms: Count | None = None
    """Length that was to sound."""
    played_ms: Count | None = None
    """Length whose frames the output consumed."""
    underruns: Count | None = None
    grade: Grade | None = None
    """Evidence for ``played`` and ``interrupted`` (DESIGN section 6)."""
    simulated: bool = False
    """The grade rests on a virtual output or microphone."""
    drill: Drill | None = None
    """Not the real thing. Of a silent one no grade but E0 is told: nothing was to be heard."""

    def __post_init__(self) -> None:
        """Check which fields go together."""
        super().__post_init__()
        if (self.state is None) == (self.outcome is None):
            raise ValueError("PlayEvent: give either state or outcome")
        if self.outcome in CENTRE_OUTCOMES:
            raise ValueError(f"PlayEvent.outcome: only the centre says {self.outcome}")
        if self.drill is Drill.SILENT:
            if self.grade not in {None, Grade.E0}:
                raise ValueError("PlayEvent.grade: a silent drill gives no evidence of sound")
        elif self.outcome is Outcome.PLAYED and (self.grade is None or self.grade < Grade.E1):
            raise ValueError("PlayEvent.outcome: played needs evidence of grade E1 or better")


class Receipts(Report, frozen=True, kw_only=True):
    """Play events in sequence, signed with the node's own key. Sent again until acknowledged; kept 30 days."""

    word = Word.RECEIPTS
    qos = 1

    iss: Id
    """The node."""
    iat: NumericDate
    store_id: Id
    """Changes when the node's store is lost, so that numbers may start anew."""
    kept_from_seq: Positive = 1
    """Lowest number that the node still keeps: what the centre lacks below it will never come."""
    events: Annotated[tuple[PlayEvent, ...], Meta(min_length=1, max_length=200)]


class TimeAsk(Report, frozen=True, kw_only=True):
    """What time is it? The nonce makes an old answer useless."""

    word = Word.TIME_ASK
    qos = 1

    nonce: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
