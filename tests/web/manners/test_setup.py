"""First start, as a script: from a centre in which nothing is to the first words, its steps and fields counted."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller.errors import InvalidError
from controller.people.rights import Role
from edge_agent.protocol.enrolment import new_claim_code
from tests.controller.factories import ADDRESS, PASSWORD, enrolment_request
from tests.web.harness import Commune, commune, first_day, visitor
from tests.web.pages import said
from web.views.setup import MOST_HAMLETS, pasted, steps

MOST_STEPS, MOST_FIELDS = 5, 7
STEPS, FIELDS = 4, 7
"""With what is said and its title. In a browser a recording brings both: five are filled in by hand, as README says
(``tests/e2e/journeys/test_first_day.py``)."""


@pytest.fixture
async def empty(tmp_path: Path) -> AsyncIterator[Commune]:
    async with first_day(tmp_path) as opened:
        yield opened


def needed(page: str, action: str) -> dict[str, str]:
    """Give the fields of a form that must be filled in by a person, and all others as they stand."""
    form = re.search(rf'<form method="post" action="{action}".*?</form>', page, re.DOTALL)
    assert form, action
    return dict.fromkeys(re.findall(r'<input[^>]*name="(\w+)"[^>]*\brequired', form[0]), "")


def given(page: str, action: str) -> dict[str, str]:
    form = re.search(rf'<form[^>]*action="{action}".*?</form>', page, re.DOTALL)
    assert form, action
    found = dict(re.findall(r'<input[^>]*type="hidden"[^>]*name="(\w+)"[^>]*value="([^"]*)"', form[0]))
    for name, inside in re.findall(r'<select[^>]*name="(\w+)"[^>]*>(.*?)</select>', form[0], re.DOTALL):
        chosen = re.search(r'value="([^"]*)"[^>]*selected', inside) or re.search(r'value="([^"]*)"', inside)
        found[name] = chosen[1] if chosen else ""
    return found


async def step(client: httpx.AsyncClient, page: str, action: str, **typed: str) -> tuple[str, int]:
    """Send one step: any needed field left empty is told, and no other is needed. Gives where it leads, how many."""
    fields = needed(page, action)
    assert fields.keys() == typed.keys()
    rest = given(page, action)
    for name in fields:
        lacking = await client.post(action, data=rest | typed | {name: ""})
        assert lacking.status_code in {401, 422}, name
    answer = await client.post(action, data=rest | typed)
    assert answer.status_code == 303
    return answer.headers["location"], len(fields)


async def test_from_an_empty_centre_to_the_first_words_in_few_steps_and_fields(empty: Commune) -> None:
    done: list[int] = []
    async with visitor(empty, signed_in=False) as client:
        answer = await client.get("/", follow_redirects=True)
        fields = needed(answer.text, "/sign-in")
        assert fields.keys() == {"login", "password"}
        signed = await client.post("/sign-in", data={"login": "lan", "password": PASSWORD})
        client.headers["Cookie"] = signed.headers["set-cookie"].split(";")[0]
        done.append(len(fields))

        led = await client.get(signed.headers["location"])
        assert (led.status_code, led.headers["location"]) == (303, "/setup")
        page = (await client.get("/setup")).text
        away, count = await step(client, page, "/setup/places", name="Xã Nga My")
        done.append(count)

        page = (await client.get(away)).text
        code = new_claim_code()
        await empty.centre.services.enrolments.ask(enrolment_request(code, Ed25519PrivateKey.generate()), ADDRESS)
        away, count = await step(client, page, "/setup/node", code=code, name="Nhà văn hóa thôn Đồng")
        done.append(count)

        page = (await client.get(away)).text
        assert '<a class="button main" href="/say">' in page
        await say_something(empty, client)
        done.append(2)  # what is said, and its title; where and when stand there already
        page = (await client.get("/setup")).text
        assert "Đã xong. Trung tâm phát được rồi." in page
        assert 'href="/messages/new?kind=alert"' in page, "what to do next"
    assert (len(done), sum(done)) == (STEPS, FIELDS)
    assert STEPS <= MOST_STEPS
    assert FIELDS <= MOST_FIELDS


async def say_something(site: Commune, client: httpx.AsyncClient) -> None:
    """Send what Phát ngay offers, with a recording that was just made and nothing else chosen."""
    [node] = await site.centre.services.nodes.all(site.centre.actor)
    site.centre.hears(node.id)
    page = (await client.get("/say")).text
    chosen = [
        (name, value)
        for name, value in re.findall(r'<input[^>]*name="([\w-]+)"[^>]*value="([^"]*)"[^>]*\bchecked', page)
    ]
    hidden = re.findall(r'<input[^>]*type="hidden"[^>]*name="([\w-]+)"[^>]*value="([^"]*)"', page)
    typed: dict[str, Any] = {"title": "Câu đầu tiên"}
    for name, value in [*hidden, *chosen]:
        typed.setdefault(name, []).append(value)
    recording = await site.centre.recording("Câu đầu tiên", length_ms=4000)
    sent = await client.post("/say", data=typed | {"recording": recording})
    assert sent.status_code == 303, re.findall(r'class="wrong[^>]*>([^<]*)', sent.text)
    assert sent.headers["location"].startswith("/broadcasts/")


async def test_what_needs_a_place_leads_to_making_the_first(empty: Commune) -> None:
    somebody = await empty.centre.somebody("hoa", Role.OPERATOR, None)
    async with visitor(empty) as client, visitor(empty, who=somebody) as other:
        for path in ("/say", "/schedules/new", "/bulletins/new"):
            led, refused = await client.get(path), await other.get(path)
            assert (led.status_code, led.headers.get("location")) == (303, "/setup"), path
            assert refused.status_code == 403, "who may not make places is not led there"


async def test_hamlets_come_from_a_list_as_people_paste_it(empty: Commune) -> None:
    typed = "1. Thôn Đồng\n2) Thôn Trại\n\n- Tổ dân phố số 12\n• Thôn  Trung \n3 Xóm"
    async with visitor(empty) as client:
        answer = await client.post("/setup/places", data={"name": "Xã Nga My", "kind": "commune", "hamlets": typed})
        assert answer.headers["location"] == "/setup?done=setup_places"
        again = await client.post("/setup/places", data={"name": "Xã Nga My", "kind": "commune", "hamlets": typed})
        assert again.headers["location"] == "/setup"
    root, *hamlets = await empty.centre.services.areas.tree(empty.centre.actor)
    assert (root.name, root.kind) == ("Xã Nga My", "commune")
    assert {each.name for each in hamlets} == {"Thôn Đồng", "Thôn Trại", "Tổ dân phố số 12", "Thôn Trung", "3 Xóm"}
    assert {(each.kind, each.parent_id) for each in hamlets} == {("hamlet", root.id)}


@pytest.mark.parametrize("line", ["x" * 201, "Thôn\u202eĐồng", "\n".join(f"Thôn {n}" for n in range(MOST_HAMLETS + 1))])
async def test_a_list_that_is_wrong_keeps_nothing_and_stays_as_typed(empty: Commune, line: str) -> None:
    async with visitor(empty) as client:
        answer = await client.post("/setup/places", data={"name": "Xã Nga My", "hamlets": "Thôn Trại\n" + line})
    assert answer.status_code == 422
    assert 'id="wrong-hamlets"' in answer.text
    assert "Thôn Trại" in answer.text
    assert await empty.centre.services.areas.tree(empty.centre.actor) == []


async def test_a_list_out_of_a_table_is_read_and_a_wrong_line_of_it_is_quoted(empty: Commune) -> None:
    async with visitor(empty) as client:
        wrong = "1. Thôn Đồng\t80 hộ\n\nThôn \u202eTrại"
        answer = await client.post("/setup/places", data={"name": "Xã Nga My", "hamlets": wrong})
        assert "Dòng 3 chứa ký tự ẩn (hiện ở đây là dấu ?): “Thôn ?Trại”" in said(answer)
        answer = await client.post("/setup/places", data={"name": "Xã Nga My", "hamlets": "x\n" + "y" * 201})
        assert f"Dòng 2 dài quá 200 chữ: “{'y' * 60}…”" in said(answer)
        table = "1.\tThôn Đồng\t80 hộ\n3) Thôn Trung\t120 hộ\n4\tThôn 4\t\t95\n\tXóm Mới"
        assert (await client.post("/setup/places", data={"name": "Nga My", "hamlets": table})).status_code == 303
    _, *hamlets = await empty.centre.services.areas.tree(empty.centre.actor)
    assert {each.name for each in hamlets} == {"Thôn Đồng", "Thôn Trung", "Thôn 4", "Xóm Mới"}


@pytest.mark.parametrize(
    ("typed", "names", "told"),
    [
        (
            "Xã Nga My\tThôn Đồng\t80\nXã Nga My\tThôn Trại\t81",
            ["Thôn Đồng", "Thôn Trại"],
            "2 dòng được hiểu là 2 nơi",
        ),
        ("Tổ dân phố\t5\nTổ dân phố\t6", ["Tổ dân phố 5", "Tổ dân phố 6"], "2 dòng được hiểu là 2 nơi"),
        (
            "STT\tTên thôn\tSố hộ\n1\tThôn Đồng\t80\n2\tThôn Trại\t",
            ["Thôn Đồng", "Thôn Trại"],
            "rồi bấm lưu lần nữa. Đã bỏ dòng đầu bảng: “STT · Tên thôn · Số hộ”.",
        ),
        ("Thôn Đồng\t80 hộ\nThôn  Đồng\t81 hộ\nXóm", ["Thôn Đồng", "Xóm"], "3 dòng được hiểu là 2 nơi"),
    ],
)
async def test_what_was_guessed_of_a_list_is_given_back_before_it_is_kept(
    empty: Commune, typed: str, names: list[str], told: str
) -> None:
    async with visitor(empty) as client:
        answer = await client.post("/setup/places", data={"name": "Xã Nga My", "hamlets": typed})
        assert (answer.status_code, told in said(answer)) == (422, True)
        assert ("đầu bảng" in said(answer)) == typed.startswith("STT"), "no head where there is no table"
        assert "data-newer" in answer.text, "what was typed before does not come back over it"
        assert await empty.centre.services.areas.tree(empty.centre.actor) == []
        [seen] = re.findall(r'<textarea id="hamlets"[^>]*>([^<]*)<', answer.text)
        assert seen.split("\n") == names
        kept = await client.post("/setup/places", data={"name": "Xã Nga My", "hamlets": seen})
        assert kept.headers["location"] == "/setup?done=setup_places"
    _, *hamlets = await empty.centre.services.areas.tree(empty.centre.actor)
    assert {each.name for each in hamlets} == set(names)


async def test_no_place_is_chosen_for_a_new_node_and_its_key_stands_there_to_be_compared(empty: Commune) -> None:
    async with visitor(empty) as client:
        await client.post("/setup/places", data={"name": "Xã Nga My", "hamlets": "Thôn Đồng\nThôn Trại"})
        code = new_claim_code()
        await empty.centre.services.enrolments.ask(enrolment_request(code, Ed25519PrivateKey.generate()), ADDRESS)
        [waiting] = await empty.centre.services.enrolments.waiting(empty.centre.actor)
        for path, action in (("/setup", "/setup/node"), ("/nodes", "/nodes")):
            page = await client.get(path)
            assert waiting.fingerprint in said(page)
            rest = given(page.text, action)
            assert rest["area_id"] == ""
            sent = await client.post(action, data=rest | {"code": code, "name": "Nhà văn hóa"})
            assert (sent.status_code, "Hãy chọn địa bàn của cụm loa" in said(sent)) == (422, True)


async def test_the_second_person_may_wait_and_signs_in_with_a_password_to_be_changed(empty: Commune) -> None:
    async with visitor(empty) as client:
        await client.post("/setup/places", data={"name": "Xã Nga My", "hamlets": ""})
        page = (await client.get("/setup")).text
        away, _ = await step(
            client, page, "/setup/person", name="Trần Văn Minh", login="minh", password="tre xanh rì rào"
        )
        assert away == "/setup?done=setup_person"
        minh = next(one for one in await empty.centre.services.accounts.list(empty.centre.actor) if one.login == "minh")
        assert [grant.role for grant in minh.grants] == ["approver"]
        assert 'action="/setup/person"' not in (await client.get("/setup")).text


async def test_today_leads_back_until_there_is_a_node(empty: Commune) -> None:
    async with visitor(empty) as client:
        await client.post("/setup/places", data={"name": "Xã Nga My", "hamlets": "Thôn Đồng"})
        assert 'href="/setup"' in (await client.get("/today")).text
        [root, _] = await empty.centre.services.areas.tree(empty.centre.actor)
        await empty.centre.node(root)
        assert 'href="/setup"' not in (await client.get("/today")).text


async def test_only_who_administers_the_whole_centre_sets_it_up(tmp_path: Path) -> None:
    async with commune(tmp_path) as site:
        for role in ("operator", "administrator"):
            somebody = await site.centre.somebody(role, role, site.root)
            async with visitor(site, who=somebody) as client:
                assert (await client.get("/setup")).status_code == 404
                for path in ("/setup/places", "/setup/person", "/setup/node", "/setup/nothing"):
                    assert (await client.post(path, data={"name": "x", "code": "x"})).status_code == 404
        async with visitor(site) as client:
            assert (await client.get("/setup")).status_code == 200
            assert (await client.post("/setup/nothing")).status_code == 404
            assert (await client.get("/setup/places")).headers["location"] == "/setup"


async def test_where_nobody_can_sign_in_yet_the_page_says_who_makes_the_first_one(empty: Commune) -> None:
    """The first administrator is made at the machine itself: no page makes one, whoever comes first."""
    async with visitor(empty, signed_in=False) as client:
        assert "loa person add" not in (await client.get("/sign-in")).text
        async with empty.centre.database.transaction() as tx:
            from sqlalchemy import delete  # noqa: PLC0415

            from controller.people.models import Grant, Person, Session  # noqa: PLC0415

            for table in (Session, Grant, Person):
                await tx.session.execute(delete(table))
        page = (await client.get("/sign-in")).text
        assert "loa person add --login" in page


def test_the_step_to_do_now_is_the_first_that_is_not_done() -> None:
    begun = steps(places=False, person=False, node=False, said=False)
    assert (begun.places, begun.person, begun.node, begun.say, begun.left) == ("now", "later", "later", "later", 3)
    named = steps(places=True, person=False, node=False, said=False)
    assert (named.places, named.person, named.node, named.say, named.left) == ("done", "now", "now", "later", 2)
    assert steps(places=True, person=False, node=True, said=True).left == 0


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("", []),
        ("\n \n", []),
        ("\t\n", []),
        ("7\t\n", ["7"]),
        ("a\nA\n", ["a"]),
        ("- \n", ["-"]),
        ("12. Thôn 3", ["Thôn 3"]),
        ("12 Thôn", ["12 Thôn"]),
    ],
)
def test_lines_become_names(typed: str, names: list[str]) -> None:
    assert list(pasted(typed).names) == names


def test_a_hidden_character_in_a_list_is_refused() -> None:
    with pytest.raises(InvalidError, match="hamlets"):
        pasted("a\x00b")


async def test_a_first_node_right_in_the_commune_is_no_empty_commune(empty: Commune) -> None:
    await empty.centre.area("Thôn Đồng", await empty.centre.area("Xã Nga My"))
    root = (await empty.centre.services.areas.tree(empty.centre.actor))[0]
    await empty.centre.node(root, "Trụ sở xã")
    async with visitor(empty) as client:
        page = said(await client.get("/today"))
    assert "Ngay tại Xã Nga My 1/1 cụm đang kết nối" in page
    assert "Chưa có" not in page.partition("Cụm loa theo địa bàn")[2]
