"""Releases and rollouts over HTTP: how far they are, and pausing, letting go on, stopping one."""

from controller.people.rights import Role
from tests.web.harness import Commune, visitor
from tests.web.pages import said
from tests.web.scenes.registers import rollout

STATES = {"Đầu làng Trại": "good", "Cổng chợ Trại": "returned"}
"""One node is done and one went back, at the place above both."""


async def test_a_rollout_says_how_far_it_is_and_is_paused_let_go_on_and_stopped(site: Commune) -> None:
    key = await rollout(site, STATES)
    async with visitor(site) as client:
        page = said(await client.get("/updates"))
        assert "Bản 0.2.0 (số 7)" in page
        assert "1/2 cụm đã chạy bản mới, đợt nhỏ 1/2. 1 cụm trục trặc." in page
        assert "Cho arm64, 3 MB." in page
        one = said(await client.get(f"/updates/{key}"))
        assert one.index("Không được, đã quay lại bản cũ") < one.index("Đầu làng Trại")
        assert "1/3" not in (await client.get(f"/updates/{key}/live")).text
        assert "Đầu làng Trại" in (await client.get(f"/updates/{key}/nodes?state=good")).text
        assert "Cổng chợ Trại" not in (await client.get(f"/updates/{key}/nodes?state=good")).text
        for act, word in (("pause", "Đang tạm dừng"), ("resume", "Đang chạy"), ("stop", "Đã dừng: có người dừng")):
            answer = await client.post(f"/updates/{key}", data={"act": act})
            assert answer.headers["location"] == f"/updates/{key}?done=rollout_{act}"
            twice = await client.post(f"/updates/{key}", data={"act": act})
            assert twice.headers["location"] == f"/updates/{key}?done="
            assert word in said(await client.get(f"/updates/{key}"))
        assert (await client.post(f"/updates/{key}", data={"act": "resume"})).status_code == 422
        assert (await client.post(f"/updates/{key}", data={"act": "x"})).status_code == 404
        taken = (await client.get("/updates.csv?state=stopped")).text.splitlines()
        assert taken[1].endswith(";1;1;2")
        assert len((await client.get("/updates.csv?state=done")).text.splitlines()) == 1


async def test_a_technician_may_halt_and_not_let_go_on_and_who_sees_no_node_of_it_sees_nothing(site: Commune) -> None:
    key = await rollout(site, STATES)
    technician = await site.centre.somebody("tu.ky", "technician", site.root)
    elsewhere = await site.centre.somebody("minh", "technician", site.hamlets["Thôn Đồng"])
    async with visitor(site, who=technician) as client:
        assert 'href="/updates"' in (await client.get("/today")).text
        assert (await client.post(f"/updates/{key}", data={"act": "pause"})).status_code == 303
        assert 'value="resume"' not in (await client.get(f"/updates/{key}")).text
        assert (await client.post(f"/updates/{key}", data={"act": "resume"})).status_code == 422
    async with visitor(site, who=elsewhere) as client:
        assert key not in (await client.get("/updates")).text
        assert (await client.get(f"/updates/{key}")).status_code == 404
        assert (await client.post(f"/updates/{key}", data={"act": "stop"})).status_code == 404


async def test_all_releases_are_a_list_of_their_own(site: Commune) -> None:
    async with visitor(site) as client:
        assert "Chưa có bản cập nhật nào" in said(await client.get("/updates/releases"))
        await rollout(site, STATES)
        assert 'href="/updates/releases"' in (await client.get("/updates")).text
        page = said(await client.get("/updates/releases?q=0.2"))
        assert "0.2.0" in page
        assert "24/11" in page
        assert "2031-" not in page
        assert "0.2.0" not in said(await client.get("/updates/releases?q=9.9"))
        assert ";2031-11-24 17:03;" in (await client.get("/updates/releases.csv")).text


async def test_updates_are_shown_to_who_has_something_to_do_there_or_reads_what_others_did(site: Commune) -> None:
    key = await rollout(site, STATES)
    addresses = ["/updates", "/updates/releases", f"/updates/{key}", f"/updates/{key}/live", f"/updates/{key}/nodes"]
    for role in Role:
        who = await site.centre.somebody(f"one.{role}", role, site.root)
        wanted = 200 if role in {Role.APPROVER, Role.TECHNICIAN, Role.ADMINISTRATOR} else 403
        async with visitor(site, who=who) as client:
            for path in [*addresses, "/updates.csv", "/updates/releases.csv"]:
                assert (await client.get(path)).status_code == wanted, (role, path)
