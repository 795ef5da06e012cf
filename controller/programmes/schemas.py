"""Programmes as the API takes and shows them."""

from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from controller.bulletins.schemas import Category, OfferLevel, Version
from controller.validation import NO_BOOL

from .models import ItemKind

MAX_ITEMS = 100
MAX_PAUSE_MS = 10 * 60_000
"""Longer silence would be taken for a fault; two sessions are two programmes."""
MAX_LEAD_IN_MS = 60_000

Title = Annotated[str, Field(max_length=1000)]
LeadIn = Annotated[int, Field(ge=0, le=MAX_LEAD_IN_MS), NO_BOOL]
Gap = Annotated[int, Field(ge=0, le=MAX_LEAD_IN_MS), NO_BOOL]
RowId = Annotated[str, Field(max_length=64)]

_NEEDS = {
    ItemKind.TUNE: "recording_id",
    ItemKind.RECORDING: "recording_id",
    ItemKind.BULLETIN: "bulletin_id",
    ItemKind.PAUSE: "pause_ms",
    ItemKind.SLOT: "category",
}
"""Kind → the one field that goes with it."""


class ItemIn(BaseModel):
    """One item of a programme."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: ItemKind
    recording_id: RowId | None = None
    """For a tune or a recording."""
    bulletin_id: RowId | None = None
    pause_ms: Annotated[int, Field(ge=1, le=MAX_PAUSE_MS), NO_BOOL] | None = None
    category: Category | None = None
    """For a slot: of what it is to be filled with."""
    gain_mb: Annotated[int, Field(ge=-2000, le=600), NO_BOOL] = 0
    """Hundredths of a decibel, −20 dB to +6 dB; the node adds its own volume and caps the sum."""

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        given = {name for name in set(_NEEDS.values()) if getattr(self, name) is not None}
        if given != {_NEEDS[self.kind]}:
            raise ValueError(f"{self.kind} takes {_NEEDS[self.kind]} and nothing else")
        return self


Items = Annotated[list[ItemIn], Field(max_length=MAX_ITEMS)]


class ProgrammeIn(BaseModel):
    """A new programme or template."""

    model_config = ConfigDict(extra="forbid")

    area_id: RowId
    title: Title
    is_template: bool = False
    lead_in_ms: LeadIn = 0
    """Silence before the first item, in which amplifiers wake up: the first item sounds so much after the start."""
    gap_ms: Gap = 0
    """Silence between items. A pause stands in its place."""
    items: Items = []


class ProgrammeChange(BaseModel):
    """What is to change; fields left out stay."""

    model_config = ConfigDict(extra="forbid")

    version: Version
    """The one that was seen. When there is a newer one, nothing changes."""
    title: Title = ""
    lead_in_ms: LeadIn = 0
    gap_ms: Gap = 0
    items: Items = []


class OrderIn(BaseModel):
    """The items in another order."""

    model_config = ConfigDict(extra="forbid")

    version: Version
    order: Annotated[list[Annotated[int, Field(ge=0, lt=MAX_ITEMS), NO_BOOL]], Field(max_length=MAX_ITEMS)]
    """Every position of now once, in the order in which they are to stand."""


class FillIn(BaseModel):
    """What goes into one slot of a template."""

    model_config = ConfigDict(extra="forbid")

    position: Annotated[int, Field(ge=0, lt=MAX_ITEMS), NO_BOOL]
    bulletins: Annotated[list[RowId], Field(max_length=MAX_ITEMS)]
    """In this order. None: the slot is left out."""


class CopyIn(BaseModel):
    """A programme is made from a template, or from another programme."""

    model_config = ConfigDict(extra="forbid")

    title: Title
    area_id: RowId | None = None
    """Whose the new one is; None: that of the one it is made from."""
    is_template: bool = False
    """Make a template; its slots stay open."""
    fill: Annotated[list[FillIn], Field(max_length=MAX_ITEMS)] = []
    """Slots not named are left out."""


class BulletinRef(BaseModel):
    """A bulletin by name."""

    model_config = ConfigDict(frozen=True)

    bulletin_id: str
    title: str
    category: str
    level: OfferLevel
    area_id: str


class SlotOut(BaseModel):
    """One slot of a template, with what could fill it now."""

    model_config = ConfigDict(frozen=True)

    position: int
    category: str
    candidates: tuple[BulletinRef, ...]
    """Approved ones of the category, priority first, then the newest."""


class ItemOut(BaseModel):
    """One item of a programme."""

    model_config = ConfigDict(frozen=True)

    position: int
    kind: ItemKind
    title: str
    """Of the bulletin or recording; empty for a pause or a slot."""
    recording_id: str | None
    bulletin_id: str | None
    pause_ms: int | None
    category: str | None
    gain_mb: int
    offset_ms: int | None
    """When it begins, from the start of the session, as far as what stands before it has sound; None: it has none."""
    length_ms: int | None
    """With all its languages; None as long as it has no sound."""
    languages: tuple[str, ...]
    """Those that are heard, in the order of its voices."""
    is_in_sight: bool = True
    """Whoever asks can look at the bulletin or recording by itself."""
    belongs_to: str | None = None
    """Of what is not in sight: name of its place; empty: the centre; None: a place that is not named to them either."""


class WhyNot(BaseModel):
    """Why a programme cannot be aired as it is."""

    model_config = ConfigDict(frozen=True)

    problem: str
    """As in ``NotAirableError``: ``not_approved``, ``withdrawn``…"""
    position: int | None
    title: str


class MissingOut(BaseModel):
    """A language that the area asks for and a bulletin does not speak."""

    model_config = ConfigDict(frozen=True)

    position: int
    title: str
    language: str


class ProgrammeOut(BaseModel):
    """An ordered list of what is to be heard in one session."""

    model_config = ConfigDict(frozen=True)

    id: str
    area_id: str
    title: str
    is_template: bool
    version: int
    lead_in_ms: int
    gap_ms: int
    items: tuple[ItemOut, ...]
    session_ms: int | None
    """All of it with lead-in, gaps and pauses, in the languages of its own area; None while it cannot be aired."""
    known_ms: int
    """The same as far as there is sound, whether it may be aired or not."""
    content_sha256: str | None
    """What approvals bind; None as long as it cannot be aired."""
    why_not: WhyNot | None
    missing: tuple[MissingOut, ...]
    owed: tuple[BulletinRef, ...]
    """Priority bulletins that areas above offer now and that are not in it (Circular 39/2020: they must be aired)."""
    created_by: str
    created_at: AwareDatetime
    changed_at: AwareDatetime
    archived_at: AwareDatetime | None


class ProgrammeRow(BaseModel):
    """A programme in a list."""

    model_config = ConfigDict(frozen=True)

    id: str
    area_id: str
    title: str
    is_template: bool
    version: int
    item_count: int
    changed_at: AwareDatetime
    archived_at: AwareDatetime | None
