"""NUL in a form or an address: refused before anything is done, in words that say what to do."""

from tests.web.harness import Commune, visitor

SAID = "gõ tay đoạn đó thay vì dán vào"


async def test_a_form_with_it_is_refused_in_words(site: Commune) -> None:
    fields = {"name": "Thôn Mới", "kind": "hamlet", "parent_id": site.root.id}
    before = len(await site.centre.services.areas.tree(site.centre.actor))
    async with visitor(site) as client:
        for wrong in ({"name": "Thôn\0Mới"}, {"parent_id": "\0"}, {"other\0": ""}, {"once": "\0" * 32}):
            page = await client.post("/areas", data=fields | wrong)
            assert (page.status_code, SAID in page.text) == (409, True), wrong
            part = await client.post("/areas", data=fields | wrong, headers={"HX-Request": "true"})
            assert (part.status_code, SAID in part.text, "<html" in part.text) == (409, True, False), wrong
    assert len(await site.centre.services.areas.tree(site.centre.actor)) == before


async def test_an_address_that_asks_for_it_is_refused_in_words(site: Commune) -> None:
    async with visitor(site) as client, visitor(site, signed_in=False) as stranger:
        for path in (
            "/schedules?q=a%00b",
            "/nodes?%00=x",
            "/today?place=%00",
            "/say?recording=%00",
            "/people.csv?q=%00",
        ):
            page = await client.get(path)
            assert (page.status_code, SAID in page.text, "</html>" in page.text) == (409, True, True), path
            part = await client.get(path, headers={"HX-Request": "true"})
            assert (part.status_code, SAID in part.text, "<html" in part.text) == (409, True, False), path
        page = await stranger.get("/sign-in?next=%00")
        assert (page.status_code, SAID in page.text, "</html>" in page.text) == (409, True, True)
        assert (await client.get("/schedules?q=%2500")).status_code == 200, "what only looks like it"
