"""Rules of schedules that would keep the centre reckoning, or make it fall: refused before any date is sought."""

# ruff: noqa: DTZ001 - wall time is naive: the zone is the schedule's

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.errors import InvalidError
from controller.schedules.expand import check_rule
from controller.schedules.rrules import MAX_A_DAY, SLACK, Steps, walk
from tests.controller.factories import Centre
from tests.controller.schedules.village import programme, wish
from tests.controller.test_services_broadcasts import commune

YEAR = timedelta(days=366)
SECONDS = ",".join(map(str, range(60)))
HOURS = ",".join(map(str, range(24)))
NEVER_MEANT = [
    (f"FREQ=DAILY;BYSECOND={SECONDS};BYMINUTE=0,1,2,3,4,5", "too_often"),
    ("FREQ=SECONDLY", "too_often"),
    ("freq=minutely;byhour=5", "too_often"),
    (f"FREQ=YEARLY;BYMINUTE={SECONDS}", "too_often"),
    (f"FREQ=DAILY;BYHOUR={HOURS};BYMINUTE=0,30", "too_often"),
    ("FREQ=DAILY;INTERVAL=0", "out_of_range"),
    ("FREQ=DAILY;INTERVAL=-1", "out_of_range"),
    ("FREQ=DAILY;INTERVAL=99999999999999", "out_of_range"),
    ("FREQ=DAILY;INTERVAL=1,2", "out_of_range"),
    ("FREQ=DAILY;COUNT=0", "out_of_range"),
    ("FREQ=DAILY;COUNT=99999999999999999999", "out_of_range"),
    ("FREQ=MONTHLY;BYMONTHDAY=0", "out_of_range"),
    ("FREQ=MONTHLY;BYMONTHDAY=-32", "out_of_range"),
    ("FREQ=MONTHLY;BYMONTHDAY=5;BYSETPOS=0", "out_of_range"),
    ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=-999999999999", "out_of_range"),
    ("FREQ=DAILY;BYHOUR=24", "out_of_range"),
    ("FREQ=DAILY;BYHOUR=٣", "out_of_range"),
    ("FREQ=MONTHLY;BYDAY=0MO", "not_a_rule"),
    ("FREQ=MONTHLY;BYDAY=53MO", "out_of_range"),
    ("FREQ=YEARLY;BYMONTH=12;BYDAY=-6MO", "out_of_range"),
    ("FREQ=WEEKLY;BYDAY=2MO", "out_of_range"),
    ("FREQ=DAILY;UNTIL=99999999T999999", "not_a_rule"),
    ("FREQ=DAILY;UNTIL=", "not_a_rule"),
    ("FREQ=DAILY;COUNT=3;UNTIL=20270101T000000", "not_a_rule"),
    ("FREQ=DAILY;FREQ=SECONDLY", "not_a_rule"),
    ("FREQ=YEARLY;BYEASTER=0", "not_a_rule"),
    ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "empty"),
    ("FREQ=DAILY;INTERVAL=366;BYMONTH=2;BYMONTHDAY=30,31;BYDAY=MO", "empty"),
    ("FREQ=DAILY;UNTIL=19700102T000000", "empty"),
]


@pytest.mark.parametrize(("rule", "problem"), NEVER_MEANT)
def test_a_rule_that_nobody_means_is_refused_with_what_is_wrong(rule: str, problem: str) -> None:
    with pytest.raises(InvalidError) as refused:
        check_rule(rule, datetime(1971, 1, 1, 5))

    assert refused.value.fields["problem"] == problem


@pytest.mark.parametrize("path", ["/schedules", "/schedules/preview"])
async def test_the_api_says_what_is_wrong(lite: Centre, path: str) -> None:
    area = (await commune(lite))["area"]
    usual = wish(area, await programme(lite, area)).model_dump(mode="json")
    async with lite.client() as client:
        for rule, problem in NEVER_MEANT:
            asked = usual | {"starts_at_local": "1971-01-01T05:00:00", "rule": rule}
            answer = await client.post(f"/api/v1{path}", json=asked)
            said = answer.json()["error"]["fields"]
            assert (answer.status_code, said["field"], said["problem"]) == (422, "rule", problem), rule


