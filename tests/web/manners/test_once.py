"""A form whose answer was lost is sent again: one thing is made, whatever the form, and who sent it is led there."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from controller.errors import BusyError
from controller.ids import new_id
from controller.sent_forms.service import SentForms
from controller.services import Services
from tests.controller.factories import PASSWORD
from tests.web.harness import Commune, visitor
from tests.web.manners.creating import FORMS
from tests.web.pages import everything, said

BEFORE = "Lần gửi trước đã tới trung tâm"
NOT_MADE = {"sent_forms", "sessions"}
"""Tables that tell of the sending itself, and of whoever was there."""


def once(fields: Mapping[str, object], key: str = "") -> dict[str, Any]:
    return {**fields, "once": key or new_id()}


async def there(site: Commune) -> dict[str, object]:
    """Read all that was made."""
    return {table: rows for table, rows in (await everything(site)).items() if table not in NOT_MADE}


@pytest.mark.parametrize("form", FORMS)
async def test_a_form_that_is_sent_twice_makes_one_thing_and_leads_there_twice(site: Commune, form: str) -> None:
    path, fields = await FORMS[form](site)
    before, sent = await there(site), once(fields)
    async with visitor(site) as client:
        first = await client.post(path, data=sent)
        made = await there(site)
        assert (first.status_code, made != before) == (303, True), said(first)
        second = await client.post(path, data=sent)
        assert await there(site) == made
        to = first.headers["location"]
        assert second.headers["location"] == f"{to}{'&' if '?' in to else '?'}before=yes"
        assert BEFORE in said(await client.get(second.headers["location"]))
        assert BEFORE not in said(await client.get(to))


async def test_who_opens_the_page_anew_and_sends_the_same_again_makes_one_thing(site: Commune) -> None:
    """The page has another key of its own then, the code of approvals is another, what was ticked comes as it comes."""
    path, fields = await FORMS["broadcast"](site)
    nodes = [f"nodes/{each.id}" for each in list(site.nodes.values())[:2]]
    sent = once(fields) | {"target": nodes}
    async with visitor(site) as client:
        first = await client.post(path, data=sent)
        again = await client.post(path, data=sent | {"key": new_id(), "target": nodes[::-1], "approval_code": "1"})
    assert again.headers["location"] == first.headers["location"] + "?before=yes"
    assert len(await site.centre.services.broadcasts.today(site.centre.actor, "Asia/Ho_Chi_Minh")) == 1


async def test_what_is_sent_anew_or_by_another_person_is_done(site: Commune) -> None:
    nam = await site.centre.somebody("nam", "administrator")
    key = new_id()
    async with visitor(site) as client, visitor(site, who=nam) as other:
        for name, who, again in (("Một", client, key), ("Hai", client, new_id()), ("Ba", other, key)):
            sent = once({"name": name, "kind": "hamlet", "parent_id": site.root.id}, again)
            assert (await who.post("/areas", data=sent)).headers["location"] == "/places?done=area"
    names = [area.name for area in await site.centre.services.areas.tree(site.centre.actor)]
    assert {"Một", "Hai", "Ba"} <= set(names)


async def test_two_at_once_make_one_thing(site: Commune) -> None:
    path, fields = await FORMS["programme"](site)
    sent = once(fields)
    async with visitor(site) as client:
        answers = await asyncio.gather(*(client.post(path, data=sent) for _ in range(3)))
        found = await client.get("/programmes.csv")
    assert [each.status_code for each in answers] == [303] * 3
    assert len({each.headers["location"].partition("?")[0] for each in answers}) == 1
    assert found.text.count("Bản tin chiều") == 1


async def test_a_form_that_was_refused_is_mended_and_sent_again(site: Commune) -> None:
    path, fields = await FORMS["place"](site)
    key = new_id()
    async with visitor(site) as client:
        for _ in range(2):
            assert (await client.post(path, data=once({**fields, "name": ""}, key))).status_code == 422
        done = await client.post(path, data=once(fields, key))
    assert done.headers["location"] == "/places?done=area"


async def test_a_look_at_what_would_happen_is_no_act(site: Commune) -> None:
    path, fields = await FORMS["week"](site)
    key = new_id()
    async with visitor(site) as client:
        for _ in range(2):
            assert (await client.post(path, data=once({**fields, "look": "yes"}, key))).status_code == 200
        assert (await client.post(path, data=once(fields, key))).status_code == 303


async def test_what_was_changed_after_the_first_sending_is_said_not_to_be_taken(site: Commune) -> None:
    path, fields = await FORMS["programme"](site)
    key = new_id()
    async with visitor(site) as client:
        first = await client.post(path, data=once(fields, key))
        second = await client.post(path, data=once({**fields, "title": "Bản tin tối"}, key))
        found = (await client.get("/programmes.csv")).text
    assert (second.status_code, ">Việc này đã gửi trước đó</h1>" in second.text) == (409, True)
    assert "CHƯA được ghi nhận" in said(second)
    assert f'href="{first.headers["location"]}"' in second.text
    assert ("Bản tin chiều" in found, "Bản tin tối" in found) == (True, False)


async def test_a_secret_is_made_once_and_not_shown_again(site: Commune) -> None:
    sent = once({"act": "key", "name": "Bảng tin", "days": "30", "acts": ["holds.order"]})
    async with visitor(site) as client:
        made = await client.post("/settings", data=sent)
        assert (made.status_code, "loa_" in made.text) == (201, True)
        again = await client.post("/settings", data=sent)
        assert (again.status_code, "loa_" in again.text) == (202, False)
        assert "Nội dung khi đó chỉ hiện một lần" in said(again)
        assert (await client.get("/settings")).text.count("Bảng tin") == made.text.count("Bảng tin")


def breaks(services: Services, *, after: bool) -> Callable[..., Awaitable[object]]:
    """Be a centre that is killed before or after it has made a programme."""
    create = services.programmes.create

    async def half(*args: Any) -> object:
        if after:
            await create(*args)
        raise asyncio.CancelledError

    return half


@pytest.mark.parametrize("after", [True, False])
async def test_where_the_centre_broke_off_in_the_middle_it_says_to_look_first(
    site: Commune, monkeypatch: pytest.MonkeyPatch, *, after: bool
) -> None:
    path, fields = await FORMS["programme"](site)
    services, sent = site.centre.services, once(fields)
    with monkeypatch.context() as broken:
        broken.setattr(services.programmes, "create", breaks(services, after=after))
        async with visitor(site) as client:
            assert (await client.post(path, data=sent)).status_code == 500
    monkeypatch.setattr(services.sent_forms, "_wait_s", 0)
    async with visitor(site) as client:
        again = await client.post(path, data=sent)
        found = (await client.get("/programmes.csv")).text
        assert (again.status_code, "data-draft-refused" in again.text) == (202, False)
        assert "Trung tâm đã nhận việc này (17:03) nhưng chưa rõ đã xong chưa" in said(again)
        assert found.count("Bản tin chiều") == int(after)
        assert (await client.post(path, data=once(fields))).status_code == 303, "a new act"


async def test_an_answer_stands_though_it_could_not_be_kept(site: Commune, monkeypatch: pytest.MonkeyPatch) -> None:
    path, fields = await FORMS["programme"](site)

    async def busy(*_: object) -> None:
        raise BusyError("the database is locked by another process; nothing was changed, try again")

    with monkeypatch.context() as locked:
        locked.setattr(SentForms, "done", busy)
        async with visitor(site) as client:
            assert (await client.post(path, data=once(fields))).status_code == 303


@pytest.mark.parametrize("key", ["", "x", "A" * 32, "0" * 33, "0" * 100_000, "' OR 1=1 --", "०" * 32])
async def test_a_key_that_is_none_of_ours_keeps_nothing_and_the_form_is_taken_as_it_is(site: Commune, key: str) -> None:
    path, fields = await FORMS["place"](site)
    async with visitor(site) as client:
        answer = await client.post(path, data={**fields, "once": key})
    assert answer.headers["location"] == "/places?done=area"
    assert (await everything(site))["sent_forms"] == []


async def test_a_key_of_nobody_is_kept_for_nobody(site: Commune) -> None:
    async with visitor(site, signed_in=False) as client:
        answer = await client.post("/areas", data=once({"name": "Thôn Lạ"}))
        assert answer.headers["location"].startswith("/sign-in?")
        signed = await client.post("/sign-in", data=once({"login": "lan", "password": PASSWORD}))
        assert signed.headers["location"] == "/today"
    assert (await everything(site))["sent_forms"] == []


async def test_what_a_script_asks_for_while_a_form_is_on_its_way_is_answered(site: Commune) -> None:
    """A preview sends the fields of its form, the key among them."""
    path, fields = await FORMS["broadcast"](site)
    sent = once(fields)
    async with visitor(site) as client:
        assert (await client.post(path, data=sent)).status_code == 303
        preview = await client.post("/say/preview", data=sent, headers={"HX-Request": "true"})
    assert (preview.status_code, "Mất nước" in preview.text) == (200, True)
