"""What was put before whoever approves, as it was then: by it a later request says what an edit changed.

Kept with requests and yeses as JSON. Names that may be read elsewhere (recordings, programmes, versions of a bulletin,
which are never deleted) stand as ids. Pure.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from controller.broadcasts.items import Laid

ITEMS = "items"
PROGRAMME = "programme_id"
FILLER = "filler_recording_id"
SCOPES = "scopes"
DATES = "dates"

Shown = Mapping[str, Any]
"""Field → value."""


def shown(slots: Iterable[Laid], **said: Any) -> Shown:
    """Give what is to be heard, with what is said of it."""
    return {**said, ITEMS: [_item(slot) for slot in slots if slot.item.choice == 0]}


def _item(slot: Laid) -> dict[str, Any]:
    """Give one item; a bulletin in further languages is the same one, told by its first slot."""
    voices = slot.item.voices
    return {
        "recording_ids": list(slot.recording_ids),
        "sha256": [voice.sha256 for voice in voices],
        "gain_mb": [voice.gain_mb for voice in voices],
        "bulletin_id": slot.bulletin_id,
        "bulletin_version": slot.bulletin_version,
    }
