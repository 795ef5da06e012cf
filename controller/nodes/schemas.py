"""Nodes as the API takes and shows them."""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from controller.areas.move_schemas import refuse_to_move

from .rules import NodeKind, NodeStatus

Millibel = Annotated[int, Field(ge=-6000, le=1200, strict=True)]
FURTHEST_OFF_M = 100.0
"""A position that is less sure than this names another house, or another hamlet."""


class NowPlayingOut(BaseModel):
    """What leaves a node's output, as it says."""

    model_config = ConfigDict(frozen=True)

    broadcast_id: str
    title: str | None
    """None when the broadcast is not one of ours."""
    started_at: AwareDatetime
    ends_at: AwareDatetime


class FaultOut(BaseModel):
    """Something wrong with a node, standing now."""

    model_config = ConfigDict(frozen=True)

    code: str
    since_at: AwareDatetime
    detail: str


class SelfTestOut(BaseModel):
    """What became of a node's short tone, or of its number said aloud."""

    model_config = ConfigDict(frozen=True)

    command_id: str
    at: AwareDatetime
    result: Literal["heard", "not_heard", "unsure", "not_listened", "refused", "failed"]
    reason: str | None = None
    """Why it was refused, or failed."""
    simulated: bool = False


class ReferenceOut(BaseModel):
    """How a node's horns sounded when a person said that all is well, and how they sound now."""

    model_config = ConfigDict(frozen=True)

    wanted: bool = False
    """It will be taken anew from the session in which the tune sounds next."""
    sha256: str | None = None
    taken_at: AwareDatetime | None = None
    change: Literal["same", "weaker", "different", "silent"] | None = None
    """What the last session with the tune told."""
    judged_at: AwareDatetime | None = None
    level_db: float | None = None
    """Now less then."""


class LackOut(BaseModel):
    """A broadcast that cannot sound whole on a node as it stands."""

    model_config = ConfigDict(frozen=True)

    broadcast_id: str
    title: str | None = None
    """None when the broadcast is not one of ours."""
    start_at: AwareDatetime
    reason: str


class CacheOut(BaseModel):
    """Recordings that are due within 24 h, and how many of them are on the node."""

    model_config = ConfigDict(frozen=True)

    due: int
    here: int
    lacks: tuple[LackOut, ...] = ()
    """Of the broadcasts of the next ten minutes, those that lack something."""


class ConditionOut(BaseModel):
    """What a node last said of itself and its device; None for what it does not tell."""

    model_config = ConfigDict(frozen=True)

    sent_at: AwareDatetime | None = None
    """By its own clock."""
    uptime_ms: int | None = None
    """Of its agent."""
    clock_why: str | None = None
    """Why its clock is not believed, while it is not."""
    lease_until: AwareDatetime | None = None
    """It plays by what it holds until then without a word from the centre."""
    cache: CacheOut | None = None
    disk_free_files: int | None = None
    memory_bytes: int | None = None
    storage_errors: int | None = None
    """That its kernel has counted on its memory card."""
    supply_low: bool | None = None
    link_kind: str | None = None
    """The radio that carries its link: ``wifi``, ``mobile``."""
    link_signal: int | None = None
    """Percent."""
    link_rtt_ms: float | None = None
    link_reconnects: int | None = None
    """Within an hour."""
    muted: bool | None = None
    """Its sound card lets nothing through."""
    amplifier_on: bool | None = None


class UpdateOut(BaseModel):
    """What became of the last release that a node was told to take, as it says."""

    model_config = ConfigDict(frozen=True)

    release: int
    version: str
    state: Literal["fetching", "waiting", "trying", "good", "returned", "refused"]
    reason: str | None


class AskedOut(BaseModel):
    """A node was asked; its answer names this id."""

    model_config = ConfigDict(frozen=True)

    command_id: str
    asked_at: AwareDatetime


class LogOut(BaseModel):
    """A log that a node was asked for."""

    model_config = ConfigDict(frozen=True)

    id: str
    """As the command's."""
    asked_at: AwareDatetime
    asked_by_name: str | None
    state: Literal["waiting", "here", "missed"]
    """``missed``: it did not come in time, and is not taken any more."""
    received_at: AwareDatetime | None
    lines: int | None
    bytes: int | None


class ReferenceIn(BaseModel):
    """From which session the acoustic reference is to be taken."""

    model_config = ConfigDict(extra="forbid")

    recording_id: str | None = None
    """The signature tune; left out: the next session, and what it begins with."""


class PositionIn(BaseModel):
    """Where a node stands."""

    model_config = ConfigDict(extra="forbid")

    latitude: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
    """Degrees, WGS 84."""
    longitude: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
    accuracy_m: Annotated[float, Field(ge=0, le=FURTHEST_OFF_M, allow_inf_nan=False)] | None = None
    """As the telephone said that took it; None: it was set by hand."""


class PositionOut(BaseModel):
    """Where a node stands, as a person said."""

    model_config = ConfigDict(frozen=True)

    latitude: float
    longitude: float
    accuracy_m: float | None
    at: AwareDatetime | None


