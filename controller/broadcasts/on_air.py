"""How far nodes are with what is on air there, by their reports: where forecasts and previews begin. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from edge_agent.protocol.content import Broadcast
from edge_agent.protocol.moment import Progress, Sound


class OnAir(NamedTuple):
    """A play that has begun and is not over, as its node reported it."""

    broadcast_id: str
    item: int
    """The last that began."""
    began_at: datetime
    item_at: datetime | None
    """When that item began; None for what began before this was kept."""

    def anchor(self, wire: Broadcast) -> datetime:
        """Give the start from which its items count: later than the first one's where something cut it."""
        if self.item_at is None:
            return self.began_at
        return self.item_at - timedelta(milliseconds=wire.items[self.item_of(wire)].offset_ms)

    def item_of(self, wire: Broadcast) -> int:
        """Give the item, of those that there are."""
        return min(self.item, len(wire.items) - 1)


def sounding(on_air: Iterable[OnAir]) -> OnAir | None:
    """Give the one whose item began last: it cut the others."""
    return max(on_air, key=lambda each: each.item_at or each.began_at, default=None)


def progress_of(
    on_air: Sequence[OnAir], wires: Mapping[str, Broadcast], languages: Sequence[str]
) -> dict[str, Progress]:
    """Take over what a node has said. What was cut goes on with its next item, by its rule."""
    known = [each for each in on_air if each.broadcast_id in wires]
    last = sounding(known)
    found: dict[str, Progress] = {}
    for each in known:
        wire = wires[each.broadcast_id]
        found[each.broadcast_id] = Progress(
            began_at=each.began_at,
            anchor_at=each.anchor(wire),
            next_item=each.item_of(wire) + 1,
            sounding=_sound(each, wire, languages) if each is last else None,
            suspended=each is not last,
        )
    return found


def _sound(each: OnAir, wire: Broadcast, languages: Sequence[str]) -> Sound | None:
    index = each.item_of(wire)
    item = wire.items[index]
    voice = item.voice_for(languages)
    if voice is None:
        return None
    begins_at = each.anchor(wire) + timedelta(milliseconds=item.offset_ms)
    return Sound(
        broadcast_id=each.broadcast_id,
        item=index,
        voice=voice,
        begins_at=begins_at,
        ends_at=begins_at + timedelta(milliseconds=voice.length_ms),
        gain_mb=0,
    )
