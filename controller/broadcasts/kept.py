"""What a broadcast says, to be said as it is once more: by a replay, or by a version with another time or place."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.targets import Targets, areas_of, resolve
from controller.bulletins.repository import is_offered, worded
from controller.bulletins.states import BulletinState
from controller.errors import InvalidError
from controller.people.rights import Sight
from controller.programmes.repository import languages_of
from controller.recordings.models import Recording

from .contents import Content
from .items import slots_of
from .models import Broadcast, BroadcastItem, BroadcastTarget
from .rules import Slot


async def kept(session: AsyncSession, row: Broadcast, targets: Targets, *, at: datetime, seen: Sight) -> Content:
    """Give what a broadcast says, for these places; ``at``: when it is to be heard.

    Raises:
        InvalidError: as ``still_sayable`` says, or a place asks for languages for which it was not laid out.
    """
    slots = await still_sayable(session, row, seen, at=at)
    if any(each.bulletin_id for each in slots):
        scopes = await session.scalars(select(BroadcastTarget.scope).where(BroadcastTarget.broadcast_id == row.id))
        before = await resolve(session, await areas_of(session, scopes.all()))
        if not _languages(targets) <= _languages(before):
            raise _not_usable(row.title, "languages")
    return Content(slots)


def _languages(targets: Targets) -> frozenset[tuple[str, ...]]:
    return languages_of(targets.tree, (node.area_id for node in targets.nodes))


async def still_sayable(session: AsyncSession, row: Broadcast, seen: Sight, *, at: datetime) -> tuple[Slot, ...]:
    """Give what was to be heard, if it may still be said; ``at``: when it is to be heard.

    Raises:
        InvalidError: a recording was withdrawn, or a bulletin is not approved any more, says something else by now, or
            is not on offer then by the area above.
    """
    query = select(BroadcastItem).where(BroadcastItem.broadcast_id == row.id)
    items = (await session.scalars(query.order_by(BroadcastItem.position, BroadcastItem.voice))).all()
    await _check_recordings(session, items)
    bulletins = await worded(session, [each.bulletin_id for each in items if each.bulletin_id])
    for each in bulletins.values():
        if each.bulletin.state != BulletinState.APPROVED:
            raise _not_usable(each.words.title, "not_approved")
        if not seen.sees(each.bulletin.area_id) and not is_offered(each.bulletin, at):
            raise _not_usable(each.words.title, "not_offered")
    for item in items:
        if item.bulletin_id and item.bulletin_version != bulletins[item.bulletin_id].bulletin.version:
            raise _not_usable(bulletins[item.bulletin_id].words.title, "changed")
    return await slots_of(session, row)


async def _check_recordings(session: AsyncSession, items: Sequence[BroadcastItem]) -> None:
    ids = {each.recording_id for each in items}
    query = select(Recording.title).where(Recording.id.in_(ids), Recording.withdrawn_at.is_not(None))
    if (title := await session.scalar(query.limit(1))) is not None:
        raise _not_usable(title, "withdrawn")


def _not_usable(title: str, problem: str) -> InvalidError:
    return InvalidError(f"{title!r} may not be said any more: {problem}", field="items", problem=problem, title=title)
