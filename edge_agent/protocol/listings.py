"""Merges the plans and urgents that a node holds: a broadcast counts once, wherever it is listed."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from .content import Broadcast


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """A broadcast, and where it stands."""

    broadcast: Broadcast
    scopes: frozenset[str]
    """Every area or node whose plan or urgent lists it."""
    urgent: bool = False
    """It stands in an urgent."""
    lease_until: datetime | None = None
    """Longest lease of the plans that list it; None when an urgent lists it or nobody does any more."""


def merge(
    plans: Iterable[tuple[str, datetime, Iterable[Broadcast]]],
    urgents: Iterable[tuple[str, Iterable[Broadcast]]],
    begun: Iterable[tuple[Broadcast, bool]] = (),
) -> dict[str, Listing]:
    """Merge all that a node holds, by ``broadcast_id``.

    ``plans`` gives ``(scope, lease_until, broadcasts)``; ``urgents`` ``(scope, broadcasts)``. ``begun`` are those that
    the node has begun, as they were then, and whether they came by an urgent: they do not change under way, and go on
    when no longer listed.
    """
    found: dict[str, Listing] = {}
    for scope, broadcasts in urgents:
        for broadcast in broadcasts:
            _add(found, Listing(broadcast=broadcast, scopes=frozenset([scope]), urgent=True))
    for scope, lease_until, broadcasts in plans:
        for broadcast in broadcasts:
            _add(found, Listing(broadcast=broadcast, scopes=frozenset([scope]), lease_until=lease_until))
    for broadcast, urgent in begun:
        unlisted = Listing(broadcast=broadcast, scopes=frozenset(), urgent=urgent)
        listed = found.get(broadcast.broadcast_id, unlisted)
        found[broadcast.broadcast_id] = msgspec.structs.replace(listed, broadcast=broadcast)
    return found


def _add(found: dict[str, Listing], new: Listing) -> None:
    old = found.setdefault(new.broadcast.broadcast_id, new)
    if old is new:
        return
    leases = [lease for lease in (old.lease_until, new.lease_until) if lease is not None]
    found[new.broadcast.broadcast_id] = msgspec.structs.replace(
        old,
        scopes=old.scopes | new.scopes,
        lease_until=None if old.urgent else max(leases),
    )
