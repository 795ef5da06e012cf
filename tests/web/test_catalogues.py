"""The words: the same in every language, all there, none unused, and none outside the catalogues."""

import re
import string
import tomllib
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path

import pytest

from controller.broadcasts.rules import Phase
from controller.nodes.rules import NodeStatus
from edge_agent.protocol.states import Outcome, PlayState
from web.i18n import LOCALES, Plural, _flat, load, sources
from web.problems import _TEXTS
from web.views.runs import GROUPS

WEB = Path(__file__).resolve().parents[2] / "web"
CATALOGUES = {locale: load(locale) for locale in LOCALES}
VIETNAMESE = CATALOGUES["vi"]

PARTS = [path.stem for path in sources("vi")]
OF_PART = {
    part: {
        locale: dict(_flat(tomllib.loads((WEB / "i18n" / locale / f"{part}.toml").read_text("utf-8"))))
        for locale in LOCALES
    }
    for part in PARTS
}
"""Texts by the file that they stand in."""
FAMILIES = {
    family: (part, codes)
    for part in PARTS
    for family, codes in import_module(f"tests.web.words.{part}").FAMILIES.items()
}
"""Texts whose keys are made from a machine's code; where they stand, and what the code may be."""


def placeholders(text: str | Plural) -> set[str]:
    forms = [text.one, text.other] if isinstance(text, Plural) else [text]
    return {name for form in forms for _, name, _, _ in string.Formatter().parse(form) if name}


def templates() -> Iterator[tuple[str, str]]:
    return ((path.name, path.read_text("utf-8")) for path in sorted((WEB / "templates").glob("*.html")))


def read_sources() -> Iterator[str]:
    yield from (source for _, source in templates())
    yield from (path.read_text("utf-8") for path in WEB.rglob("*.py"))


def literal_keys() -> set[str]:
    """Everything in the sources that looks like a key: quoted, with a dot, and beginning with a table's name."""
    tables = {key.split(".")[0] for key in VIETNAMESE.texts}
    found = {match for source in read_sources() for match in re.findall(r"""["']([a-z_]+\.[a-z0-9_]+)["']""", source)}
    return {key for key in found if key.split(".")[0] in tables and not key.endswith((".html", ".css", ".svg"))}


def made_keys() -> set[str]:
    """Beginnings of keys that are put together where they are used, and groups of which a code chooses one."""
    beginnings = {
        match for source in read_sources() for match in re.findall(r"""["']([a-z_]+\.[a-z0-9_]*)\{""", source)
    }
    beginnings |= {key for key in literal_keys() if key.endswith("_")}
    groups = {
        match + "." for source in read_sources() for match in re.findall(r"""word\(\s*["']([a-z_]+)["']""", source)
    }
    return beginnings | groups


def test_every_language_has_the_same_files() -> None:
    assert [path.stem for path in sources("en")] == PARTS
    assert sorted(path.stem for path in (Path(__file__).parent / "words").glob("*.py")) == PARTS


@pytest.mark.parametrize("part", PARTS)
def test_every_language_has_the_same_texts(part: str) -> None:
    keys = {locale: texts.keys() for locale, texts in OF_PART[part].items()}
    assert keys["vi"] == keys["en"]


@pytest.mark.parametrize("part", PARTS)
def test_a_text_needs_the_same_values_in_every_language(part: str) -> None:
    in_vi, in_en = (
        {key: placeholders(text) - {"count"} for key, text in OF_PART[part][locale].items()} for locale in ("vi", "en")
    )
    assert in_vi == in_en


def test_a_table_stands_in_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But those to which each file adds its own, and of these no text twice."""
    monkeypatch.setattr("web.i18n.sources", lambda _: sorted(tmp_path.glob("*.toml")))
    (tmp_path / "a.toml").write_text('[done]\nsaved = "a"\n[say]\nx = "a"\n')
    (tmp_path / "b.toml").write_text('[done]\nsent = "b"\n')
    assert load("vi").texts == {"done.saved": "a", "say.x": "a", "done.sent": "b"}
    for twice in ('[done]\nsaved = "b"\n', '[say]\ny = "b"\n'):
        (tmp_path / "b.toml").write_text(twice)
        with pytest.raises(ValueError, match="repeats"):
            load("vi")


def test_every_key_that_is_used_exists() -> None:
    missing = {key for key in literal_keys() if not key.endswith("_")} - VIETNAMESE.texts.keys()
    assert missing == set()
    assert [begun for begun in made_keys() if not any(key.startswith(begun) for key in VIETNAMESE.texts)] == []
    assert len(literal_keys()) > 150


@pytest.mark.parametrize(
    ("part", "family", "codes"), [(part, family, codes) for family, (part, codes) in FAMILIES.items()]
)
def test_every_code_of_the_machine_has_its_words(part: str, family: str, codes: Iterable[str]) -> None:
    there = {key.partition(".")[2] for key in OF_PART[part]["vi"] if key.startswith(family + ".")}
    assert there == {str(code) for code in codes}


def test_every_phase_and_status_has_its_words() -> None:
    assert {f"node.{status}" for status in NodeStatus} <= VIETNAMESE.texts.keys()
    told_by_outcomes = {Phase.OVER}
    assert {f"phase.{phase}" for phase in set(Phase) - told_by_outcomes} <= VIETNAMESE.texts.keys()


def test_every_group_of_plays_has_a_title_and_together_they_hold_every_code() -> None:
    assert {f"broadcast.group_{name}" for name in GROUPS} <= VIETNAMESE.texts.keys()
    assert set().union(*GROUPS.values()) == set(PlayState) | set(Outcome)


@pytest.mark.parametrize("part", PARTS)
def test_no_text_is_left_over(part: str) -> None:
    families = {f"{family}.{code}" for family, (_, codes) in FAMILIES.items() for code in codes}
    begun = tuple(made_keys())
    used = {*families, *_TEXTS.values(), *literal_keys()}
    assert {key for key in OF_PART[part]["vi"] if not key.startswith(begun)} - used == set()


def words_outside(template: str) -> list[str]:
    """Find letters that a template itself would show: between tags, or in attributes that are read aloud."""
    template = re.sub(r"\{% block (?:help|ground) %\}[\w-]*\{% endblock %\}", "", template)  # a topic, a class
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