EVENT = """BEGIN:VEVENT
UID:{name}
SUMMARY:{name}
{start}
RRULE:{rule}
END:VEVENT
"""
GOOD_START = "DTSTART;TZID=Asia/Ho_Chi_Minh:20260310T050000"


async def test_an_event_that_nobody_means_is_left_out_and_the_rest_of_the_file_is_taken(lite: Centre) -> None:
    area = (await commune(lite))["area"]
    rules = [rule for rule, _ in NEVER_MEANT]
    events = [EVENT.format(name=f"Buổi {number}", start=GOOD_START, rule=rule) for number, rule in enumerate(rules)]
    events += [
        EVENT.format(name="Sao Hỏa", start="DTSTART;TZID=Mars:20260310T050000", rule="FREQ=DAILY"),
        EVENT.format(name="Sáng", start=GOOD_START, rule="FREQ=DAILY"),
    ]
    asked = {
        "ics": f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n{''.join(events)}END:VCALENDAR\n",
        "programme_id": await programme(lite, area),
        "targets": [f"areas/{area.id}"],
    }
    async with lite.client() as client:
        answer = await client.post("/api/v1/schedules/import", json=asked)

    assert answer.status_code < 300, answer.text
    found = answer.json()
    assert [each["title"] for each in found["schedules"]] == ["Sáng"]
    assert len(found["skipped"]) == len(rules) + 1
    assert any("Sao Hỏa: there is no time zone 'Mars'" in each for each in found["skipped"])


PARTS: dict[str, st.SearchStrategy[Any]] = {
    "INTERVAL": st.integers(-1, 400),
    "COUNT": st.integers(-1, 6000),
    "BYMONTH": st.lists(st.integers(0, 13), min_size=1, max_size=12).map(lambda each: ",".join(map(str, each))),
    "BYMONTHDAY": st.lists(st.integers(-32, 32), min_size=1, max_size=40).map(lambda each: ",".join(map(str, each))),
    "BYYEARDAY": st.lists(st.integers(-367, 367), min_size=1, max_size=20).map(lambda each: ",".join(map(str, each))),
    "BYSETPOS": st.lists(st.integers(-367, 367), min_size=1, max_size=5).map(lambda each: ",".join(map(str, each))),
    "BYDAY": st.lists(st.sampled_from(["MO", "TU", "-1FR", "5SU", "53MO", "+2WE", "SA"]), min_size=1).map(",".join),
    "BYHOUR": st.lists(st.integers(0, 23), min_size=1, max_size=24).map(lambda each: ",".join(map(str, each))),
    "BYMINUTE": st.lists(st.integers(0, 59), min_size=1, max_size=60).map(lambda each: ",".join(map(str, each))),
    "BYSECOND": st.integers(0, 59),
    "BYWEEKNO": st.integers(-53, 53),
    "WKST": st.sampled_from(["MO", "SU"]),
    "UNTIL": st.sampled_from(["20270101", "20991231T000000", "20270101T000000Z", "00010101"]),
}
RULES = st.builds(
    lambda frequency, parts: ";".join([f"FREQ={frequency}", *(f"{name}={value}" for name, value in parts.items())]),
    st.sampled_from(["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY"]),
    st.lists(st.sampled_from(sorted(PARTS)), max_size=4, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: PARTS[name] for name in names})
    ),
)


@settings(deadline=None, max_examples=100)
@given(rule=RULES, first=st.datetimes(datetime(1970, 1, 1), datetime(2199, 1, 1)), ahead=st.integers(0, 60))
def test_every_rule_is_refused_or_gives_a_year_in_so_many_steps(rule: str, first: datetime, ahead: int) -> None:
    first = first.replace(microsecond=0)
    begin = first + ahead * YEAR
    try:
        check_rule(rule, first)
    except InvalidError:
        return
    steps = Steps()
    dates = list(walk(rule, first, begin, begin + YEAR, steps=steps))

    assert len(dates) <= MAX_A_DAY * 367
    # From the first date only where it counts; else from the period before.
    looked_at = (begin - first).days if "COUNT" in rule or "DAILY" in rule or "WEEKLY" in rule else 366 * 367
    assert steps.taken <= looked_at + YEAR.days + SLACK + 1
