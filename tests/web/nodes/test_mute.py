"""Clusters that report nothing are added by hand, where one may add nodes."""

import re

from controller.people.rights import Role
from tests.web.harness import Commune, visitor
from tests.web.pages import said


async def test_a_wired_cluster_is_added_and_says_that_it_reports_nothing(site: Commune) -> None:
    hamlet = site.hamlets["Thôn Trại"]
    typed = {"mute_kind": "fm", "mute_area_id": hamlet.id, "mute_name": "Cụm FM cũ"}
    async with visitor(site) as client:
        for field, wrong in (("mute_name", "wrong-mute_name"), ("mute_area_id", "wrong-mute_area_id")):
            answer = await client.post("/nodes/mute", data=typed | {field: " "})
            assert answer.status_code == 422
            assert f'id="{wrong}"' in answer.text
            assert 'id="add-mute" open' in answer.text
        gone = await client.post("/nodes/mute", data=typed | {"mute_area_id": "gone"})
        assert 'id="wrong-mute_area_id"' in gone.text
        assert 'value="Cụm FM cũ"' in gone.text
        made = await client.post("/nodes/mute", data=typed)
        assert re.fullmatch(r"/nodes/\w{32}\?done=mute", made.headers["location"])
        page = said(await client.get(made.headers["location"]))
        assert "không gửi tin về trung tâm" in page
        assert "Cụm này không báo về trung tâm." in page
        assert "sẽ kết nối" not in page
        assert (await client.get("/nodes/mute")).headers["location"] == "/nodes"


async def test_who_adopts_no_nodes_is_offered_none(site: Commune) -> None:
    operator = await site.centre.somebody("hoa", Role.OPERATOR, site.root)
    typed = {"mute_kind": "wired", "mute_area_id": site.root.id, "mute_name": "Cụm"}
    async with visitor(site, who=operator) as client:
        assert "/nodes/mute" not in (await client.get("/nodes")).text
        assert (await client.post("/nodes/mute", data=typed)).status_code == 422
    assert len(await site.centre.services.nodes.all(site.centre.actor)) == 4
