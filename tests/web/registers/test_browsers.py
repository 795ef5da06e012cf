"""A session is told from another by the name of its browser, wherever sessions stand."""

from controller.people.schemas import SessionOut
from tests.web.test_words import FORM, NOW
from web.views.accounts import session_said
from web.views.settings import session_line

PHONE = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Mobile Safari/537.36"


def session(agent: str) -> SessionOut:
    return SessionOut(
        id="s", created_at=NOW, expires_at=NOW, second_factor_at=None, origin="10.0.0.7", agent=agent, current=False
    )


def test_a_person_and_their_own_settings_name_a_browser_alike() -> None:
    for agent, name in ((PHONE, "Chrome, Android"), ("", "Một trình duyệt"), ("curl/8.5", "curl/8.5")):
        assert name in session_line(session(agent), FORM).name
        assert name in session_said(session(agent), FORM)
    assert "Mozilla" not in session_said(session(PHONE), FORM)
