"""The one place that says who may do what, and who sees what. A role holds in an area and in all below it."""

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, func, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from controller.areas.models import Area
from controller.areas.standing import stands
from controller.db import among, kept
from controller.errors import ForbiddenError, InvalidError, NotFoundError, NotSignedInError

from .actor import Actor
from .models import Grant, Person


class Role(StrEnum):
    """What a person is here for (DESIGN section 7)."""

    OPERATOR = "operator"
    APPROVER = "approver"
    """The commune's leader."""
    HELPER = "helper"
    """In a hamlet: heard or not heard."""
    OBSERVER = "observer"
    TECHNICIAN = "technician"
    ADMINISTRATOR = "administrator"


class Act(StrEnum):
    """What can be done; also the action of the audit entry."""

    PEOPLE_ADD = "people.add"
    PEOPLE_CHANGE = "people.change"
    AREAS_CREATE = "areas.create"
    AREAS_CHANGE = "areas.change"
    AREAS_MOVE = "areas.move"
    AREAS_REMOVE = "areas.remove"
    """Put away a place in which nothing is."""
    POLICIES_CHANGE = "policies.change"
    NODES_CHANGE = "nodes.change"
    NODES_ADOPT = "enrolments.adopt"
    NODES_REVOKE = "nodes.revoke"
    NODES_CONFIRM = "nodes.confirm"
    """Say that a node whose certificate has ended is still the one on the pole."""
    NODES_TEST = "nodes.test"
    NODES_LOG = "nodes.log"
    """Ask for what a node logs, and read it."""
    RECORDINGS_UPLOAD = "recordings.upload"
    RECORDINGS_WITHDRAW = "recordings.withdraw"
    BULLETINS_WRITE = "bulletins.write"
    BULLETINS_OFFER = "bulletins.offer"
    PROGRAMMES_WRITE = "programmes.write"
    SCHEDULES_WRITE = "schedules.write"
    CALENDARS_WRITE = "calendars.write"
    BROADCASTS_CREATE = "broadcasts.create"
    BROADCASTS_CANCEL = "broadcasts.cancel"
    PLAYS_ATTEST = "plays.attest"
    """Say that something was heard, or was not."""
    APPROVALS_GIVE = "approvals.give"
    EMERGENCIES_PROPOSE = "emergencies.propose"
    EMERGENCIES_CONFIRM = "emergencies.confirm"
    EMERGENCIES_BREAK_GLASS = "emergencies.break_glass"
    EMERGENCIES_DRILL = "emergencies.drill"
    MESSAGES_WRITE = "messages.write"
    HOLDS_ORDER = "holds.order"
    HOLDS_RELEASE = "holds.release"
    ALARMS_ACKNOWLEDGE = "alarms.acknowledge"
    FAULTS_ACKNOWLEDGE = "faults.acknowledge"
    """Say that one looks after what is wrong with a node."""
    AUDIT_READ = "audit.read"
    UPDATES_ADD = "updates.add"
    ROLLOUTS_START = "rollouts.start"
    """And let one go on that was paused."""
    ROLLOUTS_HALT = "rollouts.halt"
    """Pause one, or stop it for good."""


_SPEAKS = frozenset(
    {
        Act.RECORDINGS_UPLOAD,
        Act.RECORDINGS_WITHDRAW,
        Act.BULLETINS_WRITE,
        Act.PROGRAMMES_WRITE,
        Act.SCHEDULES_WRITE,
        Act.CALENDARS_WRITE,
        Act.BROADCASTS_CREATE,
        Act.BROADCASTS_CANCEL,
        Act.PLAYS_ATTEST,
        Act.EMERGENCIES_PROPOSE,
        Act.EMERGENCIES_BREAK_GLASS,
        Act.EMERGENCIES_DRILL,
        Act.HOLDS_ORDER,
        Act.HOLDS_RELEASE,
        Act.FAULTS_ACKNOWLEDGE,
    }
)
_LEADS = _SPEAKS | {
    Act.APPROVALS_GIVE,
    Act.BULLETINS_OFFER,
    Act.EMERGENCIES_CONFIRM,
    Act.MESSAGES_WRITE,
    Act.AUDIT_READ,
    Act.ALARMS_ACKNOWLEDGE,
}

