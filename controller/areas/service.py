"""Areas: the tree of places, and what nodes have from it."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from controller.audit import service as audit
from controller.clock import Clock
from controller.db import Database, Transaction
from controller.errors import InvalidError, NotFoundError
from controller.events import Event, Topic
from controller.ids import new_id
from controller.names import clean_name, known_zone
from controller.people import rights
from controller.people.actor import Actor
from controller.people.proof import Loosened
from controller.people.rights import Act, Sight
from controller.plans.service import Documents
from controller.policies.locks import check_locks
from controller.policies.rules import OF_THE_AREA, EffectivePolicy
from controller.policies.usual import is_loosened
from controller.schedules.stale import rules_changed
from edge_agent.protocol.documents import QuietHours
from edge_agent.protocol.topics import AREA_WORDS, Word

from .models import Area
from .repository import count_nodes, nodes_in, read_branches, read_tree
from .rules import MAX_DEPTH, Tree
from .schemas import AreaOut, EffectiveOut, QuietWindow
from .standing import stands


class Keep:
    """Says that a field stays as it is; None would mean "as the parent"."""


KEEP: Final = Keep()

LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{1,8})*\Z")
"""As ``edge_agent.protocol.fields.Language``."""


MOST_KEPT = 16
"""Sights whose areas are kept as they are shown."""
_Kept = dict[Sight, tuple[object, list[AreaOut]]]
"""By sight: the rows that areas were made of, and the areas."""


class Areas:
    """The tree of places."""

    def __init__(self, database: Database, clock: Clock, documents: Documents) -> None:
        self._database, self._clock, self._documents = database, clock, documents
        self._kept: _Kept = {}

    async def tree(self, actor: Actor) -> list[AreaOut]:
        """Give the areas in sight and those above them, parents before children, siblings in reading order."""
        async with self._database.reading() as session:
            return await _all(session, await rights.sight(session, actor), self._kept)

    async def get(self, actor: Actor, area_id: str) -> AreaOut:
        """Give one area.

        Raises:
            NotFoundError: there is none.
        """
        for area in await self.tree(actor):
            if area.id == area_id:
                return area
        raise _no_area(area_id)

    async def create(
        self,
        actor: Actor,
        *,
        name: str,
        kind: str = "hamlet",
        parent_id: str | None = None,
        zone: str | None = None,
        quiet_hours: Sequence[QuietWindow] | None = None,
        languages: Sequence[str] | None = None,
    ) -> AreaOut:
        """Add an area.

        Raises:
            InvalidError: a field is wrong, the name is taken, or the parent is not there or too deep.
            PolicyLockedError: an area above keeps one of these rules for itself.
            CodeError: it is to be less quiet than usual, the signer stands apart, and does not believe the code.
        """
        row = Area(
            id=new_id(),
            parent_id=parent_id,
            kind=clean_name(kind, field="kind", most=40),
            name=clean_name(name),
            zone=known_zone(zone),
            quiet_hours=_windows(quiet_hours),
            languages=_tags(languages),
            created_at=self._clock(),
        )
        async with self._database.transaction() as tx:
            await self._add(tx, actor, row)
            return await self._shown(tx, actor, row.id)

    async def create_with(self, actor: Actor, *, name: str, kind: str, hamlets: Sequence[str]) -> AreaOut:
        """Add an area with hamlets in it: all of them, or nothing.

        Raises:
            InvalidError: a name is wrong, or taken.
        """
        at = self._clock()
        root = Area(id=new_id(), kind=clean_name(kind, field="kind", most=40), name=clean_name(name), created_at=at)
        named = [clean_name(each) for each in hamlets]
        rows = [Area(id=new_id(), parent_id=root.id, kind="hamlet", name=each, created_at=at) for each in named]
        async with self._database.transaction() as tx:
            for row in (root, *rows):
                await self._add(tx, actor, row)
            return await self._shown(tx, actor, root.id)

    async def _add(self, tx: Transaction, actor: Actor, row: Area) -> None:
        seen = await rights.sight(tx.session, actor)
        tree = await _check_parent(tx.session, row.parent_id, seen)
        await rights.require(tx.session, actor, Act.AREAS_CREATE, [row.parent_id])
        tree.check_name(row.id, row.parent_id, row.name)
        check_locks(tree, row.parent_id, [field for field in OF_THE_AREA if getattr(row, field) is not None])
        tx.session.add(row)
        await tx.session.flush()
        for word in sorted(AREA_WORDS):
            await self._documents.touch(tx, f"areas/{row.id}", word)
        detail = {"name": row.name, "kind": row.kind, "parent_id": row.parent_id}
        if row.quiet_hours is not None or row.zone is not None:
            await _prove(tx, actor, row.id)
        await self._note(tx, actor, Act.AREAS_CREATE, row.id, detail)

    async def change(
        self,
        actor: Actor,
        area_id: str,
        *,
        name: str | Keep = KEEP,
        kind: str | Keep = KEEP,
        zone: str | Keep | None = KEEP,
        quiet_hours: Sequence[QuietWindow] | Keep | None = KEEP,
        languages: Sequence[str] | Keep | None = KEEP,
    ) -> AreaOut:
        """Change what is given; settings of all nodes below follow. Where it lies, a move changes.

        Raises:
            NotFoundError: there is no such area.
            InvalidError: a field is wrong, or the name is taken.
            PolicyLockedError: an area above keeps one of these rules for itself.
            CodeError: it is to be less quiet than usual, the signer stands apart, and does not believe the code.
        """
        given = {
            "name": name,
            "kind": kind,
            "zone": zone,
            "quiet_hours": quiet_hours,
            "languages": languages,
        }
        wanted = {field: CLEANED[field](value) for field, value in given.items() if not isinstance(value, Keep)}
        async with self._database.transaction() as tx:
            seen = await rights.sight(tx.session, actor)
            row = await tx.session.get(Area, area_id) if seen.knows(area_id) else None
            if row is None or row.removed_at is not None:
                raise _no_area(area_id)
            await rights.require(tx.session, actor, Act.AREAS_CHANGE, [area_id])
            changed = [field for field, value in wanted.items() if value not in (None, getattr(row, field))]
            tree = await read_tree(tx.session)
            check_locks(tree, row.parent_id, changed)
            if "name" in changed:
                tree.check_name(area_id, row.parent_id, wanted["name"])
            for field, value in wanted.items():
                setattr(row, field, value)
            await tx.session.flush()
            if wanted.keys() - {"name", "kind"}:
                await self._settings_follow(tx, area_id)
            if wanted.keys() & {"zone", "quiet_hours"}:
                await rules_changed(tx, tree, area_id, self._clock())
                await _prove(tx, actor, area_id)
            await self._note(tx, actor, Act.AREAS_CHANGE, area_id, wanted)
            return await self._shown(tx, actor, area_id)

    async def _settings_follow(self, tx: Transaction, area_id: str) -> None:
        tree = await read_tree(tx.session)
        for node in await nodes_in(tx.session, tree, [f"areas/{area_id}"], reports=False):
            await self._documents.touch(tx, f"nodes/{node.id}", Word.SETTINGS)

    async def _note(self, tx: Transaction, actor: Actor, act: Act, area_id: str, detail: dict[str, Any]) -> None:
        await audit.write(tx, actor, act, f"areas/{area_id}", detail, at=self._clock(), area_id=area_id)
        tx.tell(Event(Topic.AREA, area_id))

    async def _shown(self, tx: Transaction, actor: Actor, area_id: str) -> AreaOut:
        seen = await rights.sight(tx.session, actor)
        return next(area for area in await _all(tx.session, seen, self._kept) if area.id == area_id)


async def _prove(tx: Transaction, actor: Actor, area_id: str) -> None:
    """Where the signer stands apart, have it know who says that a place is less quiet than is usual."""
    if actor.proof is None or actor.person_id is None:
        return
    found = (await read_tree(tx.session)).effective(area_id)
    hours = tuple(QuietHours(start=each.start, until=each.until) for each in found.quiet_hours)
    if is_loosened(found.zone, hours):
        loosened = Loosened(scope=f"areas/{area_id}", zone=found.zone, quiet_hours=hours)
        tx.lastly(partial(actor.proof.give, actor.person_id, loosened))


async def _all(session: AsyncSession, seen: Sight, kept: _Kept) -> list[AreaOut]:
    """Give the areas. A province's thousand are made anew only when the rows say something else than the last time."""
    if seen.areas is None or seen.every:
        tree = await read_tree(session)
    else:
        tree = await read_branches(session, seen.areas)
    counts = await count_nodes(session, seen)
    rows = tree.places, counts
    if seen not in kept or kept[seen][0] != rows:
        if len(kept) >= MOST_KEPT:
            kept.clear()
        shown = (place.id for place in tree.walk() if seen.knows(place.id) and not place.is_removed)
        below, alike = _below(tree, counts), dict[Any, EffectiveOut]()
        kept[seen] = rows, [_out(tree, below, area_id, seen, alike) for area_id in shown]
    return [*kept[seen][1]]


