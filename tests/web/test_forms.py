"""What people type, read: days as they write them."""

from datetime import date

import pytest

from web.forms import day_of

TODAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("typed", "day"),
    [
        ("24/11/2031", date(2031, 11, 24)),
        ("23-11", date(2026, 11, 23)),
        ("22.11", date(2027, 11, 22)),
        ("29/2", date(2028, 2, 29)),
        ("29/2/2027", None),
        ("31/2", None),
        ("0/1", None),
        ("mai", None),
    ],
)
def test_a_day_without_its_year_is_the_next_that_there_is(typed: str, day: date | None) -> None:
    assert day_of(typed, TODAY) == day


def test_a_leap_day_is_found_over_a_century_without_one() -> None:
    assert day_of("29/2", date(2096, 3, 1)) == date(2104, 2, 29)
