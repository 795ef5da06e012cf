"""What to offer to whom: a menu by the work of a role. Protects nothing: the services decide. Pure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from controller.areas.schemas import AreaOut
from controller.people.actor import Actor
from controller.people.rights import Act, Role, may
from controller.people.schemas import PersonOut

MOST_IN_SIGHT = 5


class Entry(NamedTuple):
    """A page that the menu leads to."""

    path: str
    key: str
    acts: tuple[Act, ...] = ()
    """Offered to whoever may do one of these; without any, to everybody."""
    short: str = ""
    """Key of the word that stands in the row in sight; empty: the same."""


class Group(NamedTuple):
    """What stands under one heading of *Thêm*."""

    key: str
    entries: tuple[Entry, ...]


class Menu(NamedTuple):
    """A person's ways: those in sight on every page, the others under *Thêm*."""

    in_sight: tuple[Entry, ...]
    more: tuple[Group, ...]


_SPEAKS = (Act.BROADCASTS_CREATE,)
GROUPS = (
    Group(
        "menu.group_say",
        (
            Entry("/today", "menu.today"),
            Entry("/say", "menu.say", _SPEAKS),
            Entry("/schedules", "menu.schedules"),
            Entry("/bulletins", "menu.bulletins"),
            Entry("/recordings", "menu.recordings", (Act.RECORDINGS_UPLOAD,)),
            Entry("/programmes", "menu.programmes", (Act.PROGRAMMES_WRITE, Act.APPROVALS_GIVE)),
            Entry("/approvals", "menu.approvals", (Act.APPROVALS_GIVE, Act.BROADCASTS_CREATE)),
            Entry("/emergencies", "menu.emergencies", (Act.EMERGENCIES_PROPOSE, Act.EMERGENCIES_CONFIRM)),
            Entry("/messages", "menu.messages", (Act.MESSAGES_WRITE,)),
            Entry("/history", "menu.history", short="menu.history_short"),
        ),
    ),
    Group(
        "menu.group_nodes",
        (
            Entry("/nodes", "menu.nodes", short="menu.nodes_short"),
            Entry("/faults", "menu.faults"),
            Entry("/updates", "menu.updates", (Act.UPDATES_ADD, Act.ROLLOUTS_START, Act.ROLLOUTS_HALT)),
        ),
    ),
    Group(
        "menu.group_desk",
        (
            Entry("/places", "menu.places", (Act.AREAS_CHANGE, Act.AREAS_CREATE, Act.SCHEDULES_WRITE)),
            Entry("/calendars", "menu.calendars", (Act.CALENDARS_WRITE,)),
            Entry("/people", "menu.people", (Act.PEOPLE_CHANGE,)),
            Entry("/alarms", "menu.alarms", (Act.ALARMS_ACKNOWLEDGE,)),
            Entry("/activity", "menu.activity", (Act.AUDIT_READ,)),
        ),
    ),
    Group("menu.group_me", (Entry("/settings", "menu.settings"), Entry("/help", "menu.help"))),
)
"""Every page that a menu may lead to, in the order of *Thêm*."""
ENTRIES: Mapping[str, Entry] = {entry.path: entry for group in GROUPS for entry in group.entries}

IN_SIGHT: Mapping[Role, tuple[str, ...]] = {
    Role.OPERATOR: ("/today", "/say", "/schedules", "/bulletins"),
    Role.APPROVER: ("/today", "/approvals", "/emergencies", "/history"),
    Role.TECHNICIAN: ("/today", "/nodes", "/faults"),
    Role.HELPER: ("/today", "/nodes"),
    Role.OBSERVER: ("/today", "/schedules", "/history", "/nodes"),
    Role.ADMINISTRATOR: ("/today", "/nodes", "/places", "/people"),
}
"""What each role does every day. Who has several roles has them in this order."""
_SETTLED = ("/settings", "/help")
_AROUND = ("/approvals", "/nodes", "/emergencies", "/history")
"""What goes on around whoever speaks."""
_ONE_FURTHER = ("/programmes", "/recordings", "/calendars", "/places", "/faults")
"""What an operator finds on the pages it belongs to: Bản tin, Lịch phát, Cụm loa."""
MORE: Mapping[Role, tuple[str, ...]] = {
    Role.OPERATOR: (*_AROUND, *_SETTLED),
    Role.APPROVER: (
        *("/say", "/schedules", "/bulletins", *_AROUND, *_ONE_FURTHER),
        *("/messages", "/alarms", "/activity", *_SETTLED),
    ),
    Role.TECHNICIAN: ("/schedules", "/history", "/updates", *_SETTLED),
    Role.HELPER: _SETTLED,
    Role.OBSERVER: ("/bulletins", *_SETTLED),
    Role.ADMINISTRATOR: tuple(entry.path for group in GROUPS for entry in group.entries),
}


def list_of(path: str, menu: Menu) -> Entry | None:
    """Give the list to which an address belongs, if it is one of a person's ways; Hôm nay is offered anyway."""
    mine = [*menu.in_sight, *(entry for group in menu.more for entry in group.entries)]
    first = "/" + path.split("/")[1]
    return next((entry for entry in mine if entry.path == first != "/today"), None)


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


def menu_of(person: PersonOut, actor: Actor) -> Menu:
    """Give a person's menu. Pages on which they could do nothing are left out."""
    roles = [role for role in IN_SIGHT if any(grant.role == role for grant in person.grants)]

    def allowed(act: Act) -> bool:
        return (actor.acts is None or act in actor.acts) and any(may(role, act) for role in roles)

    known = {
        entry.path: entry
        for group in GROUPS
        for entry in group.entries
        if not entry.acts or any(map(allowed, entry.acts))
    }
    wanted = dict.fromkeys(path for role in roles for path in IN_SIGHT[role]) or {"/today": None}
    seen = [known[path] for path in wanted if path in known]
    theirs = {*wanted, *(path for role in roles for path in MORE[role]), *_SETTLED}
    left = (theirs & known.keys()) - {entry.path for entry in seen[:MOST_IN_SIGHT]}
    groups = ((each.key, tuple(one for one in each.entries if one.path in left)) for each in GROUPS)
    return Menu(tuple(seen[:MOST_IN_SIGHT]), tuple(Group(key, entries) for key, entries in groups if entries))
