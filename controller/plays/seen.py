"""Which plays somebody sees: those at nodes in sight."""

from sqlalchemy import ColumnElement, select, true

from controller.nodes.models import Node
from controller.people.rights import Sight

from .models import Play


def play_in_sight(seen: Sight) -> ColumnElement[bool]:
    """Give the condition under which a play is at a node in sight."""
    if seen.whole:
        return true()
    return Play.node_id.in_(select(Node.id).where(seen.where(Node.area_id)))
