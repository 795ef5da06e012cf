"""Whom to call about a node: who helps and who mends where it stands, the nearest first.

Told to whoever has the node in sight, with the telephone number; to nobody else.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree
from controller.areas.rules import Tree
from controller.db import Database
from controller.errors import NotFoundError
from controller.names import in_reading_order
from controller.people import rights
from controller.people.actor import Actor
from controller.people.models import Grant, Person
from controller.people.rights import Role

from .models import Node
from .schemas import ContactOut

ROLES = (Role.HELPER, Role.TECHNICIAN)
"""In the order in which they are called: a helper is beside the node."""
MOST = 8

_Person = Row[str, str, str | None, str, str | None]
"""Id, name, telephone, role, area."""


class Contacts:
    """Reads whom to call."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, actor: Actor, node_id: str) -> list[ContactOut]:
        """Give who looks after a node, those of its own place first.

        Raises:
            NotFoundError: there is no such node.
        """
        async with self._database.reading() as session:
            seen, row = await rights.sight(session, actor), await session.get(Node, node_id)
            if row is None or row.removed_at is not None or not seen.sees(row.area_id):
                raise NotFoundError("there is no such node", resource="nodes", id=node_id[:64])
            return _nearest(await read_tree(session), row.area_id, await _people(session))

    async def of_areas(self, actor: Actor, area_ids: Collection[str]) -> dict[str, list[ContactOut]]:
        """Give who looks after the nodes of these areas, so far as they are in sight."""
        async with self._database.reading() as session:
            seen = await rights.sight(session, actor)
            tree, people = await read_tree(session), await _people(session)
        return {area_id: _nearest(tree, area_id, people) for area_id in set(area_ids) if seen.sees(area_id)}


async def _people(session: AsyncSession) -> Sequence[_Person]:
    query = (
        select(Person.id, Person.name, Person.phone, Grant.role, Grant.area_id)
        .join(Grant, Grant.person_id == Person.id)
        .where(Person.disabled_at.is_(None), Grant.role.in_(ROLES))
    )
    return (await session.execute(query)).all()


def _nearest(tree: Tree, area_id: str, people: Sequence[_Person]) -> list[ContactOut]:
    near: dict[str | None, int] = {place.id: step for step, place in enumerate(tree.chain(area_id))}
    near[None] = len(near)
    here = [row for row in people if row.area_id in near]
    here.sort(key=lambda row: (not row.phone, near[row.area_id], ROLES.index(row.role), in_reading_order(row.name)))
    first = {row.id: row for row in reversed(here)}  # of several roles the nearest
    found = [row for row in here if first[row.id] is row][:MOST]
    return [
        ContactOut(person_id=row.id, name=row.name, role=row.role, area_id=row.area_id, phone=row.phone or None)
        for row in found
    ]
