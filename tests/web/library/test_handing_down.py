"""Gửi xuống cấp dưới: offered, told who placed it, taken back; below it stands first, and is put in a programme."""

import re

from controller.areas.schemas import AreaOut
from controller.bulletins.schemas import OfferIn
from controller.people.rights import Role
from controller.programmes.models import ItemKind
from controller.programmes.schemas import ItemIn, ProgrammeIn
from tests.controller.schedules.village import scheduled
from tests.controller.test_bulletins import places
from tests.controller.test_owed import offered, place
from tests.controller.words import approved
from tests.web.harness import Commune, visitor


def version_of(page: str) -> str:
    found = re.search(r'name="version" value="(\d+)"', page)
    assert found
    return found[1]


async def own_programme(site: Commune, area: AreaOut, title: str = "Bản tin sáng") -> str:
    items = [ItemIn(kind=ItemKind.RECORDING, recording_id=await site.centre.recording(area_id=area.id))]
    wanted = ProgrammeIn(area_id=area.id, title=title, items=items)
    return (await site.centre.services.programmes.create(site.centre.actor, wanted)).id


async def test_a_province_offers_changes_the_end_and_takes_it_back(site: Commune) -> None:
    province, _, _ = await places(site.centre)
    bulletin = await approved(site.centre, province, "Bão số 3")
    leader = await site.centre.somebody("hung", Role.APPROVER, province)
    path = f"/bulletins/{bulletin.id}"
    async with visitor(site, who=leader) as client:
        page = (await client.get(path)).text
        assert "2 địa bàn bên dưới thấy bản tin này" in page
        assert "Thu lại, không gửi nữa" not in page
        typed = {"act": "offer", "version": version_of(page), "until": "1/12"}
        assert (await client.post(path, data=typed)).status_code == 303
        page = (await client.get(path)).text
        assert "đến hết Thứ Hai 01/12" in page
        assert "2 nơi chưa xếp vào lịch phát" in page
        assert 'name="until" value="01/12/2031"' in page
        refused = await client.post(path, data=typed | {"until": "hôm qua"})
        assert (refused.status_code, "Không hiểu ngày này" in refused.text) == (422, True)
        assert re.search(r'value="hôm qua"[^>]* aria-invalid="true"', refused.text)
        assert (await client.post(path, data=typed | {"until": ""})).status_code == 303
        assert "cho đến khi thu lại." in (await client.get(path)).text
        assert (await client.post(path, data={"act": "end_offer", "version": typed["version"]})).status_code == 303
    known = await site.centre.services.bulletins.get(site.centre.actor, bulletin.id)
    assert known.offered_at is None


async def test_it_is_told_which_communes_placed_it_and_which_owe_it(site: Commune) -> None:
    province, east, west = await places(site.centre)
    south = await site.centre.area("Xã Nam", province, kind="commune")
    bulletin = await offered(site.centre, province)
    starts = "2031-11-25T05:00:00"
    await place(site.centre, await scheduled(site.centre, east, 1, starts=starts), bulletin)
    await scheduled(site.centre, west, 1, starts=starts)
    async with visitor(site) as client:
        page = (await client.get(f"/bulletins/{bulletin.id}")).text
    told = re.findall(r"(\d+ nơi [^<]+)</span>.*?<ul class=\"inline\">(.*?)</ul>", page, re.DOTALL)
    assert [(said, re.findall(r"<li>(.*?)</li>", names)) for said, names in told] == [
        ("1 nơi có lịch phát mà chưa xếp", [west.name]),
        ("1 nơi đã có trong lịch phát", [east.name]),
        ("1 nơi chưa xếp vào lịch phát", [south.name]),
    ]
    assert "Những lần dưới đây không phát cho đến khi bản tin được bỏ ra khỏi chương trình" in page


