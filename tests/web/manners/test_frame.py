"""The frame of every page: a menu by a role's work, words after an act, a device's look, parts that pages share."""

import re
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute

import web
from controller.broadcasts.schemas import BroadcastIn
from controller.people.actor import Actor
from controller.policies.schemas import PolicyIn
from tests.controller.factories import ADDRESS
from tests.web.harness import Commune, pages, visitor
from web.i18n import load
from web.joined import lean
from web.listing import Asked, Column, Filter, Listing
from web.offers import GROUPS, IN_SIGHT, MORE, MOST_IN_SIGHT

TEXT = load("vi")
TEMPLATES = Path(web.__file__).parent / "templates"


def menu(page: str) -> tuple[list[str], list[str]]:
    """Give where the row in sight leads, and where *Thêm* does besides."""
    more, row = page.index('<nav id="more"'), page.index('<nav class="ways"')
    below = page[more : page.index("</nav>", more)]
    narrow = re.findall(r'<p class="narrow-only">\s*<a href="([^"]*)"', below)
    ways = re.findall(r'href="(/[^"]*)"', page[row : page.index("</nav>", row)])
    assert narrow == ways[4:], "what a phone's row has no room for stands under Thêm"
    return ways, [path for path in re.findall(r'href="(/[^"]*)"', below) if path not in narrow]


def test_no_page_within_the_frame_leaves_out_the_scripts_of_the_frame() -> None:
    """What it brings besides stands in ``more_scripts``: without the others it would stand still, and send twice."""
    framed = re.compile(r'extends "(?:signed_in|emergency_frame)\.html"')
    pages = {each.name: each.read_text("utf-8") for each in TEMPLATES.glob("*.html")}
    assert sum(bool(framed.search(text)) for text in pages.values()) > 30
    assert [name for name, text in pages.items() if framed.search(text) and "{% block scripts %}" in text] == []


def test_every_way_of_a_role_is_a_page_that_the_menu_knows() -> None:
    known = [entry.path for group in GROUPS for entry in group.entries]
    assert len(known) == len(set(known))
    for role, in_sight in IN_SIGHT.items():
        assert {*in_sight, *MORE[role]} <= set(known), role
        assert 1 <= len(in_sight) <= 4, role


@pytest.mark.parametrize(
    ("role", "row"),
    [
        ("operator", ["/today", "/say", "/schedules", "/bulletins"]),
        ("approver", ["/today", "/approvals", "/emergencies", "/history"]),
        ("technician", ["/today", "/nodes", "/faults"]),
        ("helper", ["/today", "/nodes"]),
        ("observer", ["/today", "/schedules", "/history", "/nodes"]),
        ("administrator", ["/today", "/nodes", "/places", "/people"]),
    ],
)
async def test_each_role_has_its_own_work_in_sight(site: Commune, role: str, row: list[str]) -> None:
    """Of what is made; no way is offered twice, none leads nowhere."""
    somebody = await site.centre.somebody("minh", role, site.root)
    async with visitor(site, who=somebody) as client:
        if role in {"approver", "administrator", "technician"}:
            page = (await client.get("/today", follow_redirects=True)).text
            if "data-person" not in page:  # sent to set up a second factor first
                return
        ways, more = menu((await client.get("/today")).text)
        made = [path for path in row if (await client.get(path)).status_code == 200]
        assert ways == made
        assert not set(ways) & set(more)
        for path in [*ways, *more]:
            assert (await client.get(path, follow_redirects=True)).status_code == 200, path


async def test_an_operator_has_six_ways_besides_and_the_others_on_the_pages_that_they_belong_to(site: Commune) -> None:
    operator = await site.centre.somebody("minh", "operator", site.root)
    homes = {
        "/programmes": "/bulletins",
        "/recordings": "/bulletins",
        "/calendars": "/schedules",
        "/faults": "/nodes",
        "/places": "/nodes",
    }
    async with visitor(site, who=operator) as client:
        ways, more = menu((await client.get("/today")).text)
        assert len(more) <= 6
        for path, home in homes.items():
            assert home in {*ways, *more}
            assert path not in more
            assert f'href="{path}"' in (await client.get(home)).text.partition("<main")[2], path
            assert (await client.get(path)).status_code == 200, path


