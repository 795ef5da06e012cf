"""Policies: what areas say, what holds where, and what they say to a draft."""

from datetime import datetime, timedelta
from typing import Any, get_args

from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import nodes_in, read_tree
from controller.areas.rules import Tree
from controller.areas.targets import tree_around
from controller.audit import service as audit
from controller.clock import Clock
from controller.db import Database, Transaction
from controller.errors import ConflictError
from controller.events import Event, Topic
from controller.people import rights
from controller.people.actor import Actor
from controller.people.models import Person
from controller.people.rights import Act, Sight
from controller.plans.service import Documents
from controller.schedules.stale import rules_changed
from edge_agent.protocol.documents import TrustedKey
from edge_agent.protocol.topics import Word

from .checks import Places, breaches, unusual_hour
from .limits import Airing
from .locks import check_locks
from .models import Policy
from .rules import DEFAULT, USUAL_CATEGORIES, EffectivePolicy
from .schemas import CategoryOut, CheckOut, PolicyIn, PolicyOut, PolicyRules, Rule, RuleOut, WhatIfOut
from .whatif import WhatIf

NO_RULES = PolicyRules()


class Policies:
    """What areas allow."""

    def __init__(
        self, database: Database, clock: Clock, documents: Documents, *, trusted_keys: tuple[TrustedKey, ...]
    ) -> None:
        self._database, self._clock, self._documents = database, clock, documents
        self._trusted_keys = trusted_keys

    async def get(self, actor: Actor, area_id: str) -> PolicyOut:
        """Give what an area says, and what holds there. Seen from below too: it binds whoever plans there.

        Raises:
            NotFoundError: there is no such area.
        """
        async with self._database.reading() as session:
            tree = await self._seen(session, actor, area_id)
            return await _out(session, tree, area_id, await rights.sight(session, actor))

    async def all(self, actor: Actor) -> list[PolicyOut]:
        """Give the policies of the areas that say something, in the order of the tree."""
        async with self._database.reading() as session:
            seen, tree = await rights.sight(session, actor), await read_tree(session)
            saying = [place.id for place in tree.walk() if place.rules is not None and seen.knows(place.id)]
            return [await _out(session, tree, area_id, seen) for area_id in saying]

    async def categories(self, actor: Actor, area_id: str | None = None) -> list[CategoryOut]:
        """Give what bulletins of an area may be about; without one, of all areas in sight together.

        Raises:
            NotFoundError: there is no such area.
        """
        async with self._database.reading() as session:
            if area_id is not None:
                tree, areas = await self._seen(session, actor, area_id), [area_id]
            else:
                seen, tree = await rights.sight(session, actor), await read_tree(session)
                areas = [place.id for place in tree.walk() if seen.sees(place.id)]
        found = {each.code: each for area in areas for each in _categories(tree.effective(area))}
        return list(found.values()) or _categories(DEFAULT)

    async def categories_by_area(self, actor: Actor) -> dict[str, list[CategoryOut]]:
        """Give the same for each area that is known, upper areas first; areas that say the same share a list."""
        async with self._database.reading() as session:
            seen, tree = await rights.sight(session, actor), await read_tree(session)
        alike, found = dict[Any, list[CategoryOut]](), dict[str, list[CategoryOut]]()
        for place in tree.walk():
            if seen.knows(place.id) and not place.is_removed:
                policy = tree.effective(place.id)
                said = (policy.categories, policy.origins.get("categories"))
                if said not in alike:
                    alike[said] = _categories(policy)
                found[place.id] = alike[said]
        return found

    async def put(self, actor: Actor, area_id: str, wanted: PolicyIn) -> PolicyOut:
        """Say from now on what is given; settings and leases of the nodes below follow.

        Raises:
            NotFoundError: there is no such area.
            ConflictError: somebody changed it since ``wanted.version``.
            PolicyLockedError: an area above keeps one of these rules for itself.
        """
        now = self._clock()
        async with self._database.transaction() as tx:
            tree = await self._seen(tx.session, actor, area_id)
            await rights.require(tx.session, actor, Act.POLICIES_CHANGE, [area_id])
            row = await tx.session.get(Policy, area_id, with_for_update=True)
            version = row.version if row is not None else 0
            if version != wanted.version:
                raise ConflictError("the policy was changed meanwhile; look again", problem="version", version=version)
            before = PolicyRules.stored(row.rules) if row is not None else NO_RULES
            check_locks(tree, tree.places[area_id].parent_id, _changed(before, wanted.rules))
            said = wanted.rules.model_dump(mode="json", exclude_none=True)
            fields = {"version": version + 1, "rules": said, "locked": sorted(set(wanted.locked))}
            if row is None:
                row = Policy(area_id=area_id, changed_by=actor.person_id, changed_at=now, **fields)
                tx.session.add(row)
            else:
                row.version, row.rules, row.locked = version + 1, said, sorted(set(wanted.locked))
                row.changed_by, row.changed_at = actor.person_id, now
            await tx.session.flush()
            await self._follow(tx, tree, area_id)
            await rules_changed(tx, tree, area_id, now)
            await audit.write(
                tx, actor, Act.POLICIES_CHANGE, f"areas/{area_id}", _told(before, fields), at=now, area_id=area_id
            )
            tx.tell(Event(Topic.AREA, area_id))
            return await _out(tx.session, await read_tree(tx.session), area_id, await rights.sight(tx.session, actor))

    async def preview(self, actor: Actor, area_id: str, wanted: PolicyIn) -> WhatIfOut:
        """Run the last 30 and the next 30 days through the timeline, as they are and with ``wanted``; saves nothing.

        Raises:
            NotFoundError: there is no such area.
            PolicyLockedError: an area above keeps one of these rules for itself.
        """
        async with self._database.reading() as session:
            tree = await self._seen(session, actor, area_id, whole=True)
            row = await session.get(Policy, area_id)
            before = PolicyRules.stored(row.rules) if row is not None else NO_RULES
            check_locks(tree, tree.places[area_id].parent_id, _changed(before, wanted.rules))
            nodes = await nodes_in(session, tree, [f"areas/{area_id}"], reports=False)
            said = wanted.rules.model_dump(mode="json", exclude_none=True)
            after = tree.with_said(area_id, rules=said, locked=wanted.locked)
            looking = WhatIf(session, Places.of_nodes(tree, nodes), self._clock(), self._trusted_keys)
            await looking.read()
            return await looking.compare(after)

    async def check(self, actor: Actor, area_id: str, *, start_at: datetime, length_ms: int) -> CheckOut:
        """Say what the policy says to a routine broadcast in an area and all below it; saves nothing.

        Raises:
            NotFoundError: there is no such area.
        """
        run = Airing(start_at, timedelta(milliseconds=length_ms))
        async with self._database.reading() as session:
            tree = await self._seen(session, actor, area_id, whole=True)
            nodes = await nodes_in(session, tree, [f"areas/{area_id}"], reports=False)
            places = Places.of_nodes(tree, nodes) if nodes else Places(tree, (area_id,))
            return CheckOut(
                breaches=tuple(await breaches(session, places, [run])),
                unusual=await unusual_hour(session, places, run, now=self._clock()),
            )

    async def _seen(self, session: AsyncSession, actor: Actor, area_id: str, *, whole: bool = False) -> Tree:
        """Give the tree if the area is known to the person; ``whole``: if what lies in it is in sight."""
        return await tree_around(session, await rights.sight(session, actor), area_id, whole=whole)

    async def _follow(self, tx: Transaction, tree: Tree, area_id: str) -> None:
        """Have said anew what rests upon the policy. What stays the same is not signed again."""
        scopes = [f"areas/{each}" for each in tree.below(area_id)]
        below = await nodes_in(tx.session, tree, [f"areas/{area_id}"], reports=False)
        nodes = [f"nodes/{node.id}" for node in below]
        for scope in sorted([*scopes, *nodes]):
            await self._documents.touch(tx, scope, Word.PLAN)
        for scope in nodes:
            await self._documents.touch(tx, scope, Word.SETTINGS)


