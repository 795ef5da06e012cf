"""A week that is planned: every evening and on two mornings, once by hand, with a holiday and a template."""

from datetime import datetime

from controller.bulletins.schemas import BulletinIn, VersionSeen
from controller.programmes.schemas import ProgrammeIn
from controller.schedules.schemas import CalendarIn, ScheduleIn
from tests.web.harness import Commune


async def template(site: Commune, tune: str, *bulletins: str) -> str:
    """Write a template with a slot for a notice, and bulletins that could fill it; gives its id."""
    services, actor = site.centre.services, site.centre.actor
    for title in bulletins:
        recording = await site.centre.recording(title, length_ms=90_000)
        voices = [{"language": "vi", "text": title, "recording_id": recording}]
        wanted = BulletinIn.model_validate({"area_id": site.root.id, "title": title, "voices": voices})
        made = await services.bulletins.create(actor, wanted)
        await services.bulletins.submit(actor, made.id, VersionSeen(version=made.version))
        await services.bulletins.approve(actor, made.id, VersionSeen(version=made.version))
    items = [{"kind": "tune", "recording_id": tune}, {"kind": "slot", "category": "notice"}]
    said = {"area_id": site.root.id, "title": "Buổi sáng của xã", "is_template": True, "items": items}
    return (await services.programmes.create(actor, ProgrammeIn.model_validate(said))).id


async def schedule(
    site: Commune, programme: str, title: str, at: datetime, rule: str | None = None, *targets: str
) -> str:
    """Plan a programme; gives the id of its schedule."""
    wanted = ScheduleIn.checked(
        title=title,
        programme_id=programme,
        targets=list(targets) or [site.root.scope],
        starts_at_local=at,
        rule=rule,
        confirm_unusual=True,
        confirm_conflicts=True,
    )
    return (await site.centre.services.schedules.create(site.centre.actor, wanted)).id


async def planned(site: Commune, tune: str) -> dict[str, str]:
    """Make programmes around a tune and let them air; gives pages by name."""
    centre, services = site.centre, site.centre.services
    actor, root = centre.actor, site.root
    items = [{"kind": "tune", "recording_id": tune}, {"kind": "pause", "pause_ms": 5_000}]
    wanted = ProgrammeIn.model_validate({"area_id": root.id, "title": "Chương trình chiều", "items": items})
    programme = await services.programmes.create(actor, wanted)
    long = await centre.recording("Tin xã", length_ms=25 * 60_000)
    meeting = {"area_id": root.id, "title": "Họp dân", "items": [{"kind": "recording", "recording_id": long}]}
    other = await services.programmes.create(actor, ProgrammeIn.model_validate(meeting))
    evening = await schedule(site, programme.id, "Buổi chiều", datetime(2031, 11, 25, 17, 30), "FREQ=DAILY")  # noqa: DTZ001
    morning = datetime(2031, 11, 25, 5, 0)  # noqa: DTZ001 - wall time
    await schedule(site, other.id, "Buổi sáng", morning, "FREQ=WEEKLY;BYDAY=TU,TH")
    met = datetime(2031, 11, 27, 17, 20)  # noqa: DTZ001 - wall time
    await schedule(site, other.id, "Họp dân thôn Đồng", met, None, site.hamlets["Thôn Đồng"].scope)
    days = [{"kind": "date", "date": "2031-11-29"}, {"kind": "lunar", "month": 3, "day": 10}]
    said = {"area_id": root.id, "title": "Ngày tưởng niệm", "days": days, "effect": "suspend"}
    calendar = await services.calendars.create(actor, CalendarIn.model_validate(said))
    await services.schedules.roll_due()  # what the calendar silences leaves the plan
    made = await template(site, tune, "Lịch tiêm chủng tháng 12", "Vệ sinh đường làng")
    return {
        "schedule": f"/schedules/{evening}",
        "schedule-edit": f"/schedules/{evening}/edit",
        "schedule-move": f"/schedules/{evening}?move=2031-11-26T17:30:00#move",
        "schedule-other": f"/schedules/{evening}?other=2031-11-26T17:30:00#other",
        "programme": f"/programmes/{programme.id}",
        "schedule-new": f"/schedules/new?template={made}",
        "calendar": f"/calendars/{calendar.id}",
        "node-day": f"/nodes/{site.nodes['Nhà văn hóa thôn Đồng'].id}/day?date=2031-11-27",
    }