async def test_who_has_two_roles_has_the_work_of_both_and_the_administrators_last(site: Commune) -> None:
    async with visitor(site) as client:
        ways, more = menu((await client.get("/today")).text)
        assert ways[0] == "/today"
        assert len(ways) <= MOST_IN_SIGHT
        assert {"/say", "/schedules", "/bulletins", "/emergencies"} <= {*ways, *more}


async def test_only_words_of_ours_follow_an_act(site: Commune) -> None:
    async with visitor(site) as client:
        for code in ("saved", "area", "ordered"):
            assert TEXT(f"done.{code}") in (await client.get(f"/nodes?done={code}")).text
        assert TEXT("undone.unsent") in (await client.get("/stop?done=unsent")).text
        for odd in ("<b>", "", "x" * 99, "saved.x", "title", "SAVED"):
            page = (await client.get("/nodes", params={"done": odd})).text
            assert 'class="notices"' not in page, odd


def only_posted(site: Commune) -> set[str]:
    """Name the addresses that forms are sent to, and that are no pages."""
    app = pages(site.centre.services)
    routes = [route for part in app.routes for route in getattr(part, "original_router", app).routes]
    own = [route for route in routes if isinstance(route, APIRoute) and not route.include_in_schema]
    read = {route.path for route in own if "GET" in (route.methods or ())}
    return {route.path for route in own if "POST" in (route.methods or ())} - read


async def test_who_loads_the_address_of_a_form_is_led_to_the_page_above_it(site: Commune) -> None:
    """A release of a STOP and a choice of language lead back to where they were pressed: the answer to a form too."""
    node = next(iter(site.nodes.values()))
    [hold] = await site.centre.services.holds.order(site.centre.actor, [site.root.scope])
    async with visitor(site) as client:
        for path in sorted(only_posted(site)):
            answer = await client.get(re.sub(r"{\w+}", "x", path))
            assert answer.status_code == 303 or "<!doctype html>" in answer.text, path
        form = {"next": f"/nodes/{node.id}/self-test"}
        answer = await client.post(f"/holds/{hold.id}/release", data=form)
        answer = await client.get(answer.headers["location"])
        assert answer.headers["location"] == f"/nodes/{node.id}?done=released"
        assert TEXT("done.released") in (await client.get(answer.headers["location"])).text
        answer = await client.post("/language", data={"next": "/schedules/x/dates/y", "locale": "vi"})
        assert (await client.get(answer.headers["location"])).headers["location"] == "/schedules/x"


@pytest.mark.parametrize(("cookie", "shown"), [("large", ' data-look="large"'), ("", ""), ('x"onload=', "")])
async def test_a_device_has_the_look_that_it_asks_for(site: Commune, cookie: str, shown: str) -> None:
    async with visitor(site) as client:
        client.headers["Cookie"] += f"; __Host-loa-look={cookie}"
        for path in ("/today", "/sign-in", "/nowhere"):
            assert f'<html lang="vi"{shown}>' in (await client.get(path)).text, path


async def test_the_styles_that_every_page_has_are_one_file(site: Commune) -> None:
    async with visitor(site) as client:
        page = (await client.get("/today")).text
        style, *own = re.findall(r'rel="stylesheet" href="([^"]+)"', page)
        assert all(each.startswith("/static/css/pages/") for each in own)
        answer = await client.get(style)
        assert answer.headers["content-type"].startswith("text/css")
        assert "immutable" in answer.headers["cache-control"]
        assert "immutable" not in (await client.get("/static/css/site.css")).headers["cache-control"]
        for part in ("tokens", "base", "parts"):
            assert lean(f"css/{part}.css") in answer.text  # all but its comments: test_joined
        assert (await client.post("/static/css/site.css")).status_code == 405


def part(site: Commune, source: str, **given: Any) -> str:
    """Render what a page would write with the shared parts."""
    from tests.web.harness import _made  # noqa: PLC0415 - made by the fixture

    templates = _made[0][1]._templates
    template = templates.from_string("{% import '_parts.html' as parts with context %}" + source)
    return template.render(t=TEXT, here="/x", proven=False, **given)


async def test_what_is_wrong_is_listed_with_ways_to_each_field(site: Commune) -> None:
    problems = {"form": "Hãy xem lại.", "name": "Hãy gõ <tên>."}
    page = part(
        site,
        '{{ parts.problems_list(p, {"name": "Tên"}) }}{{ parts.field("name", "Tên", "", p, "Gợi ý") }}',
        p=problems,
    )
    assert 'role="alert"' in page
    assert '<a href="#name">Tên: Hãy gõ &lt;tên&gt;.</a>' in page
    assert 'href="#form"' not in page
    assert 'aria-describedby="wrong-name name-hint"' in page
    assert part(site, "{{ parts.problems_list({}) }}").strip() == ""


