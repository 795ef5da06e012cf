"""Who may say the second yes to an emergency, and how to reach them: the first person has to call somebody."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree
from controller.areas.targets import areas_of
from controller.people import rights
from controller.people.actor import Actor
from controller.people.models import Grant, Person
from controller.people.rights import Act, Role, may

from .models import Emergency
from .rules import act_for
from .schemas import SecondOut
from .states import EmergencyState

MOST_SECONDS = 8
"""More names than that are no help to somebody in a hurry."""


async def seconds_of(session: AsyncSession, actor: Actor, row: Emergency) -> tuple[SecondOut, ...]:
    """Name those who see it and may confirm it everywhere, who work nearest first; to nobody but who may propose it."""
    if row.state != EmergencyState.PROPOSED:
        return ()
    areas = frozenset((await areas_of(session, row.scopes, removed=True)).values())
    act = act_for(row.drill)
    reach = await rights.reach(session, actor, act)
    if not areas or not all(map(reach.sees, areas)):
        return ()
    tree = await read_tree(session)
    # Also of the area above them all: before it is sent, nobody else has it in sight (``repository.in_sight``).
    chains = [[place.id for place in tree.chain(area_id)] for area_id in {*areas, row.area_id}]
    roles = [str(role) for role in Role if may(role, Act.EMERGENCIES_CONFIRM)]
    granted = select(Person, Grant.area_id).join(Grant, Grant.person_id == Person.id)
    granted = granted.where(Grant.role.in_(roles), Person.disabled_at.is_(None), Person.id != row.proposed_by)
    places: dict[str, set[str | None]] = {}
    people: dict[str, Person] = {}
    for person, area_id in await session.execute(granted):
        people[person.id] = person
        places.setdefault(person.id, set()).add(area_id)
    those = [person for person in people.values() if _covers(places[person.id], chains)]
    those.sort(key=lambda person: (-_depth(places[person.id], chains), person.name, person.id))
    return tuple(
        SecondOut(person_id=person.id, name=person.name, phone=person.phone) for person in those[:MOST_SECONDS]
    )


def _covers(places: Collection[str | None], chains: Collection[list[str]]) -> bool:
    return None in places or all(any(area_id in places for area_id in chain) for chain in chains)


def _depth(places: Collection[str | None], chains: Collection[list[str]]) -> int:
    """Say how near to the places somebody works: the length of the way down to where the role was given."""
    return max((_rank(chain, area_id) for chain in chains for area_id in places if area_id in chain), default=0)


def _rank(chain: list[str], area_id: str | None) -> int:
    return len(chain) - chain.index(area_id or "")
