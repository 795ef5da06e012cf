"""Bulletins as the API takes and shows them."""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from controller.areas.schemas import Language
from controller.broadcasts.schemas import When
from controller.policies.schemas import CategoryCode
from controller.recordings.states import RecordingState
from controller.validation import NO_BOOL

from .states import BulletinState

MAX_VOICES = 16
"""As many as ``edge_agent.protocol.content.Item`` takes."""
MAX_TEXT = 20_000
"""Characters in one language: about half an hour of speech."""
MAX_REASON = 1000

Category = CategoryCode
"""A word of the policies' categories (``GET /categories``): ``notice``, ``news``, ``weather``…"""
OfferLevel = Literal["normal", "priority"]
"""What is offered to a programme (Circular 39/2020). An emergency is not offered, it is ordered."""
Version = Annotated[int, Field(ge=1, le=2**31 - 1), NO_BOOL]


class VoiceIn(BaseModel):
    """A bulletin in one language: words, a recording, or both."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    language: Language
    text: Annotated[str, Field(max_length=MAX_TEXT)] | None = None
    recording_id: Annotated[str, Field(max_length=64)] | None = None


Voices = Annotated[list[VoiceIn], Field(min_length=1, max_length=MAX_VOICES)]
"""In the order that counts where none of the languages is asked for: there the first is heard."""


class BulletinIn(BaseModel):
    """A new bulletin."""

    model_config = ConfigDict(extra="forbid")

    area_id: str
    """Whose it is."""
    title: Annotated[str, Field(max_length=1000)]
    category: Category = "notice"
    level: OfferLevel = "normal"
    author: Annotated[str, Field(max_length=1000)] = ""
    """Empty: the person who writes it."""
    source: Annotated[str, Field(max_length=1000)] = ""
    """Where the words come from: an office, a newspaper, a person."""
    document_number: Annotated[str, Field(max_length=1000)] | None = None
    voices: Voices


class BulletinChange(BaseModel):
    """What is to change; fields left out stay."""

    model_config = ConfigDict(extra="forbid")

    version: Version
    """The one that was seen. When there is a newer one, nothing changes."""
    title: Annotated[str, Field(max_length=1000)] = ""
    category: Category = "notice"
    level: OfferLevel = "normal"
    author: Annotated[str, Field(max_length=1000)] = ""
    source: Annotated[str, Field(max_length=1000)] = ""
    document_number: Annotated[str, Field(max_length=1000)] | None = None
    voices: Voices = []


class VersionSeen(BaseModel):
    """Which version somebody means."""

    model_config = ConfigDict(extra="forbid")

    version: Version


class ReturnIn(VersionSeen):
    """A bulletin goes back to who wrote it."""

    reason: Annotated[str, Field(max_length=MAX_REASON)]


class OfferIn(VersionSeen):
    """A bulletin is offered to the areas below."""

    until_at: When | None = None
    """None: until it is withdrawn, changed or archived."""


class VoiceOut(BaseModel):
    """A bulletin in one language."""

    model_config = ConfigDict(frozen=True)

    language: str
    text: str | None
    recording_id: str | None
    recording_state: RecordingState | None
    """None without a recording; the same for the three below."""
    recording_withdrawn: bool
    length_ms: int | None
    media_url: str | None


class OwedIn(BaseModel):
    """An area that airs programmes, none of which holds a bulletin that it owes."""

    model_config = ConfigDict(frozen=True)

    area_id: str
    name: str


class BulletinOut(BaseModel):
    """Something to be said, in its current version."""

    model_config = ConfigDict(frozen=True)

    id: str
    area_id: str
    area_name: str
    state: BulletinState
    version: int
    title: str
    category: str
    level: OfferLevel
    author: str
    source: str
    document_number: str | None
    content_sha256: str
    voices: tuple[VoiceOut, ...]
    created_by: str
    """Name of the person; the same for the three others."""
    created_at: AwareDatetime
    saved_by: str
    saved_at: AwareDatetime
    submitted_by: str | None
    submitted_at: AwareDatetime | None
    decided_by: str | None
    decided_at: AwareDatetime | None
    returned_reason: str | None
    offered_at: AwareDatetime | None
    offered_until: AwareDatetime | None
    from_above: bool
    """It belongs to an area above, which offers it."""
    archived_at: AwareDatetime | None
    owed_in: tuple[OwedIn, ...] = ()
    """Areas in sight that owe it; told only where ``owed`` is asked for."""


class DecisionOut(BaseModel):
    """What somebody decided about a version."""

    model_config = ConfigDict(frozen=True)

    step: Literal["approve", "return"]
    by: str
    """Name of the person; empty: no person."""
    at: AwareDatetime
    reason: str | None
    """Why it was returned; None for a yes."""


class VersionOut(BaseModel):
    """What a bulletin said at one time."""

    model_config = ConfigDict(frozen=True)

    version: int
    title: str
    category: str
    level: OfferLevel
    author: str
    source: str
    document_number: str | None
    content_sha256: str
    voices: tuple[VoiceOut, ...]
    saved_by: str
    saved_at: AwareDatetime
    decisions: tuple[DecisionOut, ...] = ()
    """In their order: a yes may be taken back later."""


class DifferenceOut(BaseModel):
    """One field that two versions have differently."""

    model_config = ConfigDict(frozen=True)

    field: str
    """``title``…, ``voices.order``, ``voices.{language}.text``, ``voices.{language}.recording_id``."""
    before: Any
    after: Any
