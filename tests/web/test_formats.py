"""Times and lengths as people here say them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from web.formats import Formats, called
from web.i18n import load

NOW = datetime(2031, 11, 24, 10, 3, tzinfo=UTC)  # 17:03 on a Monday in Hanoi


def formats(locale: str = "vi", *, now: datetime = NOW) -> Formats:
    return Formats(load(locale), ZoneInfo("Asia/Ho_Chi_Minh"), now)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Nguyễn Thị Lan", "Lan"),
        ("Trần Văn Bình (văn hóa)", "Bình"),
        ("Lê Văn Nam - Phó Chủ tịch", "Nam"),
        ("Đỗ Bảy, thôn Đông", "Bảy"),
        ("H'Hen Niê", "Niê"),
        ("Ông Y Moan Ênuôl 😀 Buôn Ma", "Ênuôl"),
        ("Tổ 2", "2"),
        ("😀", "😀"),
    ],
)
def test_somebody_is_called_by_the_last_word_of_the_name(name: str, said: str) -> None:
    assert called(name) == said


def test_hours_are_those_of_the_place_and_count_to_24() -> None:
    assert formats().hour(datetime(2031, 11, 24, 16, 59, tzinfo=UTC)) == "23:59"
    assert formats().hour(datetime(2031, 11, 24, 17, 0, tzinfo=UTC)) == "00:00"


@pytest.mark.parametrize(("ahead", "said"), [(37, "31/12"), (38, "01/01/2032"), (-182, "26/05"), (-183, "25/05/2031")])
def test_a_date_of_another_year_or_one_that_could_be_mistaken_for_it_says_its_year(ahead: int, said: str) -> None:
    assert formats().day((NOW + timedelta(days=ahead)).date()).endswith(f" {said}")


def test_the_weekday_is_the_local_one() -> None:
    """At 17:30 UTC it is Tuesday already in Hanoi."""
    late = formats(now=datetime(2031, 11, 24, 17, 30, tzinfo=UTC))
    assert late.day(late.today()) == "Thứ Ba 25/11"


@pytest.mark.parametrize(
    ("ahead", "said"),
    [
        (timedelta(hours=2), "19:03"),
        (timedelta(hours=7), "00:03 ngày mai"),
        (timedelta(days=1), "17:03 ngày mai"),
        (timedelta(days=2), "17:03 Thứ Tư 26/11"),
    ],
)
def test_an_instant_of_another_day_names_the_day(ahead: timedelta, said: str) -> None:
    assert formats().when(NOW + ahead) == said


@pytest.mark.parametrize(
    ("ahead", "said"),
    [
        (timedelta(seconds=-1), "sắp xong"),
        (timedelta(seconds=24), "còn 24 giây"),
        (timedelta(minutes=12), "còn 12 phút"),
        (timedelta(minutes=65), "còn 1 giờ 5 phút"),
        (timedelta(hours=3), "20:03"),
    ],
)
def test_what_is_near_is_told_as_a_distance(ahead: timedelta, said: str) -> None:
    assert formats().left(NOW + ahead) == said


@pytest.mark.parametrize(
    ("ms", "said"),
    [(1, "1 giây"), (24_000, "24 giây"), (59_600, "1 phút"), (65_000, "1 phút 5 giây"), (2_700_000, "45 phút")],
)
def test_the_length_of_audio_is_told_to_the_second(ms: int, said: str) -> None:
    assert formats().length(ms) == said


def test_english_knows_one_and_many() -> None:
    assert formats("en").length(61_000) == "1 minute 1 second"
    assert formats("en").length(122_000) == "2 minutes 2 seconds"


def test_many_names_are_counted_and_few_are_told() -> None:
    assert formats().names(["A", "B", "C", "D"]) == "A, B, C, D"
    assert formats().names(["A", "B", "C", "D", "E"]) == "A, B, C và 2 nơi khác"


def test_names_that_hold_a_comma_stay_apart() -> None:
    assert formats().names(["Xóm Mới, gần trạm", "Chợ"]) == "Xóm Mới, gần trạm; Chợ"


def test_wall_clock_time_becomes_an_instant_of_the_place() -> None:
    form = formats()
    assert form.at(form.today(), 17, 0) == datetime(2031, 11, 24, 10, 0, tzinfo=UTC)
