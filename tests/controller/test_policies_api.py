"""Policies through the API: said, inherited, locked, asked before anything is saved, and told to nodes."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from controller.areas.schemas import QuietWindow
from controller.policies.errors import PolicyBreachError, UnusualHourError
from controller.policies.rules import USUAL_CATEGORIES
from edge_agent.protocol.documents import Plan, Settings
from edge_agent.protocol.states import Reason
from tests.controller.factories import Centre
from tests.controller.schedules import village
from tests.controller.test_services_areas import dirty
from tests.controller.test_services_broadcasts import asked, commune, wish
from tests.controller.wire.test_dispatcher import desk


def on(hour: str, day: int = 9) -> str:
    """An hour of a day of March in Hanoi; now is Monday the 9th, 09:00."""
    return f"2026-03-{day:02}T{hour}:00+07:00"


async def put(client: httpx.AsyncClient, area_id: str, version: int = 0, **said: Any) -> httpx.Response:
    body = {"version": version, "locked": said.pop("locked", []), "rules": said}
    return await client.put(f"/api/v1/areas/{area_id}/policy", json=body)


async def said(client: httpx.AsyncClient, area_id: str) -> dict[str, dict[str, Any]]:
    answer = await client.get(f"/api/v1/areas/{area_id}/policy")
    assert answer.status_code == 200, answer.text
    return {each["rule"]: each for each in answer.json()["effective"]}


def error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def test_an_area_shows_each_rule_with_where_it_comes_from(here: Centre) -> None:
    place = await commune(here)
    async with here.client() as client:
        assert {each["from_id"] for each in (await said(client, place["east"].id)).values()} == {None}
        answer = await put(client, place["area"].id, windows=[{"start": "05:00", "until": "18:00"}], sessions_a_day=3)
        assert answer.status_code == 200, answer.text
        assert (answer.json()["version"], answer.json()["changed_by"]) == (1, "Nguyễn Thị Lan")
        found = await said(client, place["east"].id)
        assert found["windows"] == {
            "rule": "windows",
            "value": [{"start": "05:00", "until": "18:00"}],
            "from_id": place["area"].id,
            "from_name": "Xã Nga My",
            "locked_by_id": None,
            "locked_by_name": None,
        }
        assert (found["quiet_hours"]["value"], found["zone"]["value"]) == (
            [{"start": "22:00", "until": "05:00"}],
            "Asia/Ho_Chi_Minh",
        )
        listed = (await client.get("/api/v1/policies")).json()
        assert [(each["area_id"], each["rules"]["sessions_a_day"]) for each in listed] == [(place["area"].id, 3)]


async def test_who_saw_an_older_version_changes_nothing(here: Centre) -> None:
    area = await here.area()
    async with here.client() as client:
        assert (await put(client, area.id, sessions_a_day=3)).status_code == 200
        late = await put(client, area.id, sessions_a_day=5)
        assert error(late) == (409, "conflict")
        assert late.json()["error"]["fields"] == {"problem": "version", "version": 1}
        assert (await said(client, area.id))["sessions_a_day"]["value"] == 3
        assert set((await put(client, area.id, 1)).json()["rules"].values()) == {None}
        assert (await said(client, area.id))["sessions_a_day"]["value"] is None


@pytest.mark.parametrize(
    "rules",
    [
        {"windows": [{"start": "05:00", "until": "05:00"}]},
        {"windows": [{"start": "5:00", "until": "06:00"}]},
        {"sessions_a_day": -1},
        {"minutes_a_session": 0},
        {"lease_hours": 6},
        {"download_kbit_s": 31},
        {"night": {"start": "20:00", "until": "05:00", "cap_mb": 1}},
        {"second_person": [{"level": "emergency"}]},
        {"music": "loud"},
    ],
)
async def test_a_rule_that_makes_no_sense_is_refused(lite: Centre, rules: dict[str, Any]) -> None:
    area = await lite.area()
    async with lite.client() as client:
        answer = await put(client, area.id, **rules)
        assert error(answer) == (422, "invalid")
        assert answer.json()["error"]["fields"]["field"].startswith("rules")


async def test_a_lock_holds_below_and_says_whose_it_is(lite: Centre) -> None:
    place = await commune(lite)
    hamlet, area = place["east"].id, place["area"].id
    async with lite.client() as client:
        assert (await put(client, hamlet, earliest="04:00", sessions_a_day=9)).status_code == 200
        assert (await put(client, area, earliest="05:30", locked=["earliest", "quiet_hours"])).status_code == 200
        found = await said(client, hamlet)
        assert (found["earliest"]["value"], found["earliest"]["locked_by_name"]) == ("05:30", "Xã Nga My")
        assert found["sessions_a_day"]["value"] == 9
        refused = await put(client, hamlet, 1, earliest="03:00")
        assert error(refused) == (422, "policy_locked")
        assert refused.json()["error"]["fields"] == {"field": "rules.earliest", "rule": "earliest", "area": "Xã Nga My"}
        # What it said before the lock may stand there; it has no effect.
        assert (await put(client, hamlet, 1, earliest="04:00", sessions_a_day=8)).status_code == 200
        quiet = await client.patch(f"/api/v1/areas/{hamlet}", json={"quiet_hours": []})
        assert error(quiet) == (422, "policy_locked")
        assert (await client.patch(f"/api/v1/areas/{area}", json={"quiet_hours": []})).status_code == 200
        assert (await said(client, hamlet))["quiet_hours"]["value"] == []


async def test_a_new_area_says_nothing_that_is_locked_above(lite: Centre) -> None:
    area = await lite.area("Xã Khóa", kind="commune")
    async with lite.client() as client:
        wanted = {"version": 0, "rules": {}, "locked": ["quiet_hours"]}
        assert (await client.put(f"/api/v1/areas/{area.id}/policy", json=wanted)).status_code == 200
        body = {"name": "Thôn Ồn", "parent_id": area.id, "quiet_hours": []}
        assert error(await client.post("/api/v1/areas", json=body)) == (422, "policy_locked")
        assert (await client.post("/api/v1/areas", json={"name": "Thôn Ồn", "parent_id": area.id})).status_code == 201


async def test_a_broadcast_against_the_policy_is_refused_by_the_rules_name(here: Centre) -> None:
    place = await commune(here)
    async with here.client() as client:
        await put(client, place["area"].id, windows=[{"start": "05:00", "until": "12:00"}], minutes_a_session=1)
        await put(client, place["west"].id, sessions_a_day=1)
        first = await client.post("/api/v1/broadcasts", json=wish(place, start_at=on("11:00")))
        assert first.status_code == 201, first.text
        for wanted, rules, where in (
            (wish(place, start_at=on("13:00")), ["sessions_a_day", "windows"], "Xóm Tây"),
            (wish(place, start_at=on("11:01"), recordings=[place["recording"]] * 2), ["minutes_a_session"], "Xóm Đông"),
            (wish(place, start_at=on("11:30")), ["sessions_a_day"], "Xóm Tây"),
        ):
            preview = (await client.post("/api/v1/broadcasts/preview", json=wanted)).json()
            refused = await client.post("/api/v1/broadcasts", json=wanted)
            assert error(refused) == (422, "policy_breach")
            fields = refused.json()["error"]["fields"]
            assert (preview["refusal"], preview["refusal_fields"]) == ("policy_breach", fields)
            assert (fields["rules"], fields["place"]) == (rules, where)
            assert [each["rule"] for each in preview["breaches"]] == [each["rule"] for each in fields["breaches"]]
        east = wish(place, start_at=on("11:30"), targets=[place["east"].scope])
        assert (await client.post("/api/v1/broadcasts", json=east)).status_code == 201


async def test_a_hamlet_outside_its_window_is_left_out_by_its_own_node(here: Centre) -> None:
    place = await commune(here)
    async with here.client() as client:
        await put(client, place["west"].id, windows=[{"start": "16:00", "until": "18:00"}])
        preview = (await client.post("/api/v1/broadcasts/preview", json=wish(place, start_at=on("11:00")))).json()
        assert preview["refusal"] is None
        assert [(each["rule"], each["area_names"], each["everywhere"]) for each in preview["breaches"]] == [
            ("windows", ["Xóm Tây"], False)
        ]
        told = {each["nodes"][0]["name"]: each["reason"] for each in preview["forecasts"]}
        assert told == {"Cụm Đông": None, "Cụm Tây": Reason.OUTSIDE_WINDOW}
        assert (await client.post("/api/v1/broadcasts", json=wish(place, start_at=on("11:00")))).status_code == 201


async def test_three_in_the_morning_takes_a_second_yes(here: Centre) -> None:
    """The Trung Lộc case: nobody meant 03:15."""
    place = await commune(here)
    await here.services.areas.change(here.actor, place["area"].id, quiet_hours=[])
    wanted = wish(place, start_at=on("03:15", 10))
    async with here.client() as client:
        preview = (await client.post("/api/v1/broadcasts/preview", json=wanted)).json()
        assert preview["unusual"] == {"reason": "night", "hour": "03:15"}
        key = {"Idempotency-Key": "once"}
        asked_again = await client.post("/api/v1/broadcasts", json=wanted, headers=key)
        assert error(asked_again) == (409, "unusual_hour")
        assert (
            await client.get("/api/v1/broadcasts", params={"from_at": on("00:00"), "to_at": on("00:00", 12)})
        ).json() == []
        sent = await client.post("/api/v1/broadcasts", json=wanted | {"confirm_unusual": True}, headers=key)
        assert sent.status_code == 201


async def test_an_hour_at_which_nothing_sounded_for_thirty_days_takes_a_second_yes(here: Centre) -> None:
    place = await commune(here)
    for day in range(10, 14):
        at = here.clock().replace(day=day, hour=10)  # 17:00 in Hanoi
        await here.services.broadcasts.create(here.actor, asked(place, start_at=at))
    here.clock.step(days=7)
    await village.sounded(here)
    create = here.services.broadcasts.create
    await create(here.actor, asked(place, start_at=on("17:40", 17)))
    with pytest.raises(UnusualHourError) as refused:
        await create(here.actor, asked(place, start_at=on("11:00", 17)))
    assert refused.value.fields == {"field": "start_at", "reason": "no_habit", "hour": "11:00"}
    await create(here.actor, asked(place, start_at=on("11:00", 17), confirm_unusual=True))
    here.clock.step(days=40)
    await create(here.actor, asked(place, start_at=here.clock() + timedelta(hours=2)))


async def test_a_policy_can_be_asked_before_anything_is_written(lite: Centre) -> None:
    place = await commune(lite)
    async with lite.client() as client:
        await put(client, place["west"].id, earliest="06:00")
        query: dict[str, str | int] = {"start_at": on("05:30", 10), "length_ms": 60_000}
        answer = await client.get(f"/api/v1/areas/{place['area'].id}/policy/check", params=query)
        assert answer.status_code == 200
        [breach] = answer.json()["breaches"]
        assert (breach["rule"], breach["limit"], breach["area_names"], breach["everywhere"]) == (
            "earliest",
            "06:00",
            ["Xóm Tây"],
            False,
        )
        assert answer.json()["unusual"] is None
        bare = await lite.area("Xã không loa", quiet_hours=[QuietWindow(start="05:00", until="06:00")])
        answer = await client.get(f"/api/v1/areas/{bare.id}/policy/check", params=query)
        assert [each["rule"] for each in answer.json()["breaches"]] == ["quiet_hours"]


async def test_an_emergency_is_not_asked(lite: Centre) -> None:
    """Only what the API takes as routine is; an emergency passes hours and counts (DESIGN section 4)."""
    place = await commune(lite)
    async with lite.client() as client:
        await put(client, place["area"].id, sessions_a_day=0)
    with pytest.raises(PolicyBreachError):
        await lite.services.broadcasts.create(lite.actor, asked(place))


async def test_a_policy_reaches_the_nodes_below_it_and_no_other(here: Centre) -> None:
    place = await commune(here)
    await dirty(here)
    async with here.client() as client:
        await put(client, place["west"].id, sessions_a_day=3)
    found = await dirty(here)
    assert {scope for scope, word in found if word == "settings"} == {place["second"].scope}
    assert {scope for scope, word in found if word == "plan"} == {place["second"].scope, place["west"].scope}


async def test_windows_night_and_lease_stand_in_signed_documents(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        place = await commune(made.centre)
        await made.settle()
        async with made.centre.client() as client:
            night = {"start": "20:00", "until": "06:00", "cap_mb": -1200}
            windows = [{"start": "05:00", "until": "20:00"}]
            await put(client, place["area"].id, windows=windows, night=night, lease_hours=24, download_kbit_s=256)
        before = len(made.broker.published)
        await made.settle()
        settings, plan = made.last(place["first"].scope, "settings"), made.last(place["east"].scope, "plan")
        assert isinstance(settings, Settings)
        assert isinstance(plan, Plan)
        assert [(each.start, each.until) for each in settings.windows] == [("05:00", "20:00")]
        assert settings.night_cap is not None
        assert (settings.night_cap.window.start, settings.night_cap.cap_mb) == ("20:00", -1200)
        assert settings.download_kbit_s == 256
        assert plan.lease_until == made.centre.clock() + timedelta(hours=24)
        told = len(made.broker.published)
        assert told > before
        async with made.centre.client() as client:
            rules = {"windows": windows, "night": night, "lease_hours": 24, "download_kbit_s": 256}
            await put(client, place["area"].id, 1, **rules, sessions_a_day=4)
        await made.settle()
        assert len(made.broker.published) == told  # what nodes are told is the same


async def test_what_a_stricter_policy_would_silence_is_shown_before_it_is_saved(here: Centre) -> None:
    """Thirty days behind and ahead, before and after, by the node's own function."""
    place = await commune(here)
    for hour in ("10:00", "11:30", "17:00"):
        await here.services.broadcasts.create(here.actor, asked(place, title=f"Tin {hour}", start_at=on(hour)))
    here.clock.step(hours=2)
    windows = [{"start": "05:00", "until": "11:00"}]
    async with here.client() as client:
        body = {"version": 0, "rules": {"windows": windows, "sessions_a_day": 2}}
        answer = await client.post(f"/api/v1/areas/{place['area'].id}/policy/preview", json=body)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert (found["node_count"], found["broadcast_count"]) == (2, 3)
        silenced = {"outcome": "refused", "reason": "outside_window", "late_ms": None}
        told = [(each["title"], each["before"]["outcome"], each["after"], each["rules"]) for each in found["changes"]]
        played = {"outcome": "played", "reason": None, "late_ms": 0}
        assert told == [
            ("Tin 10:00", "played", played, ["sessions_a_day"]),
            ("Tin 11:30", "played", silenced, ["windows"]),
            ("Tin 17:00", "played", silenced, ["windows"]),
        ]
        assert [each["is_past"] for each in found["changes"]] == [True, False, False]
        assert {tuple(each["area_names"]) for each in found["changes"]} == {("Xóm Đông", "Xóm Tây")}
        one = await client.post(f"/api/v1/areas/{place['west'].id}/policy/preview", json=body)
        assert {(each["node_count"], *each["area_names"]) for each in one.json()["changes"]} == {(1, "Xóm Tây")}
        same = await client.post(f"/api/v1/areas/{place['area'].id}/policy/preview", json={"version": 0, "rules": {}})
        assert same.json()["changes"] == []
        listed = (await client.get("/api/v1/policies")).json()
        assert listed == []  # nothing was saved


