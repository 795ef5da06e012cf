"""What nodes said last, in memory: fresher than their rows, which are written in batches.

The ingest notes here at once; the services lay it over the rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from .models import Node
from .rules import NodeKind, NodeStatus, status_of


@dataclass(frozen=True)
class Heard:
    """The last words of one node. The names are those of the row."""

    presence: str | None = None
    presence_at: datetime | None = None
    presence_reason: str | None = None
    abilities: Mapping[str, Any] | None = None
    health: Mapping[str, Any] | None = None
    """``protocol.reports.Health`` as JSON values."""
    last_heard_at: datetime | None = None


class Contact(NamedTuple):
    """The part of it that tells whether a node is there."""

    presence: str | None
    presence_at: datetime | None
    presence_reason: str | None
    last_heard_at: datetime | None


class LiveNodes:
    """Last words by node id. A name that was never noted falls back to its row."""

    def __init__(self) -> None:
        self._heard: dict[str, Heard] = {}
        self._fresh: set[str] = set()

    def note(self, node_id: str, **said: Any) -> Heard:
        """Keep what a node said: fields of ``Heard``."""
        heard = self._heard[node_id] = replace(self._heard.get(node_id, Heard()), **said)
        self._fresh.add(node_id)
        return heard

    def fresh(self) -> set[str]:
        """Give who said something since this was asked last: there is one who asks (``overview``)."""
        found, self._fresh = self._fresh, set()
        return found

    def shift(self, by: timedelta) -> None:
        """Follow the centre's clock, which was set: what was heard so long ago stays heard so long ago."""
        self._fresh.update(self._heard)
        for node_id, heard in self._heard.items():
            self._heard[node_id] = replace(
                heard,
                presence_at=heard.presence_at and heard.presence_at + by,
                last_heard_at=heard.last_heard_at and heard.last_heard_at + by,
            )

    def heard(self, node_id: str) -> Heard:
        """Give what was noted of a node."""
        return self._heard.get(node_id, Heard())

    def health(self, node_id: str) -> Mapping[str, Any] | None:
        """Give the last report that was heard; None when there was none since the start."""
        return self.heard(node_id).health

    def contact(self, row: Node) -> Contact:
        """Give the freshest known about the link to a node; needs no JSON column of its row."""
        return self.fresher(row.id, Contact(row.presence, row.presence_at, row.presence_reason, row.last_heard_at))

    def fresher(self, node_id: str, written: Contact) -> Contact:
        """Lay what was heard over what the row of a node says of its link.

        By who says it, not by which instant is later: the row may be of before the centre's clock was set back.
        """
        live = self.heard(node_id)
        last_heard_at = live.last_heard_at if live.last_heard_at is not None else written.last_heard_at
        if live.presence_at is not None:
            return Contact(live.presence, live.presence_at, live.presence_reason, last_heard_at)
        return written._replace(last_heard_at=last_heard_at)

    def status(self, row: Node, now: datetime) -> NodeStatus:
        """Say whether a node is heard from; needs no JSON column of its row."""
        if row.kind != NodeKind.AGENT:
            return NodeStatus.UNREPORTING
        contact = self.contact(row)
        return status_of(contact.presence, contact.presence_at, contact.last_heard_at, now).status

    def over(self, row: Node) -> Heard:
        """Give the freshest known of a node."""
        live = self.heard(row.id)
        return Heard(
            **self.contact(row)._asdict(),
            abilities=live.abilities if live.abilities is not None else row.abilities,
            health=live.health if live.health is not None else row.health,
        )
