"""A session is told from another by the name of its browser, wherever sessions stand."""

from controller.people.schemas import SessionOut
from tests.web.test_words import FORM, NOW
from web.views.settings import session_line

PHONE = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Mobile Safari/537.36"


def session(agent: str) -> SessionOut:
    return SessionOut(
        id="s", created_at=NOW, expires_at=NOW, second_factor_at=None, origin="10.0.0.7", agent=agent, current=False
    )


def test_a_browser_is_named_by_what_people_call_it() -> None:
    for agent, name in ((PHONE, "Chrome, Android"), ("", "Một trình duyệt"), ("curl/8.5", "curl/8.5")):
        assert session_line(session(agent), FORM).name == name
