"""Merges the plans and urgents that a node holds: a broadcast counts once, wherever it is listed."""

from collections.abc import Iterable
from datetime import datetime
from operator import itemgetter

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
    when no longer listed. Where two list different broadcasts under one name, an urgent rules over a plan, then the
    first by scope.
    """
    found: dict[str, Listing] = {}
    for scope, broadcasts in sorted(urgents, key=itemgetter(0)):
        for broadcast in broadcasts:
            _add(found, Listing(broadcast=broadcast, scopes=frozenset([scope]), urgent=True))
    for scope, lease_until, broadcasts in sorted(plans, key=itemgetter(0)):
        for broadcast in broadcasts:
            _add(found, Listing(broadcast=broadcast, scopes=frozenset([scope]), lease_until=lease_until))
    for broadcast, by_urgent in begun:
        unlisted = Listing(broadcast=broadcast, scopes=frozenset(), urgent=by_urgent)
        listed = found.get(broadcast.broadcast_id, unlisted)
        urgent = by_urgent or listed.urgent
        longest = None if urgent else listed.lease_until
        found[broadcast.broadcast_id] = Listing(
            broadcast=broadcast, scopes=listed.scopes, urgent=urgent, lease_until=longest
        )
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
