"""Schedules that keep time by another zone than the page's: chosen where there is one, said wherever hours are."""

import json
import re
from datetime import UTC, datetime

from tests.web.harness import Commune, visitor
from tests.web.pages import planned, programme, said

TOKYO = {"finer_shown": "yes", "late": "5", "position": "0", "zone": "Asia/Tokyo", "confirm_unusual": "yes"}


async def test_where_all_places_keep_one_time_nothing_is_asked(site: Commune) -> None:
    async with visitor(site) as client:
        form = (await client.get(f"/schedules/new?programme={(await programme(site)).id}")).text
    assert 'name="zone"' not in form


async def test_a_schedule_airs_by_the_hours_of_another_place_and_says_so(site: Commune) -> None:
    made, centre = await programme(site), site.centre
    await centre.area("Xã kết nghĩa", site.root, kind="commune", zone="Asia/Tokyo")
    typed = planned(made, site) | TOKYO
    async with visitor(site) as client:
        form = (await client.get(f"/schedules/new?programme={made.id}")).text
        looked = said(await client.post("/schedules/new/preview", data=typed))
        saved = await client.post("/schedules/new", data=typed)
        path = saved.headers["location"].partition("?")[0]
        page, listed = said(await client.get(path)), said(await client.get("/schedules/all"))
        edit = (await client.get(f"{path}/edit")).text
        move = await client.get(f"{path}?move=2031-11-26T17:30:00")
        drawn = json.loads((await client.get("/schedules/feed.json?day=2031-11-26")).text)
        [known] = await centre.services.schedules.list(centre.actor)
        same = await client.post(f"{path}/edit", data=typed | {"version": known.version, "late": "6"})
        [kept] = await centre.services.schedules.list(centre.actor)
        back = await client.post(f"{path}/edit", data=typed | {"version": kept.version, "zone": ""})
        [here] = await centre.services.schedules.list(centre.actor)
        gone = await client.post("/schedules/new", data=typed | {"zone": "Asia/Nowhere"})
    assert re.findall(r'<option value="([^"]*)"( selected)?>([^<]*)', form[form.index('id="zone"') :])[:2] == [
        ("", " selected", "Giờ ở đây: Việt Nam (UTC+7)"),
        ("Asia/Tokyo", "", "Tokyo (UTC+9)"),
    ]
    assert "Giờ đã chọn là giờ Tokyo (UTC+9); phần xem trước này nói theo giờ Việt Nam (UTC+7)." in looked
    assert known.next_at == datetime(2031, 11, 26, 8, 30, tzinfo=UTC), "17:30 in Tokyo"
    assert "lúc 17:30, giờ Tokyo (UTC+9)" in page
    assert "lúc 17:30, giờ Tokyo (UTC+9)" in listed
    assert "15:30 Thứ Tư 26/11" in page
    assert "Các giờ dưới đây là giờ Việt Nam (UTC+7)" in page
    assert "Ngày và giờ gõ ở đây là của Tokyo (UTC+9)." in said(move)
    assert 'name="hour" value="17:30"' in move.text
    assert '<option value="Asia/Tokyo" selected>' in edit
    assert not any(each["startEditable"] or each["durationEditable"] for each in drawn["events"])
    assert (same.status_code, kept.zone, back.status_code, here.zone) == (303, "Asia/Tokyo", 303, "Asia/Ho_Chi_Minh")
    assert (gone.status_code, 'id="wrong-zone"' in gone.text) == (422, True)
