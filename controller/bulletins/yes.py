"""Whether a yes to a version is taken: not to one's own where another is asked, nor to what one never heard."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.approvals import listening
from controller.approvals.errors import NotListenedError, OwnWorkError
from controller.areas.repository import read_tree
from controller.db import Transaction
from controller.people.actor import Actor
from controller.recordings.models import Recording
from edge_agent.protocol.states import Level

from .models import Bulletin, BulletinVersion, BulletinVoice


async def take(tx: Transaction, actor: Actor, row: Bulletin, *, now: datetime) -> None:
    """Take a yes to the current version; what was heard for it is new to this person no more.

    Raises:
        OwnWorkError: the area's policy asks for a second person.
        NotListenedError: somebody else wrote it, and its sound was not heard whole.
    """
    words = await tx.session.get_one(BulletinVersion, (row.id, row.version))
    own = actor.person_id in {words.saved_by, row.submitted_by}
    policy = (await read_tree(tx.session)).effective(row.area_id)
    if own and policy.takes_second_person(words.category, Level(words.level)):
        raise OwnWorkError("this area's policy asks another person to approve it", category=words.category)
    if actor.person_id is None:  # a job listens to nothing
        return
    recordings = await _recordings(tx.session, row)
    if not own:
        await _refuse_unheard(tx.session, actor.person_id, recordings)
    files = [each.sha256 for each in recordings if each.sha256]
    await listening.note_approved(tx, actor.person_id, files, now=now)


async def _refuse_unheard(session: AsyncSession, person_id: str, recordings: list[Recording]) -> None:
    """Refuse a yes to sound that is new or changed; one that is still being processed was heard by nobody."""
    left = await listening.unheard(session, person_id, [each.sha256 for each in recordings if each.sha256])
    files = [
        {"sha256": each.sha256, "recording_id": each.id, "title": each.title}
        for each in recordings
        if each.sha256 is None or each.sha256 in left
    ]
    if files:
        raise NotListenedError("listen to what is new to you first", problem="not_listened", files=files)


async def _recordings(session: AsyncSession, row: Bulletin) -> list[Recording]:
    """Give what the current version sounds like, in the order of its voices."""
    query = (
        select(Recording)
        .join(BulletinVoice, BulletinVoice.recording_id == Recording.id)
        .where(BulletinVoice.bulletin_id == row.id, BulletinVoice.version == row.version)
    )
    return list(await session.scalars(query.order_by(BulletinVoice.position)))
