"""Whatever the room of schedules refuses is said in words: what is wrong, where, and what to do."""

import ast
import importlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from controller.errors import InvalidError, LoaError
from controller.people.proof import CodeError
from controller.schedules.rrules import RANGES, check_parts
from controller.schedules.schemas import ScheduleIn
from web.formats import Formats
from web.i18n import LOCALES, load
from web.problems import problem_text

CONTROLLER = Path(__file__).resolve().parents[2] / "controller"
ROOM = [
    *(path for path in sorted((CONTROLLER / "schedules").glob("*.py")) if path.name != "routes.py"),
    CONTROLLER / "programmes" / "layout.py",
]
"""But for the routes: what they refuse of an address, no form sends."""
FORMS = [Formats(load(locale), ZoneInfo("Asia/Ho_Chi_Minh"), datetime(2031, 11, 24, tzinfo=UTC)) for locale in LOCALES]


def raised() -> Iterator[tuple[str, str, str]]:
    """Module, class and what is said of each error that the room makes, by its source."""
    for path in ROOM:
        module = ".".join(path.relative_to(CONTROLLER.parent).with_suffix("").parts)
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id.endswith("Error"):
                said = {each.arg: _word(each.value) for each in call.keywords}
                if said.get("problem"):
                    yield module, call.func.id, f"{said.get('field', '')}:{said['problem']}"


def _word(value: ast.expr) -> str:
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""


def in_words(error: LoaError) -> list[str]:
    """The error in every language; nothing where it would only be named, not explained."""
    found = []
    for form in FORMS:
        said = problem_text(error, form)
        vague = {form.text(key, code=error.code, field=error.fields.get("field", "")) for key in VAGUE}
        found.append("" if said in vague else said)
    return found


CODES = ("needed", "wrong", "locked", "not_enrolled", "place", "span")


def test_why_a_code_is_not_believed_is_said_in_every_language() -> None:
    said = [in_words(CodeError("for programs", problem)) for problem in CODES]
    words = [text for texts in said for text in texts]
    assert len(set(words)) == len(CODES) * len(LOCALES)
    assert "" not in words


VAGUE = ("wrong.other", "wrong.invalid")


def test_the_sources_are_read() -> None:
    assert len(set(raised())) > 20


@pytest.mark.parametrize(("module", "name", "said"), sorted(set(raised())))
def test_every_problem_of_schedules_has_its_words(module: str, name: str, said: str) -> None:
    field, _, problem = said.partition(":")
    of_class: type[LoaError] = getattr(importlib.import_module(module), name)
    error = of_class("", **({"field": field} if field else {}), problem=problem, most=7, title="Tin xã")
    assert all(in_words(error))


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("FREQ=HOURLY", "nhiều nhất 24 lần một ngày"),
        ("FREQ=DAILY;INTERVAL=400", "khoảng cách giữa hai lần vượt mức 366"),
    ],
)
def test_a_rule_that_is_refused_says_what_in_it_and_up_to_where(rule: str, words: str) -> None:
    with pytest.raises(InvalidError) as refused:
        check_parts(rule)
    assert words in in_words(refused.value)[0]


@pytest.mark.parametrize("form", FORMS)
def test_every_part_of_a_rule_has_a_name(form: Formats) -> None:
    assert [part for part in (*RANGES, "BYDAY") if not form.text.has(f"rule_part.{part}")] == []


@pytest.mark.parametrize(
    "wrong",
    [{"title": "a" * 1001}, {"rule": "a" * 401}, {"starts_at_local": datetime(2300, 1, 1)}],  # noqa: DTZ001 - wall time
)
def test_what_is_wrong_by_itself_is_said_as_what_is_wrong_beside_others(wrong: dict[str, Any]) -> None:
    given = {"title": "Sáng", "programme_id": "p", "targets": ["areas/x"], "starts_at_local": datetime(2031, 1, 1)}  # noqa: DTZ001 - wall time
    with pytest.raises(InvalidError) as refused:
        ScheduleIn.checked(**given | wrong)
    assert all(in_words(refused.value))
