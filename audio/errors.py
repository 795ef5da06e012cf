"""What can go wrong with sound, by name.

Codes are stable: screens translate them, tests and audit lines quote them. Nothing here knows HTTP.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why an uploaded file was turned away."""

    NOT_AUDIO = "not_audio"
    """No sound format that we know begins like this, or there is no sound track inside."""
    UNSUPPORTED = "unsupported"
    """A sound format, but none that we decode."""
    TOO_LARGE = "too_large"
    """More bytes than the setting allows."""
    TOO_LONG = "too_long"
    """Decodes to more seconds than the setting allows."""
    TOO_MANY_CHANNELS = "too_many_channels"
    NO_SOUND = "no_sound"
    """Nothing a person could hear from a horn: silence, DC, or ultrasound."""
    TRUNCATED = "truncated"
    """The file ends before the sound does."""
    CORRUPT = "corrupt"
    """The decoder met damage inside the file."""
    LYING_HEADER = "lying_header"
    """The header claims what cannot be: a rate, a length."""
    TOOK_TOO_LONG = "took_too_long"
    """The decoder used up its processor or wall time."""
    OUT_OF_MEMORY = "out_of_memory"


class SoundWarning(StrEnum):
    """What an operator should know about a file that was accepted."""

    CLIPPED = "clipped"
    """Recorded too loud: peaks are cut flat."""
    VERY_QUIET = "very_quiet"
    """Even the largest allowed gain does not bring it to the target loudness."""
    LONG_SILENCE = "long_silence"


class AudioError(Exception):
    """Root of every error this package raises on purpose."""

    code = "audio.error"
    """Stable, dotted, never shown to a person as it is."""


class Rejected(AudioError):  # noqa: N818 - a verdict about a file, not a failure of ours
    """The file is at fault, not the machine: say ``reason`` to whoever brought it."""

    code = "audio.rejected"

    def __init__(self, reason: Reason, message: str, *, found: float | None = None, limit: float | None = None) -> None:
        """``found`` and ``limit`` are in the unit that ``message`` names; None when the reason has no number."""
        super().__init__(message)
        self.reason, self.message, self.found, self.limit = reason, message, found, limit


class ToolMissingError(AudioError):
    """A program we need is not installed."""

    code = "audio.tool_missing"

    def __init__(self, tool: str) -> None:
        package = "ffmpeg" if tool == "ffprobe" else tool
        super().__init__(f"{tool} is not installed: install the package that brings it (apt install {package})")
        self.tool = tool


class ToolFailedError(AudioError):
    """A program ended badly on an input that should have worked."""

    code = "audio.tool_failed"

    def __init__(self, tool: str, exit_code: int, last_words: str) -> None:
        """``exit_code`` is negative for the signal that ended the program."""
        super().__init__(f"{tool} ended with {exit_code}: {last_words or 'it said nothing'}")
        self.tool, self.exit_code, self.last_words = tool, exit_code, last_words


class LimitReachedError(AudioError):
    """A sandboxed program was ended because it used up what it was given."""

    code = "audio.limit_reached"

    def __init__(self, tool: str, reason: Reason, message: str) -> None:
        super().__init__(f"{tool} was stopped: {message}")
        self.tool, self.reason = tool, reason


class CorruptAudioError(AudioError):
    """A file that should be in the canonical format is not, or is damaged."""

    code = "audio.corrupt"


class UnspeakableTextError(AudioError):
    """The text holds nothing that could be read aloud, or too much of it."""

    code = "audio.unspeakable"
