"""Another programme for one date over HTTP: looked at, asked about, kept by a move, and let be again."""

import re
from typing import Any

import httpx

from controller.programmes.schemas import ItemIn, ProgrammeIn, ProgrammeOut
from controller.schedules.schemas import DateOut, ScheduleIn
from tests.web.harness import MONDAY, Commune, visitor
from tests.web.pages import planned, programme, said
from web.views.schedules import LOOK_AHEAD

NAME = "2031-11-26T17:30:00"


async def other(site: Commune, title: str = "Đặc biệt", *, length_ms: int = 60_000) -> ProgrammeOut:
    item = {"kind": "recording", "recording_id": await site.centre.recording(title, length_ms=length_ms)}
    wanted = ProgrammeIn(area_id=site.root.id, title=title, items=[ItemIn.model_validate(item)])
    return await site.centre.services.programmes.create(site.centre.actor, wanted)


async def begun(site: Commune, client: httpx.AsyncClient, made: ProgrammeOut) -> str:
    """Plan Mondays and Wednesdays; gives the page of the schedule."""
    saved = await client.post("/schedules/new", data=planned(made, site, confirm_unusual="yes"))
    return saved.headers["location"].partition("?")[0]


async def date(site: Commune, path: str) -> DateOut:
    schedule_id, services = path.rpartition("/")[2], site.centre.services
    dates = await services.schedules.dates(site.centre.actor, schedule_id, MONDAY, MONDAY + LOOK_AHEAD)
    return next(each for each in dates if each.recurrence_local.isoformat() == NAME)


def stands(answer: httpx.Response) -> str:
    """Read how a date stood when a form of it was shown."""
    [stood, *_] = re.findall(r'name="stood" value="([^"]+)"', answer.text)
    return str(stood)


async def chosen(client: httpx.AsyncClient, path: str, programme_id: str, **more: str) -> httpx.Response:
    return await client.post(f"{path}/dates/{NAME}", data={"act": "other", "instead": programme_id} | more)


async def test_a_date_airs_another_programme_and_then_its_own_again(site: Commune) -> None:
    made, special = await programme(site), await other(site)
    async with visitor(site) as client:
        path = await begun(site, client, made)
        [link] = re.findall(rf'href="([^"]*\?other={NAME}#other)"', (await client.get(path)).text)
        form = await client.get(link)
        looked = await chosen(client, path, special.id, look="yes")
        assert (await date(site, path)).programme_id == made.id
        done = await chosen(client, path, special.id)
        page, week = [said(await client.get(each)) for each in (path, "/schedules?day=2031-11-26")]
        drawn = (await client.get("/schedules?day=2031-11-26")).text
        there = await date(site, path)
        again = await chosen(client, path, made.id)
        back = await date(site, path)
        assert "Chương trình khác" not in said(await client.get(path))
    assert "Ngày này phát chương trình khác: 17:30 Thứ Tư 26/11" in said(form)
    assert f'<option value="{made.id}" selected>Chương trình chiều (như mọi ngày)' in form.text
    assert (looked.status_code, done.status_code, again.status_code) == (200, 303, 303)
    assert f'<option value="{special.id}" selected>' in looked.text
    assert re.search(r"Đặc biệt, 17:30 Thứ Tư 26/11, [^:]*: vẫn phát\. Nội dung sẽ khác\.", said(looked))
    assert "Chương trình khác: Đặc biệt" in page
    assert page.count("Chương trình khác: ") == 1
    assert "Buổi chiều Chương trình khác: Đặc biệt" in week
    assert drawn.count("Chương trình khác: Đặc biệt") == 2  # in the list, and where it is drawn
    assert (there.programme_id, there.changed) == (special.id, "kept")
    assert back.programme_id == made.id


async def test_a_date_that_was_moved_stays_there_and_one_that_is_moved_keeps_its_programme(site: Commune) -> None:
    made, special = await programme(site), await other(site)
    to = {"act": "move", "day": "27/11/2031", "hour": "17:30", "confirm_unusual": "yes"}
    async with visitor(site) as client:
        path = await begun(site, client, made)
        assert (await client.post(f"{path}/dates/{NAME}", data=to)).status_code == 303
        assert (await chosen(client, path, special.id, confirm_unusual="yes")).status_code == 303
        first = await date(site, path)
        assert (await client.post(f"{path}/dates/{NAME}", data=to | {"hour": "18:10"})).status_code == 303
        second = await date(site, path)
        assert (await chosen(client, path, made.id, confirm_unusual="yes")).status_code == 303
        third = await date(site, path)
    assert (f"{first.local:%d %H:%M}", first.programme_id) == ("27 17:30", special.id)
    assert (f"{second.local:%d %H:%M}", second.programme_id) == ("27 18:10", special.id)
    assert (f"{third.local:%d %H:%M}", third.programme_id) == ("27 18:10", made.id)


