"""A recording to look at, listen to and choose."""

from collections.abc import Sequence
from dataclasses import dataclass

from controller.nodes.schemas import SoundsOut
from controller.recordings.schemas import RecordingOut
from web.formats import Formats
from web.words import Mark

BARS = 160
"""Bars of a waveform: each some pixels wide on any screen."""
HEIGHT = 64
MIDDLE = 128
"""A peak where none is known."""


@dataclass(frozen=True)
class Recording:
    """A recording in one of its states; figures only when ready."""

    id: str
    title: str
    state: str
    url: str = ""
    length: str = ""
    mark: str = ""
    length_ms: int = 0
    wave: str = ""
    wave_width: int = BARS * 4
    warnings: tuple[Mark, ...] = ()
    machine: Mark | None = None
    """That a machine speaks."""
    words: str = ""
    """What a machine was told to read; empty: a person speaks, or nobody knows."""
    share: float | None = None
    """With ``processing``: how much is done, 0 to 1; None: not begun."""
    why: str = ""
    """With ``rejected``: what is wrong and what to do; with ``processing``: what it waits for, if not its turn."""


@dataclass(frozen=True)
class Recent:
    """A recording of before, in a list."""

    id: str
    title: str
    said: str


def wave_path(peaks: Sequence[int]) -> str:
    """Draw peaks (0–255) as bars, each as tall as the loudest within it."""
    if not peaks:
        return ""
    bars = []
    for bar in range(BARS):
        part = peaks[bar * len(peaks) // BARS : max((bar + 1) * len(peaks) // BARS, bar * len(peaks) // BARS + 1)]
        tall = max(2, round(HEIGHT * max(part) / 255))
        bars.append(f"M{bar * 4} {(HEIGHT - tall) // 2}h3v{tall}h-3z")
    return "".join(bars)


def card(found: RecordingOut, peaks: Sequence[int], form: Formats) -> Recording:
    """Show a recording as far as it is."""
    if found.state == "rejected" or found.withdrawn_at is not None:
        why = _rejected(found, form) if found.reason else form.text("recording.gone")
        return Recording(found.id, found.title, "rejected", why=why)
    words = found.words or ""
    if found.state == "processing" or found.length_ms is None:
        waits = form.text("recording.tool_missing") if found.reason == "tool_missing" else ""
        return Recording(found.id, found.title, "processing", why=waits, share=found.progress or None, words=words)
    return Recording(
        id=found.id,
        title=found.title,
        state="ready",
        url=found.media_url or "",
        length=form.length(found.length_ms),
        mark=form.mark(found.length_ms),
        length_ms=found.length_ms,
        wave=wave_path(peaks),
        machine=Mark("dot", "unsure", form.text("speech.mark")) if found.voice or found.origin == "machine" else None,
        words=words,
        warnings=tuple(Mark("triangle", "care", form.text.word("warning", code)) for code in found.warnings),
    )


def _rejected(found: RecordingOut, form: Formats) -> str:
    fields = found.reason_fields
    if found.reason == "too_long" and "limit" in fields:
        most = form.length(fields["limit"] * 1000)
        length = form.length(fields["found"] * 1000) if "found" in fields else ""
        if length and length != most:
            return form.text("recording.too_long", length=length, most=most)
        return form.text("recording.longer_than", most=most)
    return form.text.word("rejected", found.reason or "")


def sounding(found: SoundsOut, form: Formats) -> Recording:
    """Show what a node says that it plays, to be heard from where it is."""
    return Recording(
        id=found.sha256,
        title=found.title,
        state="ready",
        url=f"/media/{found.sha256}.opus#t={found.at_ms / 1000:.1f}",
        mark=form.mark(found.length_ms),
        length_ms=found.length_ms,
        wave=wave_path([MIDDLE] * BARS),
    )


def recent(found: Sequence[RecordingOut], form: Formats) -> list[Recent]:
    """List the recordings that can be used again."""
    return [
        Recent(
            each.id,
            each.title,
            form.text("recording.recent_said", length=form.length(each.length_ms), when=form.since(each.created_at)),
        )
        for each in found
        if each.state == "ready" and each.length_ms is not None
    ]
