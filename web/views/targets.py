"""Places and nodes to choose from: what a first page carries, the rest when it is opened; and all on a map. Pure."""

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from controller.areas.schemas import AreaOut
from controller.nodes.rules import HEARD, NodeStatus
from controller.nodes.schemas import MapOut, NodeOut, SpotOut
from controller.overview.schemas import Overview
from web.formats import Formats
from web.views.node_lists import spot_rows
from web.views.places import NodeLine, Place, contact_said
from web.words import node_mark, quiet

MOST_PLACES = 120
"""Places that stand on a first page; those below them come when somebody opens them."""
MOST_SPOTS = 300
"""Nodes, or places, that a map shows at once: with more nodes, places alone are chosen there."""


class Counts(NamedTuple):
    """The nodes of a place, those below it among them."""

    heard: int = 0
    reporting: int = 0
    apart: int = 0
    own: int = 0
    """Of all these, those that stand in the place itself."""


Read = Mapping[str, Sequence[NodeOut]]
"""Nodes by area, of the areas whose nodes were read."""


def counted(areas: Sequence[AreaOut], found: Overview) -> dict[str, Counts]:
    """Count the nodes of each place."""
    parents = {area.id: area.parent_id for area in areas}
    sums = {area.id: [0, 0, 0, 0] for area in areas}
    for each in found.areas:
        if each.area_id in sums:
            sums[each.area_id][3] = each.total
        apart = each.by_status.get(NodeStatus.UNREPORTING, 0)
        heard = sum(each.by_status.get(status, 0) for status in HEARD)
        place: str | None = each.area_id
        while place is not None and place in sums:
            for index, value in enumerate((heard, each.total - apart, apart)):
                sums[place][index] += value
            place = parents[place]
    return {area_id: Counts(*values) for area_id, values in sums.items()}


class _Shown(NamedTuple):
    """What all places of a tree are drawn from."""

    below: Mapping[str | None, Sequence[AreaOut]]
    opened: Collection[str]
    """Places that show what is in them."""
    counts: Mapping[str, Counts]
    read: Read
    chosen: Collection[str]
    form: Formats


def choosable(
    areas: Sequence[AreaOut], counts: Mapping[str, Counts], read: Read, chosen: Collection[str], form: Formats
) -> tuple[Place, ...]:
    """Show places as a tree, from the uppermost on as far as a page carries them, and all that is chosen."""
    below, known = _below(areas), {area.id for area in areas}
    tops = [area for area in areas if area.parent_id not in known]
    always = _above_chosen(areas, read, chosen)
    opened = _opened(tops, below, always | {tops[0].id} if len(tops) == 1 else always)
    shown = _Shown(below, opened, counts, read, chosen, form)
    return tuple(_place(top, shown) for top in tops)


def _below(areas: Sequence[AreaOut]) -> dict[str | None, list[AreaOut]]:
    below: dict[str | None, list[AreaOut]] = {}
    for area in areas:
        below.setdefault(area.parent_id, []).append(area)
    return below


def _above_chosen(areas: Sequence[AreaOut], read: Read, chosen: Collection[str]) -> set[str]:
    """Name the places that have to stand open for what is chosen to be seen."""
    parents = {area.id: area.parent_id for area in areas}
    shown = {area.parent_id for area in areas if area.scope in chosen}
    shown |= {area_id for area_id, nodes in read.items() if any(node.scope in chosen for node in nodes)}
    found: set[str] = set()
    waiting = list(shown)
    while waiting:
        place = waiting.pop()
        if place is not None and place not in found:
            found.add(place)
            waiting.append(parents.get(place))
    return found


def _opened(tops: Sequence[AreaOut], below: Mapping[str | None, Sequence[AreaOut]], always: set[str]) -> set[str]:
    """Choose level by level which places show what is in them."""
    opened, left, waiting = set(always), MOST_PLACES - len(tops), deque(tops)
    while waiting:
        area = waiting.popleft()
        inside = below.get(area.id, [])
        if area.id in always or len(inside) <= left:
            opened.add(area.id)
            left -= len(inside)
            waiting.extend(inside)
    return opened


