"""What a person types outlives a session: every form of every template, and those that keep nothing, with why."""

import re

import pytest

from tests.web.manners.test_double_tap import TEMPLATES, forms
from web.joined import STATIC

TYPED = re.compile(
    r'<textarea|<input type="(?:text|tel|password)"|(?:parts\.(?:field|hour|day)|text_field|need)\(|_voices'
)
"""Fields into which something is typed; also those of macros, and of parts that are included."""
ACT = re.compile(r'name="act" value="(\w+)"|hidden\("(\w+)"\)')
CODES = "a code or a password, which is never kept"
PERSONS = "telephone numbers and logins of people stay on no shared computer"
ONE_NUMBER = "one number, sent at once"
NONE = {
    ("sign_in.html", ""): CODES,
    ("own_password.html", ""): CODES,
    ("factor_begin.html", ""): CODES,
    ("factor_code.html", ""): CODES,
    ("factor_confirm.html", ""): CODES,
    ("settings.html", "password"): CODES,
    ("person.html", "password"): CODES,
    ("people.html", ""): PERSONS,
    ("person.html", "own"): PERSONS,
    ("setup.html", "/setup/person"): PERSONS,
    ("settings.html", "phone"): PERSONS,
    ("_programme.html", ""): ONE_NUMBER,
    ("programme.html", "add"): ONE_NUMBER,
    (
        "_emergency.html",
        "break_glass",
    ): "seconds count, and the reasons are buttons; what is typed would be yesterday's",
}
"""Forms that keep nothing, by template and act (or address), and why."""


def typed_forms() -> list[tuple[str, str, str]]:
    """Give template, act or address, and the whole of the forms into which something is typed."""
    found = []
    for template, action, form in forms():
        if TYPED.search(form):
            act = ACT.search(form)
            found.append((template, (act[1] or act[2]) if act else action, form))
    return found


def reason(template: str, act: str) -> str:
    return NONE.get((template, act), "") or NONE.get((template, ""), "")


@pytest.mark.parametrize("template", sorted({template for template, _, _ in typed_forms()}))
def test_what_is_typed_into_a_form_outlives_the_session(template: str) -> None:
    lost = [act for name, act, form in typed_forms() if name == template and "data-draft=" not in form]
    assert [act for act in lost if not reason(template, act)] == []


def test_the_exceptions_are_there_and_keep_nothing() -> None:
    found = typed_forms()
    assert len(found) > 35
    for template, act in NONE:
        those = [form for name, each, form in found if name == template and (not act or act == each)]
        assert [form for form in those if "data-draft=" not in form], (template, act)
    about_people = [form for name, act, form in found if reason(name, act) == PERSONS]
    assert not [form for form in about_people if "data-draft=" in form]


def test_what_others_change_too_gives_back_only_what_was_changed_in_it() -> None:
    shown = [(template, act, form) for template, act, form in typed_forms() if "data-draft=" in form]
    others = [each for each in shown if re.search(r"parts\.was\(|name=\"(?:version|stood)\"|hidden\(", each[2])]
    assert len(others) > 8
    others_own = {("programme.html", "copy"), ("bulletin.html", "offer"), ("bulletin.html", "return")}  # new each time
    assert {(name, act) for name, act, form in others if "data-stands" not in form} <= others_own


def test_an_emergency_is_kept_for_minutes_and_never_offered() -> None:
    brief = {template for template, _, form in forms() if "data-brief" in form}
    assert brief == {"emergency_form.html"}


def test_no_telephone_number_login_or_code_is_kept_of_any_form() -> None:
    script = (STATIC / "js" / "draft.js").read_text("utf-8")
    [never] = re.findall(r"NEVER = new Set\(\[(.*?)\]\)", script)
    assert set(re.findall(r'"(\w+)"', never)) == {"code", "approval_code", "login", "phone"}
    named = {
        name
        for path in TEMPLATES.glob("*.html")
        for name in re.findall(r'(?:name="|(?:field|need)\(")(\w*(?:phone|login|code)\w*)"', path.read_text("utf-8"))
    }
    assert named <= {"code", "approval_code", "login", "phone", "reason_code"}