async def test_an_hour_is_one_of_the_usual_ones_or_typed(site: Commune) -> None:
    usual = part(site, '{{ parts.hour("hour", "05:00") }}')
    assert 'value="05:00" checked' in usual
    typed = part(site, '{{ parts.hour("hour", "19:30") }}')
    assert 'name="hour_usual" value="" checked' in typed
    assert 'name="hour" value="19:30"' in typed


async def test_a_list_leads_to_its_other_pages_and_orders(site: Commune) -> None:
    columns = (Column("name", "adopt.name"), Column("how", "menu.faults", sort=False))
    filters = (Filter("state", "menu.nodes", (("online", "Đang kết nối"),)),)
    asked = Asked("chợ", "name", page=2, having={"state": "online"})
    there = Listing("/nodes", columns, filters, asked, ("<b>Cổng</b>",), 120, default=("name", False))
    source = (
        '{{ parts.filters(it) }}{% call(row) parts.table(it, "Cụm") %}<td data-label="x">{{ row }}</td>{% endcall %}'
        "{{ parts.pager(it) }}{{ parts.export(it) }}"
    )
    page = part(site, source, it=there)
    assert 'aria-sort="ascending"' in page
    assert 'href="/nodes?q=ch%E1%BB%A3&amp;sort=-name&amp;state=online"' in page
    assert 'rel="next" href="/nodes?q=ch%E1%BB%A3&amp;p=3&amp;state=online"' in page
    assert "Trang 2/3" in page
    assert "&lt;b&gt;Cổng" in page
    assert 'href="/nodes.csv?q=ch%E1%BB%A3&amp;state=online" download' in page
    assert 'aria-label="Bỏ lọc Đang kết nối"' in page


async def test_parts_that_say_how_far_where_and_whom_to_call(site: Commune) -> None:
    page = part(
        site,
        '{{ parts.progress("p", 0.5, "Đang tải") }}{{ parts.progress("q", none, "Chờ") }}'
        '{{ parts.call("Bác Tư", "0912 345 678") }}'
        '{{ parts.chips("d", [("a", "Mai"), ("b", "Kia")], "b") }}{{ parts.empty("Chưa có.", "Thêm", "/x") }}'
        '{% call parts.confirm("c", "Gỡ", "Sẽ im.") %}<form></form>{% endcall %}'
        '{{ parts.live("n", "/n", "node fault*", "7", pace=5) }}{{ parts.choice("checkbox", "x", "1", "Chọn", true) }}'
        '{{ parts.select("s", "Loại", [("a", "A"), ("b", "B")], "b") }}'
        '{{ parts.submit("Gửi") }}',
    )
    assert '<progress id="p-bar" value="0.5" max="1">' in page
    assert '<progress id="q-bar">' in page
    assert 'href="tel:0912345678"' in page
    assert 'value="b" checked' in page
    assert page.index("Sẽ im.") < page.index("<form>")
    assert 'data-live="node fault*" data-key="7" data-tick="15" data-pace="5000"' in page


NUMBER = re.compile('class="waits"[^>]*><span')


async def test_a_request_that_waits_is_counted_beside_the_word(site: Commune) -> None:
    hoa = await site.centre.somebody("hoa", "operator", site.root)
    rules = PolicyIn.model_validate({"version": 0, "rules": {"second_person": [{}]}})
    await site.centre.services.policies.put(site.centre.actor, site.root.id, rules)
    recording = await site.centre.recording("Họp thôn", area_id=site.root.id)
    async with visitor(site) as leader:
        assert not NUMBER.search((await leader.get("/today")).text)
        wanted = BroadcastIn.checked(title="Họp", recordings=[recording], targets=[site.root.scope])
        await site.centre.services.broadcasts.create(Actor(hoa.id, ADDRESS), wanted)
        page = (await leader.get("/today")).text
    assert re.search(r'href="/approvals">Chờ duyệt <span class="waits"[^>]*><span aria-hidden="true">1<', page)
    async with visitor(site, who=hoa) as author:
        assert not NUMBER.search((await author.get("/today")).text), "nobody waits for oneself"
