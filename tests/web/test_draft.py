"""A broadcast being written: what was typed and what it means."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from controller.areas.schemas import AreaOut, EffectiveOut
from controller.ids import new_id
from web.formats import Formats
from web.forms import Form, Unclear, hour_of, is_next_midnight, own_path
from web.i18n import LOCALES, load
from web.views.recordings import BARS, wave_path
from web.views.say import Draft, covered, days, read_draft, start_of

NOW = datetime(2031, 11, 24, 10, 3, tzinfo=UTC)  # 17:03 in Hanoi
FORM = Formats(load("vi"), ZoneInfo("Asia/Ho_Chi_Minh"), NOW)


def at(hour: str, day: str = "2031-11-24") -> datetime | None:
    return start_of(Draft(key=new_id(), when="later", day=day, hour=hour), FORM)


@pytest.mark.parametrize("typed", ["19:05", "19h05", "19H05", "1905", " 19:05 ", "19.05", "19g05"])
def test_an_hour_is_understood_however_people_write_it(typed: str) -> None:
    assert at(typed) == datetime(2031, 11, 24, 12, 5, tzinfo=UTC)


@pytest.mark.parametrize("locale", LOCALES)
def test_a_number_pad_has_no_colon_and_its_hint_says_what_does(locale: str) -> None:
    [plain] = re.findall(r"\b\d{4}\b", load(locale)("shape.hour_hint"))
    assert at(plain) == at("17:30")


@pytest.mark.parametrize("typed", ["19", "19h", "19:"])
def test_a_whole_hour_needs_no_minutes(typed: str) -> None:
    assert at(typed) == datetime(2031, 11, 24, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("typed", ["", "24:00", "7:60", "7:5", "abc", "-1", "190", "١٩:٠٠:٠٠", "19:05 pm", "9" * 40])
def test_what_is_no_hour_is_said_at_the_hour(typed: str) -> None:
    with pytest.raises(Unclear) as caught:
        at(typed)
    assert caught.value.problems.keys() == {"hour"}


@pytest.mark.parametrize("typed", ["24:00", "24h", "2400", " 24h00 "])
def test_the_24th_hour_is_told_to_be_the_first_of_the_next_day(typed: str) -> None:
    with pytest.raises(Unclear) as caught:
        at(typed)
    assert "00:00 của ngày hôm sau" in caught.value.problems["hour"]
    assert hour_of("24:01") is None
    assert not is_next_midnight("24:01")


@pytest.mark.parametrize("day", ["", "2031-02-30", "24/11/2031", "99999-01-01"])
def test_what_is_no_day_is_said_at_the_day(day: str) -> None:
    with pytest.raises(Unclear) as caught:
        at("19:00", day)
    assert caught.value.problems.keys() == {"day"}


def test_an_hour_that_has_passed_says_what_time_it_is() -> None:
    with pytest.raises(Unclear, match="hour") as caught:
        at("17:00")
    assert "17:03" in caught.value.problems["hour"]


def test_the_days_to_choose_begin_today_and_cross_the_month_in_order() -> None:
    said = days(FORM)
    assert said[0] == ("2031-11-24", "Hôm nay, Thứ Hai 24/11")
    assert said[1][1].startswith("Ngày mai")
    assert [day for day, _ in said] == sorted(day for day, _ in said)
    assert said[7][0] == "2031-12-01"


def area(name: str, parent: str | None = None) -> AreaOut:
    return AreaOut(
        id=name,
        parent_id=parent,
        kind="hamlet",
        name=name,
        depth=0,
        path=(name,),
        node_count=1,
        zone=None,
        quiet_hours=None,
        languages=None,
        effective=EffectiveOut(zone="Asia/Ho_Chi_Minh", quiet_hours=(), languages=("vi",)),
    )


def test_a_place_below_a_chosen_place_is_not_sent_twice() -> None:
    areas = [area("xa"), area("thon", "xa"), area("xom", "thon"), area("khac")]
    chosen = ["areas/xom", "areas/xa", "areas/khac", "nodes/n"]
    assert covered(chosen, areas) == ("areas/xa", "areas/khac", "nodes/n")


def test_a_key_that_is_not_ours_is_replaced() -> None:
    """It goes to the centre as it is: nothing else may stand in it."""
    assert read_draft(Form({"key": ["x" * 500]})).key != "x" * 500
    kept = new_id()
    assert read_draft(Form({"key": [kept]})).key == kept


@pytest.mark.parametrize(
    "path", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "", "/a\nb", "evil"]
)
def test_no_address_leads_away_from_the_site(path: str) -> None:
    assert own_path(path) == "/today"


def test_our_own_addresses_are_kept() -> None:
    assert own_path("/say?when=later") == "/say?when=later"


@pytest.mark.parametrize("count", [1, 2, 159, 160, 161, 2000])
def test_a_waveform_has_the_same_bars_however_many_peaks_it_has(count: int) -> None:
    path = wave_path([0, 255] * count)
    assert path.count("M") == BARS
    assert "h3v64" in path


def test_no_peaks_draw_nothing() -> None:
    assert wave_path([]) == ""
