"""What is said in each language: the part of a form that bulletins and ready messages share. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from web.forms import Form


class Spoken(Protocol):
    """What is there in one language."""

    @property
    def language(self) -> str:
        """Its tag, such as ``vi``."""

    @property
    def text(self) -> str | None:
        """Its words, if they were written."""

    @property
    def recording_id(self) -> str | None:
        """Its sound, if it has one."""


@dataclass(frozen=True)
class Voices:
    """Words and recordings as they were typed and chosen, in the order in which they are heard."""

    texts: tuple[tuple[str, str], ...] = ()
    """Language and its words."""
    recordings: tuple[tuple[str, str], ...] = ()
    """Language and its recording; empty for none."""

    @property
    def recording(self) -> str:
        """Give the recording of the first language: the one that can be uploaded here."""
        return self.recordings[0][1] if self.recordings else ""

    @property
    def are_empty(self) -> bool:
        """Tell whether nothing is said in any language."""
        return not any(each for _, each in (*self.texts, *self.recordings))

    def wanted(self) -> list[dict[str, Any]]:
        """Give what the service is to be asked for: languages in which something is said."""
        chosen = dict(self.recordings)
        return [
            {"language": language, "recording_id": chosen[language] or None} | ({"text": words} if words else {})
            for language, words in self.texts
            if words or chosen[language]
        ]


NOTHING = Voices()


def blank(languages: Iterable[str]) -> Voices:
    """Begin with nothing said."""
    none = tuple((each, "") for each in languages)
    return Voices(none, none)


def begun_with(voices: Voices, recording_id: str) -> Voices:
    """Begin with a recording in the first language."""
    return Voices(voices.texts, tuple((each, "" if at else recording_id) for at, (each, _) in enumerate(voices.texts)))


def read(typed: Form, languages: Sequence[str]) -> Voices:
    """Take what was typed, in the languages that the form asked for."""
    names = ["recording", *(f"recording-{each}" for each in languages[1:])]
    without = typed.many("without")
    return Voices(
        tuple((each, typed.one(f"text-{each}").strip()) for each in languages),
        tuple(
            (each, "" if each in without else typed.one(name).strip())
            for each, name in zip(languages, names, strict=True)
        ),
    )


def of(spoken: Iterable[Spoken], languages: Sequence[str]) -> Voices:
    """Begin with what is there."""
    there = {each.language: each for each in spoken}
    return Voices(
        tuple((each, there[each].text or "" if each in there else "") for each in languages),
        tuple((each, there[each].recording_id or "" if each in there else "") for each in languages),
    )


def languages_of(asked: Iterable[str], spoken: Iterable[Spoken] = ()) -> list[str]:
    """Order the languages of a form: those that are there, then those that its places ask for."""
    return list(dict.fromkeys([*(each.language for each in spoken), *asked]))
