"""What a change of schedule would change, shown before it is saved: thirty days behind and ahead, at every node."""

from datetime import datetime, timedelta
from typing import Any

import httpx
from hypothesis import given
from hypothesis import strategies as st

from controller.areas.schemas import AreaOut, QuietWindow
from controller.policies.schemas import PolicyIn, PolicyRules
from controller.schedules.expand import Series, begun_by, expand
from controller.schedules.schemas import ExceptionIn, ScheduleOut
from controller.schedules.states import DateChange
from tests.controller.factories import MORNING, Centre
from tests.controller.schedules.village import broadcasts, programme, trung_loc, wish

PATH = "/api/v1/schedules/what-if"
HANOI = timedelta(hours=7)


async def ask(client: httpx.AsyncClient, wanted: dict[str, Any], **query: str) -> dict[str, Any]:
    answer = await client.post(PATH, json=wanted, params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def asked(area: AreaOut, made: ScheduleOut | None, programme_id: str, starts: str, **given: Any) -> dict[str, Any]:
    title = made.title if made is not None else "Buổi mới"
    return wish(area, programme_id, starts, title=title, **given).model_dump(mode="json")


async def test_a_relay_moved_to_a_quarter_past_three_is_caught_before_it_wakes_trung_loc(here: Centre) -> None:
    """No quiet hours there: every node would have played it, night after night."""
    commune, made = await trung_loc(here, quiet_hours=[])
    moved = asked(commune, made, made.programme_id, "2026-03-10T03:15:00")
    async with here.client() as client:
        found = await ask(client, moved, schedule_id=made.id)
    assert found["node_count"] == 3
    assert 58 <= len(found["changes"]) <= 60
    for each in found["changes"]:
        assert (each["start_at"][11:16], each["moved_to_at"][11:16]) == ("22:00", "20:15")  # UTC
        assert each["unusual"] == {"reason": "night", "hour": "03:15"}
        assert each["before"] == each["after"] == {"outcome": "played", "reason": None, "late_ms": 0}
        assert each["node_count"] == 3
    assert sum(each["is_past"] for each in found["changes"]) >= 28
    assert {row.start_at.hour for row in await broadcasts(here, made.id)} == {22}  # nothing was saved


async def test_where_quiet_hours_stand_the_nodes_would_fall_silent_instead(lite: Centre) -> None:
    commune, made = await trung_loc(lite, quiet_hours=[QuietWindow(start="22:00", until="04:30")])
    async with lite.client() as client:
        found = await ask(client, asked(commune, made, made.programme_id, "2026-03-10T03:15:00"), schedule_id=made.id)
        same = await ask(client, asked(commune, made, made.programme_id, "2026-03-10T05:00:00"), schedule_id=made.id)
    assert {each["after"]["reason"] for each in found["changes"]} == {"quiet_hours"}
    assert {tuple(each["rules"]) for each in found["changes"]} == {("quiet_hours",)}
    assert same["changes"] == []


async def test_a_new_schedule_shows_what_it_would_delay_and_which_limit_it_would_break(lite: Centre) -> None:
    """Also in the days behind, as if it had been there: what is to come looks like them."""
    commune, relay = await trung_loc(lite, quiet_hours=[])
    rules = PolicyIn(version=0, rules=PolicyRules(minutes_a_session=15))
    await lite.services.policies.put(lite.actor, commune.id, rules)
    mine = asked(commune, None, await programme(lite, commune, 8), "2026-04-20T04:55:00", confirm_conflicts=True)
    async with lite.client() as client:
        found = await ask(client, mine)
    new = [each for each in found["changes"] if each["before"] is None]
    delayed = [each for each in found["changes"] if each["schedule_id"] == relay.id]
    assert {each["after"]["late_ms"] for each in delayed} == {180_000}  # it waits three minutes for the new one's end
    assert {tuple(each["rules"]) for each in new} == {("minutes_a_session",)}
    past = [each for each in new if each["is_past"]]
    assert len(past) == 30
    assert min(each["start_at"] for each in new if not each["is_past"]) == "2026-04-19T21:55:00Z"


async def test_a_schedule_aimed_elsewhere_is_gone_here_and_new_there(lite: Centre) -> None:
    commune, made = await trung_loc(lite, quiet_hours=[])
    other = await lite.area("Nam Mẫu", kind="commune")
    await lite.node(other, "Cụm 9")
    wanted = {**asked(commune, made, made.programme_id, "2026-03-10T05:00:00"), "targets": [other.scope]}
    async with lite.client() as client:
        found = await ask(client, wanted, schedule_id=made.id)
    shown = {(tuple(each["area_names"]), each["before"] is None, each["after"] is None) for each in found["changes"]}
    assert shown == {(("Thôn 0", "Thôn 1", "Thôn 2"), False, True), (("Nam Mẫu",), True, False)}


async def test_another_programme_at_the_same_hour_is_a_change(lite: Centre) -> None:
    commune, made = await trung_loc(lite, quiet_hours=[])
    wanted = asked(commune, made, await programme(lite, commune, 12, title="Khác"), "2026-03-10T05:00:00")
    async with lite.client() as client:
        found = await ask(client, wanted, schedule_id=made.id)
    assert len(found["changes"]) >= 58
    assert {each["moved_to_at"] for each in found["changes"]} == {None}


async def test_single_dates_that_were_changed_by_hand_stay_so(lite: Centre) -> None:
    commune, made = await trung_loc(lite, quiet_hours=[])
    key = datetime(2026, 4, 14, 5)  # noqa: DTZ001 - wall time
    await lite.services.single_dates.except_(lite.actor, made.id, key, ExceptionIn(kind=DateChange.CANCELLED))
    async with lite.client() as client:
        found = await ask(client, asked(commune, made, made.programme_id, "2026-03-10T05:30:00"), schedule_id=made.id)
    starts = {each["moved_to_at"] for each in found["changes"]}
    assert {"2026-04-12T22:30:00Z", "2026-04-13T22:30:00Z", "2026-04-14T22:30:00Z"} - starts == {"2026-04-13T22:30:00Z"}


async def test_who_may_not_write_schedules_there_is_told_nothing(lite: Centre) -> None:
    commune, made = await trung_loc(lite, quiet_hours=[])
    stranger = await lite.somebody("khach", "operator", await lite.area("Nơi khác"))
    looker = await lite.somebody("quansat", "observer", commune)
    wanted = asked(commune, made, made.programme_id, "2026-03-10T05:30:00")
    for who, status in ((stranger, {403, 404, 422}), (looker, {403})):
        async with lite.client(who=who) as client:
            answer = await client.post(PATH, json=wanted, params={"schedule_id": made.id})
            assert answer.status_code in status


rules = st.builds(
    "FREQ={};INTERVAL={}".format, st.sampled_from(["DAILY", "WEEKLY"]), st.integers(1, 5)
) | st.sampled_from(
    ["FREQ=WEEKLY;BYDAY=MO,TH", "FREQ=DAILY;COUNT=9", "FREQ=MONTHLY;BYMONTHDAY=31", "FREQ=DAILY;UNTIL=20260401T000000"]
)


@given(rule=rules, days=st.integers(0, 90))
def test_a_rule_that_began_earlier_gives_the_same_dates_from_its_start_on(rule: str, days: int) -> None:
    first = (MORNING + HANOI).replace(tzinfo=None)
    early = begun_by(rule, first, first - timedelta(days=days))
    span = (MORNING - timedelta(hours=1), MORNING + timedelta(days=60))
    zone = "Asia/Ho_Chi_Minh"
    dates = [
        [each.recurrence for each in expand(Series("p", zone, start, rule), *span) if each.recurrence >= first]
        for start in (first, early)
    ]
    assert dates[0] == dates[1]
    assert early == first or early <= first - timedelta(days=days)