class NodeOut(BaseModel):
    """One agent with its amplifier and horns."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    call_number: str = ""
    """The six digits that it says aloud when it is asked which one it is."""
    kind: NodeKind = NodeKind.AGENT
    area_id: str
    area_path: tuple[str, ...]
    """Names from the root down to its area."""
    status: NodeStatus
    status_since: AwareDatetime | None
    """None for a node that was never heard from."""
    last_heard_at: AwareDatetime | None
    leaving_reason: str | None
    """Why it said goodbye; None when it did not."""
    now_playing: NowPlayingOut | None
    held_up_to_date: bool
    """It obeys the newest signed documents of all its areas."""
    holds: tuple[str, ...]
    """Holds that silence it, as it says."""
    clock_state: Literal["trusted", "held", "untrusted"] | None
    clock_offset_ms: float | None
    """Node minus centre at the last answer."""
    faults: tuple[FaultOut, ...]
    looked_after: tuple[str, ...] = ()
    """Codes of what is wrong and was acknowledged (resource ``faults``), ``offline`` among them."""
    best_grade: int | None
    """Best grade of evidence it can give; None before its first hello."""
    simulated_output: bool
    """Its output is virtual: nothing sounds."""
    simulated_input: bool = False
    """What listens to it is no real sensor: what it proves beyond E1 is marked so."""
    commands: tuple[str, ...] = ()
    """One-off acts that it offers."""
    self_test: SelfTestOut | None = None
    """The last one, as it says."""
    identified: SelfTestOut | None = None
    """The last time that it said its number aloud, by command."""
    reference: ReferenceOut | None = None
    """Its acoustic reference; None when nothing there can hear."""
    software: str | None
    release: int | None = None
    """The release that runs there, as it says; 0 is what came with its card, None: it takes no updates."""
    board: str | None = None
    """Which bundles it takes."""
    update: UpdateOut | None = None
    disk_free_bytes: int | None
    temperature_c: float | None
    condition: ConditionOut | None = None
    """Given for one node; a list leaves it out."""
    volume_mb: int
    trim_mb: int
    settings_confirmed: bool | None = None
    """It obeys the newest settings; None: it has none, or is of a kind that reports nothing."""
    position: PositionOut | None = None
    enrolled_at: AwareDatetime
    certificate_expires_at: AwareDatetime | None
    """None for a node without an agent."""

    @property
    def scope(self) -> str:
        """Name of this node as a target."""
        return f"nodes/{self.id}"


class NodeChange(BaseModel):
    """What is to change; fields left out stay."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = None
    volume_mb: Millibel | None = None
    trim_mb: Millibel | None = None
    position: PositionIn | None = None

    @model_validator(mode="before")
    @classmethod
    def _stays_where_it_stands(cls, given: Any) -> Any:
        return refuse_to_move(given, "area_id")


class SpotOut(BaseModel):
    """A node on the map."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    area_id: str
    latitude: float
    longitude: float
    status: NodeStatus
    since_at: AwareDatetime | None
    faults: tuple[str, ...]
    """Codes of what is wrong, by its own word, while it is heard from."""
    is_left: bool
    """Something is wrong that nobody looks after."""
    is_playing: bool
    is_held: bool
    """Silenced until a hold is released, by its own word."""
    simulated: bool
    """What it plays goes to no loudspeaker."""


class MapOut(BaseModel):
    """Where nodes in sight stand, and how."""

    model_config = ConfigDict(frozen=True)

    spots: tuple[SpotOut, ...]
    """What asks for a hand first."""
    unplaced: int
    """Nodes of which nobody said where they stand."""


class ContactOut(BaseModel):
    """Somebody who looks after a node where it stands."""

    model_config = ConfigDict(frozen=True)

    person_id: str
    name: str
    role: Literal["helper", "technician"]
    area_id: str | None
    """For which place they were asked to; None: everywhere."""
    phone: str | None


class HealthStepOut(BaseModel):
    """What a node told of itself within ten minutes; None for what it did not tell."""

    model_config = ConfigDict(frozen=True)

    at: AwareDatetime
    """Its beginning."""
    heard: float
    """In how much of it the node was heard from, 0 to 1, by the minute."""
    temperature_c: float | None = None
    """The highest."""
    link_rtt_ms: float | None = None
    """The middle of what it told. The same for the next."""
    link_signal: int | None = None
    clock_offset_ms: float | None = None
    """The one farthest from nothing."""
    supply_low: bool | None = None
    """At any time."""
    disk_free_bytes: int | None = None
    """The last."""
    faults: tuple[str, ...] = ()
    """Codes of all that it named."""


class HealthOut(BaseModel):
    """How a node was over a time."""

    model_config = ConfigDict(frozen=True)

    from_at: AwareDatetime
    until_at: AwareDatetime
    steps: tuple[HealthStepOut, ...]


class SoundsOut(BaseModel):
    """What of ours sounds at a node, by its word, and where in it that is now."""

    model_config = ConfigDict(frozen=True)

    broadcast_id: str
    title: str
    sha256: str
    """Of the recording: ``/media/{sha256}.opus``."""
    language: str
    length_ms: int
    at_ms: int
    """Since it began, by the node's word and the centre's clock."""
    ends_at: AwareDatetime


class NodeIn(BaseModel):
    """A cluster without an agent: it stands in the tree so that its schedule is seen, and reports nothing."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal[NodeKind.WIRED, NodeKind.FM]
    """Nodes with an agent ask for themselves (enrolments)."""
    area_id: str
    name: str


class RevokeIn(BaseModel):
    """Why a node is given up."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(max_length=200)]


class RevokedOut(BaseModel):
    """A node that is nobody's any more."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    revoked_at: AwareDatetime
    certificates: tuple[str, ...]
    """Serial numbers of what is void."""
    plays_ended: int
    """Of which nobody will hear any more."""