async def test_a_programme_that_meets_others_is_asked_about_once_more(site: Commune) -> None:
    made, long = await programme(site), await other(site, length_ms=40 * 60_000)
    later: dict[str, Any] = {"starts_at_local": "2031-11-26T17:50:00", "targets": [site.root.scope]}
    async with visitor(site) as client:
        path = await begun(site, client, made)
        wanted = ScheduleIn.checked(title="Sau", programme_id=made.id, confirm_unusual=True, **later)
        await site.centre.services.schedules.create(site.centre.actor, wanted)
        asked = await chosen(client, path, long.id)
        [mark] = re.findall(r'name="looked" value="(\w+)"', asked.text) or [""]
        asked = await chosen(client, path, long.id, looked=mark)
        assert 'name="confirm_conflicts"' in asked.text
        assert f'<option value="{long.id}" selected>' in asked.text
        done = await chosen(client, path, long.id, looked=mark, confirm_conflicts="yes")
    assert (asked.status_code, done.status_code) == (422, 303)


async def test_what_would_not_be_heard_is_read_before_it_is_done(site: Commune) -> None:
    made, empty = await programme(site), await other(site, "Chưa duyệt")
    recording = empty.items[0].recording_id or ""
    async with visitor(site) as client:
        path = await begun(site, client, made)
        await site.centre.services.recordings.withdraw(site.centre.actor, recording)
        held = await chosen(client, path, empty.id)
        assert "Chưa đổi gì. Đọc điều sẽ khác" in said(held)
        assert (await date(site, path)).programme_id == made.id
        [mark] = re.findall(r'name="looked" value="(\w+)"', held.text)
        assert (await chosen(client, path, empty.id, looked=mark)).status_code == 303
    assert (await date(site, path)).problem is not None


async def test_no_programme_and_one_that_is_gone_are_told_at_the_field(site: Commune) -> None:
    made, special = await programme(site), await other(site)
    async with visitor(site) as client:
        path = await begun(site, client, made)
        none = await chosen(client, path, "")
        await site.centre.services.programmes.archive(site.centre.actor, special.id)
        gone = await chosen(client, path, special.id)
        nowhere = await client.post(f"{path}/dates/2031-11-27T17:30:00", data={"act": "other", "instead": made.id})
    for page, words in ((none, "Chưa chọn chương trình."), (gone, "Hãy chọn chương trình khác")):
        assert page.status_code == 422
        [told] = re.findall(r'id="wrong-instead" role="alert">([^<]*)', page.text)
        assert words in told
    assert "Không tìm thấy" in nowhere.text


async def test_who_has_a_form_open_is_told_that_somebody_else_cancelled_the_date(site: Commune) -> None:
    made, special = await programme(site), await other(site)
    async with visitor(site) as client:
        path = await begun(site, client, made)
        for act in ({"act": "other", "instead": special.id}, {"act": "move", "day": "26/11/2031", "hour": "18:00"}):
            link = f"{path}?{act['act']}={NAME}"
            stood = stands(await client.get(link))
            assert (await client.post(f"{path}/dates/{NAME}", data={"act": "cancel"})).status_code == 303
            refused = await client.post(f"{path}/dates/{NAME}", data=act | {"stood": stood})
            assert (refused.status_code, "Ngày này vừa được đổi" in said(refused)) == (422, True)
            assert (await date(site, path)).verdict == "cancelled"
            again = await client.post(f"{path}/dates/{NAME}", data=act | {"stood": stands(refused)})
            assert (again.status_code, (await date(site, path)).verdict) == (303, "aired")
            assert (await client.post(f"{path}/dates/{NAME}", data={"act": "restore"})).status_code == 303


async def test_a_drag_that_was_looked_at_is_not_done_over_what_somebody_else_did(site: Commune) -> None:
    made = await programme(site)
    async with visitor(site) as client:
        path = await begun(site, client, made)
        looked = await client.post(f"{path}/dates/{NAME}/look", data={"local": "2031-11-26T18:00:00"})
        assert (await client.post(f"{path}/dates/{NAME}", data={"act": "cancel"})).status_code == 303
        act = {"act": "move", "day": "26/11/2031", "hour": "18:00", "stood": stands(looked)}
        refused = await client.post(f"{path}/dates/{NAME}", data=act)
    assert (refused.status_code, (await date(site, path)).verdict) == (422, "cancelled")


async def test_a_date_is_named_by_a_wall_time(site: Commune) -> None:
    made = await programme(site)
    async with visitor(site) as client:
        path = await begun(site, client, made)
        for act in ("other", "move", "cancel"):
            for name in (f"{NAME}+07:00", f"{NAME}Z", "9999-12-31T23:59:59", "x"):
                answer = await client.post(f"{path}/dates/{name}", data={"act": act})
                assert answer.status_code in {404, 422}, (act, name)
