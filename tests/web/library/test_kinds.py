"""Kinds of bulletins that a place made for itself are called by their names wherever they are shown."""

import httpx

from controller.bulletins.schemas import BulletinChange, BulletinIn, VersionSeen
from controller.policies.schemas import PolicyIn
from tests.web.harness import Commune, visitor
from tests.web.pages import said

CODE, NAME = "de_dieu", "Đê điều"
RULES = {
    "categories": [{"code": "notice", "name": "Thông báo"}, {"code": CODE, "name": NAME}],
    "self_approval": {"categories": [CODE], "minutes": 5, "a_day": 3},
}
VOICES = [{"language": "vi", "text": "Tin."}]
SECOND = {"second_person": [{"category": CODE, "level": "*"}]}


async def rules(site: Commune, **more: object) -> None:
    wanted = PolicyIn.model_validate({"version": 0, "rules": RULES | more})
    await site.centre.services.policies.put(site.centre.actor, site.root.id, wanted)


async def bulletin(site: Commune) -> str:
    """Write one twice and approve it: a notice at first."""
    bulletins, actor = site.centre.services.bulletins, site.centre.actor
    voices = [{"language": "vi", "text": "Tuần đê", "recording_id": await site.centre.recording("Tuần đê")}]
    wanted = {"area_id": site.root.id, "title": "Tuần đê", "category": "notice", "voices": voices}
    made = await bulletins.create(actor, BulletinIn.model_validate(wanted))
    await bulletins.change(actor, made.id, BulletinChange(version=1, category=CODE))
    await bulletins.submit(actor, made.id, VersionSeen(version=2))
    await bulletins.approve(actor, made.id, VersionSeen(version=2))
    return made.id


async def test_lists_and_pages_of_bulletins_and_programmes_name_them(site: Commune) -> None:
    await rules(site)
    made = await bulletin(site)
    async with visitor(site) as client:
        paths = [f"{await empty(client, site, 'Sáng')}/choices", await slotted(client, site)]
        listed = ["/bulletins", "/bulletins.csv", f"/bulletins/{made}", f"/bulletins/{made}/versions/1"]
        chosen = ["/say/existing?written=yes", f"/say/bulletins/{made}", f"/say?bulletin={made}"]
        for path in [*paths, *listed, *chosen, f"/policies/{site.root.id}"]:
            page = await client.get(path)
            words = page.text if path.endswith(".csv") else said(page)
            assert page.status_code == 200, path
            assert NAME in words, path
            assert CODE not in words, path
        changed = said(await client.get(f"/bulletins/{made}/versions/1"))
    assert f"trước: Thông báo → nay: {NAME}" in changed


async def empty(client: httpx.AsyncClient, site: Commune, title: str, **given: str) -> str:
    """Make a programme without items; gives its page."""
    made = await client.post("/programmes", data={"title": title, "area_id": site.root.id} | given)
    return str(made.headers["location"].partition("?")[0])


async def slotted(client: httpx.AsyncClient, site: Commune) -> str:
    path = await empty(client, site, "Mẫu sáng", template="yes")
    await client.post(path, data={"act": "add", "kind": "slot", "chosen": CODE})
    return path


async def test_who_approves_reads_their_names(site: Commune) -> None:
    await rules(site, **SECOND)
    hoa = await site.centre.somebody("hoa", "operator", site.root)
    nam = await site.centre.somebody("nam", "approver", site.root)
    recording = await site.centre.recording("Tuần đê", area_id=site.root.id)
    typed = {"recording": recording, "title": "Tuần đê", "category": CODE, "target": [site.root.scope]}
    typed |= {"when": "later", "day": "2031-11-25", "hour": "9:00", "confirm_unusual": "yes"}
    async with visitor(site, who=hoa) as author, visitor(site, who=nam) as leader:
        assert (await author.post("/say", data=typed)).status_code == 303
        for path in ("/approvals", f"/policies/{site.root.id}"):
            words = (await leader.get(path)).text
            assert NAME in words, path
            assert CODE not in words, path


async def test_the_table_of_what_was_said_has_their_names(site: Commune) -> None:
    await rules(site)
    await site.broadcast("Tuần đê", category=CODE, confirm_unusual=True)
    site.centre.clock.step(hours=1)
    async with visitor(site) as client:
        table = (await client.get("/history.csv")).text
    assert f";{NAME};" in table
    assert CODE not in table


async def test_of_one_code_that_two_communes_name_otherwise_each_is_called_as_its_place_does(site: Commune) -> None:
    here = site.centre
    province = await here.area("Tỉnh Thái", kind="province")
    leader = await here.somebody("tinh", "administrator", province)
    names, paths = ("Khuyến nông", "Nông vụ"), list[str]()
    for number, name in enumerate(names):
        commune = await here.area(f"Xã {number}", province, kind="commune")
        wanted = PolicyIn.model_validate({"version": 0, "rules": {"categories": [{"code": CODE, "name": name}]}})
        await here.services.policies.put(here.actor, commune.id, wanted)
        written = {"area_id": commune.id, "title": f"Tin {number}", "category": CODE, "voices": VOICES}
        made = await here.services.bulletins.create(here.actor, BulletinIn.model_validate(written))
        paths.append(f"/bulletins/{made.id}")
    async with visitor(site, who=leader) as client:
        listed = (await client.get("/bulletins")).text
        for number, (path, name) in enumerate(zip(paths, names, strict=True)):
            row = listed[listed.index(f'href="{path}"') :].partition("</tr>")[0]
            assert f"Tin {number}" in row
            for page in (row, said(await client.get(path)), said(await client.get(f"{path}/versions/1"))):
                assert [each in page for each in names] == [each == name for each in names], path
        assert f'<option value="{CODE}">Khuyến nông / Nông vụ</option>' in listed, "one to narrow by is called by all"
