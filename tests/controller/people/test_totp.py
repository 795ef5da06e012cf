"""Codes by RFC 6238, at the edges of their time."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from controller.people import totp

AT = datetime(2026, 3, 9, 2, 0, tzinfo=UTC)
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def test_the_codes_are_those_of_the_standard() -> None:
    """RFC 6238, appendix B: the secret is ``12345678901234567890``; the last six of its eight digits."""
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    for seconds, code in ((59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")):
        assert totp.code_at(secret, datetime.fromtimestamp(seconds, UTC)) == code


@pytest.mark.parametrize(("late_s", "fits"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_a_code_is_taken_one_step_before_and_after_its_own(late_s: int, fits: bool) -> None:  # noqa: FBT001  a table
    code = totp.code_at(SECRET, AT)
    assert (totp.step_of(SECRET, code, AT + timedelta(seconds=late_s), None) is not None) == fits


@given(first=some.integers(-1, 1), then=some.integers(-1, 1), passed=some.integers(0, 90))
def test_no_step_counts_twice_and_none_before_one_that_counted(first: int, then: int, passed: int) -> None:
    step = totp.step_of(SECRET, totp.code_at(SECRET, AT + first * timedelta(seconds=30)), AT, None)
    assert step is not None
    later = AT + timedelta(seconds=passed)
    again = totp.step_of(SECRET, totp.code_at(SECRET, later + then * timedelta(seconds=30)), later, step)
    assert again is None or again > step


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "١٢٣٤٥٦", "abcdef", "-12345"])
def test_what_is_no_code_fits_never(typed: str) -> None:
    assert totp.step_of(SECRET, typed, AT, None) is None


def test_a_code_may_be_typed_as_telephones_show_it() -> None:
    code = totp.code_at(SECRET, AT)
    assert totp.step_of(SECRET, f" {code[:3]} {code[3:]}", AT, None) is not None


def test_recovery_codes_are_read_however_they_are_typed() -> None:
    codes = totp.new_recovery_codes()
    assert len(set(codes)) == totp.RECOVERY_CODES
    for code in codes:
        for typed in (code, code.upper(), code.replace("-", ""), f" {code.replace('-', ' ')} "):
            assert totp.plain_recovery_code(typed) == code
    for typed in ("", "123456", "abcd-efgh-jkmn", f"{codes[0]}x", "llll-0000-1111-iiii"):
        assert totp.plain_recovery_code(typed) is None
