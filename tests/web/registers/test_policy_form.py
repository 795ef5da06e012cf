"""Quy định: what nobody touched stays to the last digit, and each rule can be changed."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from controller.policies.schemas import PolicyIn, PolicyRules
from tests.web.harness import Commune, visitor
from tests.web.pages import said

pytestmark = pytest.mark.asyncio

EDGES: dict[str, list[Any]] = {
    "windows": [[], [{"start": "23:00", "until": "01:00"}, {"start": "05:00", "until": "06:30"}]],
    "earliest": ["00:00", "23:59"],
    "sessions_a_day": [0, 100],
    "minutes_a_session": [1, 1440],
    "minutes_a_day": [1, 1440],
    "night": [
        {"start": "20:00", "until": "06:00", "cap_mb": -650},
        {"start": "20:01", "until": "06:00", "cap_mb": -9599},
        {"start": "20:00", "until": "06:00", "cap_mb": 0},
    ],
    "lease_hours": [12, 720],
    "download_kbit_s": [32, 100_000],
    "self_approval": [
        {"categories": [], "minutes": 1, "a_day": 0, "level": "normal"},
        {"categories": ["notice", "một loại cũ"], "minutes": 1440, "a_day": 100, "level": "priority"},
    ],
    "second_person": [
        [],
        [{"category": "*", "level": "priority"}],
        [{"category": "*", "level": "*"}],
        [{"category": "health", "level": "normal"}, {"category": "health", "level": "priority"}],
        [{"category": "một loại cũ", "level": "*"}, {"category": "*", "level": "normal"}],
    ],
    "categories": [
        [{"code": "notice", "name": "Thông báo"}],
        [{"code": f"loai_{number}", "name": f"Loại {number}"} for number in range(50)],
    ],
}


class _Fields(HTMLParser):
    """Reads what a browser would send of a form, nothing touched."""

    def __init__(self, action: str) -> None:
        super().__init__()
        self.sent: dict[str, list[str]] = {}
        self._action, self._inside, self._select = action, False, ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = said.get("action") == self._action
        if not self._inside:
            return
        if tag == "select":
            self._select = said["name"]
        if tag == "option" and "selected" in said:
            self.sent[self._select] = [said["value"]]
        ticked = said.get("type") not in {"checkbox", "radio"} or "checked" in said
        if tag == "input" and said.get("name") and ticked:
            self.sent.setdefault(said["name"], []).append(said.get("value", ""))


async def rules_of(site: Commune) -> PolicyRules:
    return (await site.centre.services.policies.get(site.centre.actor, site.root.id)).rules


async def save(site: Commune, **typed: str | list[str]) -> Any:
    """Send the form as it stands, with what is typed besides."""
    path = f"/policies/{site.root.id}"
    async with visitor(site) as client:
        form = _Fields(path)
        form.feed((await client.get(path)).text)
        return await client.post(path, data=form.sent | typed)


async def put(site: Commune, **rules: Any) -> None:
    version = (await site.centre.services.policies.get(site.centre.actor, site.root.id)).version
    wanted = PolicyIn.model_validate({"version": version, "rules": rules, "locked": ["zone", "windows"]})
    await site.centre.services.policies.put(site.centre.actor, site.root.id, wanted)


async def test_every_rule_has_its_edges_here() -> None:
    assert EDGES.keys() == PolicyRules.model_fields.keys()


@pytest.mark.parametrize(
    ("rule", "value"),
    [(rule, value) for rule, values in EDGES.items() for value in values],
    ids=lambda one: str(one)[:40],
)
async def test_a_rule_that_nobody_touched_survives_another_one(site: Commune, rule: str, value: Any) -> None:
    await put(site, **{rule: value})
    before = await rules_of(site)
    other = "earliest" if rule != "earliest" else "lease_hours"
    assert (await save(site, **{other: "06:00" if other == "earliest" else "48"})).status_code == 303
    after = (await rules_of(site)).model_dump()
    assert after == before.model_dump() | {other: "06:00" if other == "earliest" else 48}
    known = await site.centre.services.policies.get(site.centre.actor, site.root.id)
    assert set(known.locked) == {"zone", "windows"}


async def test_a_rule_can_be_given_back_to_the_place_above(site: Commune) -> None:
    await put(site, windows=[], sessions_a_day=0, night=EDGES["night"][0], self_approval=EDGES["self_approval"][1])
    emptied: dict[str, str | list[str]] = {"any_hour": [], "sessions_a_day": "", "night_hours": "", "night_cap": ""}
    emptied |= {"alone_category": [], "alone_minutes": "", "alone_a_day": "", "alone_priority": []}
    assert (await save(site, **emptied)).status_code == 303
    assert dict((await rules_of(site)).said()) == {}


async def test_what_a_form_of_before_could_not_say_is_said(site: Commune) -> None:
    typed: dict[str, str | list[str]] = {"any_hour": "yes", "night_hours": "20h-6h", "night_cap": "6,5"}
    typed |= {"alone_category": "health", "alone_a_day": "0", "alone_priority": "yes", "sessions_a_day": "0"}
    assert (await save(site, **typed)).status_code == 303
    rules = (await rules_of(site)).model_dump(mode="json", exclude_none=True)
    assert rules["windows"] == []
    assert rules["night"] == {"start": "20:00", "until": "06:00", "cap_mb": -650}
    assert rules["self_approval"] == {"categories": ["health"], "minutes": 1, "a_day": 0, "level": "priority"}
    assert rules["sessions_a_day"] == 0
    async with visitor(site) as client:
        assert "−6,5 dB" in said(await client.get(f"/policies/{site.root.id}"))


async def test_a_second_person_is_asked_for_kind_by_kind(site: Commune) -> None:
    async with visitor(site) as client:
        page = (await client.get(f"/policies/{site.root.id}")).text
    [row] = re.findall(r'name="second_of-(\d+)" value="health"', page)
    refused = await save(site, **{f"second-{row}": "priority"})
    assert refused.status_code == 422, "a line was chosen, the word above says otherwise"
    assert "Cần, theo từng loại tin" in refused.text
    assert (await save(site, second_person="some")).status_code == 422, "no kind was chosen"
    assert (await save(site, second_person="some", **{f"second-{row}": "priority"})).status_code == 303
    [rule] = (await rules_of(site)).second_person or ()
    assert (rule.category, rule.level) == ("health", "priority")
    assert (await save(site, second_person="all")).status_code == 303, "the line that stood there was not touched"


async def test_a_place_gets_kinds_of_bulletins_of_its_own(site: Commune) -> None:
    assert (
        await save(site, **{"category-0": "Thông báo của xã", "category-2": "", "category-8": "Đê điều"})
    ).status_code == 303
    kinds = (await rules_of(site)).categories or ()
    assert [(each.code, each.name) for each in kinds][:2] == [("notice", "Thông báo của xã"), ("news", "Tin tức")]
    assert (kinds[-1].code, kinds[-1].name) == ("de_dieu", "Đê điều")
    assert "weather" not in {each.code for each in kinds}
    twice = await save(site, **{"category-1": "đê điều"})
    assert twice.status_code == 422
    assert "Có hai loại tin cùng tên" in twice.text
    assert (await save(site, categories_above="yes")).status_code == 303
    assert (await rules_of(site)).categories is None


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"windows": "05:00–06:00", "any_hour": "yes"}, "windows"),
        ({"windows": "05:00–05:00"}, "windows"),
        ({"night_hours": "21:00–23:00, 04:00–06:00", "night_cap": "6"}, "night_hours"),
        ({"night_hours": "21:00–06:00", "night_cap": "nhỏ"}, "night_cap"),
        ({"alone_category": "health"}, "alone_a_day"),
    ],
)
async def test_what_contradicts_itself_is_not_guessed(site: Commune, typed: dict[str, str], field: str) -> None:
    refused = await save(site, **typed)
    assert refused.status_code == 422
    assert f'id="wrong-{field}"' in refused.text
    assert dict((await rules_of(site)).said()) == {}


async def test_all_that_is_wrong_with_rules_is_told_at_once(site: Commune) -> None:
    wrong = {"windows": "sáng", "earliest": "xx", "minutes_a_day": "x", "night_hours": "x", "night_cap": "x"}
    wrong |= {"alone_minutes": "x", "alone_a_day": "x"}
    async with visitor(site) as client:
        answer = await client.post(f"/policies/{site.root.id}", data={"version": "0"} | wrong)
    assert [field for field in wrong if f'id="wrong-{field}"' not in answer.text] == []


async def test_whoever_reads_the_usual_kinds_reads_them_in_their_language_whoever_saved(site: Commune) -> None:
    async with visitor(site) as client:
        await client.post("/language", data={"locale": "en"})
    assert (await save(site, **{"category-8": "Market days"})).status_code == 303
    names = [each.name for each in (await rules_of(site)).categories or ()]
    assert [", ".join(names[:3]), names[-1]] == ["Thông báo, Tin tức, Thời tiết", "Market days"]
    assert (await save(site, **{"category-1": "News of the day"})).status_code == 303
    changed = [each.name for each in (await rules_of(site)).categories or ()]
    assert changed == [names[0], "News of the day", *names[2:]], "what nobody touched is kept as it was"
    async with visitor(site) as client:
        assert "Notice, News of the day, Weather" in said(await client.get(f"/policies/{site.root.id}"))
        await client.post("/language", data={"locale": "vi"})
        form = (await client.get("/bulletins/new")).text
    assert re.search(r">\s*Thời tiết\s*</option>", form)
    assert not re.search(r">\s*Weather\s*</option>", form)


async def test_a_place_whose_kinds_were_kept_in_one_language_is_read_in_each(site: Commune) -> None:
    await put(site, categories=[{"code": "weather", "name": "Weather"}, {"code": "notice", "name": "Thông báo thôn"}])
    async with visitor(site) as client:
        assert "Thời tiết, Thông báo thôn" in said(await client.get(f"/policies/{site.root.id}"))
        assert re.search(r">\s*Thời tiết\s*</option>", (await client.get("/bulletins/new")).text)
