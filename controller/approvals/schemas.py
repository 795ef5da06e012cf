"""Requests for a yes as the API takes and shows them."""

from typing import Annotated, Any, Literal

from annotated_types import Ge, Le
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from controller.validation import NO_BOOL
from edge_agent.protocol.states import Level

from .states import RequestState

MOST_SPANS = 200
Milliseconds = Annotated[int, Ge(0), Le(24 * 3_600_000), NO_BOOL]


class ApproveIn(BaseModel):
    """A yes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    confirm_unusual: Annotated[bool, Field(strict=True)] = False
    """It was to be said "now", and its hour has become an unusual one: that is meant."""


class ReturnIn(BaseModel):
    """Why something is not approved, for whoever asked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: Annotated[str, Field(max_length=2000)]


class PaperIn(BaseModel):
    """The paper on which a request rests."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    document_number: Annotated[str, Field(max_length=1000)]
    """``45/TB-UBND``; empty: there is none."""


class ListeningIn(BaseModel):
    """What the page's player played to the person who asks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    spans: Annotated[tuple[tuple[Milliseconds, Milliseconds], ...], Field(max_length=MOST_SPANS)]
    """From and until, from the start of the file."""


class ListeningOut(BaseModel):
    """How much of a recording the person who asks has heard."""

    model_config = ConfigDict(frozen=True)

    recording_id: str
    sha256: str
    length_ms: int
    spans: tuple[tuple[int, int], ...]
    heard_ms: int
    whole: bool
    """Nearly all of it: enough to approve it."""


class FileOut(BaseModel):
    """One file that would be heard, as it stands to the person who asks."""

    model_config = ConfigDict(frozen=True)

    recording_id: str | None
    """None when it is nobody's in sight; it can be listened to all the same."""
    title: str
    language: str
    sha256: str
    media_url: str
    length_ms: int
    is_machine: bool
    """A machine speaks, and whoever shows it says so."""
    words: str | None
    """What a machine was told to read; None: a person speaks, it is a cut, or it is nobody's in sight."""
    news: Literal["new", "changed", "known"]
    """``changed``: they approved this before, without this file. ``known``: they approved this file before."""
    heard_ms: int
    whole: bool


class AimOut(BaseModel):
    """An area or node at which it is aimed."""

    model_config = ConfigDict(frozen=True)

    scope: str
    name: str


class ApprovalRow(BaseModel):
    """A request for a yes, in the queue."""

    model_config = ConfigDict(frozen=True)

    id: str
    subject: str
    """``broadcasts/{id}`` or ``schedules/{id}``."""
    title: str
    area_id: str | None
    targets: tuple[AimOut, ...]
    level: Level
    categories: tuple[str, ...]
    length_ms: int
    first_start_at: AwareDatetime
    """Of what waits for this; what has passed by is left out while something is to come."""
    not_before_at: AwareDatetime
    not_after_at: AwareDatetime
    content_sha256: str
    state: RequestState
    document_number: str | None
    scan_type: str | None
    """Media type of the scan; None: there is none."""
    asked_by: str
    """Name of the person."""
    asked_by_id: str
    asked_at: AwareDatetime
    decided_by: str | None
    decided_by_id: str | None
    decided_at: AwareDatetime | None
    returned_reason: str | None


class BeforeOut(BaseModel):
    """The yes that a request is held against: the last one of who asks, if they ever gave one, else of anybody."""

    model_config = ConfigDict(frozen=True)

    by: str
    at: AwareDatetime


class ChangeOut(BaseModel):
    """One thing that is otherwise than it was approved."""

    model_config = ConfigDict(frozen=True)

    field: str
    """``title``, ``targets``, ``start_at``, ``rule``, ``items``…; ``bulletin.…`` with the fields of a bulletin's
    version, ``bulletin.state``, or ``bulletin.version`` where the words are not in sight."""
    before: Any
    after: Any
    bulletin: str | None = None
    """Title of the bulletin whose words they are."""
    heard: Literal["before", "after"] = "after"
    """What would sound. ``before``: a bulletin was edited since, and this still says what it said."""


class ApprovalOut(ApprovalRow):
    """A request for a yes, with all that would be heard."""

    files: tuple[FileOut, ...]
    before: BeforeOut | None
    """None: nobody approved it before."""
    changes: tuple[ChangeOut, ...]
    """What an edit changed since."""
    refusal: str | None
    """Code with which approving would be refused to the person who asks now; None when it would not."""


class AloneOut(BaseModel):
    """Something that its author approved alone, within the bounds of the policy."""

    model_config = ConfigDict(frozen=True)

    id: str
    broadcast_id: str
    area_id: str | None
    """The lowest area above all at which it is aimed."""
    title: str
    category: str | None
    person: str
    person_id: str
    given_at: AwareDatetime
    start_at: AwareDatetime
    length_ms: int
    seen_at: AwareDatetime | None
    """When the leader ticked it off."""
