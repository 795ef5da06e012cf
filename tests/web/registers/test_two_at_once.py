"""Two people have the same form open: who changes one field does not undo what the other changed meanwhile."""

import re

from httpx import AsyncClient

from tests.web.harness import Commune, visitor


async def opened(client: AsyncClient, path: str, form: str) -> dict[str, str]:
    """Give what a browser would send of a form, as its page was when it was opened; ``form``: what is written in it."""
    page = (await client.get(path)).text
    found = next(each for each in re.findall(r"<form.*?</form>", page, re.DOTALL) if form in each)
    fields = re.findall(r'<input type="(?:hidden|text|tel)"[^>]* name="(\w+)" value="([^"]*)"', found)
    ticked = re.findall(r'<input type="radio" name="(\w+)" value="([^"]*)" checked', found)
    chosen = re.findall(r'<select id="(\w+)".*?<option value="([^"]*)" selected', found, re.DOTALL)
    hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', found)
    typed = re.findall(r'id="(\w+)" name="\1" value="([^"]*)"', found)
    return dict([*fields, *ticked, *chosen, *hidden, *typed])


async def test_who_renames_a_node_leaves_its_volume_to_whom_set_it_meanwhile(site: Commune) -> None:
    node, services, actor = site.nodes["Cổng chợ Trại"], site.centre.services, site.centre.actor
    path = f"/nodes/{node.id}/settings"
    async with visitor(site) as client:
        mine = await opened(client, path, 'name="volume"')
        assert (mine["name"], mine["volume"], mine["trim"]) == (node.name, "0", "0")
        await services.nodes.change(actor, node.id, volume_mb=-1200, trim_mb=300)
        assert (await client.post(path, data=mine | {"name": "Cổng chợ mới"})).status_code == 303
        found = await services.nodes.get(actor, node.id)
        assert (found.name, found.volume_mb, found.trim_mb) == ("Cổng chợ mới", -1200, 300)
        wrong = await client.post(path, data=mine | {"name": ""})
        assert (wrong.status_code, 'name="was_volume" value="0"' in wrong.text) == (422, True), "mended, it is the same"
        assert (await client.post(path, data=mine | {"volume": "-300"})).status_code == 303
        found = await services.nodes.get(actor, node.id)
        assert (found.name, found.volume_mb) == ("Cổng chợ mới", -300), "what this person meant is done"


async def test_who_changes_one_thing_of_a_place_leaves_the_rest_to_whom_changed_it_meanwhile(site: Commune) -> None:
    hamlet, services, actor = site.hamlets["Thôn Đồng"], site.centre.services, site.centre.actor
    path = f"/places/{hamlet.id}"
    async with visitor(site) as client:
        mine = await opened(client, path, 'name="kind"')
        assert (mine["name"], mine["kind"]) == ("Thôn Đồng", "hamlet")
        await services.areas.change(actor, hamlet.id, name="Thôn Đồng Thượng", languages=["vi", "tay"])
        sent = await client.post(path, data=mine | {"zone": "Asia/Bangkok", "save": "yes"})
        assert sent.status_code == 303
        area = next(each for each in await services.areas.tree(actor) if each.id == hamlet.id)
        assert (area.name, area.zone, area.languages) == ("Thôn Đồng Thượng", "Asia/Bangkok", ("vi", "tay"))
        assert (await client.post(path, data=mine | {"name": "Thôn Đồng Hạ", "save": "yes"})).status_code == 303
        area = next(each for each in await services.areas.tree(actor) if each.id == hamlet.id)
        assert (area.name, area.zone) == ("Thôn Đồng Hạ", "Asia/Bangkok")


async def test_who_mends_a_name_leaves_the_telephone_that_its_owner_changed_meanwhile(site: Commune) -> None:
    services, actor = site.centre.services, site.centre.actor
    person = await site.centre.somebody("hoa", "operator", site.root)
    path = f"/people/{person.id}"
    async with visitor(site) as client:
        mine = await opened(client, path, 'value="own"')
        await services.accounts.change(actor, person.id, phone="0912 345 678")
        assert (await client.post(path, data=mine | {"name": "Trần Thị Hòa"})).status_code == 303
        found = await services.accounts.get(actor, person.id)
        assert (found.name, found.phone) == ("Trần Thị Hòa", "0912 345 678")


async def test_what_is_wrong_in_an_account_is_told_at_its_field_and_what_was_typed_stays(site: Commune) -> None:
    person = await site.centre.somebody("hoa", "operator", site.root)
    path = f"/people/{person.id}"
    async with visitor(site) as client:
        own = await client.post(path, data={"act": "own", "name": "Trần Thị Hòa", "phone": "hỏi Lan"})
        assert own.status_code == 422
        assert 'id="wrong-phone"' in own.text
        assert 'value="hỏi Lan"' in own.text
        assert 'value="Trần Thị Hòa"' in own.text
        assert re.search(r'<details[^>]* id="own" open', own.text)
        short = await client.post(path, data={"act": "password", "password": "ngắn"})
        assert (short.status_code, 'id="wrong-password"' in short.text) == (422, True)
        assert re.search(r'<details[^>]* id="new-password" open', short.text)
        assert "ngắn" not in short.text.partition("<form")[0]
        given = {"act": "grant", "role": "operator", "area_id": site.root.id}
        twice = await client.post(path, data=given)
        assert (twice.status_code, 'id="wrong-role"' in twice.text) == (422, True)
        assert re.search(rf'<option value="{site.root.id}" selected', twice.text)
