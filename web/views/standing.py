"""How the nodes are now, place by place, and which of them need a person. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from controller.areas.schemas import AreaOut
from controller.nodes.rules import HEARD, NodeStatus
from controller.overview.schemas import AreaCount, NodeBrief, Overview
from web.formats import Formats
from web.views.places import Choice, contact_said, own_scopes
from web.words import Mark

MOST_PROBLEMS = 6
MOST_PLACES = 40
MOST_CHOICES = 60


@dataclass(frozen=True)
class Trouble:
    """A node that needs a person."""

    id: str
    name: str
    place: str
    mark: Mark


@dataclass(frozen=True)
class PlaceCount:
    """How the nodes of a place are, those below it among them."""

    name: str
    href: str
    """The day of that place alone; empty: it is the place that is looked at."""
    said: str
    unwell: Mark | None
    """How many need a person; None: nobody."""


@dataclass(frozen=True)
class Standing:
    """How the nodes are."""

    unwell: int
    troubles: tuple[Trouble, ...]
    more: str
    places: tuple[PlaceCount, ...]
    places_more: str
    any_node: bool


def standing(found: Overview, areas: Sequence[AreaOut], top_id: str, form: Formats) -> Standing:
    """Say how the nodes are; ``top_id``: the place that is looked at, empty: all in sight."""
    names = {area.id: area.name for area in areas}
    unwell = sum(each.unwell for each in found.areas)
    troubles = tuple(_trouble(node, names, form) for node in found.unwell[:MOST_PROBLEMS])
    rest = unwell - len(troubles)
    places = _places(found.areas, areas, top_id, form)
    hidden = len(places) - MOST_PLACES
    return Standing(
        unwell=unwell,
        troubles=troubles,
        more=form.text("today.more_nodes", count=rest) if rest > 0 else "",
        places=tuple(places[:MOST_PLACES]),
        places_more=form.text("today.more_places", count=hidden) if hidden > 0 else "",
        any_node=bool(found.total),
    )


def _trouble(node: NodeBrief, names: Mapping[str, str], form: Formats) -> Trouble:
    text = form.text
    icon, tone = ("part", "unsure") if node.looked_after else ("triangle", "care")
    if node.status == "offline":
        word = text("node.offline", since=form.since(node.since_at)) if node.since_at else text("node.never_seen")
    else:
        word = ", ".join(text.word("fault_short", code) for code in node.faults) or text("node.fault")
        word = word[:1].upper() + word[1:]
    said = f"{word}. {text('today.looked_after')}" if node.looked_after else word
    return Trouble(node.id, node.name, names.get(node.area_id, ""), Mark(icon, tone, said))


def _places(counts: Iterable[AreaCount], areas: Sequence[AreaOut], top_id: str, form: Formats) -> list[PlaceCount]:
    """Add up each place that lies right below what is looked at, and what stands there in none of them."""
    parents = {area.id: area.parent_id for area in areas}
    shown = _shown_below(areas, top_id)
    total: dict[str, list[int]] = {area.id: [0, 0, 0, 0] for area in shown}
    for each in counts:
        place: str | None = each.area_id
        while place is not None and place not in total:
            place = parents.get(place)
        if place is not None:
            mute = each.by_status.get(NodeStatus.UNREPORTING, 0)
            heard = sum(each.by_status.get(status, 0) for status in HEARD)
            for index, value in enumerate((each.total - mute, heard, mute, each.unwell)):
                total[place][index] += value
    above = {area.parent_id for area in shown}
    return [_place(area, total[area.id], form, is_above=area.id in above) for area in shown if any(total[area.id])]


def _place(area: AreaOut, counted: Sequence[int], form: Formats, *, is_above: bool) -> PlaceCount:
    """Say how a place is; ``is_above``: of those beside it, so that only what stands right in it was counted."""
    reporting, heard, mute, unwell = counted
    return PlaceCount(
        form.text("today.right_in", place=area.name) if is_above else area.name,
        "" if is_above else f"/today?place={area.id}",
        contact_said(heard, reporting, mute, form),
        Mark("triangle", "care", form.text("today.unwell", count=unwell)) if unwell else None,
    )


def _shown_below(areas: Sequence[AreaOut], top_id: str) -> list[AreaOut]:
    """Give the place that is looked at, for nodes that stand right in it, and those right below it."""
    scopes = set(own_scopes(areas))
    tops = [area for area in areas if area.id == top_id] if top_id else [each for each in areas if each.scope in scopes]
    if len(tops) > 1:
        return tops
    below = [area for area in areas if tops and area.parent_id == tops[0].id]
    return [*tops, *below]


def look_at(areas: Sequence[AreaOut], form: Formats) -> list[Choice]:
    """Offer places to look at: to who has more than one of their own, or places with places below them."""
    tops = set(own_scopes(areas))
    with_below = {area.parent_id for area in areas}
    inner = [area for area in areas if area.scope not in tops and area.id in with_below]
    if len(tops) < 2 and not inner:
        return []
    mine = [area for area in areas if area.scope in tops]
    everywhere = [Choice("", form.text("today.everywhere"))] if len(mine) > 1 else []
    chosen = [*mine, *inner][:MOST_CHOICES]
    return [*everywhere, *(Choice(area.id, " · ".join(area.path)) for area in chosen)]