def _below(tree: Tree, counts: Mapping[str, int]) -> dict[str, int]:
    """Sum up counts of areas for each that they lie in."""
    found = dict(counts)
    for place in reversed([*tree.walk()]):  # children before their parents
        if place.parent_id:
            found[place.parent_id] = found.get(place.parent_id, 0) + found.get(place.id, 0)
    return found


def _effective(found: EffectivePolicy, alike: dict[Any, EffectiveOut]) -> EffectiveOut:
    """Show what holds in an area; nearly all areas of a province have the same, which is made once."""
    key = (found.zone, found.quiet_hours, found.languages)
    if key not in alike:
        windows = tuple(QuietWindow(start=each.start, until=each.until) for each in found.quiet_hours)
        alike[key] = EffectiveOut(zone=found.zone, quiet_hours=windows, languages=found.languages)
    return alike[key]


def _out(tree: Tree, below: Mapping[str, int], area_id: str, seen: Sight, alike: dict[Any, EffectiveOut]) -> AreaOut:
    place, path = tree.places[area_id], tree.path(area_id)
    return AreaOut(
        id=place.id,
        parent_id=place.parent_id,
        kind=place.kind,
        name=place.name,
        depth=len(path) - 1,
        path=path,
        in_sight=seen.sees(area_id),
        node_count=below.get(area_id, 0),
        zone=place.zone,
        quiet_hours=_windows_out(place.quiet_hours),
        languages=tuple(place.languages) if place.languages is not None else None,
        effective=_effective(tree.effective(area_id), alike),
    )


