"""Nodes that wait for a yes to their next certificate, in words. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from controller.areas.schemas import AreaOut
from controller.renewals.schemas import RenewalOut
from web.formats import Formats


@dataclass(frozen=True)
class Wish:
    """A node that waits for a yes to its next certificate."""

    id: str
    node_id: str
    name: str
    said: str
    """Where it stands, when it was heard last, since when its certificate is over."""
    key: str
    """Fingerprint and address, to compare with what the node says."""


def wishes(found: Sequence[RenewalOut], areas: Sequence[AreaOut], form: Formats) -> list[Wish]:
    """Show who waits."""
    text, places = form.text, {area.id: area.name for area in areas}
    return [
        Wish(
            id=each.id,
            node_id=each.node_id,
            name=each.node_name,
            said=text(
                "renewals.said",
                place=places.get(each.area_id, ""),
                heard=form.since(each.last_heard_at) if each.last_heard_at else text("renewals.never"),
                ended=form.since(each.expired_at),
            ),
            key=text("renewals.key", fingerprint=each.fingerprint, origin=each.origin),
        )
        for each in found
    ]
