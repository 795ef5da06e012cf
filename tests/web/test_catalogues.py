"""The words: the same in every language, all there, none unused, and none outside the catalogues."""

import re
import string
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from audio.errors import Reason as Rejection
from audio.errors import SoundWarning
from controller.approvals.models import RequestState
from controller.broadcasts.rules import Phase
from controller.bulletins.models import BulletinState
from controller.emergencies.models import EmergencyState, MessageKind
from controller.emergencies.rules import Standing
from controller.faults.rules import OWN
from controller.nodes.rules import NodeStatus
from controller.people.rights import Role
from controller.plays.verdicts import ORDER
from controller.plays.why_schemas import NoteCode
from controller.policies.schemas import Rule
from controller.programmes.models import ItemKind
from controller.schedules.rrules import RANGES
from edge_agent.clock import Distrust
from edge_agent.faults import Fault
from edge_agent.protocol.states import ClockState, Grade, Level, Outcome, PlayState, Reason
from edge_agent.radio import Signal
from web.i18n import LOCALES, Plural, load
from web.pages.nodes import KINDS
from web.pages.sounds import UPLOAD_PROBLEMS
from web.problems import _TEXTS
from web.views.runs import _GROUPS

WEB = Path(__file__).resolve().parents[2] / "web"
CATALOGUES = {locale: load(locale) for locale in LOCALES}
VIETNAMESE = CATALOGUES["vi"]

FAMILIES = {
    "language": LOCALES,
    "weekday": [str(day) for day in range(1, 8)],
    "kind": KINDS,
    "clock": ClockState,
    "clock_why": [*get_args(Distrust), "other"],
    "link_kind": [*get_args(Signal.__annotations__["kind"]), "other"],
    "self_test": ["heard", "not_heard", "unsure", "not_listened", "refused", "failed"],
    "reference": ["none", "wanted", "taken", "same", "weaker", "different", "silent"],
    "fault": [*Fault, *OWN, "other"],
    "fault_short": [*Fault, *OWN, "other"],
    "leaving": ["other", "shutdown", "restart", "update"],
    "state": PlayState,
    "grade": [*(f"e{grade}" for grade in Grade), "simulated"],
    "outcome": set(Outcome) - {Outcome.PLAYED},
    "reason": [*Reason, "other"],
    "rule": get_args(Rule),
    "rule_part": [*RANGES, "BYDAY", "other"],
    "why_rule": ORDER,
    "why_note": NoteCode,
    "approval_state": RequestState,
    "bulletin_state": BulletinState,
    "emergency_state": EmergencyState,
    "message_kind": MessageKind,
    "standing": Standing,
    "role": [*Role, "other"],
    "item": [*ItemKind, "other"],
    "level": Level,
    "rejected": [*Rejection, "other"],
    "warning": [*SoundWarning, "other"],
    "upload_problem": UPLOAD_PROBLEMS,
    "problem": [
        "home",
        *(kind + end for kind in ("not_found", "forbidden", "broken", "too_many") for end in ("", "_said")),
    ],
}
"""Texts whose keys are made from a machine's code; what the code may be."""


def placeholders(text: str | Plural) -> set[str]:
    forms = [text.one, text.other] if isinstance(text, Plural) else [text]
    return {name for form in forms for _, name, _, _ in string.Formatter().parse(form) if name}


def templates() -> Iterator[tuple[str, str]]:
    return ((path.name, path.read_text("utf-8")) for path in sorted((WEB / "templates").glob("*.html")))


def sources() -> Iterator[str]:
    yield from (source for _, source in templates())
    yield from (path.read_text("utf-8") for path in WEB.rglob("*.py"))


def literal_keys() -> set[str]:
    """Everything in the sources that looks like a key: quoted, with a dot, and beginning with a table's name."""
    tables = {key.split(".")[0] for key in VIETNAMESE.texts}
    found = {match for source in sources() for match in re.findall(r"""["']([a-z_]+\.[a-z0-9_]+)["']""", source)}
    return {key for key in found if key.split(".")[0] in tables and not key.endswith((".html", ".css", ".svg"))}


def made_keys() -> set[str]:
    """Beginnings of keys that are put together where they are used, and groups of which a code chooses one."""
    beginnings = {match for source in sources() for match in re.findall(r"""["']([a-z_]+\.[a-z0-9_]*)\{""", source)}
    beginnings |= {key for key in literal_keys() if key.endswith("_")}
    groups = {match + "." for source in sources() for match in re.findall(r"""word\(\s*["']([a-z_]+)["']""", source)}
    return beginnings | groups