ALLOWED: Mapping[Role, frozenset[Act]] = {
    Role.OPERATOR: _SPEAKS,
    Role.APPROVER: _LEADS,
    Role.HELPER: frozenset({Act.PLAYS_ATTEST, Act.HOLDS_ORDER}),
    Role.OBSERVER: frozenset(),
    Role.TECHNICIAN: frozenset(
        {
            Act.NODES_CHANGE,
            Act.NODES_ADOPT,
            Act.NODES_REVOKE,
            Act.NODES_CONFIRM,
            Act.NODES_TEST,
            Act.NODES_LOG,
            Act.ROLLOUTS_HALT,
            Act.FAULTS_ACKNOWLEDGE,
            Act.HOLDS_ORDER,
        }
    ),
    Role.ADMINISTRATOR: frozenset(Act),
}
"""Role → acts. Everybody who works there may order silence (promise P7); reading is for every role."""


@dataclass(frozen=True)
class Sight:
    """What somebody may read."""

    areas: frozenset[str] | None
    """Ids of the areas in sight; None: all."""
    above: frozenset[str] = frozenset()
    """Areas above those, of which only the name, the policy and what they offer is seen."""
    every: bool = False
    """These are all areas that there are: only what belongs to none is not in sight."""

    @property
    def whole(self) -> bool:
        """Say whether whatever belongs to an area, as nodes do, is in sight."""
        return self.areas is None or self.every

    def sees(self, area_id: str | None) -> bool:
        """Say whether what belongs to an area is in sight; what belongs to none is seen by those who see all."""
        return self.areas is None or (area_id is not None and area_id in self.areas)

    def knows(self, area_id: str | None) -> bool:
        """Say whether the name of an area is seen: it is in sight, or above what is."""
        return self.sees(area_id) or area_id in self.above

    def where(self, area_id: ColumnElement[Any] | InstrumentedAttribute[Any]) -> ColumnElement[bool]:
        """Give the condition under which a row is in sight, by the column that names its area."""
        if self.areas is None:
            return true()
        return area_id.is_not(None) if self.every else among(area_id, self.areas)


EVERYTHING = Sight(None)
NOTHING = Sight(frozenset())


async def require(session: AsyncSession, actor: Actor, act: Act, areas: Collection[str | None] = ()) -> None:
    """Let the act pass in all these areas, or not. Asked inside the transaction of the act.

    So a right that was withdrawn counts at once. None among the areas is what belongs to no place: it takes a grant
    everywhere. Without areas, a grant anywhere suffices: for acts that touch nobody's things yet.

    Raises:
        NotSignedInError: the person is unknown or disabled.
        ForbiddenError: no role of the person allows it, or not there.
    """
    if actor.person_id is None:
        return
    if actor.acts is not None and act not in actor.acts:
        raise ForbiddenError(f"this token may not {act}", act=str(act))
    grants = await _grants(session, actor.person_id)
    places = {grant.area_id for grant in grants if may(grant.role, act)}
    if not places:
        raise ForbiddenError(f"your role does not allow: {act}", act=str(act))
    if None in places or not areas:
        return
    chains = await _chains(session, {area_id for area_id in areas if area_id is not None})
    for area_id in areas:
        if area_id is None or places.isdisjoint(chains.get(area_id, ())):
            raise ForbiddenError(f"your role does not allow there: {act}", act=str(act), area_id=area_id)


async def allows(session: AsyncSession, actor: Actor, act: Act, areas: Collection[str | None] = ()) -> bool:
    """Say whether ``require`` would let the act pass.

    Raises:
        NotSignedInError: the person is unknown or disabled.
    """
    try:
        await require(session, actor, act, areas)
    except ForbiddenError:
        return False
    return True


async def places_for(session: AsyncSession, actor: Actor, act: Act) -> frozenset[str | None]:
    """Give the areas in which somebody was granted what allows the act; None: everywhere.

    Raises:
        NotSignedInError: the person is unknown or disabled.
    """
    if actor.person_id is None:
        return frozenset([None])
    if actor.acts is not None and act not in actor.acts:
        return frozenset()
    return frozenset(grant.area_id for grant in await _grants(session, actor.person_id) if may(grant.role, act))


async def reach(session: AsyncSession, actor: Actor, act: Act) -> Sight:
    """Give the areas in which somebody may do the act: those of ``places_for`` and all below them.

    Raises:
        NotSignedInError: the person is unknown or disabled.
    """
    return await _below(session, await places_for(session, actor, act))