def _place(area: AreaOut, shown: _Shown) -> Place:
    count, inside, form = shown.counts[area.id], shown.below.get(area.id, ()), shown.form
    is_open, nodes = not inside or area.id in shown.opened, node_lines(shown.read.get(area.id, ()), form)
    unread = bool(count.own) and area.id not in shown.read and (count.own > 1 or bool(inside))
    return Place(
        id=area.id,
        scope=area.scope,
        name=area.name,
        said=contact_said(*count[:3], form) if any(count) else form.text("area.no_nodes"),
        nodes=nodes,
        below=tuple(_place(each, shown) for each in inside) if is_open else (),
        chosen_nodes=any(node.scope in shown.chosen for node in nodes),
        unread="inside" if not is_open else "nodes" if unread else "",
    )


def node_lines(nodes: Sequence[NodeOut], form: Formats) -> tuple[NodeLine, ...]:
    """Show nodes to choose from."""
    return tuple(NodeLine(node.id, node.scope, node.name, quiet(node_mark(node, form))) for node in nodes)


def on_a_map(found: MapOut, areas: Sequence[AreaOut], form: Formats) -> dict[str, Any]:
    """Give what can be chosen on a map: nodes where they stand, places in the middle of theirs."""
    by_id = {area.id: area for area in areas}
    inside: dict[str, list[SpotOut]] = {}
    for each in found.spots:
        for area in _chain(each.area_id, by_id):
            inside.setdefault(area.id, []).append(each)
    few = len(found.spots) <= MOST_SPOTS
    shown = [area for area in areas if len(inside.get(area.id, ())) > 1 and area.parent_id in by_id]
    while not few and len(shown) > MOST_SPOTS:
        deepest = max(area.depth for area in shown)
        shown = [area for area in shown if area.depth < deepest]
    return {
        "nodes": [_node_spot(each, by_id, form) for each in found.spots] if few else [],
        "areas": [_area_spot(area, inside[area.id], by_id, form) for area in shown],
        "unplaced": found.unplaced,
    }


def still_there(scopes: Collection[str], areas: Sequence[AreaOut], nodes: Sequence[NodeOut]) -> list[dict[str, Any]]:
    """Give those of these that there are, with what they lie in, as spots of a map have it."""
    by_id, found = {area.id: area for area in areas}, dict[str, dict[str, Any]]()
    for area in areas:
        over = [each.scope for each in _chain(area.parent_id, by_id)]
        found[area.scope] = {"scope": area.scope, "name": area.name, "place": "", "over": over}
    for node in nodes:
        chain = list(_chain(node.area_id, by_id))
        place = chain[0].name if chain else ""
        over = [each.scope for each in chain]
        found[node.scope] = {"scope": node.scope, "name": node.name, "place": place, "over": over}
    return [found[scope] for scope in scopes if scope in found]


def _chain(area_id: str | None, by_id: Mapping[str, AreaOut]) -> Iterator[AreaOut]:
    while area_id is not None and area_id in by_id:
        yield by_id[area_id]
        area_id = by_id[area_id].parent_id


def _node_spot(each: SpotOut, by_id: Mapping[str, AreaOut], form: Formats) -> dict[str, Any]:
    over = list(_chain(each.area_id, by_id))
    [row] = spot_rows([each], form)
    return {
        "scope": f"nodes/{each.id}",
        "name": each.name,
        "at": [each.latitude, each.longitude],
        "icon": row.mark.icon,
        "tone": row.mark.tone,
        "word": row.mark.word,
        "over": [area.scope for area in over],
        "place": over[0].name if over else "",
    }


def _area_spot(area: AreaOut, inside: Sequence[SpotOut], by_id: Mapping[str, AreaOut], form: Formats) -> dict[str, Any]:
    north = sum(each.latitude for each in inside) / len(inside)
    east = sum(each.longitude for each in inside) / len(inside)
    return {
        "scope": area.scope,
        "name": area.name,
        "said": form.text("count.nodes", count=area.node_count),
        "over": [each.scope for each in _chain(area.parent_id, by_id)],
        "at": [round(north, 6), round(east, 6)],
    }
