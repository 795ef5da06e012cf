"""What is written and waits to be placed, and what there is to place."""

import math

from controller.bulletins.schemas import BulletinChange, BulletinIn, ReturnIn, VersionSeen
from controller.programmes.schemas import ProgrammeIn
from tests.web.harness import Commune

PEAKS = [round(40 + 170 * abs(math.sin(at / 7)) * abs(math.sin(at / 31))) for at in range(400)]
"""Ups and downs as of somebody who speaks."""
LONG = "Thông báo của Ủy ban nhân dân xã về việc phun thuốc phòng dịch tại Tổ dân phố số 12, thị trấn Hương Sơn"


async def written(site: Commune, recording: str) -> dict[str, str]:
    """Write bulletins and put a programme together; gives pages by name."""
    centre, services, root = site.centre, site.centre.services, site.root
    text = "Kính thưa bà con.\nĐêm nay rét đậm, 22h00 ngày 24/11 còn 8 °C."
    voices = [
        {"language": "vi", "text": text, "recording_id": recording},
        {"language": "tyz", "recording_id": recording},
    ]
    wanted = {"area_id": root.id, "title": "Phòng rét cho trâu bò", "category": "farming", "voices": voices}
    bulletin = await services.bulletins.create(centre.actor, BulletinIn.model_validate(wanted))
    water = {"area_id": root.id, "title": "Cắt nước", "voices": [{"language": "vi", "text": "Mai cắt nước từ 8 giờ."}]}
    mended = await services.bulletins.create(centre.actor, BulletinIn.model_validate(water))
    await services.bulletins.submit(centre.actor, mended.id, VersionSeen(version=1))
    await services.bulletins.return_(centre.actor, mended.id, ReturnIn(version=1, reason="Thiếu giờ có nước trở lại"))
    voices = [{"language": "vi", "text": "Mai cắt nước từ 8 giờ đến 11 giờ.", "recording_id": recording}]
    change = BulletinChange.model_validate({"version": 1, "voices": voices})
    await services.bulletins.change(centre.actor, mended.id, change)
    news = await centre.recording("Bản tin xã", length_ms=312_400, waveform=PEAKS, area_id=root.id)
    await centre.recording(LONG, length_ms=95_000, origin="machine", voice="espeak-ng vi", area_id=root.id)
    await centre.recording("Bản tin xã (bản cắt)", length_ms=120_000, origin="cut", derived_from=news, area_id=root.id)
    said = {"area_id": root.id, "title": LONG, "voices": [{"language": "vi", "recording_id": news}]}
    ready = await services.bulletins.create(centre.actor, BulletinIn.model_validate(said))
    await services.bulletins.submit(centre.actor, ready.id, VersionSeen(version=1))
    await services.bulletins.approve(centre.actor, ready.id, VersionSeen(version=1))
    items = [
        {"kind": "tune", "recording_id": recording},
        {"kind": "bulletin", "bulletin_id": ready.id},
        {"kind": "pause", "pause_ms": 5_000},
        {"kind": "bulletin", "bulletin_id": bulletin.id},
        {"kind": "recording", "recording_id": news},
    ]
    put = ProgrammeIn.model_validate({"area_id": root.id, "title": "Chương trình sáng 05:00", "items": items})
    morning = await services.programmes.create(centre.actor, put)
    slots = [{"kind": "tune", "recording_id": recording}, {"kind": "slot", "category": "news"}]
    form = ProgrammeIn.model_validate({"area_id": root.id, "title": "Mẫu sáng", "is_template": True, "items": slots})
    template = await services.programmes.create(centre.actor, form)
    return {
        "bulletin": f"/bulletins/{bulletin.id}",
        "bulletin-versions": f"/bulletins/{mended.id}/versions",
        "bulletin-version": f"/bulletins/{mended.id}/versions/1",
        "recording": f"/recordings/{news}",
        "recording-cut": f"/recordings/{news}/cut",
        "programme-morning": f"/programmes/{morning.id}",
        "template": f"/programmes/{template.id}",
    }
