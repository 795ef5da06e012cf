"""A province above the commune that offers bulletins, one of them placed by nobody yet; and a place of another zone."""

from datetime import datetime

from controller.areas.move_schemas import MoveIn, MoveSeenIn
from controller.bulletins.schemas import BulletinIn, BulletinOut, OfferIn, VersionSeen
from controller.programmes.schemas import ProgrammeIn
from controller.schedules.schemas import ScheduleIn
from tests.web.harness import Commune


async def offered(site: Commune) -> dict[str, str]:
    """Let the commune lie in a province that offers; gives pages by name."""
    services, actor, root = site.centre.services, site.centre.actor, site.root
    province = await site.centre.area("Tỉnh Thái Nguyên", kind="province")
    await site.centre.area("Xã Kha Sơn", province, kind="commune")
    seen = await services.moves.preview(actor, province.id, MoveIn(areas=(root.id,)))
    await services.moves.move(actor, province.id, MoveSeenIn(areas=(root.id,), seen_sha256=seen.sha256))
    recording = await site.centre.recording("Bản tin xã", length_ms=62_000, area_id=root.id)
    items = [{"kind": "recording", "recording_id": recording}]
    put = ProgrammeIn.model_validate({"area_id": root.id, "title": "Chương trình sáng 05:00", "items": items})
    programme = await services.programmes.create(actor, put)
    wanted = ScheduleIn(
        title="Chương trình sáng",
        programme_id=programme.id,
        targets=(root.scope,),
        starts_at_local=datetime.fromisoformat("2031-11-25T05:00:00"),
        rule="FREQ=DAILY",
    )
    await services.schedules.create(actor, wanted)
    friends = await site.centre.area("Xóm kết nghĩa ở Osaka", root, zone="Asia/Tokyo")
    hour = datetime.fromisoformat("2031-11-25T19:30:00")
    theirs = {"title": "Chương trình kết nghĩa", "zone": friends.effective.zone, "starts_at_local": hour}
    abroad = await services.schedules.create(actor, wanted.model_copy(update=theirs))
    storm = await _offer(site, province.id, "Bão số 13: chằng chống nhà cửa trước 18 giờ hôm nay", "priority")
    await _offer(site, province.id, "Tuyển quân năm 2032", "normal")
    tune = await site.centre.recording("Nhạc hiệu đài tỉnh", length_ms=20_000, area_id=province.id)
    everybody = await site.centre.recording("Lời chào mọi nơi", length_ms=8_000)
    items = [{"kind": "tune", "recording_id": tune}, {"kind": "recording", "recording_id": everybody}, *items]
    items.append({"kind": "bulletin", "bulletin_id": storm.id})
    put = ProgrammeIn.model_validate({"area_id": root.id, "title": "Chương trình chiều 17:00", "items": items})
    whose = await services.programmes.create(actor, put)
    bring = f"/programmes/{programme.id}?change=yes&bring={storm.id}"
    pages = {"offered-bulletin": f"/bulletins/{storm.id}", "programme-bring": bring}
    pages["programme-whose"] = f"/programmes/{whose.id}"
    return pages | {"schedule-abroad": f"/schedules/{abroad.id}/edit", "schedule-of-abroad": f"/schedules/{abroad.id}"}


async def _offer(site: Commune, area_id: str, title: str, level: str) -> BulletinOut:
    bulletins, actor = site.centre.services.bulletins, site.centre.actor
    recording = await site.centre.recording(title, length_ms=48_000, area_id=area_id)
    said = {"area_id": area_id, "title": title, "level": level}
    voices = [{"language": "vi", "recording_id": recording}]
    made = await bulletins.create(actor, BulletinIn.model_validate(said | {"voices": voices}))
    for step in (bulletins.submit, bulletins.approve):
        await step(actor, made.id, VersionSeen(version=1))
    return await bulletins.offer(actor, made.id, OfferIn(version=1))