def _categories(policy: EffectivePolicy) -> list[CategoryOut]:
    if policy.categories is None:
        return [CategoryOut(code=code, name=None, from_id=None) for code in USUAL_CATEGORIES]
    origin = policy.origins.get("categories")
    return [CategoryOut(code=each.code, name=each.name, from_id=origin) for each in policy.categories]


def _changed(before: PolicyRules, after: PolicyRules) -> list[str]:
    return [name for name, value in after.said() if value != getattr(before, name)]


def _told(before: PolicyRules, fields: dict[str, Any]) -> dict[str, Any]:
    return fields | {"before": before.model_dump(mode="json", exclude_none=True)}


async def _out(session: AsyncSession, tree: Tree, area_id: str, seen: Sight) -> PolicyOut:
    row = await session.get(Policy, area_id)
    named = row.changed_by if row is not None and seen.sees(area_id) else None
    by = await session.get(Person, named) if named else None
    return PolicyOut(
        area_id=area_id,
        version=row.version if row is not None else 0,
        rules=PolicyRules.stored(row.rules) if row is not None else NO_RULES,
        locked=tuple(rule for rule in get_args(Rule) if row is not None and rule in row.locked),
        effective=tuple(_rule_out(tree, area_id, rule) for rule in get_args(Rule)),
        changed_at=row.changed_at if row is not None else None,
        changed_by=by.name if by is not None else None,
    )


def _rule_out(tree: Tree, area_id: str, rule: Rule) -> RuleOut:
    found = tree.effective(area_id)
    origin, lock = found.origins.get(rule), found.locks.get(rule)
    return RuleOut(
        rule=rule,
        value=getattr(found, rule),
        from_id=origin,
        from_name=tree.places[origin].name if origin else None,
        locked_by_id=lock,
        locked_by_name=tree.places[lock].name if lock else None,
    )
