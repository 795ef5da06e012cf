"""Bulletins: written, submitted, approved or returned, offered to the areas below, archived. Every version stays."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.standing import stands
from controller.areas.targets import tree_around
from controller.audit import service as audit
from controller.broadcasts import renewing
from controller.clock import Clock
from controller.db import Database, Transaction
from controller.errors import ConflictError, InvalidError, NotFoundError
from controller.events import Event, Topic
from controller.ids import new_id
from controller.names import clean_name
from controller.paging import Found, Wanted, paged
from controller.people import rights
from controller.people.actor import Actor
from controller.people.models import Person
from controller.people.rights import Act
from controller.programmes.changes import bulletin_changed
from controller.programmes.checks import areas_above
from controller.programmes.owing import owed_in
from controller.search import matches

from . import yes
from .drafting import PLAIN, check, check_category, told_by
from .models import Bulletin, BulletinVersion, BulletinVoice
from .repository import current_version, in_sight, offered, versions
from .rules import Step, advance, differences
from .schemas import (
    MAX_REASON,
    BulletinChange,
    BulletinIn,
    BulletinOut,
    DifferenceOut,
    OfferIn,
    ReturnIn,
    VersionOut,
    VersionSeen,
    VoiceIn,
)
from .states import BulletinState
from .views import outs, version_outs


class Bulletins:
    """All bulletins."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def create(self, actor: Actor, wanted: BulletinIn) -> BulletinOut:
        """Write a bulletin: a draft.

        Raises:
            InvalidError: a field is wrong, or there is no such area for this person.
        """
        now = self._clock()
        async with self._database.transaction() as tx:
            seen = await rights.sight(tx.session, actor)
            if not seen.sees(wanted.area_id) or not await stands(tx.session, wanted.area_id):
                raise InvalidError("area_id: there is no such area", field="area_id", problem="unknown")
            await rights.require(tx.session, actor, Act.BULLETINS_WRITE, [wanted.area_id])
            plain = {field: getattr(wanted, field) for field in PLAIN}
            plain["author"] = plain["author"].strip() or await _name(tx.session, actor)
            await check_category(tx.session, wanted.area_id, wanted.category)
            version = await check(tx.session, seen, plain, wanted.voices, now=now)
            row = Bulletin(
                id=new_id(),
                area_id=wanted.area_id,
                state=BulletinState.DRAFT,
                version=1,
                created_by=actor.person_id,
                created_at=now,
            )
            tx.session.add(row)
            await tx.session.flush()
            await _add(tx, version.rows(row.id, 1, row.created_by, now))
            return await self._changed(tx, actor, Act.BULLETINS_WRITE, row, {"content_sha256": version.content_sha256})

    async def change(self, actor: Actor, bulletin_id: str, wanted: BulletinChange) -> BulletinOut:
        """Save what is given as a new version. Whatever was said of the old one, a draft it is again.

        A change that changes nothing makes no version.

        Raises:
            NotFoundError: there is no such bulletin for this person.
            ConflictError: there is a newer version, or it is archived.
            InvalidError: a field is wrong.
        """
        now = self._clock()
        async with self._database.transaction() as tx:
            row = await self._mine(tx, actor, bulletin_id, Act.BULLETINS_WRITE, wanted.version)
            words, voices = (await versions(tx.session, bulletin_id))[-1]
            given = wanted.model_fields_set - {"version", "voices"}
            plain = {field: getattr(words, field) for field in PLAIN} | {name: getattr(wanted, name) for name in given}
            plain["author"] = plain["author"].strip() or await _name(tx.session, actor)
            spoken = wanted.voices if "voices" in wanted.model_fields_set else [_voice_in(each) for each in voices]
            seen = await rights.sight(tx.session, actor)
            if plain["category"] != words.category:
                await check_category(tx.session, row.area_id, plain["category"])
            version = await check(tx.session, seen, plain, spoken, now=now)
            before = told_by(words, voices)
            changed = [each.field for each in differences(before, version.fields())]
            if not changed:
                return (await self._outs(tx.session, actor, [bulletin_id]))[0]
            row.state, row.version = advance(BulletinState(row.state), Step.EDIT), row.version + 1
            row.submitted_by = row.submitted_at = row.decided_by = row.decided_at = row.returned_reason = None
            row.offered_at = row.offered_until = None
            await _add(tx, version.rows(row.id, row.version, actor.person_id or row.created_by, now))
            detail = {"content_sha256": version.content_sha256, "changed": changed}
            return await self._changed(tx, actor, Act.BULLETINS_WRITE, row, detail)

    async def submit(self, actor: Actor, bulletin_id: str, wanted: VersionSeen) -> BulletinOut:
        """Ask for a yes to what it says now.

        Raises:
            NotFoundError: there is no such bulletin for this person.
            ConflictError: there is a newer version, or it is no draft.
        """
        async with self._database.transaction() as tx:
            row = await self._mine(tx, actor, bulletin_id, Act.BULLETINS_WRITE, wanted.version)
            row.state = advance(BulletinState(row.state), Step.SUBMIT)
            row.submitted_by, row.submitted_at = actor.person_id, self._clock()
            row.decided_by = row.decided_at = row.returned_reason = None
            return await self._changed(tx, actor, Act.BULLETINS_WRITE, row, {"step": Step.SUBMIT})

    async def approve(self, actor: Actor, bulletin_id: str, wanted: VersionSeen) -> BulletinOut:
        """Say yes to a version: from now on programmes may hold it.

        Raises:
            NotFoundError: there is no such bulletin for this person.
            ConflictError: there is a newer version, or it was not submitted.
            OwnWorkError: the area's policy asks for a second person.
            NotListenedError: somebody else wrote it, and has sound that this person has not heard whole.
        """
        async with self._database.transaction() as tx:
            row = await self._mine(tx, actor, bulletin_id, Act.APPROVALS_GIVE, wanted.version)
            row.state = advance(BulletinState(row.state), Step.APPROVE)
            row.decided_by, row.decided_at = actor.person_id, self._clock()
            await yes.take(tx, actor, row, now=row.decided_at)
            return await self._changed(tx, actor, Act.APPROVALS_GIVE, row, {"step": Step.APPROVE})

    async def return_(self, actor: Actor, bulletin_id: str, wanted: ReturnIn) -> BulletinOut:
        """Send it back with a reason; also takes back a yes.

        Raises:
            NotFoundError: there is no such bulletin for this person.
            ConflictError: there is a newer version, or it was neither submitted nor approved.
            InvalidError: no reason is given.
        """
        reason = clean_name(wanted.reason, field="reason", most=MAX_REASON)
        async with self._database.transaction() as tx:
            row = await self._mine(tx, actor, bulletin_id, Act.APPROVALS_GIVE, wanted.version)
            row.state = advance(BulletinState(row.state), Step.RETURN)
            row.decided_by, row.decided_at, row.returned_reason = actor.person_id, self._clock(), reason
            row.offered_at = row.offered_until = None
            detail = {"step": Step.RETURN, "reason": reason}
            return await self._changed(tx, actor, Act.APPROVALS_GIVE, row, detail)

    async def archive(self, actor: Actor, bulletin_id: str) -> BulletinOut:
        """Put it away: no programme may air it any more.

        Raises:
            NotFoundError: there is no such bulletin for this person.
            ConflictError: it is archived already.
        """
        async with self._database.transaction() as tx:
            row = await self._mine(tx, actor, bulletin_id, Act.BULLETINS_WRITE)
            row.state, row.archived_at = advance(BulletinState(row.state), Step.ARCHIVE), self._clock()
            row.offered_at = row.offered_until = None
            return await self._changed(tx, actor, Act.BULLETINS_WRITE, row, {"step": Step.ARCHIVE})

    async def offer(self, actor: Actor, bulletin_id: str, wanted: OfferIn) -> BulletinOut:
        """Let the areas below place it, at the level that it has; asked again, its end is set anew.

        Raises:
            NotFoundError: there is no such bulletin for this person.
            ConflictError: there is a newer version, or it is not approved.
            InvalidError: the end has passed.
        """
        now = self._clock()
        if wanted.until_at is not None and wanted.until_at <= now:
            raise InvalidError("until_at: lies in the past", field="until_at", problem="past")
        async with self._database.transaction() as tx:
            row = await self._mine(tx, actor, bulletin_id, Act.BULLETINS_OFFER, wanted.version)
            if row.state != BulletinState.APPROVED:
                raise ConflictError("only what is approved can be offered", problem="state", state=row.state)
            row.offered_at, row.offered_until = row.offered_at or now, wanted.until_at
            detail = {"until_at": wanted.until_at.isoformat() if wanted.until_at else None}
            return await self._changed(tx, actor, Act.BULLETINS_OFFER, row, detail)

    async def end_offer(self, actor: Actor, bulletin_id: str) -> BulletinOut:
        """Take an offer back: programmes below that hold it cannot be aired until it is taken out.

        Raises:
            NotFoundError: there is no such bulletin for this person.
            ConflictError: it is not on offer.
        """
        async with self._database.transaction() as tx:
            row = await self._mine(tx, actor, bulletin_id, Act.BULLETINS_OFFER)
            if row.offered_at is None:
                raise ConflictError("this bulletin is not on offer", problem="over")
            row.offered_at = row.offered_until = None
            return await self._changed(tx, actor, Act.BULLETINS_OFFER, row, {"ended": True})

    async def get(self, actor: Actor, bulletin_id: str) -> BulletinOut:
        """Give one bulletin, their own or offered from above.

        Raises:
            NotFoundError: there is none for this person.
        """
        async with self._database.reading() as session:
            found = await self._outs(session, actor, [bulletin_id])
        if not found:
            raise _no_bulletin(bulletin_id)
        return found[0]

    async def versions(self, actor: Actor, bulletin_id: str) -> list[VersionOut]:
        """Give all it ever said, the first version first. What was said elsewhere before an offer stays there.

        Raises:
            NotFoundError: there is no such bulletin for this person.
        """
        async with self._database.reading() as session:
            await self._own(session, actor, bulletin_id)
            return await version_outs(session, await versions(session, bulletin_id))

    async def differences(self, actor: Actor, bulletin_id: str, before: int, after: int) -> list[DifferenceOut]:
        """Compare two versions field by field.

        Raises:
            NotFoundError: there is no such bulletin for this person, or no such version.
        """
        async with self._database.reading() as session:
            await self._own(session, actor, bulletin_id)
            found = {row.version: told_by(row, voices) for row, voices in await versions(session, bulletin_id)}
        if before not in found or after not in found:
            raise NotFoundError("there is no such version", resource="bulletins", id=bulletin_id[:64])
        return [DifferenceOut(**each._asdict()) for each in differences(found[before], found[after])]

    async def _mine(
        self, tx: Transaction, actor: Actor, bulletin_id: str, act: Act, version: int | None = None
    ) -> Bulletin:
        """Give the row of a bulletin for a change by whoever may do that there."""
        seen = await rights.sight(tx.session, actor)
        query = select(Bulletin).where(Bulletin.id == bulletin_id, in_sight(seen, self._clock())).with_for_update()
        row = await tx.session.scalar(query)
        if row is None:
            raise _no_bulletin(bulletin_id)
        await rights.require(tx.session, actor, act, [row.area_id])
        if version is not None and row.version != version:
            raise ConflictError("somebody changed this bulletin; look again", problem="changed", version=row.version)
        return row

    async def _own(self, session: AsyncSession, actor: Actor, bulletin_id: str) -> None:
        seen = await rights.sight(session, actor)
        row = await session.get(Bulletin, bulletin_id)
        if row is None or not seen.sees(row.area_id):
            raise _no_bulletin(bulletin_id)

    async def _changed(
        self, tx: Transaction, actor: Actor, act: Act, row: Bulletin, detail: dict[str, Any]
    ) -> BulletinOut:
        """Write the audit, tell whoever looks, and have programmes with it made anew."""
        await tx.session.flush()
        await bulletin_changed(tx, row.id, self._clock())
        await renewing.bulletin_changed(tx, actor, row, self._clock)
        [found] = await self._outs(tx.session, actor, [row.id])
        said = {"title": found.title, "version": row.version, "state": str(row.state), **detail}
        await audit.write(tx, actor, act, f"bulletins/{row.id}", said, at=self._clock(), area_id=row.area_id)
        tx.tell(Event(Topic.BULLETIN, row.id))
        return found

    async def _outs(self, session: AsyncSession, actor: Actor, ids: Sequence[str]) -> list[BulletinOut]:
        seen = await rights.sight(session, actor)
        readable = select(Bulletin.id).where(Bulletin.id.in_(ids), in_sight(seen, self._clock()))
        return await outs(session, (await session.scalars(readable)).all(), seen)

    async def find(self, actor: Actor, wanted: Wanted) -> Found[BulletinOut]:
        """Give bulletins in sight, sorted by ``saved`` or ``title``; archived ones only by their state.

        Narrowed by ``state``, ``category`` and ``area``; ``of`` ``above``: what areas above offer; ``for`` an
        area: what its programmes may hold.
        """
        now = self._clock()
        async with self._database.reading() as session:
            seen = await rights.sight(session, actor)
            query = _narrowed(select(Bulletin.id).join(BulletinVersion, current_version()), wanted)
            query = query.where(in_sight(seen, now), matches(BulletinVersion.search_text, wanted.q))
            if wanted.having.get("of") == "above":
                query = query.where(Bulletin.area_id.in_(seen.above))
            if area_id := wanted.having.get("for"):
                above = Bulletin.area_id.in_(await areas_above(session, area_id)) & offered(now)
                query = query.where((Bulletin.area_id == area_id) | above)
            orders = {"saved": BulletinVersion.saved_at, "title": BulletinVersion.search_text}
            rows, total = await paged(session, query, wanted, orders, last=Bulletin.id)
            return Found(tuple(await outs(session, [key for (key,) in rows], seen)), total)

    async def list(
        self,
        actor: Actor,
        *,
        area_id: str | None = None,
        state: BulletinState | None = None,
        category: str | None = None,
        query: str = "",
        on_offer: bool = False,
        owed: bool = False,
        limit: int = 50,
        before: str | None = None,
    ) -> list[BulletinOut]:
        """Give bulletins in sight, newest first; archived ones only when asked for by their state.

        ``query``: words of title, text, author, source or number; without accents it finds those with them too.
        ``on_offer``: those that are on offer now. ``owed``: the priority ones among these that somebody in sight has
        not placed yet. ``before``: last id of the page before.

        Raises:
            NotFoundError: there is no bulletin ``before``, or no such area.
        """
        now = self._clock()
        async with self._database.reading() as session:
            seen = await rights.sight(session, actor)
            found = select(Bulletin.id).join(BulletinVersion, current_version()).where(in_sight(seen, now))
            found = found.where(Bulletin.state == state if state else Bulletin.state != BulletinState.ARCHIVED)
            if area_id is not None:
                await tree_around(session, seen, area_id)
                found = found.where(Bulletin.area_id == area_id)
            if category is not None:
                found = found.where(BulletinVersion.category == category)
            if on_offer:
                found = found.where(offered(now))
            owing = await owed_in(session, seen, now=now) if owed else {}
            if owed:
                found = found.where(Bulletin.id.in_(owing))
            found = found.where(matches(BulletinVersion.search_text, query))
            if before is not None:
                last = await session.scalar(select(Bulletin).where(Bulletin.id == before, in_sight(seen, now)))
                if last is None:
                    raise _no_bulletin(before)
                found = found.where(tuple_(Bulletin.created_at, Bulletin.id) < (last.created_at, last.id))
            found = found.order_by(Bulletin.created_at.desc(), Bulletin.id.desc()).limit(limit)
            return await outs(session, (await session.scalars(found)).all(), seen, owing)


def _narrowed(query: Select[str], wanted: Wanted) -> Select[str]:
    state, having = wanted.having.get("state"), wanted.having
    query = query.where(Bulletin.state == state if state else Bulletin.state != BulletinState.ARCHIVED)
    if category := having.get("category"):
        query = query.where(BulletinVersion.category == category)
    if area_id := having.get("area"):
        query = query.where(Bulletin.area_id == area_id)
    return query


async def _add(tx: Transaction, rows: Sequence[Any]) -> None:
    """Add a version before its voices: they refer to it."""
    tx.session.add(rows[0])
    await tx.session.flush()
    tx.session.add_all(rows[1:])
    await tx.session.flush()


async def _name(session: AsyncSession, actor: Actor) -> str:
    person = await session.get(Person, actor.person_id) if actor.person_id else None
    return person.name if person else actor.origin


def _voice_in(row: BulletinVoice) -> VoiceIn:
    return VoiceIn(language=row.language, text=row.text, recording_id=row.recording_id)


def _no_bulletin(bulletin_id: str) -> NotFoundError:
    return NotFoundError("there is no such bulletin", resource="bulletins", id=bulletin_id[:64])
