"""NUL in a form: refused before anything is done, in words that say what to do."""

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
