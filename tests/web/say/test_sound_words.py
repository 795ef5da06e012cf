"""What is told about a recording: in words of people who speak, and true of what they have."""

import pytest

from web.i18n import load


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
