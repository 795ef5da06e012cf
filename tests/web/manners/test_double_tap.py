"""Whatever is pressed twice is sent once: every form of every template, and what keeps a second one from doing harm."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TEMPLATES = Path(__file__).resolve().parents[3] / "web" / "templates"
AGAIN = {
    "/holds": "silence ordered twice is silence, and a press that hangs must not keep back the next one",
    "/sign-in": "signs in",
    "/sign-in/code": "a code counts once",
    "/sign-in/factor": "begins anew",
    "/sign-in/factor/confirmation": "a code counts once",
    "/sign-in/password": "the second one finds another old password",
    "/sign-out": "is signed out",
    "/language": "chooses the same",
    "/look": "chooses the same",
    "/places/merge": "looks at what would move; the form that does it says data-once",
}
"""Acts that may be sent twice, and why that does no harm. All others say data-once and bring a key (test_once.py)."""


def forms() -> Iterator[tuple[str, str, str]]:
    """Give the template, the address and the whole of each form that changes something."""
    for path in sorted(TEMPLATES.glob("*.html")):
        for form in re.findall(r"<form\b.*?</form>", path.read_text("utf-8"), re.DOTALL):
            if 'method="post"' in form:
                action = re.search(r'action="(.*?)"[ >]', form)
                yield path.name, action[1] if action else "", form


def counts_once(action: str, form: str) -> bool:
    # data-quiet: sort.js sends one at a time, each with the version that is in sight
    return "data-once" in form or "data-quiet" in form or action in AGAIN


@pytest.mark.parametrize("template", sorted({template for template, _, _ in forms()}))
def test_a_form_is_sent_once_however_often_it_is_pressed(template: str) -> None:
    found = [(action, form) for name, action, form in forms() if name == template]
    assert [action for action, form in found if not counts_once(action, form)] == []


def test_the_forms_are_found() -> None:
    found = list(forms())
    assert len(found) > 60
    assert {action for _, action, tag in found if "data-again" in tag} == {"/holds"}
    assert {action for _, action, _ in found} >= {
        action for action in AGAIN if action not in {"/look", "/places/merge"}
    }


def test_whoever_sends_once_has_the_script_for_it() -> None:
    """once.js stands in the frame; a page outside of it has no such form."""
    outside = {
        path.name
        for path in TEMPLATES.glob("*.html")
        if 'extends "base.html"' in path.read_text("utf-8")
        and path.name not in {"signed_in.html", "emergency_frame.html"}
    }
    assert {template for template, _, tag in forms() if "data-once" in tag} & outside == set()


def test_whoever_has_words_read_aloud_by_sending_waits_longer_for_the_answer() -> None:
    """A machine reads up to a minute, see asked.js; then the page says that there was no answer, and lets go."""
    typing = [form for _, _, form in forms() if "_typed.html" in form]
    assert len(typing) == 2
    assert all('data-patience="75"' in form for form in typing)


BUTTON = re.compile(r"(<button\b[^>]*>)(.*?)</button>", re.DOTALL)


def test_every_button_that_sends_has_a_word_that_changes_while_it_is_sent() -> None:
    """The frame gives the word (`data-pending` of its body), a button may have its own; both need a place for it."""
    frame = (TEMPLATES / "signed_in.html").read_text("utf-8")
    assert """data-pending="{{ t('shape.pending') }}\"""" in frame
    found = [
        (template, tag)
        for template, _, form in forms()
        if "data-once" in form
        for tag, inside in BUTTON.findall(form)
        if 'type="button"' not in tag and ("data-word" not in inside or "aria-label" in tag)
    ]
    assert found == []


def test_a_button_without_a_place_for_its_word_is_seen() -> None:
    assert BUTTON.findall('<form data-once><button class="main">Gửi</button></form>') == [
        ('<button class="main">', "Gửi")
    ]
