"""Broadcasts as the API takes and shows them."""

import hashlib
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from annotated_types import Ge, Le
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from controller.approvals.needs import Need
from controller.approvals.states import RequestState
from controller.areas.targets import MAX_SCOPES
from controller.holds.schemas import HeldByOut
from controller.plays.schemas import UnconfirmedOut
from controller.policies.schemas import BreachOut, CategoryCode, UnusualOut
from controller.validation import problem_of
from edge_agent.protocol.states import Drill, Level, Outcome, Reason

from .rules import MAX_ITEMS, During, Phase


def as_on_the_wire(at: datetime) -> datetime:
    """Give an instant in UTC, to whole milliseconds."""
    at = at.astimezone(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


Title = Annotated[str, Field(max_length=1000)]
When = Annotated[
    AwareDatetime,
    Ge(datetime(1970, 1, 1, tzinfo=UTC)),
    Le(datetime(2200, 1, 1, tzinfo=UTC)),
    AfterValidator(as_on_the_wire),
]
"""An instant with which one can reckon: near the ends of the calendar, adding a day overflows."""
Scopes = Annotated[tuple[str, ...], Field(max_length=MAX_SCOPES)]


class WindowIn(BaseModel):
    """When something is to be said."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    start_at: When | None = None
    """None: now."""
    latest_start_at: When | None = None
    latest_end_at: When | None = None
    during: During | None = None
    """With "now": what becomes of a session that sounds there; None: it is waited for, two minutes at most."""
    confirm_unusual: bool = False
    """Whoever asks knows that nothing sounds there at such an hour."""
    confirm_conflicts: bool = False
    """Whoever asks knows that others are planned for the same nodes at that time, or keep them busy now."""


class BroadcastIn(WindowIn):
    """A new broadcast, or the preview of one: what was asked, by whomever and however."""

    title: Title
    recordings: Annotated[tuple[str, ...], Field(max_length=MAX_ITEMS)] = ()
    """Ids, in the order in which they are to sound. Either these, or bulletins, or a programme.

    Of what was sent, a change may leave out all three: what it says stays as it was laid out."""
    bulletins: Annotated[tuple[str, ...], Field(max_length=MAX_ITEMS)] = ()
    """Ids of approved bulletins, in the order in which they are to sound, each in the languages of the places."""
    programme_id: Annotated[str, Field(max_length=64)] | None = None
    """A programme as it is now; later changes of it do not change the broadcast."""
    targets: Scopes
    """``areas/{id}`` and ``nodes/{id}``."""
    level: Literal["normal", "priority"] = "normal"
    category: CategoryCode | None = None
    """What it is about: by it policies tell whether another person must approve it."""

    @property
    def says(self) -> bool:
        """Whether it is given what is to be said."""
        return bool(self.recordings or self.bulletins) or self.programme_id is not None

    @classmethod
    def checked(cls, **given: Any) -> Self:
        """Take what was asked elsewhere than over HTTP.

        Raises:
            InvalidError: a field is wrong by itself.
        """
        try:
            return cls(**given)
        except ValidationError as error:
            raise problem_of(error.errors()) from None

    @property
    def sha256(self) -> str:
        """Hash by which a repeated request is told from another one."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class TargetOut(BaseModel):
    """An area or node at which a broadcast is aimed."""

    model_config = ConfigDict(frozen=True)

    scope: str
    name: str


class ItemOut(BaseModel):
    """One recording in a broadcast."""

    model_config = ConfigDict(frozen=True)

    recording_id: str
    title: str
    language: str
    sha256: str
    offset_ms: int
    length_ms: int


class SaidOut(BaseModel):
    """One voice of one slot of a broadcast, with what it says."""

    model_config = ConfigDict(frozen=True)

    position: int
    """Of the slot, from 0: its voices share it."""
    recording_id: str
    title: str
    """Of its bulletin as it was then, else of the recording."""
    language: str
    offset_ms: int
    """From the start of the broadcast."""
    length_ms: int
    media_url: str | None
    """None: withdrawn since, and served to nobody."""
    words: str
    """What a machine was told to read, else what its bulletin says; empty: not known."""
    is_signal: bool
    is_machine: bool
    bulletin_id: str | None
    """Where that is in sight."""


class AskedOut(BaseModel):
    """Another person's yes, asked for."""

    model_config = ConfigDict(frozen=True)

    id: str
    """Of the request (``/approvals/{id}``)."""
    state: RequestState
    returned_reason: str | None
    refused_by: str | None = None
    """Name of who returned it, or took it back; None: nobody did."""
    refused_at: AwareDatetime | None = None


class BroadcastOut(BaseModel):
    """One dated run to a target."""

    model_config = ConfigDict(frozen=True)

    id: str
    area_id: str | None = None
    """The lowest area above all at which it is aimed; None: there is none."""
    title: str
    level: Level
    urgent: bool
    """It was said "now"."""
    drill: Drill | None = None
    """Not the real thing: marked, or silent."""
    phase: Phase
    start_at: AwareDatetime
    ends_at: AwareDatetime
    """When it ends if it starts on time."""
    latest_start_at: AwareDatetime
    latest_end_at: AwareDatetime
    length_ms: int
    created_at: AwareDatetime
    created_by: str
    """Name of the person."""
    cancelled_at: AwareDatetime | None
    category: str | None = None
    run_id: str | None = None
    """The first version of an edited broadcast; None: this is the first."""
    replaced_by: str | None = None
    """Of one that was replaced: the version in its place, where there is one in sight. Lists leave it out."""
    replays_id: str | None = None
    """The broadcast that it makes up for."""
    schedule_id: str | None = None
    """Of which it is a date, where that is in sight."""
    recurrence_local: datetime | None = None
    """With a schedule: wall time that the rule gives, which names the date."""
    approval: AskedOut | None = None
    """What became of the request for a yes; None: the author's own act was enough."""
    targets: tuple[TargetOut, ...]
    items: tuple[ItemOut, ...]
    node_count: int
    """Nodes that will say, or said, what became of it."""
    unreporting_count: int = 0
    """Wired and FM clusters besides, which never do."""
    ready_count: int
    """Nodes that have its sound."""
    counts: dict[str, int]
    """Plays by outcome, the open ones by state."""
    grades: dict[str, int]
    """Played ones by grade: ``e1``, ``e2``, ``e3``; simulated ones as ``e1_simulated``."""
    simulated: bool = False
    """All nodes that sound now play to a virtual output."""
    unconfirmed: UnconfirmedOut | None = None
    """It, or an earlier version of it, was taken back where nobody can confirm it."""
    held_by: tuple[HeldByOut, ...] = ()
    """Holds that stand now and silence some of its nodes: there it is not heard until they are released, if it may
    still begin by then. Empty when it is over; lists leave it out."""


class NodeRef(BaseModel):
    """A node by name."""

    model_config = ConfigDict(frozen=True)

    node_id: str
    name: str


class ForecastOut(BaseModel):
    """What will happen at some nodes, by the function that they play by."""

    model_config = ConfigDict(frozen=True)

    outcome: Outcome
    reason: Reason | None
    begins_at: AwareDatetime | None
    """None when it does not begin."""
    quiet_hours: str | None
    """``22:00–05:00`` with reason ``quiet_hours``."""
    nodes: tuple[NodeRef, ...]


class CutOut(BaseModel):
    """A broadcast on air that would give way."""

    model_config = ConfigDict(frozen=True)

    broadcast_id: str
    title: str
    at: AwareDatetime
    lost_ms: int
    """Of the item that sounds, which fades out; 0 when it is heard to its end."""
    resumes_at: AwareDatetime | None
    """When it goes on with its next item; None when it does not come back."""
    node_count: int


class ConflictOut(BaseModel):
    """Another session that wants the same nodes at the same time."""

    model_config = ConfigDict(frozen=True)

    start_at: AwareDatetime
    """Of ours, on the first day on which they meet."""
    other_start_at: AwareDatetime
    times: int
    """On how many dates: of a schedule, in the 30 days from now and from its first date on."""
    title: str | None
    """Of the other; None where it is not in sight."""
    schedule_id: str | None
    broadcast_id: str | None
    overlap_ms: int
    node_count: int
    first: Literal["ours", "other"]
    """Whose is heard first; the second waits, unless it cuts the first."""
    cut: Literal["ours", "other"] | None = None
    """Which of the two is cut by the other, that begins later and hard; None: neither is."""


class PreviewOut(BaseModel):
    """What would happen; nothing is saved."""

    model_config = ConfigDict(frozen=True)

    title: str
    start_at: AwareDatetime
    ends_at: AwareDatetime
    latest_start_at: AwareDatetime
    latest_end_at: AwareDatetime
    length_ms: int
    targets: tuple[TargetOut, ...]
    area_names: tuple[str, ...]
    """Areas in which the nodes stand, in the order of the tree."""
    node_count: int
    """Nodes that would say what became of it."""
    unreporting_count: int = 0
    """Wired and FM clusters besides: nobody will know what they play. ``forecasts`` names them too."""
    online_count: int
    played_count: int
    """Nodes that will play it whole if they are reached."""
    late_count: int
    """Of these, those that begin later than asked because something else sounds."""
    forecasts: tuple[ForecastOut, ...]
    """Most nodes first."""
    yields: tuple[str, ...]
    """Titles of broadcasts that sound or wait at the same time."""
    cuts: tuple[CutOut, ...] = ()
    """Broadcasts on air that would give way."""
    refusal: str | None
    """Code with which creating it would be refused; None when it would not."""
    refusal_fields: dict[str, Any]
    """Values that a translated message of the refusal needs."""
    breaches: tuple[BreachOut, ...] = ()
    """Rules of the places' policies that it breaks; not all of them refuse it."""
    unusual: UnusualOut | None = None
    """Why sending it takes ``confirm_unusual``; None when it does not."""
    conflicts: tuple[ConflictOut, ...] = ()
    """What it meets; unless there is nothing, sending it takes ``confirm_conflicts``."""
    approval: Need
    """Whose yes it takes when the person who asks sends it."""
    held_by: tuple[HeldByOut, ...] = ()
    """Holds that stand now and silence some of its nodes."""


class ReplayIn(WindowIn):
    """When what was missed is to be said again; what and where follows from it."""


class MissedOut(BaseModel):
    """A node that missed a broadcast."""

    model_config = ConfigDict(frozen=True)

    node_id: str
    name: str
    outcome: Outcome
    """``missed``, ``expired``, ``interrupted`` before its half, or ``unknown``."""
    reason: Reason | None
    played_ms: int | None
    requested_ms: int | None


class ReplayPreviewOut(BaseModel):
    """What a replay would do; nothing is saved."""

    model_config = ConfigDict(frozen=True)

    missed: tuple[MissedOut, ...]
    """The nodes at which it would be heard, area by area."""
    broadcast: PreviewOut
