"""Removing a place over HTTP: what is in the way is named with where it is looked after; then it is gone from lists."""

from controller.people.rights import Role
from tests.web.harness import Commune, visitor
from tests.web.pages import said


async def test_an_empty_place_is_removed_after_its_effect_was_said(site: Commune) -> None:
    wrong = await site.centre.area("Thôn gõ nhầm", site.root)
    path = f"/places/{wrong.id}/remove"
    async with visitor(site) as client:
        assert f'href="{path}"' in (await client.get(f"/places/{wrong.id}")).text
        page = await client.get(path)
        assert "Thôn gõ nhầm sẽ không còn trong danh sách nào, và không lấy lại được." in said(page)
        assert "data-once" in page.text
        done = await client.post(path, data={})
        assert done.headers["location"] == f"/places/{site.root.id}?done=area_removed"
        assert "Đã xóa địa bàn." in said(await client.get(done.headers["location"]))
        assert "Thôn gõ nhầm" not in said(await client.get("/places"))
        gone = await client.get(f"/places/{wrong.id}")  # whoever goes back is led on
        assert gone.status_code == 404
        assert '<a class="button" href="/places">Địa bàn</a>' in gone.text
        assert (await client.post(path, data={})).status_code == 404
        told = await client.get("/activity?kind=areas")
        assert "Xóa địa bàn · Thôn gõ nhầm" in said(told)
        assert f"/places/{wrong.id}" not in told.text
        assert f'href="/places/{site.root.id}"' in told.text


async def test_what_is_in_the_way_is_named_and_leads_to_where_it_is_looked_after(site: Commune) -> None:
    hamlet = site.hamlets["Thôn Trại"]
    await site.broadcast("Tin tối", "Thôn Trại")
    path = f"/places/{hamlet.id}/remove"
    async with visitor(site) as client:
        page = await client.get(path)
        assert "2 cụm loa" in said(page)
        assert "1 lịch, lần phát hoặc yêu cầu sắp tới" in said(page)
        assert f'href="/nodes?area={hamlet.id}"' in page.text
        assert f'action="{path}"' not in page.text
        refused = await client.post(path, data={})
        assert (refused.status_code, "Chưa xóa Thôn Trại được" in said(refused)) == (422, True)
        assert "Thôn Trại" in said(await client.get("/places"))


async def test_only_who_may_remove_a_place_is_offered_it(site: Commune) -> None:
    hamlet = site.hamlets["Thôn Trại"]
    leader = await site.centre.somebody("minh", Role.APPROVER, site.root)
    of_hamlet = await site.centre.somebody("quan.tri", Role.ADMINISTRATOR, hamlet)
    for who in (leader, of_hamlet):
        async with visitor(site, who=who) as client:
            assert "/remove" not in (await client.get(f"/places/{hamlet.id}")).text
            assert (await client.get(f"/places/{hamlet.id}/remove")).status_code == 403
            assert (await client.post(f"/places/{hamlet.id}/remove", data={})).status_code == 403