async def home(session: AsyncSession, actor: Actor, act: Act, area_id: str | None) -> str | None:
    """Say whose a new thing is: the area that was named, else the one in which its maker works; and require the act.

    None, the centre's own, only for who may do it everywhere, in a centre with several uppermost areas.

    Raises:
        InvalidError: there is no such area, or several would do and none was named.
        ForbiddenError: no role of the person allows it, or not there.
    """
    if area_id is not None:
        if not (await sight(session, actor)).knows(area_id) or not await stands(session, area_id):
            raise InvalidError("area_id: there is no such area", field="area_id", problem="unknown")
        await require(session, actor, act, [area_id])
        return area_id
    await require(session, actor, act)
    places = await places_for(session, actor, act)
    if None in places:
        uppermost = select(Area.id).where(Area.parent_id.is_(None), Area.removed_at.is_(None))
        roots = (await session.scalars(uppermost.limit(2))).all()
        return roots[0] if len(roots) == 1 else None
    if len(places) > 1:
        raise InvalidError("area_id: say whose it is: you work in several areas", field="area_id", problem="empty")
    return next(iter(places))


async def sight(session: AsyncSession, actor: Actor) -> Sight:
    """Say what somebody may read: every role sees its area and all below it.

    Raises:
        NotSignedInError: the person is unknown or disabled.
    """
    if actor.person_id is None:
        return EVERYTHING
    return await _below(session, {grant.area_id for grant in await _grants(session, actor.person_id)})


def may(role: str, act: Act) -> bool:
    """Say whether a role allows an act; an unknown role allows nothing."""
    return role in set(Role) and act in ALLOWED[Role(role)]


async def within(session: AsyncSession, seen: Sight, area_id: str | None) -> Sight:
    """Narrow what is in sight to one area and all below it; None: as it is. The names above stay known.

    Raises:
        NotFoundError: there is no such area in sight.
    """
    if area_id is None:
        return seen
    here = await _below(session, {area_id})
    if not here.areas or not seen.sees(area_id):
        raise NotFoundError("there is no such area", resource="areas", id=area_id[:64])
    return here


async def _grants(session: AsyncSession, person_id: str) -> list[Grant]:
    known: dict[object, list[Grant]] = kept(session)
    question = (_grants, person_id)
    if question not in known:
        person = await session.get(Person, person_id)
        if person is None or person.disabled_at is not None:
            raise NotSignedInError("this account is closed")
        known[question] = list(await session.scalars(select(Grant).where(Grant.person_id == person_id)))
    return known[question]


async def _below(session: AsyncSession, places: AbstractSet[str | None]) -> Sight:
    """Give what lies at and below some areas, None being everything, with what is above those."""
    if None in places:
        return EVERYTHING
    if not places:
        return NOTHING
    known: dict[object, Sight] = kept(session)
    question = (_below, frozenset(places))
    if question not in known:
        known[question] = await _read_below(session, places)
    return known[question]


async def _read_below(session: AsyncSession, places: AbstractSet[str | None]) -> Sight:
    # Asked of the database area by area: a page of one commune does not read a province's tree.
    here = select(Area.id, Area.parent_id).where(Area.id.in_(places))
    down, up = here.cte("down", recursive=True), here.cte("up", recursive=True)
    down = down.union(select(Area.id, Area.parent_id).join(down, Area.parent_id == down.c.id))
    up = up.union(select(Area.id, Area.parent_id).join(up, Area.id == up.c.parent_id))
    seen = frozenset(await session.scalars(select(down.c.id)))
    above = frozenset(await session.scalars(select(up.c.id))) - seen
    every = not above and await session.scalar(select(func.count()).select_from(Area)) == len(seen)
    return Sight(seen, above, every)


async def _chains(session: AsyncSession, area_ids: Collection[str]) -> dict[str, set[str]]:
    """Give, of these areas, each that there is with all above it."""
    up = select(Area.id.label("of"), Area.id, Area.parent_id).where(among(Area.id, area_ids)).cte("up", recursive=True)
    up = up.union(select(up.c.of, Area.id, Area.parent_id).join(up, Area.id == up.c.parent_id))
    chains: dict[str, set[str]] = {}
    for of, area_id in await session.execute(select(up.c.of, up.c.id)):
        chains.setdefault(of, set()).add(area_id)
    return chains
