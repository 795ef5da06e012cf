"""Places over HTTP: the list in the tree's order, one place, adding, changing, and merging after a look."""

import re

from controller.people.rights import Role
from tests.web.harness import Commune, visitor
from tests.web.pages import said


async def test_places_are_listed_in_the_order_of_the_tree_searched_and_taken_along(site: Commune) -> None:
    async with visitor(site) as client:
        page = said(await client.get("/places"))
        assert page.index("Xã Nga My Xã, phường 4") < page.index("Thôn Đồng Thôn, xóm, tổ dân phố 1")
        found = (await client.get("/places?q=thon%20trai")).text
        assert re.findall(r'href="/places/(\w{32})"', found) == [site.hamlets["Thôn Trại"].id]
        by_nodes = said(await client.get("/places?sort=-nodes"))
        assert by_nodes.index("Thôn Trại") < by_nodes.index("Thôn Đồng")
        assert "Xã Nga My Xã, phường" not in said(await client.get("/places?kind=hamlet"))
        taken = (await client.get(f"/places.csv?under={site.root.id}")).text.splitlines()
        assert len(taken) == 5
        assert taken[1] == "Xã Nga My;Xã, phường;;4;Asia/Ho_Chi_Minh"


async def test_a_place_is_added_and_a_mistake_keeps_what_was_typed(site: Commune) -> None:
    async with visitor(site) as client:
        typed = {"name": "Thôn Đồng", "kind": "hamlet", "parent_id": site.root.id}
        taken = await client.post("/areas", data=typed)
        assert taken.status_code == 422
        assert 'id="wrong-name"' in taken.text
        assert 'value="Thôn Đồng"' in taken.text
        added = await client.post("/areas", data=typed | {"name": "Thôn Mới"})
        assert added.headers["location"] == "/places?done=area"
        assert "Thôn Mới" in said(await client.get("/places?done=area"))
        assert (await client.get("/areas")).headers["location"] == "/places"


async def test_a_place_says_what_it_is_and_is_renamed(site: Commune) -> None:
    hamlet = site.hamlets["Thôn Đồng"]
    async with visitor(site) as client:
        page = said(await client.get(f"/places/{hamlet.id}"))
        assert "Thôn, xóm, tổ dân phố. 1 cụm, 0 nơi bên dưới." in page
        assert "Giờ yên tĩnh 22:00–05:00" in page
        assert "Thôn Đồng" in said(await client.get(f"/places/{site.root.id}"))
        typed = {"name": "Thôn Đồng Cả", "kind": "hamlet", "zone": "", "languages": ["hmn", "vi"]}
        wrong = await client.post(f"/places/{hamlet.id}", data=typed | {"zone": "Hà Nội"})
        assert wrong.status_code == 422
        assert 'value="Hà Nội"' in wrong.text
        assert "Asia/Ho_Chi_Minh" in wrong.text
        saved = await client.post(f"/places/{hamlet.id}", data=typed)
        assert saved.headers["location"] == f"/places/{hamlet.id}?done=saved"
        page = said(await client.get(f"/places/{hamlet.id}"))
        assert "Thôn Đồng Cả" in page
        assert "tiếng H&#39;Mông, tiếng Việt" in page
        assert (await client.get("/places/nothing")).status_code == 404


async def test_places_merge_after_a_look_and_not_when_something_changed_meanwhile(site: Commune) -> None:
    into, moves = site.hamlets["Thôn Đồng"], site.hamlets["Thôn Trại"]
    await site.centre.services.holds.order(site.centre.actor, [into.scope])
    async with visitor(site) as client:
        form = await client.get("/places/merge", params={"into": into.id})
        assert f'name="areas" value="{moves.id}"' in form.text
        assert f'name="areas" value="{site.root.id}"' not in form.text
        assert f'name="areas" value="{into.id}"' not in form.text
        nothing = await client.post("/places/merge", data={"into": into.id})
        assert nothing.status_code == 422
        assert "Chưa chọn nơi nào" in nothing.text
        typed = {"into": into.id, "areas": [moves.id]}
        look = await client.post("/places/merge", data=typed)
        page = said(look)
        assert "Thôn Trại: từ Xã Nga My sang Xã Nga My · Thôn Đồng (2 cụm)" in page
        assert "Lệnh dừng ở Thôn Đồng sẽ làm im thêm 2 cụm" in page
        [seen] = re.findall(r'name="seen" value="(\w{64})"', look.text)
        await site.centre.node(moves, "Cụm vừa thêm")
        again = await client.post("/places/merge", data=typed | {"seen": seen})
        assert again.status_code == 422
        assert "có điều đã khác" in again.text
        [seen] = re.findall(r'name="seen" value="(\w{64})"', again.text)
        done = await client.post("/places/merge", data=typed | {"seen": seen})
        assert done.headers["location"] == f"/places/{into.id}?done=moved"
        assert "Thôn Trại" in said(await client.get(f"/places/{into.id}"))


async def test_single_nodes_are_chosen_of_a_place_and_moved(site: Commune) -> None:
    into, node = site.hamlets["Thôn Đồng"], site.nodes["Cổng chợ Trại"]
    async with visitor(site) as client:
        asked = {"into": into.id, "nodes_of": site.hamlets["Thôn Trại"].id}
        assert f'name="nodes" value="{node.id}"' in (await client.get("/places/merge", params=asked)).text
        typed = {"into": into.id, "nodes": [node.id]}
        look = await client.post("/places/merge", data=typed)
        [seen] = re.findall(r'name="seen" value="(\w{64})"', look.text)
        assert (await client.post("/places/merge", data=typed | {"seen": seen})).status_code == 303
        assert (await site.centre.services.nodes.get(site.centre.actor, node.id)).area_id == into.id


async def test_who_may_only_read_places_is_offered_nothing_else(site: Commune) -> None:
    operator = await site.centre.somebody("hoa", Role.OPERATOR, site.hamlets["Thôn Đồng"])
    hamlet, other = site.hamlets["Thôn Đồng"], site.hamlets["Thôn Trại"]
    async with visitor(site, who=operator) as client:
        page = (await client.get("/places")).text
        assert other.id not in page
        assert 'action="/areas"' not in page
        one = (await client.get(f"/places/{hamlet.id}")).text
        assert f'action="/places/{hamlet.id}"' not in one
        assert "/places/merge" not in one
        assert (await client.get(f"/places/{other.id}")).status_code == 404
        assert (await client.get("/places/merge")).status_code == 403
        assert (await client.post(f"/places/{hamlet.id}", data={"name": "X", "kind": "hamlet"})).status_code in {
            403,
            422,
        }
        looked = await client.post("/places/merge", data={"into": hamlet.id, "areas": [other.id]})
        assert looked.status_code == 422
        assert "Thôn Trại" not in looked.text