def test_every_language_has_the_same_texts() -> None:
    keys = {locale: catalogue.texts.keys() for locale, catalogue in CATALOGUES.items()}
    assert keys["vi"] == keys["en"]


@pytest.mark.parametrize("key", sorted(VIETNAMESE.texts))
def test_a_text_needs_the_same_values_in_every_language(key: str) -> None:
    needed = [placeholders(catalogue.texts[key]) - {"count"} for catalogue in CATALOGUES.values()]
    assert needed[0] == needed[1]


def test_every_key_that_is_used_exists() -> None:
    missing = {key for key in literal_keys() if not key.endswith("_")} - VIETNAMESE.texts.keys()
    assert missing == set()
    assert [begun for begun in made_keys() if not any(key.startswith(begun) for key in VIETNAMESE.texts)] == []
    assert len(literal_keys()) > 150


@pytest.mark.parametrize(("family", "codes"), FAMILIES.items())
def test_every_code_of_the_machine_has_its_words(family: str, codes: set[str]) -> None:
    there = {key.partition(".")[2] for key in VIETNAMESE.texts if key.startswith(family + ".")}
    assert there == {str(code) for code in codes}


def test_every_phase_and_status_has_its_words() -> None:
    assert {f"node.{status}" for status in NodeStatus} <= VIETNAMESE.texts.keys()
    told_by_outcomes = {Phase.OVER}
    assert {f"phase.{phase}" for phase in set(Phase) - told_by_outcomes} <= VIETNAMESE.texts.keys()


def test_every_group_of_plays_has_a_title_and_together_they_hold_every_code() -> None:
    assert {f"broadcast.group_{name}" for name in _GROUPS} <= VIETNAMESE.texts.keys()
    assert set().union(*_GROUPS.values()) == set(PlayState) | set(Outcome)


def test_no_text_is_left_over() -> None:
    made = {f"{family}.{code}" for family, codes in FAMILIES.items() for code in codes} | set(_TEXTS.values())
    begun = tuple(made_keys())
    made |= {key for key in VIETNAMESE.texts if key.startswith(begun)}
    assert set(VIETNAMESE.texts) - made - literal_keys() == set()


def words_outside(template: str) -> list[str]:
    """Find letters that a template itself would show: between tags, or in attributes that are read aloud."""
    bare = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<!--.*?-->|<!doctype html>", "", template, flags=re.DOTALL)
    spoken = re.findall(r'(?:aria-label|title|placeholder|alt|data-pending)="([^"]*)"', bare)
    between = re.sub(r'[\w:-]+="[^"]*"', " ", re.sub(r"<[^>]*>", " ", bare))  # macros write bare attributes too
    return [text.strip() for text in [*between.split("\n"), *spoken] if re.search(r"[^\W\d_]{2,}", text)]


@pytest.mark.parametrize(("name", "source"), list(templates()))
def test_templates_hold_no_words_of_their_own(name: str, source: str) -> None:
    assert words_outside(source) == []


def test_a_planted_word_is_found() -> None:
    assert words_outside('<p class="x">{{ t("a.b") }} Xin chào</p>') == ["Xin chào"]
    assert words_outside('<button aria-label="Close"></button>') == ["Close"]


def test_vietnamese_texts_speak_no_jargon() -> None:
    """Nobody who uses the pages should have to know these words."""
    jargon = re.compile(r"\b(?:server|upload|node|offline|online|error|click|MQTT|broker|file)\b", re.IGNORECASE)
    forms = {
        key: [text.one, text.other] if isinstance(text, Plural) else [text] for key, text in VIETNAMESE.texts.items()
    }
    spoken = {key: [re.sub(r"\{\w+\}", "", text) for text in texts] for key, texts in forms.items()}
    assert [key for key, texts in spoken.items() if any(jargon.search(text) for text in texts)] == []


def test_a_code_that_is_newer_than_the_pages_is_shown_as_it_is() -> None:
    assert VIETNAMESE.word("reason", "solar_flare") == "Lý do khác (solar_flare)."


def test_braces_in_a_name_are_only_letters() -> None:
    assert "{0.__class__}" in VIETNAMESE("hold.word", place="{0.__class__}")