async def test_a_district_between_is_told_by_its_communes_unless_it_airs_it_itself(site: Commune) -> None:
    province, east, west = await places(site.centre)
    districts = [await site.centre.area(f"Huyện {name}", province, kind="district") for name in "ABC"]
    communes = [await site.centre.area(f"Xã {n}", districts[n // 3], kind="commune") for n in range(6)]
    hamlet = await site.centre.area("Thôn Ngoài", communes[1])
    bulletin = await offered(site.centre, province, level="normal")
    for area in (communes[0], hamlet, districts[2]):
        await site.centre.node(area, f"Cụm {area.name}")
        await place(site.centre, await scheduled(site.centre, area, 1, starts="2031-11-25T05:00:00"), bulletin)
    async with visitor(site) as client:
        page = (await client.get(f"/bulletins/{bulletin.id}")).text
    told = re.findall(r"(\d+ nơi [^<]+)</span>.*?<ul class=\"(?:inside )?inline\">(.*?)</ul>", page, re.DOTALL)
    assert {said: sorted(re.findall(r"<li>(.*?)</li>", names)) for said, names in told} == {
        "3 nơi đã có trong lịch phát": ["Huyện C", "Xã 0", "Xã 1"],
        "6 nơi chưa xếp vào lịch phát": sorted([east.name, west.name, *(each.name for each in communes[2:])]),
        "2 nơi ở giữa: bao nhiêu nơi bên dưới mỗi nơi đã có trong lịch phát": [
            "Huyện A: 2 trong 3",
            "Huyện B: 0 trong 3",
        ],
    }


async def test_below_it_stands_first_and_is_put_in_a_programme_from_its_page(site: Commune) -> None:
    province, east, _ = await places(site.centre)
    bulletin = await offered(site.centre, province)
    schedule = await scheduled(site.centre, east, 1, starts="2031-11-25T05:00:00")
    programme_id = await own_programme(site, east)
    operator = await site.centre.somebody("hoa", Role.OPERATOR, east)
    async with visitor(site, who=operator) as client:
        listed = (await client.get("/bulletins")).text
        assert "Ưu tiên, chưa có trong chương trình nào có lịch phát" in listed
        assert f'href="/bulletins/{bulletin.id}#place"' in listed
        assert 'id="above"' not in (await client.get("/bulletins?state=approved")).text  # who narrows has no use for it
        page = (await client.get(f"/bulletins/{bulletin.id}")).text
        assert "Thu lại" not in page
        assert 'value="offer"' not in page
        for each in (programme_id, schedule.programme_id):
            assert f"/programmes/{each}?change=yes&amp;bring={bulletin.id}" in page
        builder = (await client.get(f"/programmes/{programme_id}?change=yes&bring={bulletin.id}")).text
        assert "Thêm bản tin “Bão số 3” vào cuối chương trình này?" in builder
        typed = {"act": "add", "version": version_of(builder), "kind": "bulletin", "chosen": bulletin.id}
        assert (await client.post(f"/programmes/{programme_id}?change=yes", data=typed)).status_code == 303
        again = (await client.get(f"/programmes/{programme_id}?change=yes&bring={bulletin.id}")).text
        assert "Thêm bản tin “Bão số 3”" not in again
    known = await site.centre.services.programmes.get(site.centre.actor, programme_id)
    assert [each.bulletin_id for each in known.items] == [None, bulletin.id]


async def test_an_operator_offers_nothing_and_the_neighbour_sees_nothing_of_a_commune(site: Commune) -> None:
    province, east, west = await places(site.centre)
    theirs = await approved(site.centre, east, "Của xã Đông")
    above = await approved(site.centre, province, "Của tỉnh")
    operator = await site.centre.somebody("hoa", Role.OPERATOR, province)
    neighbour = await site.centre.somebody("sau", Role.OPERATOR, west)
    async with visitor(site, who=operator) as client:
        page = (await client.get(f"/bulletins/{above.id}")).text
        assert 'value="offer"' not in page
        refused = await client.post(f"/bulletins/{above.id}", data={"act": "offer", "version": "1"})
        assert refused.status_code in {403, 422}
    programme_id = await own_programme(site, west)
    async with visitor(site, who=neighbour) as client:
        assert "Cấp trên gửi xuống <" not in (await client.get("/bulletins")).text
        assert (await client.get(f"/bulletins/{theirs.id}")).status_code == 404
        builder = await client.get(f"/programmes/{programme_id}?change=yes&bring={theirs.id}")
        assert (builder.status_code, "Của xã Đông" in builder.text) == (200, False)


async def test_a_last_day_that_is_none_to_come_is_told_at_its_field(site: Commune) -> None:
    province, _, _ = await places(site.centre)
    path = f"/bulletins/{(await approved(site.centre, province, 'Bão số 3')).id}"
    async with visitor(site) as client:
        typed = {"act": "offer", "version": version_of((await client.get(path)).text)}
        for until in ("31/12/9999", "30/12/9999", "24/11/2042", "23/11/2031"):
            refused = await client.post(path, data=typed | {"until": until})
            assert (refused.status_code, "Không hiểu ngày này" in refused.text) == (422, True), until
        assert (await client.post(path, data=typed | {"until": "24/11/2031"})).status_code == 303  # all of today


async def test_no_programme_is_named_that_may_not_hold_it(site: Commune) -> None:
    province, east, west = await places(site.centre)
    bulletin = await approved(site.centre, province, "Bão số 3")
    own, below = await own_programme(site, province), [await own_programme(site, area) for area in (east, west)]
    path, services = f"/bulletins/{bulletin.id}", site.centre.services
    async with visitor(site) as client:
        page = (await client.get(path)).text
        assert [each in page for each in (own, *below)] == [True, False, False]
        assert 'id="bring"' not in (await client.get(f"/programmes/{below[0]}?change=yes&bring={bulletin.id}")).text
        await services.bulletins.offer(site.centre.actor, bulletin.id, OfferIn(version=bulletin.version))
        page = (await client.get(path)).text
        assert [each in page for each in (own, *below)] == [True, True, True]
        assert all(f"Bản tin sáng · {area.name}<" in page for area in (province, east, west))  # of one name
        builder = (await client.get(f"/programmes/{below[0]}?change=yes&bring={bulletin.id}")).text
        assert 'id="bring"' in builder
        await services.bulletins.end_offer(site.centre.actor, bulletin.id)
        typed = {"act": "add", "version": version_of(builder), "kind": "bulletin", "chosen": bulletin.id}
        refused = await client.post(f"/programmes/{below[0]}?change=yes&bring={bulletin.id}", data=typed)
    assert (refused.status_code, "không được gửi xuống cho nơi của chương trình này" in refused.text) == (422, True)


async def test_the_question_of_what_is_brought_stands_while_items_are_moved(site: Commune) -> None:
    bulletin, tune = await approved(site.centre, site.root, "Tiêm phòng"), await site.centre.recording()
    items = [ItemIn(kind=ItemKind.RECORDING, recording_id=tune) for _ in range(3)]
    wanted = ProgrammeIn(area_id=site.root.id, title="Sáng", items=items)
    made = await site.centre.services.programmes.create(site.centre.actor, wanted)
    page_of = f"/programmes/{made.id}?bring={bulletin.id}"
    asks, script = "Thêm bản tin “Tiêm phòng” vào cuối chương trình này?", {"HX-Request": "true"}
    async with visitor(site) as client:
        page = (await client.get(page_of)).text
        ways = re.findall(r'data-to="([^"]*)"|action="(/programmes/[^"]*)" data-quiet', page)
        [to] = {one or other for one, other in ways} - {""}
        assert (asks in page, to) == (True, page_of)
        moved = await client.post(to, data={"act": "up", "position": "1"}, headers=script)
        assert asks in moved.text
        led = await client.post(to, data={"act": "up", "position": "1"})
        assert led.headers["location"] == f"{page_of}&done=saved"
        put = {"act": "add", "kind": "bulletin", "chosen": bulletin.id}
        done = await client.post(to, data=put)
        assert done.headers["location"] == f"/programmes/{made.id}?done=saved"
        assert asks not in (await client.get(page_of)).text
