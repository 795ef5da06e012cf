"""What bulletins may be about, in the words of whoever reads. Pure."""

from collections.abc import Collection, Iterable, Mapping
from functools import cache

from controller.policies.rules import USUAL_CATEGORIES
from controller.policies.schemas import CategoryName, CategoryOut
from web.i18n import LOCALES, Catalogue, load


def kind_said(kind: CategoryOut | CategoryName, text: Catalogue) -> str:
    """Name a kind: a usual one in the reader's language, unless somebody gave it a name of their own."""
    if kind.name is None or kind.name in _usual().get(kind.code, ()):
        return text.word("category", kind.code)
    return kind.name


def names_by_place(
    found: Mapping[str, Collection[CategoryOut]], in_sight: Collection[str], text: Catalogue
) -> dict[str | None, dict[str, str]]:
    """Give code and name by area, and by None the names that it has in all areas in sight."""
    alike: dict[int, dict[str, str]] = {}
    names: dict[str | None, dict[str, str]] = {}
    every: dict[str, dict[str, None]] = {}
    for area_id, kinds in found.items():
        if id(kinds) not in alike:
            alike[id(kinds)] = {each.code: kind_said(each, text) for each in kinds}
        names[area_id] = alike[id(kinds)]
    for said in {id(names[area_id]): names[area_id] for area_id in found if area_id in in_sight}.values():
        for code, name in said.items():
            every.setdefault(code, {})[name] = None
    return names | {None: {code: " / ".join(said) for code, said in every.items()}}


def kept_names(kinds: Iterable[CategoryName]) -> dict[str, str]:
    """Give what is kept of kinds whose names nobody touches: as they are kept already, else in the first language."""
    first = {code: words[0] for code, words in _usual().items()}
    return first | {each.code: each.name for each in kinds}


@cache
def _usual() -> dict[str, tuple[str, ...]]:
    """Name the usual kinds, in each language of the pages."""
    texts = [load(locale) for locale in LOCALES]
    return {code: tuple(text.word("category", code) for text in texts) for code in USUAL_CATEGORIES}
