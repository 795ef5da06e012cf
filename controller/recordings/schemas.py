"""Recordings as the API shows them."""

from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict

from .models import RecordingState


class RecordingOut(BaseModel):
    """Audio that was uploaded."""

    model_config = ConfigDict(frozen=True)

    id: str
    title: str
    file_name: str
    language: str
    area_id: str | None
    """Whose it is; None: the centre's own."""
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


class WaveformOut(BaseModel):
    """Level over time."""

    model_config = ConfigDict(frozen=True)

    peaks: tuple[int, ...]
    """0 to 255 of full scale, evenly over the length."""
    length_ms: int
