"""What recordings may be: the words of their rows, of the API and of the pages."""

from enum import StrEnum


class RecordingState(StrEnum):
    """How far processing is."""

    PROCESSING = "processing"
    READY = "ready"
    REJECTED = "rejected"


class RecordingOrigin(StrEnum):
    """Where the sound comes from."""

    UPLOADED = "uploaded"
    RECORDED = "recorded"
    """In the browser."""
    MACHINE = "machine"
    """Spoken by a machine; every page says so."""
    CUT = "cut"
    """Out of another recording."""
