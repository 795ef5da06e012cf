"""What is told about a recording: in words of people who speak, and true of what they have."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from controller.recordings.schemas import RecordingOut
from web.formats import Formats
from web.i18n import load
from web.views.recordings import card

FORM = Formats(load("vi"), ZoneInfo("Asia/Ho_Chi_Minh"), datetime(2031, 11, 24, tzinfo=UTC))


@pytest.mark.parametrize("language", ["vi", "en"])
def test_no_code_and_no_program_is_named_to_who_speaks(language: str) -> None:
    text = load(language)
    for group in ("rejected", "warning"):
        assert "some_new_code" not in text.word(group, "some_new_code")
    assert "ffmpeg" not in text("recording.tool_missing")


@pytest.mark.parametrize("language", ["vi", "en"])
def test_who_was_signed_out_while_speaking_is_told_that_it_is_kept_and_how_it_goes_on(language: str) -> None:
    text = load(language)
    assert f"“{text('upload.go_on')}”" in text("upload_problem.not_signed_in")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"found": 7200.0, "limit": 3600.0}, "Tệp này dài 120 phút, tối đa 60 phút."),
        ({"limit": 3600.0}, "Tệp này dài hơn mức tối đa 60 phút."),
        ({"found": 3600.2, "limit": 3600.0}, "Tệp này dài hơn mức tối đa 60 phút."),
        ({}, "Tệp âm thanh dài quá mức cho phép."),
    ],
)
def test_of_a_file_that_is_too_long_the_limit_is_said_and_its_own_length_where_that_is_known(
    fields: dict[str, float], said: str
) -> None:
    assert card(rejected("too_long", fields), (), FORM).why.startswith(said)


def rejected(reason: str, fields: dict[str, float]) -> RecordingOut:
    return RecordingOut.model_construct(
        id="r-1", title="Họp dân", state="rejected", reason=reason, reason_fields=fields, withdrawn_at=None
    )
