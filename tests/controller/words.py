"""People of communes, bulletins and programmes for tests."""

from typing import Any

from controller.approvals import listening
from controller.areas.schemas import AreaOut
from controller.bulletins.schemas import BulletinIn, BulletinOut, VersionSeen, VoiceIn
from controller.ids import new_id
from controller.people.actor import Actor
from controller.people.models import Grant, Person
from controller.people.rights import Role
from controller.recordings.models import Recording
from tests.controller.factories import ADDRESS, Centre


async def person(here: Centre, name: str, role: Role, area: AreaOut) -> Actor:
    """Somebody with one role in one area; signed in by nothing but a row."""
    person_id, now = new_id(), here.clock()
    async with here.database.transaction() as tx:
        tx.session.add(Person(id=person_id, login=person_id, name=name, password_hash="", created_at=now))
        await tx.session.flush()
        tx.session.add(Grant(id=new_id(), person_id=person_id, role=role, area_id=area.id, granted_at=now))
    return Actor(person_id, ADDRESS)


async def voice(here: Centre, area: AreaOut, language: str = "vi", *, length_ms: int = 10_000) -> VoiceIn:
    """A language with a recording that is ready."""
    recording_id = await here.recording(f"Tiếng {language}", language=language, length_ms=length_ms, area_id=area.id)
    return VoiceIn(language=language, recording_id=recording_id)


async def draft(here: Centre, area: AreaOut, title: str = "Cắt nước", *voices: VoiceIn, **given: Any) -> BulletinOut:
    """A bulletin that nobody has submitted."""
    spoken = list(voices) or [await voice(here, area)]
    return await here.services.bulletins.create(
        here.actor, BulletinIn(area_id=area.id, title=title, voices=spoken, **given)
    )


async def approved(
    here: Centre, area: AreaOut, title: str = "Cắt nước", *voices: VoiceIn, by: Actor | None = None, **given: Any
) -> BulletinOut:
    """A bulletin that may be aired: its author's own yes, or ``by`` somebody who listened to it."""
    found = await draft(here, area, title, *voices, **given)
    await here.services.bulletins.submit(here.actor, found.id, VersionSeen(version=1))
    if by is not None:
        await listened(here, by, found)
    return await here.services.bulletins.approve(by or here.actor, found.id, VersionSeen(version=1))


async def listened(here: Centre, who: Actor, bulletin: BulletinOut) -> None:
    """Somebody heard all of it in the page's player."""
    async with here.database.transaction() as tx:
        for spoken in bulletin.voices:
            row = await tx.session.get(Recording, spoken.recording_id or "")
            if row is not None and row.sha256 is not None and row.length_ms is not None:
                span = [(0, row.length_ms)]
                await listening.note(tx, who.person_id or "", row.sha256, span, row.length_ms, now=here.clock())
