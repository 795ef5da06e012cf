"""Whom: as much of the tree as a page carries, the rest when it is opened; picked on a map; each within one's sight."""

import re
from zoneinfo import ZoneInfo

import pytest

from controller.areas.schemas import AreaOut
from controller.nodes.rules import NodeStatus
from controller.overview.schemas import AreaCount, Overview
from tests.web.harness import MONDAY, Commune, visitor
from tests.web.pages import HOSTILE, draft, placed, said
from web.formats import Formats
from web.i18n import load
from web.pages import targets as pages
from web.views import targets as views


@pytest.fixture
def crowded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a commune of three hamlets be more than a page carries."""
    monkeypatch.setattr(pages, "MOST_NODES", 3)
    monkeypatch.setattr(views, "MOST_PLACES", 2)


def scopes(page: str) -> set[str]:
    return set(re.findall(r'name="target" value="([^"]+)"', page))


async def test_where_there_are_few_all_nodes_stand_there_from_the_start(site: Commune) -> None:
    async with visitor(site) as client:
        page = (await client.get("/say")).text
    trai = {node.scope for node in site.nodes.values() if node.area_id == site.hamlets["Thôn Trại"].id}
    assert scopes(page) == {site.root.scope, *(area.scope for area in site.hamlets.values()), *trai}
    assert "data-inside" not in page


@pytest.mark.usefixtures("crowded")
async def test_where_there_are_many_nodes_come_when_their_place_is_opened(site: Commune) -> None:
    trai = site.hamlets["Thôn Trại"]
    async with visitor(site) as client:
        page = (await client.get("/say")).text
        assert scopes(page) == {site.root.scope, *(area.scope for area in site.hamlets.values())}
        assert re.findall(r'data-inside="([^"]+)"', page) == [f"/targets/{trai.id}/nodes"]
        opened = await client.get(f"/targets/{trai.id}/nodes")
        assert "Thôn Trại 0/2 cụm đang kết nối" not in said(opened)
        assert scopes(opened.text) == {node.scope for node in site.nodes.values() if node.area_id == trai.id}


@pytest.mark.usefixtures("crowded")
async def test_places_below_what_a_page_carries_come_when_they_are_opened(site: Commune) -> None:
    dong = site.hamlets["Thôn Đồng"]
    inner = [await site.centre.area(f"Xóm {number}", dong) for number in range(3)]
    await site.centre.node(inner[0], "Cuối xóm")
    async with visitor(site) as client:
        page = (await client.get("/say")).text
        assert f'data-inside="/targets/{dong.id}"' in page
        assert not {area.scope for area in inner} & scopes(page)
        opened = (await client.get(f"/targets/{dong.id}")).text
        assert {area.scope for area in inner} <= scopes(opened)
        assert "Xóm 0 <span" in opened


@pytest.mark.usefixtures("crowded")
async def test_what_was_chosen_stands_open_when_the_form_comes_back(site: Commune) -> None:
    dong = site.hamlets["Thôn Đồng"]
    inner = [await site.centre.area(f"Xóm {number}", dong) for number in range(3)]
    market = site.nodes["Cổng chợ Trại"]
    chosen = [market.scope, inner[2].scope]
    async with visitor(site) as client:
        page = (await client.post("/say", data=await draft(site, target=chosen, when="later", hour="25:99"))).text
    for scope in chosen:
        assert f'value="{scope}" checked' in page


async def test_nobody_opens_or_sees_on_the_map_what_lies_elsewhere(site: Commune) -> None:
    helper = await site.centre.somebody("tam", "operator", site.hamlets["Thôn Trại"])
    await placed(site)
    async with visitor(site, who=helper) as client:
        for area in (site.root, site.hamlets["Thôn Đồng"]):
            for path in (f"/targets/{area.id}", f"/targets/{area.id}/nodes"):
                assert (await client.get(path)).status_code == 404
        found = (await client.get("/targets/map.json")).json()
        assert {each["name"] for each in found["nodes"]} == {"Đầu làng Trại", "Cổng chợ Trại"}
        assert found["areas"] == []
        names = said(await client.get("/say/nodes"))
        assert "Cổng chợ Trại" in names
        assert "Nhà văn hóa" not in names
    observer = await site.centre.somebody("xem", "observer", site.root)
    async with visitor(site, who=observer) as client:
        assert "<option" not in (await client.get("/say/nodes")).text
    async with visitor(site, signed_in=False) as client:
        for path in ("/targets/map.json", f"/targets/{site.root.id}", "/say/nodes"):
            assert (await client.get(path)).status_code == 303


async def test_of_a_draft_what_is_there_is_named_anew_and_what_is_not_is_left_out(site: Commune) -> None:
    trai, market, office = site.hamlets["Thôn Trại"], site.nodes["Cổng chợ Trại"], site.nodes["Nhà văn hóa thôn Đồng"]
    await site.centre.services.nodes.change(site.centre.actor, market.id, name=HOSTILE[0])
    strange = ["nodes/gone", "areas/gone", "nodes/?", "", "x" * 9_000]
    asked = {"scope": [market.scope, trai.scope, office.scope, *strange, market.scope]}
    node = {"scope": market.scope, "name": HOSTILE[0], "place": "Thôn Trại", "over": [trai.scope, site.root.scope]}
    area = {"scope": trai.scope, "name": "Thôn Trại", "place": "", "over": [site.root.scope]}
    async with visitor(site) as client:
        found = await client.get("/targets/chosen.json", params=asked)
        assert found.headers["content-type"] == "application/json"
        assert [each["scope"] for each in found.json()] == [market.scope, trai.scope, office.scope]
        assert found.json()[:2] == [node, area]
    helper = await site.centre.somebody("tam", "operator", trai)
    async with visitor(site, who=helper) as client:
        found = await client.get("/targets/chosen.json", params=asked)
        assert found.json() == [node | {"over": [trai.scope]}, area | {"over": []}], "what lies elsewhere is not named"
    async with visitor(site, signed_in=False) as client:
        assert (await client.get("/targets/chosen.json", params=asked)).status_code == 303


async def test_the_map_gives_nodes_and_the_middle_of_places_and_of_many_places_alone(
    site: Commune, monkeypatch: pytest.MonkeyPatch
) -> None:
    await placed(site)
    trai = site.hamlets["Thôn Trại"]
    await site.centre.services.areas.change(site.centre.actor, trai.id, name=HOSTILE[0])
    async with visitor(site) as client:
        found = (await client.get("/targets/map.json")).json()
        assert len(found["nodes"]) == 4
        [area] = found["areas"]  # of one node there is no middle, and all of it is chosen otherwise
        assert (area["scope"], area["name"], area["over"]) == (trai.scope, HOSTILE[0], [site.root.scope])
        assert area["at"] == [pytest.approx(21.515), pytest.approx(105.885)]
        market = next(each for each in found["nodes"] if each["name"] == "Cổng chợ Trại")
        assert market["over"] == [trai.scope, site.root.scope]
        monkeypatch.setattr(views, "MOST_SPOTS", 1)
        many = (await client.get("/targets/map.json")).json()
        assert (many["nodes"], len(many["areas"])) == ([], 1)


def test_of_a_whole_province_a_page_carries_its_communes_and_no_more() -> None:
    """Of 4,151 places: the province, its 150 communes, and nothing below them."""

    def area(key: str, parent: str | None) -> AreaOut:
        return AreaOut.model_construct(id=key, parent_id=parent, name=key, node_count=1)

    communes = [area(f"xa{number}", "tinh") for number in range(150)]
    hamlets = [area(f"thon{number}", f"xa{number % 150}") for number in range(4_000)]
    areas = [area("tinh", None), *communes, *hamlets]
    nodes = [AreaCount(area_id=each.id, total=1, by_status={NodeStatus.ONLINE: 1}, unwell=0) for each in hamlets]
    nothing = Overview.model_construct(areas=tuple(nodes))
    counts = views.counted(areas, nothing)
    form = Formats(load("vi"), ZoneInfo("Asia/Ho_Chi_Minh"), MONDAY)
    [top] = views.choosable(areas, counts, {}, ["areas/thon7"], form)
    assert top.said == "4000/4000 cụm đang kết nối"
    assert len(top.below) == 150
    opened = [each for each in top.below if each.unread != "inside"]
    assert [each.id for each in opened] == ["xa7"]  # what is chosen is seen
    assert "thon7" in {each.id for each in opened[0].below}
