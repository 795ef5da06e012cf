"""A morning that was planned, and is none: somebody mends a word of the bulletin that it says."""

from datetime import datetime
from typing import NamedTuple

from controller.bulletins.schemas import BulletinChange, BulletinIn, BulletinOut, VersionSeen
from controller.programmes.schemas import ProgrammeIn
from tests.web.harness import Commune
from tests.web.scenes.plan import schedule

AT_FIVE = datetime(2031, 11, 25, 5, 0)  # noqa: DTZ001 - wall time


class Morning(NamedTuple):
    """Five o'clock of every day, from tomorrow on."""

    schedule_id: str
    programme_id: str
    bulletin: BulletinOut
    recording_id: str


async def morning(site: Commune, *targets: str) -> Morning:
    """Plan an approved bulletin for every day."""
    services, actor, area = site.centre.services, site.centre.actor, site.root.id
    recording = await site.centre.recording("Tin sáng", length_ms=60_000)
    voices = [{"language": "vi", "text": "Kính thưa bà con", "recording_id": recording}]
    wanted = BulletinIn.model_validate({"area_id": area, "title": "Tin sáng", "voices": voices})
    made = await services.bulletins.create(actor, wanted)
    items = [{"kind": "bulletin", "bulletin_id": made.id}]
    programme = ProgrammeIn.model_validate({"area_id": area, "title": "Chương trình sáng", "items": items})
    bulletin = await approved(site, made)
    programme_id = (await services.programmes.create(actor, programme)).id
    schedule_id = await schedule(site, programme_id, "Buổi sáng", AT_FIVE, "FREQ=DAILY", *targets)
    return Morning(schedule_id, programme_id, bulletin, recording)


async def approved(site: Commune, bulletin: BulletinOut) -> BulletinOut:
    """Say yes to a bulletin as it is."""
    services, actor = site.centre.services, site.centre.actor
    await services.bulletins.submit(actor, bulletin.id, VersionSeen(version=bulletin.version))
    return await services.bulletins.approve(actor, bulletin.id, VersionSeen(version=bulletin.version))


async def broken(site: Commune, there: Morning) -> BulletinOut:
    """Change a word: the bulletin waits for its yes again, and no date with it can be planned."""
    services, actor, known = site.centre.services, site.centre.actor, there.bulletin
    voices = [{"language": "vi", "text": "Kính chào bà con", "recording_id": there.recording_id}]
    wanted = {"version": known.version, "title": known.title, "category": known.category, "voices": voices}
    changed = await services.bulletins.change(actor, known.id, BulletinChange.model_validate(wanted))
    await services.schedules.roll_due()
    return changed
