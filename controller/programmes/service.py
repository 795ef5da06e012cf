"""Programmes: put together, changed, made from templates, archived. What airs them asks ``repository.lay_out``."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import Select, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.standing import stands
from controller.areas.targets import tree_around
from controller.audit import service as audit
from controller.clock import Clock
from controller.db import Database, Transaction, locks
from controller.errors import ConflictError, InvalidError, NotFoundError
from controller.ids import new_id
from controller.names import clean_name
from controller.paging import Found, Wanted, paged
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import Act, Sight
from controller.schedules.models import Calendar, Schedule
from controller.search import matches

from .changes import programme_changed
from .checks import candidates, check_items
from .models import ItemKind, Programme, ProgrammeItem
from .repository import items_of
from .schemas import (
    MAX_ITEMS,
    CopyIn,
    ItemIn,
    OrderIn,
    ProgrammeChange,
    ProgrammeIn,
    ProgrammeOut,
    ProgrammeRow,
    SlotOut,
)
from .views import out

OF_AN_ITEM = ("kind", "recording_id", "bulletin_id", "category", "gain_mb")
"""What the audit says of an item: by it approvals know whose work it is."""


class Programmes:
    """All programmes and templates."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def create(self, actor: Actor, wanted: ProgrammeIn) -> ProgrammeOut:
        """Save a new programme or template.

        Raises:
            InvalidError: a field is wrong, or something in it is not there for this person or area.
        """
        async with self._database.transaction() as tx:
            return await self._add(tx, actor, wanted, (), {})

    async def copy(self, actor: Actor, programme_id: str, wanted: CopyIn) -> ProgrammeOut:
        """Make a programme from a template, or from another programme. The two know nothing of each other afterwards.

        Raises:
            NotFoundError: there is no such programme for this person.
            InvalidError: a field is wrong, or something in it is not there for this person or area.
            ForbiddenError: this person writes no programmes there.
        """
        async with self._database.transaction() as tx:
            return await self.copied(tx, actor, programme_id, wanted)

    async def copied(self, tx: Transaction, actor: Actor, programme_id: str, wanted: CopyIn) -> ProgrammeOut:
        """Do as ``copy``, in a transaction of the caller's."""
        row = await self._seen(tx.session, actor, programme_id)
        items = await items_of(tx.session, programme_id)
        slots = {item.position for item in items if item.kind == ItemKind.SLOT}
        fill = {each.position: each.bulletins for each in wanted.fill}
        if wanted.is_template and fill:
            raise InvalidError("fill: slots of a template stay open", field="fill", problem="slot")
        if not fill.keys() <= slots:
            raise InvalidError("fill: there is no slot at this position", field="fill", problem="unknown")
        made = items if wanted.is_template else [each for item in items for each in _filled(item, fill)]
        new = ProgrammeIn(
            area_id=wanted.area_id or row.area_id,
            title=wanted.title,
            is_template=wanted.is_template,
            lead_in_ms=row.lead_in_ms,
            gap_ms=row.gap_ms,
            items=_at_most([_item_in(item) for item in made]),
        )
        return await self._add(tx, actor, new, _recordings(items), {"from": programme_id})

    async def change(self, actor: Actor, programme_id: str, wanted: ProgrammeChange) -> ProgrammeOut:
        """Change what is given. Schedules that air it are rolled anew; what was approved has to be approved again.

        Raises:
            NotFoundError: there is no such programme for this person.
            ConflictError: there is a newer version, or it is archived.
            InvalidError: a field is wrong, or something in it is not there for this person or area.
        """
        async with self._database.transaction() as tx:
            row = await self._mine(tx.session, actor, programme_id, wanted.version)
            items = await self._rewrite(tx.session, actor, row, wanted)
            if "items" in wanted.model_fields_set:
                await _replace(tx, row, items)
            return await self._changed(tx, actor, row, {"changed": sorted(wanted.model_fields_set - {"version"})})

    async def drafted(
        self, session: AsyncSession, actor: Actor, programme_id: str, wanted: ProgrammeChange | OrderIn
    ) -> tuple[Programme, Sequence[ProgrammeItem]]:
        """Give a programme and its items as they would be; nothing is saved.

        Raises:
            NotFoundError, ConflictError, ForbiddenError, InvalidError: as ``change`` and ``reorder`` say.
        """
        known = await self._mine(session, actor, programme_id, wanted.version)
        row = Programme(**{column.key: getattr(known, column.key) for column in Programme.__table__.columns})
        if isinstance(wanted, OrderIn):
            return row, await _reordered(session, row, wanted)
        return row, await self._rewrite(session, actor, row, wanted)

    async def _rewrite(
        self, session: AsyncSession, actor: Actor, row: Programme, wanted: ProgrammeChange
    ) -> Sequence[ProgrammeItem]:
        """Put what is given into a row; gives the items that it has then."""
        given, there = wanted.model_fields_set, await items_of(session, row.id)
        for field in given & {"lead_in_ms", "gap_ms"}:
            setattr(row, field, getattr(wanted, field))
        if "title" in given:
            row.title = clean_name(wanted.title, field="title")
        return await self._checked(session, actor, row, wanted.items, _recordings(there)) if "items" in given else there

    async def reorder(self, actor: Actor, programme_id: str, wanted: OrderIn) -> ProgrammeOut:
        """Put the items in another order.

        Raises:
            NotFoundError: there is no such programme for this person.
            ConflictError: there is a newer version, or it is archived.
            InvalidError: the order does not name every position once.
        """
        async with self._database.transaction() as tx:
            row = await self._mine(tx.session, actor, programme_id, wanted.version)
            await _replace(tx, row, await _reordered(tx.session, row, wanted))
            return await self._changed(tx, actor, row, {"order": wanted.order})

    async def archive(self, actor: Actor, programme_id: str) -> ProgrammeOut:
        """Put it away.

        Raises:
            NotFoundError: there is no such programme for this person.
            ConflictError: it is archived already, or a schedule or calendar airs it.
        """
        async with self._database.transaction() as tx:
            row = await self._mine(tx.session, actor, programme_id)
            for airing in (Schedule, Calendar):
                query = select(airing.title).where(airing.programme_id == programme_id, airing.ended_at.is_(None))
                title = await tx.session.scalar(query.limit(1))
                if title is not None:
                    raise ConflictError(f"{title!r} airs it; end that first", problem="in_use", title=title)
            row.archived_at = self._clock()
            return await self._changed(tx, actor, row, {"archived": True})

    async def get(self, actor: Actor, programme_id: str) -> ProgrammeOut:
        """Give one programme with its length, or with what keeps it from being aired.

        Raises:
            NotFoundError: there is none for this person.
        """
        async with self._database.reading() as session:
            row = await self._seen(session, actor, programme_id)
            return await out(session, row, await rights.sight(session, actor), now=self._clock())

    async def slots(self, actor: Actor, programme_id: str, area_id: str | None = None) -> Sequence[SlotOut]:
        """Give the slots of a template, each with what could fill it in an area's programme now.

        Raises:
            NotFoundError: there is no such programme or area for this person.
        """
        async with self._database.reading() as session:
            row = await self._seen(session, actor, programme_id)
            seen = await rights.sight(session, actor)
            place = area_id or row.area_id
            if not seen.knows(place) or not await stands(session, place):
                raise NotFoundError("there is no such area", resource="areas", id=place[:64])
            found = await candidates(session, place, now=self._clock()) if seen.sees(place) else []
            return [
                SlotOut(
                    position=item.position,
                    category=item.category or "",
                    candidates=tuple(each for each in found if each.category == item.category),
                )
                for item in await items_of(session, programme_id)
                if item.kind == ItemKind.SLOT
            ]

    async def find(self, actor: Actor, wanted: Wanted) -> Found[ProgrammeRow]:
        """Give programmes in sight with the templates of areas above, sorted by ``changed`` or ``title``.

        Narrowed by ``kind`` (``programme``, ``template``) and ``area``; archived ones by ``state`` (``archived``).
        """
        async with self._database.reading() as session:
            query = _listed(await rights.sight(session, actor))
            is_archived = wanted.having.get("state") == "archived"
            archived = Programme.archived_at
            query = query.where(archived.is_not(None) if is_archived else archived.is_(None))
            if kind := wanted.having.get("kind"):
                query = query.where(Programme.is_template.is_(kind == "template"))
            if area_id := wanted.having.get("area"):
                query = query.where(Programme.area_id == area_id)
            query = query.where(matches(Programme.search, wanted.q))
            orders = {"changed": Programme.changed_at, "title": Programme.search}
            rows, total = await paged(session, query, wanted, orders, last=Programme.id)
            return Found(tuple(_in_list(row, items) for row, items in rows), total)

    async def list(
        self, actor: Actor, *, area_id: str | None = None, templates: bool | None = None, archived: bool = False
    ) -> Sequence[ProgrammeRow]:
        """Give programmes in sight, the last changed first, with the templates of areas above.

        Raises:
            NotFoundError: there is no such area.
        """
        async with self._database.reading() as session:
            seen = await rights.sight(session, actor)
            query = _listed(seen)
            query = query.where(Programme.archived_at.is_not(None) if archived else Programme.archived_at.is_(None))
            if area_id is not None:
                await tree_around(session, seen, area_id)
                query = query.where(Programme.area_id == area_id)
            if templates is not None:
                query = query.where(Programme.is_template.is_(templates))
            rows = await session.execute(query.order_by(Programme.changed_at.desc(), Programme.id).limit(500))
            return [_in_list(row, items) for row, items in rows.all()]

    async def _add(
        self, tx: Transaction, actor: Actor, wanted: ProgrammeIn, known: Collection[str], detail: dict[str, Any]
    ) -> ProgrammeOut:
        seen, now = await rights.sight(tx.session, actor), self._clock()
        if not seen.sees(wanted.area_id) or not await stands(tx.session, wanted.area_id):
            raise InvalidError("area_id: there is no such area", field="area_id", problem="unknown")
        await rights.require(tx.session, actor, Act.PROGRAMMES_WRITE, [wanted.area_id])
        row = Programme(
            id=new_id(),
            area_id=wanted.area_id,
            title=clean_name(wanted.title, field="title"),
            is_template=wanted.is_template,
            version=0,
            lead_in_ms=wanted.lead_in_ms,
            gap_ms=wanted.gap_ms,
            created_by=actor.person_id,
            created_at=now,
            changed_at=now,
        )
        tx.session.add(row)
        await tx.session.flush()
        await _replace(tx, row, await self._checked(tx.session, actor, row, wanted.items, known))
        return await self._changed(tx, actor, row, detail)

    async def _checked(
        self, session: AsyncSession, actor: Actor, row: Programme, items: Sequence[ItemIn], known: Collection[str]
    ) -> Sequence[ProgrammeItem]:
        seen = await rights.sight(session, actor)
        return await check_items(session, seen, row, items, now=self._clock(), known=known)

    async def _seen(self, session: AsyncSession, actor: Actor, programme_id: str) -> Programme:
        """Give a row in sight: one's own, or a template of an area above."""
        seen = await rights.sight(session, actor)
        row = await session.get(Programme, programme_id)
        if row is None or not (seen.sees(row.area_id) or (row.is_template and seen.knows(row.area_id))):
            raise _no_programme(programme_id)
        return row

    async def _mine(
        self, session: AsyncSession, actor: Actor, programme_id: str, version: int | None = None
    ) -> Programme:
        """Give the row of a programme for a change by whoever may do that there."""
        await session.get(Programme, programme_id, with_for_update=locks(session))
        row = await self._seen(session, actor, programme_id)
        await rights.require(session, actor, Act.PROGRAMMES_WRITE, [row.area_id])
        if row.archived_at is not None:
            raise ConflictError("this programme is archived", problem="archived")
        if version is not None and row.version != version:
            raise ConflictError("somebody changed this programme; look again", problem="changed", version=row.version)
        return row

    async def _changed(self, tx: Transaction, actor: Actor, row: Programme, detail: dict[str, Any]) -> ProgrammeOut:
        """Write the audit, tell whoever looks, and have what was made from it made anew."""
        now = self._clock()
        row.version, row.changed_at, row.changed_by = row.version + 1, now, actor.person_id or row.changed_by
        await tx.session.flush()
        found = await out(tx.session, row, await rights.sight(tx.session, actor), now=now)
        await programme_changed(tx, row.id, now)
        said = {"title": row.title, "version": row.version, "content_sha256": found.content_sha256, **detail}
        heard = [each for each in found.items if each.kind != ItemKind.PAUSE]
        said["items"] = [each.model_dump(mode="json", include=set(OF_AN_ITEM)) for each in heard]
        await audit.write(tx, actor, Act.PROGRAMMES_WRITE, f"programmes/{row.id}", said, at=now, area_id=row.area_id)
        return found


