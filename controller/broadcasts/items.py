"""Rows of what is to sound, whoever laid it out: as ``wire_form`` reads them, they are the items on the wire."""

from collections.abc import Iterable
from typing import Protocol

from edge_agent.protocol.content import Item

from .models import BroadcastItem


class Laid(Protocol):
    """One slot with where it comes from."""

    @property
    def item(self) -> Item:
        """As on the wire."""
        ...

    @property
    def recording_ids(self) -> tuple[str, ...]:
        """Of the voices, one for each."""
        ...

    @property
    def bulletin_id(self) -> str | None:
        """None: not out of a bulletin."""
        ...

    @property
    def bulletin_version(self) -> int | None:
        """With a bulletin: which version."""
        ...


def item_rows(broadcast_id: str, slots: Iterable[Laid]) -> list[BroadcastItem]:
    """Give a row for each voice of each slot."""
    return [
        BroadcastItem(
            broadcast_id=broadcast_id,
            position=position,
            voice=number,
            choice=slot.item.choice,
            recording_id=recording_id,
            language=voice.language,
            sha256=voice.sha256,
            bytes=voice.bytes,
            length_ms=voice.length_ms,
            offset_ms=slot.item.offset_ms,
            gain_mb=voice.gain_mb,
            bulletin_id=slot.bulletin_id,
            bulletin_version=slot.bulletin_version,
        )
        for position, slot in enumerate(slots)
        for number, (voice, recording_id) in enumerate(zip(slot.item.voices, slot.recording_ids, strict=True))
    ]