async def test_dates_that_no_plan_lists_yet_are_looked_at_too(lite: Centre) -> None:
    place = await commune(lite)
    await village.scheduled(lite, place["area"], 10)  # daily at 05:00 from tomorrow on; plans reach a week ahead
    async with lite.client() as client:
        body = {"version": 0, "rules": {"windows": [{"start": "05:30", "until": "20:00"}]}}
        answer = await client.post(f"/api/v1/areas/{place['area'].id}/policy/preview", json=body)
    found = answer.json()
    assert found["broadcast_count"] == len(found["changes"]) == 30
    assert {each["start_at"][11:] for each in found["changes"]} == {"22:00:00Z"}
    assert {each["after"]["reason"] for each in found["changes"]} == {"outside_window"}


async def test_a_place_names_what_its_bulletins_are_about_and_those_below_follow(lite: Centre) -> None:
    commune, other = [await lite.area(name, kind="commune") for name in ("Xã Đông", "Xã Đoài")]
    hamlet = await lite.area("Xóm Đông", commune)
    named = [{"code": "flood", "name": "Lũ"}, {"code": "notice", "name": "Thông báo của xã"}]

    async with lite.client() as client:

        async def found(**query: str) -> dict[str, tuple[str | None, str | None]]:
            answer = await client.get("/api/v1/categories", params=query)
            return {each["code"]: (each["name"], each["from_id"]) for each in answer.json()}

        async def write(area_id: str, category: str) -> httpx.Response:
            said = {"title": "Tin", "category": category, "voices": [{"language": "vi", "text": "Lời"}]}
            return await client.post("/api/v1/bulletins", json={"area_id": area_id, **said})

        assert await found(area_id=hamlet.id) == dict.fromkeys(USUAL_CATEGORIES, (None, None))
        early = await write(hamlet.id, "any_word")
        assert early.status_code == 201  # nobody says what there is
        assert (await put(client, commune.id, categories=[*named, named[0]])).status_code == 422
        assert (await put(client, commune.id, categories=[])).status_code == 422
        assert (await put(client, commune.id, categories=named)).status_code == 200
        assert await found(area_id=hamlet.id) == {
            "flood": ("Lũ", commune.id),
            "notice": ("Thông báo của xã", commune.id),
        }
        assert set(await found()) == {*USUAL_CATEGORIES, "flood"}
        assert set(await found(area_id=other.id)) == set(USUAL_CATEGORIES)
        assert (await client.get("/api/v1/categories", params={"area_id": "0" * 32})).status_code == 404
        assert (await write(hamlet.id, "flood")).status_code == 201
        refused = await write(hamlet.id, "news")
        assert (refused.status_code, refused.json()["error"]["fields"]["field"]) == (422, "category")
        assert (await write(other.id, "news")).status_code == 201
        url = f"/api/v1/bulletins/{early.json()['id']}"
        assert (await client.patch(url, json={"version": 1, "title": "Tin mới"})).status_code == 200  # it stays
        assert (await client.patch(url, json={"version": 2, "category": "news"})).status_code == 422
        assert (await client.patch(url, json={"version": 2, "category": "flood"})).status_code == 200
