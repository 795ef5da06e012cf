"""Beginning a rollout, and adding a release, over HTTP: said in words first, and offered to who may."""

import re

from controller.people.rights import Role
from tests.controller.updates.shop import Shop, able
from tests.web.harness import Commune, visitor
from tests.web.pages import said


def shop_of(site: Commune) -> Shop:
    """A centre that believes an update key; every node takes updates."""
    shop = Shop(site.centre)
    for node in site.nodes.values():
        site.centre.services.live.note(node.id, abilities=able())
    return shop


async def test_a_rollout_says_what_it_would_do_and_begins_when_it_was_read(site: Commune) -> None:
    await shop_of(site).add()
    hamlet = site.hamlets["Thôn Trại"]
    async with visitor(site) as client:
        assert 'href="/updates/new"' in (await client.get("/updates")).text
        page = (await client.get("/updates/new")).text
        assert re.search(r'name="release" value="7" checked', page)
        assert not re.search(r'name="target" value="[^"]+" checked', page)
        typed = {"release": "7", "target": [hamlet.scope], "waves": "1, 100%", "pause": "90", "errors": "5"}
        look = await client.post("/updates/new", data=typed)
        assert look.status_code == 200
        words = said(look)
        assert "Bản 0.7.0 (số 7) sẽ đến 2 cụm: 1 cụm trước, rồi đến tất cả." in words
        assert "chạy tốt ít nhất 1 giờ 30 phút; nhanh nhất cũng mất 1 giờ 30 phút" in words
        assert "Cổng chợ Trại" in words
        assert await site.centre.services.rollouts.list(site.centre.actor) == []
        begun = await client.post("/updates/new", data=typed | {"begin": "yes"})
        [rollout] = await site.centre.services.rollouts.list(site.centre.actor)
        assert begun.headers["location"] == f"/updates/{rollout.id}?done=rollout_start"
        assert (rollout.targets, rollout.waves, rollout.soak_s) == ((hamlet.scope,), ("1", "100%"), 5400)
        twice = await client.post("/updates/new", data=typed | {"begin": "yes"})
        assert twice.status_code == 422
        assert "đang nằm trong một đợt cập nhật khác" in said(twice)


async def test_who_is_away_or_cannot_is_named_before(site: Commune) -> None:
    await shop_of(site).add()
    away, older = site.nodes["Cổng chợ Trại"], site.nodes["Đầu làng Trại"]
    site.centre.services.live.note(older.id, abilities={"commands": []})
    site.centre.services.live.note(away.id, presence="lost", presence_at=site.centre.clock())
    typed = {"release": "7", "target": [site.root.scope], "waves": "100%", "pause": "0", "errors": "0"}
    async with visitor(site) as client:
        words = said(await client.post("/updates/new", data=typed))
    assert "Bản 0.7.0 (số 7) sẽ đến 4 cụm cùng một lúc." in words
    assert "1 cụm đang mất kết nối: nhận khi kết nối lại." in words
    assert "1 cụm không tự cập nhật được" in words
    assert "bốc thăm" not in words
    assert words.index("Đầu làng Trại Không nhận được") < words.index("Cổng chợ Trại Nhận khi kết nối lại")


async def test_a_mistake_keeps_what_was_typed_and_says_where_it_is(site: Commune) -> None:
    shop, scope = shop_of(site), site.root.scope
    typed = {"release": "7", "target": [scope], "waves": "1, 100%", "pause": "60", "errors": "5"}
    async with visitor(site) as client:
        assert "Chưa có bản cập nhật nào còn cài được" in said(await client.get("/updates/new"))
        await shop.add()
        for field, value, wrong in (
            ("target", [], "wrong-targets"),
            ("waves", "một nửa", "wrong-waves"),
            ("waves", "1, 50%", "wrong-waves"),
            ("pause", "lâu", "wrong-pause"),
            ("errors", "51", "wrong-errors"),
            ("release", "8", "wrong-release"),
            ("release", "x", "wrong-release"),
            ("target", ["areas/gone"], "wrong-targets"),
        ):
            answer = await client.post("/updates/new", data=typed | {field: value})
            assert answer.status_code == 422, (field, value)
            assert f'id="{wrong}"' in answer.text, (field, value)
            if field != "target":
                assert re.search(rf'value="{re.escape(scope)}" checked', answer.text)
        for node in site.nodes.values():
            shop.hears(node.id, running=7)
        assert "Mọi cụm ở đó đã chạy bản này" in said(await client.post("/updates/new", data=typed))
    site.centre.clock.step(days=91)
    async with visitor(site) as client:
        assert "Chưa có bản cập nhật nào còn cài được" in said(await client.get("/updates/new"))


async def test_only_who_may_begin_rollouts_and_add_releases_is_offered_it(site: Commune) -> None:
    await shop_of(site).add()
    hamlet, other = site.hamlets["Thôn Trại"], site.hamlets["Thôn Đồng"]
    technician = await site.centre.somebody("tu.ky", Role.TECHNICIAN, site.root)
    of_hamlet = await site.centre.somebody("quan.tri", Role.ADMINISTRATOR, hamlet)
    async with visitor(site, who=technician) as client:
        page = (await client.get("/updates")).text
        assert "/updates/new" not in page
        assert "/updates/releases/new" not in page
        for path in ("/updates/new", "/updates/releases/new"):
            assert (await client.get(path)).status_code == 403
        assert (await client.post("/updates/new", data={"release": "7"})).status_code == 403
    async with visitor(site, who=of_hamlet) as client:
        page = (await client.get("/updates")).text
        assert "/updates/new" in page
        assert "/updates/releases/new" not in page
        assert (await client.get("/updates/releases/new")).status_code == 403
        form = (await client.get("/updates/new")).text
        assert hamlet.scope in form
        assert other.scope not in form
        typed = {"release": "7", "waves": "100%", "pause": "60", "errors": "5", "begin": "yes"}
        elsewhere = await client.post("/updates/new", data=typed | {"target": [other.scope]})
        assert elsewhere.status_code == 422
        assert (await client.post("/updates/new", data=typed | {"target": [hamlet.scope]})).status_code == 303


async def test_a_release_is_added_by_who_administers_the_whole_centre(site: Commune) -> None:
    async with visitor(site) as client:
        assert 'href="/updates/releases/new"' in (await client.get("/updates/releases")).text
        page = (await client.get("/updates/releases/new")).text
        assert 'data-to="/api/v1/updates"' in page
        assert "đuôi .release" in page