def _listed(seen: Sight) -> Select[Programme, int]:
    """Give the query of all that somebody may read, with the number of items of each."""
    counts = select(func.count()).where(ProgrammeItem.programme_id == Programme.id).scalar_subquery()
    readable = seen.where(Programme.area_id)
    if seen.above:
        readable |= Programme.is_template & Programme.area_id.in_(seen.above)
    return select(Programme, counts).where(readable)


async def _replace(tx: Transaction, row: Programme, items: Sequence[ProgrammeItem]) -> None:
    await tx.session.execute(delete(ProgrammeItem).where(ProgrammeItem.programme_id == row.id))
    tx.session.add_all(items)
    await tx.session.flush()


async def _reordered(session: AsyncSession, row: Programme, wanted: OrderIn) -> Sequence[ProgrammeItem]:
    items = await items_of(session, row.id)
    if sorted(wanted.order) != [item.position for item in items]:
        raise InvalidError("order: name every position once", field="order", problem="order")
    found = [_item_in(items[position]) for position in wanted.order]
    return [_row(row, position, item) for position, item in enumerate(found)]


def _recordings(items: Iterable[ProgrammeItem]) -> frozenset[str]:
    return frozenset(item.recording_id for item in items if item.recording_id)


def _filled(item: ProgrammeItem, fill: dict[int, list[str]]) -> list[ProgrammeItem]:
    """Give what stands in the new programme for one item of the old."""
    if item.kind != ItemKind.SLOT:
        return [item]
    return [
        ProgrammeItem(kind=ItemKind.BULLETIN, bulletin_id=bulletin_id, gain_mb=item.gain_mb)
        for bulletin_id in fill.get(item.position, ())
    ]


def _at_most(items: list[ItemIn]) -> list[ItemIn]:
    if len(items) > MAX_ITEMS:
        raise InvalidError(f"fill: more than {MAX_ITEMS} items", field="fill", problem="too_long", most=MAX_ITEMS)
    return items


def _item_in(row: ProgrammeItem) -> ItemIn:
    return ItemIn(
        kind=ItemKind(row.kind),
        recording_id=row.recording_id,
        bulletin_id=row.bulletin_id,
        pause_ms=row.pause_ms,
        category=row.category,
        gain_mb=row.gain_mb or 0,
    )


def _row(programme: Programme, position: int, item: ItemIn) -> ProgrammeItem:
    return ProgrammeItem(programme_id=programme.id, position=position, **item.model_dump())


def _in_list(row: Programme, items: int) -> ProgrammeRow:
    return ProgrammeRow(
        id=row.id,
        area_id=row.area_id,
        title=row.title,
        is_template=row.is_template,
        version=row.version,
        item_count=items,
        changed_at=row.changed_at,
        archived_at=row.archived_at,
    )


def _no_programme(programme_id: str) -> NotFoundError:
    return NotFoundError("there is no such programme", resource="programmes", id=programme_id[:64])
