"""Places as rows of a list and as pages of their own. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from controller.areas.schemas import AreaOut
from controller.names import in_reading_order
from controller.search import kept, words
from web.formats import Formats
from web.listing import Asked, Column, Filter
from web.views.places import choices
from web.views.policies import windows_said

KINDS = ("hamlet", "commune", "district", "province")
"""Offered; a place may be of another kind, by the word that it was given."""
COLUMNS = (
    Column("name", "area.name"),
    Column("kind", "area.kind", sort=False),
    Column("nodes", "area.nodes"),
)
TREE = "tree"
"""The list's own order: each place below the one that it belongs to."""
HEADS = ("name", "kind", "parent", "nodes", "zone")
MOST_DEPTH = 3
"""Steps to the right that a phone has room for."""


@dataclass(frozen=True)
class PlaceRow:
    """A place in the list."""

    id: str
    name: str
    above: str
    """Where it lies, when the order does not show it."""
    depth: int
    kind: str
    node_count: int


@dataclass(frozen=True)
class Whole:
    """A place on its own page."""

    id: str
    name: str
    kind_code: str
    said: str
    way: tuple[tuple[str, str], ...]
    """Addresses and names of what lies above it, as far as it is in sight."""
    zone: str
    """Its own; empty: as above."""
    effective_zone: str
    quiet: str
    languages: str
    own_languages: tuple[str, ...]


def kind_said(kind: str, form: Formats) -> str:
    """Say what kind of place it is."""
    return form.text(f"kind.{kind}") if form.text.has(f"kind.{kind}") else kind


def filters(areas: Sequence[AreaOut], form: Formats) -> tuple[Filter, ...]:
    """Say by what places are narrowed."""
    kinds = dict.fromkeys(area.kind for area in areas)
    above = [area for area in areas if any(each.parent_id == area.id for each in areas)]
    return (
        Filter("kind", "area.kind", tuple((kind, kind_said(kind, form)) for kind in kinds)),
        Filter("under", "area.parent", tuple(choices(above))),
    )


def chosen(areas: Sequence[AreaOut], wish: Asked) -> list[AreaOut]:
    """Pick and order places as a list asks for them."""
    looked_for, kind, under = words(wish.q), wish.having.get("kind"), wish.having.get("under")
    inside = _below(areas, under) if under else None
    found = [
        area
        for area in areas
        if (not kind or area.kind == kind)
        and (inside is None or area.id in inside)
        and all(word in kept([area.name]) for word in looked_for)
    ]
    if wish.sort == "name":
        found.sort(key=lambda area: in_reading_order(area.name), reverse=wish.down)
    elif wish.sort == "nodes":
        found.sort(key=lambda area: area.node_count, reverse=wish.down)
    return found


def _below(areas: Iterable[AreaOut], top: str) -> set[str]:
    inside = {top}
    for area in areas:  # upper ones first
        if area.parent_id in inside:
            inside.add(area.id)
    return inside


def row(area: AreaOut, top: int, form: Formats, *, in_order: bool) -> PlaceRow:
    """Show a place; ``top``: depth of the uppermost in sight; ``in_order``: as the tree has it."""
    return PlaceRow(
        area.id,
        area.name,
        "" if in_order else " · ".join(area.path[top:-1]),
        min(area.depth - top, MOST_DEPTH) if in_order else 0,
        kind_said(area.kind, form),
        area.node_count,
    )


def exported(area: AreaOut, form: Formats) -> list[str]:
    """Give a place as a line of a table."""
    kind = kind_said(area.kind, form)
    return [area.name, kind, " · ".join(area.path[:-1]), str(area.node_count), area.effective.zone]


def whole(area: AreaOut, areas: Sequence[AreaOut], form: Formats) -> Whole:
    """Show a place."""
    text, known = form.text, {each.id: each for each in areas}
    way: list[tuple[str, str]] = []
    above = known.get(area.parent_id or "")
    while above is not None:
        way.insert(0, (f"/places/{above.id}", above.name))
        above = known.get(above.parent_id or "")
    count = len(_below(areas, area.id)) - 1
    nodes, places = text("count.nodes", count=area.node_count), text("count.areas", count=count)
    said = text("places.said", kind=kind_said(area.kind, form), nodes=nodes, places=places)
    return Whole(
        id=area.id,
        name=area.name,
        kind_code=area.kind,
        said=said,
        way=tuple(way),
        zone=area.zone or "",
        effective_zone=area.effective.zone,
        quiet=windows_said(area.effective.quiet_hours) or text("policies.no_quiet_hours"),
        languages=", ".join(text.word("spoken", each) for each in area.effective.languages),
        own_languages=tuple(area.languages or ()),
    )


def languages(own: Sequence[str], form: Formats) -> list[tuple[str, str]]:
    """Offer languages, a place's own first in their order."""
    prefix = "spoken."
    all_ = [key.removeprefix(prefix) for key in form.text.texts if key.startswith(prefix)]
    offered = dict.fromkeys([*own, *(code for code in all_ if code != "other")])
    return [(code, form.text.word("spoken", code)) for code in offered]
