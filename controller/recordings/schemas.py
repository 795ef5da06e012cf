"""Recordings as the API shows them."""

from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, Len
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from controller.validation import NO_BOOL

from .states import RecordingOrigin, RecordingState


class RecordingOut(BaseModel):
    """Audio that was uploaded."""

    model_config = ConfigDict(frozen=True)

    id: str
    title: str
    file_name: str
    language: str
    area_id: str | None
    """Whose it is; None: the centre's own."""
    origin: RecordingOrigin = RecordingOrigin.UPLOADED
    """``machine``: a machine speaks, and whoever shows it says so."""
    voice: str | None = None
    """With ``machine``, and what was cut out of such a one: which voice. Whoever shows it says so."""
    words: str | None = None
    """With ``machine``: what it was told to read. None: a person speaks, or it is a cut: of that nobody knows."""
    derived_from: str | None = None
    """With ``cut``: out of which recording."""
    cut_ms: tuple[tuple[int, int], ...] | None = None
    """With ``cut``: which pieces of that one, from and until, in the order in which they are heard."""
    state: RecordingState
    progress: float | None
    """Share of the processing that is done, 0 to 1; None when it is not processed now."""
    reason: str | None
    """With ``rejected``: why, as a code. With ``processing``: ``tool_missing`` when the centre lacks a program."""
    reason_fields: dict[str, Any]
    """Values that the words for the reason need: ``found`` and ``limit``."""
    warnings: tuple[str, ...]
    sha256: str | None
    """Of the processed file; None until ready. The same for three below."""
    media_url: str | None
    bytes: int | None
    length_ms: int | None
    loudness_lufs: float | None
    true_peak_dbtp: float | None
    silence_ms: int | None
    source_bytes: int
    uploaded_by: str
    """Name of the person."""
    created_at: AwareDatetime
    withdrawn_at: AwareDatetime | None


MOST_SPANS = 40


class CutIn(BaseModel):
    """A recording made of pieces of another one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    spans_ms: Annotated[
        list[Annotated[list[Annotated[int, Ge(0), Le(2**31 - 1), NO_BOOL]], Len(2, 2)]], Len(1, MOST_SPANS)
    ]
    """The pieces to keep, from and until, one after another; brought to 10 ms. A second or more together."""
    title: Annotated[str, Field(max_length=1000)] = ""
    """Empty: that of the recording which is cut."""


class UseOut(BaseModel):
    """Something that needs a recording."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["bulletin", "programme", "schedule", "message", "cut"]
    """``schedule``: one whose time it fills up; ``cut``: another recording, made out of it."""
    id: str
    title: str


class WaveformOut(BaseModel):
    """Level over time."""

    model_config = ConfigDict(frozen=True)

    peaks: tuple[int, ...]
    """0 to 255 of full scale, evenly over the length."""
    length_ms: int


class UploadIn(BaseModel):
    """A file that is to come in pieces."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: Annotated[str, Field(max_length=1000)]
    file_name: Annotated[str, Field(max_length=10_000)] = ""
    language: Annotated[str, Field(max_length=35)] = "vi"
    area_id: Annotated[str, Field(max_length=64)] | None = None
    """Whose it will be: needed from who works in several areas."""
    origin: Literal["uploaded", "recorded"] = "uploaded"
    bytes: Annotated[int, Ge(1), Le(2**53)] | None = None
    """Of the whole file; None while it is being recorded."""


class UploadOut(BaseModel):
    """A file on its way."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    id: str
    title: str
    file_name: str
    language: str
    area_id: str | None
    origin: str
    bytes: int | None
    """Of the whole file; None while it is being recorded."""
    received: int
    """Bytes that are safe at the centre."""
    expires_at: AwareDatetime
    """Until then it may go on."""
    recording_id: str | None
    """What became of it; None until all is there."""


class SpeechIn(BaseModel):
    """A text that a machine is to read aloud."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: Annotated[str, Field(max_length=100_000)]
    title: Annotated[str, Field(max_length=1000)] = ""
    """Empty: the first words of the text."""
    voice: Annotated[str, Field(max_length=40)] = "vi"
    """One of espeak-ng's: vi, vi-vn-x-central, vi-vn-x-south, en-gb."""
    words_per_minute: Annotated[int, Ge(80), Le(300)] = 150
    area_id: Annotated[str, Field(max_length=64)] | None = None


class ReadingIn(BaseModel):
    """A text of which one wants to see how it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: Annotated[str, Field(max_length=100_000)]
    voice: Annotated[str, Field(max_length=40)] = "vi"


class ReadingOut(BaseModel):
    """A text word for word as a machine reads it."""

    model_config = ConfigDict(frozen=True)

    said: str
    """Numbers, hours, days and short forms written out; nothing else is spoken."""