def _windows_out(windows: Sequence[dict[str, Any]] | None) -> tuple[QuietWindow, ...] | None:
    return None if windows is None else tuple(QuietWindow(**window) for window in windows)


def _windows(windows: Sequence[QuietWindow] | None) -> list[dict[str, Any]] | None:
    if windows is None:
        return None
    if any(window.start == window.until for window in windows):
        raise InvalidError(
            "quiet_hours: start and until are the same; leave the window out instead",
            field="quiet_hours",
            problem="empty_window",
        )
    return [window.model_dump() for window in windows]


def _tags(languages: Sequence[str] | None) -> list[str] | None:
    if languages is None:
        return None
    if not languages or not all(LANGUAGE.match(tag) for tag in languages):
        raise InvalidError("languages: tags such as vi, hmn, tyz", field="languages", problem="unknown")
    return list(languages)


async def _check_parent(session: AsyncSession, parent_id: str | None, seen: Sight) -> Tree:
    """See to it that something can be added there; gives the tree."""
    if parent_id is not None and not (seen.knows(parent_id) and await stands(session, parent_id)):
        raise InvalidError("parent_id: there is no such area", field="parent_id", problem="unknown")
    tree = await read_tree(session)
    if parent_id is not None and len(tree.chain(parent_id)) + 1 > MAX_DEPTH:
        raise InvalidError(f"parent_id: at most {MAX_DEPTH} levels", field="parent_id", problem="too_deep")
    return tree


def _no_area(area_id: str) -> NotFoundError:
    return NotFoundError("there is no such area", resource="areas", id=area_id[:64])


CLEANED: dict[str, Callable[[Any], Any]] = {
    "name": clean_name,
    "kind": lambda kind: clean_name(kind, field="kind", most=40),
    "zone": known_zone,
    "quiet_hours": _windows,
    "languages": _tags,
}
"""Field → what checks it and gives what the row keeps."""
