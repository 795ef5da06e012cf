"""What somebody can do no more without a role, or without the account; and who else can. Looked at before.

An administrator may do everything, and one always stays: who else can is said of those whose work it is.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.approvals.models import ApprovalRequest
from controller.approvals.states import RequestState
from controller.areas.repository import read_tree
from controller.areas.rules import Tree
from controller.areas.targets import areas_of
from controller.db import Database

from .actor import Actor
from .models import Grant, Person
from .repository import seen
from .rights import ALLOWED, Act, Role, may
from .schemas import LeavingOut, LossOut

_Held = tuple[str, str | None]
"""A role, and where; None: everywhere."""


@dataclass(frozen=True)
class _Asked:
    """A request that waits for a yes."""

    by: str
    areas: frozenset[str | None]
    """In which whoever approves needs the right."""


class Leaving:
    """Foresees what taking roles does."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, actor: Actor, person_id: str) -> LeavingOut:
        """Say it of each role of somebody, and of closing the account.

        Raises:
            NotFoundError: no such person, or not for this one.
            ForbiddenError: the person looks after nobody's account.
        """
        async with self._database.reading() as session:
            person, grants = await seen(session, actor, person_id)
            if person.disabled_at is not None:
                return LeavingOut(roles=(), closing_waiting=0)
            here = _Here(person.id, await read_tree(session), await _others(session, person.id), await _asked(session))
        held = [(grant.role, grant.area_id) for grant in grants]
        return LeavingOut(
            roles=tuple(here.loss(grant, held[:at] + held[at + 1 :]) for at, grant in enumerate(grants)),
            closing_waiting=here.left_waiting(held, []),
        )


@dataclass(frozen=True)
class _Here:
    """Who holds which roles, and what waits."""

    person_id: str
    tree: Tree
    others: Mapping[str, Sequence[_Held]]
    asked: Sequence[_Asked]

    def loss(self, grant: Grant, left: Sequence[_Held]) -> LossOut:
        """Say what goes with a role when these are left."""
        acts = ALLOWED[Role(grant.role)] if grant.role in set(Role) else frozenset()
        helps = (held if grant.role == Role.ADMINISTRATOR else _working(held) for held in self.others.values())
        return LossOut(
            grant_id=grant.id,
            keeps=bool(acts) and self._may(left, acts, grant.area_id),
            others=sum(self._may(held, acts, grant.area_id) for held in helps) if acts else None,
            waiting=self.left_waiting([*left, (grant.role, grant.area_id)], left),
        )

    def left_waiting(self, before: Collection[_Held], after: Collection[_Held]) -> int:
        """Count the requests that wait for this person, and then for nobody. Who asked does not approve it."""
        mine = _working(before)
        waits = [each for each in self.asked if each.by != self.person_id and self._decides(mine, each)]
        return sum(not self._decides(after, each) and not self._somebody_else_decides(each) for each in waits)

    def _somebody_else_decides(self, asked: _Asked) -> bool:
        return any(other != asked.by and self._decides(_working(held), asked) for other, held in self.others.items())

    def _decides(self, held: Collection[_Held], asked: _Asked) -> bool:
        return all(self._may(held, [Act.APPROVALS_GIVE], area_id) for area_id in asked.areas)

    def _may(self, held: Collection[_Held], acts: Iterable[Act], area_id: str | None) -> bool:
        """Tell whether who holds these roles may do all of this there."""
        above = {None, *(place.id for place in self.tree.chain(area_id or ""))}
        return all(any(place in above and may(role, act) for role, place in held) for act in acts)


def _working(held: Iterable[_Held]) -> list[_Held]:
    """Leave out what somebody may do because they administer."""
    return [each for each in held if each[0] != Role.ADMINISTRATOR]


async def _others(session: AsyncSession, person_id: str) -> dict[str, list[_Held]]:
    """Read the roles of all others whose account is open."""
    query = select(Grant.person_id, Grant.role, Grant.area_id).join(Person, Person.id == Grant.person_id)
    found: dict[str, list[_Held]] = {}
    rows = await session.execute(query.where(Person.disabled_at.is_(None), Person.id != person_id))
    for other, role, area_id in rows:
        found.setdefault(other, []).append((role, area_id))
    return found


async def _asked(session: AsyncSession) -> list[_Asked]:
    query = select(ApprovalRequest.asked_by, ApprovalRequest.scopes).where(ApprovalRequest.state == RequestState.OPEN)
    rows = (await session.execute(query)).all()
    areas = await areas_of(session, {scope for _, scopes in rows for scope in scopes}, removed=True)
    return [_Asked(by, frozenset(areas.get(scope) for scope in scopes)) for by, scopes in rows]
