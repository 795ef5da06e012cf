"""Rows of what is to sound, whoever laid it out: as ``wire_form`` reads them, they are the items on the wire."""

from collections.abc import Iterable
from itertools import groupby
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.bulletins.repository import worded
from edge_agent.protocol.content import Item

from .models import Broadcast, BroadcastItem
from .rules import Slot
from .wire_form import wire_forms


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


async def slots_of(session: AsyncSession, row: Broadcast) -> tuple[Slot, ...]:
    """Give the slots of a broadcast as they could be sent again, with the categories that their bulletins have now."""
    query = select(BroadcastItem).where(BroadcastItem.broadcast_id == row.id)
    items = (await session.scalars(query.order_by(BroadcastItem.position, BroadcastItem.voice))).all()
    bulletins = await worded(session, [each.bulletin_id for each in items if each.bulletin_id])
    by_slot = [list(rows) for _, rows in groupby(items, key=lambda each: each.position)]
    wire = (await wire_forms(session, [row]))[row.id]
    return tuple(
        Slot(
            item=item,
            recording_ids=tuple(each.recording_id for each in rows),
            bulletin_id=rows[0].bulletin_id,
            bulletin_version=rows[0].bulletin_version,
            category=bulletins[rows[0].bulletin_id].words.category if rows[0].bulletin_id else None,
        )
        for item, rows in zip(wire.items, by_slot, strict=True)
    )
