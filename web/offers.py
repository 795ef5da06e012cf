"""What to offer to whom: what a role may not do is not shown. Protects nothing: the services decide. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from controller.areas.schemas import AreaOut
from controller.people.actor import Actor
from controller.people.rights import Act, may
from controller.people.schemas import PersonOut


class Entry(NamedTuple):
    """A page that the menu leads to."""

    path: str
    key: str
    acts: tuple[Act, ...] = ()
    """Shown to whoever may do one of these; without any, to everybody."""


MENU = (
    Entry("/today", "menu.today"),
    Entry("/say", "menu.say", (Act.BROADCASTS_CREATE,)),
    Entry("/schedules", "menu.schedules"),
    Entry("/bulletins", "menu.bulletins", (Act.BULLETINS_WRITE, Act.APPROVALS_GIVE)),
    Entry("/approvals", "menu.approvals", (Act.APPROVALS_GIVE, Act.BROADCASTS_CREATE)),
    Entry("/nodes", "menu.nodes"),
    Entry("/emergencies", "menu.emergencies", (Act.EMERGENCIES_PROPOSE, Act.EMERGENCIES_CONFIRM)),
)
"""What people need every day."""
DESK = (
    Entry("/alarms", "menu.alarms", (Act.ALARMS_ACKNOWLEDGE,)),
    Entry("/people", "menu.people", (Act.PEOPLE_CHANGE,)),
    Entry("/policies", "menu.policies", (Act.SCHEDULES_WRITE, Act.POLICIES_CHANGE)),
)
"""What they need once a month: in the person's own menu."""


def places_for(person: PersonOut, actor: Actor, areas: Sequence[AreaOut], act: Act) -> list[AreaOut]:
    """Give the areas, upper ones first, in which somebody may do an act: where it was granted, and all below."""
    if actor.acts is not None and act not in actor.acts:
        return []
    granted = {grant.area_id for grant in person.grants if may(grant.role, act)}
    allowed: set[str] = set()
    for area in areas:
        if None in granted or area.id in granted or area.parent_id in allowed:
            allowed.add(area.id)
    return [area for area in areas if area.id in allowed]


def offered(entries: Sequence[Entry], person: PersonOut, actor: Actor) -> list[Entry]:
    """Leave out the pages on which somebody could do nothing."""

    def allowed(act: Act) -> bool:
        return (actor.acts is None or act in actor.acts) and any(may(each.role, act) for each in person.grants)

    return [entry for entry in entries if not entry.acts or any(map(allowed, entry.acts))]
