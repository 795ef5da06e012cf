"""The tree of places with its nodes, for reading and for choosing."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from controller.areas.schemas import AreaOut
from controller.nodes.schemas import NodeOut
from web.formats import Formats
from web.words import Mark, node_mark, quiet


@dataclass(frozen=True)
class NodeLine:
    """A node in a list."""

    id: str
    scope: str
    name: str
    mark: Mark


@dataclass(frozen=True)
class Place:
    """An area with what is in it."""

    id: str
    scope: str
    name: str
    said: str
    nodes: tuple[NodeLine, ...]
    below: tuple["Place", ...]
    chosen_nodes: bool
    """One of its own nodes is chosen: show them."""


class Choice(NamedTuple):
    """Something to choose from a list: an area, a programme, a recording."""

    id: str
    whole_name: str


@dataclass(frozen=True)
class StopPlace:
    """Where silence can be ordered."""

    scope: str
    name: str
    node_count: int


def is_heard(node: NodeOut) -> bool:
    """Tell whether a node is in contact; one late report does not make it lost."""
    return node.status in {"online", "late"}


def link_said(nodes: Sequence[NodeOut], form: Formats) -> str:
    """Count those in contact among the nodes that report; clusters that report nothing are counted apart."""
    apart = sum(node.status == "unreporting" for node in nodes)
    online = form.text("nodes.summary", online=sum(map(is_heard, nodes)), count=len(nodes) - apart)
    mute = form.text("count.unreporting", count=apart)
    return " · ".join(said for said, count in ((online, len(nodes) - apart), (mute, apart)) if count) or online


def tree(
    areas: Iterable[AreaOut], nodes: Iterable[NodeOut], form: Formats, chosen: Collection[str] = ()
) -> tuple[Place, ...]:
    """Put nodes under their areas, and areas under theirs."""
    all_areas, all_nodes = list(areas), list(nodes)
    under: dict[str, list[NodeOut]] = {area.id: [] for area in all_areas}
    parents = {area.id: area.parent_id for area in all_areas}
    for node in all_nodes:
        area_id: str | None = node.area_id
        while area_id is not None and area_id in under:
            under[area_id].append(node)
            area_id = parents[area_id]

    def place(area: AreaOut) -> Place:
        lines = [
            NodeLine(node.id, node.scope, node.name, quiet(node_mark(node, form)))
            for node in all_nodes
            if node.area_id == area.id
        ]
        return Place(
            id=area.id,
            scope=area.scope,
            name=area.name,
            said=link_said(under[area.id], form) if under[area.id] else form.text("area.no_nodes"),
            nodes=tuple(lines),
            below=tuple(place(each) for each in all_areas if each.parent_id == area.id),
            chosen_nodes=any(line.scope in chosen for line in lines),
        )

    return tuple(place(area) for area in all_areas if area.parent_id not in under)


def stop_places(areas: Iterable[AreaOut]) -> list[StopPlace]:
    """List where silence can be ordered, the whole first; places without a node only if no place has one."""
    all_areas = sorted(areas, key=lambda area: area.depth)
    shown = [area for area in all_areas if area.node_count] or all_areas
    return [StopPlace(area.scope, area.name, area.node_count) for area in shown]


def own_scopes(areas: Iterable[AreaOut]) -> list[str]:
    """Name what a person runs, and silences with one press: the uppermost of the areas given."""
    all_areas = list(areas)
    known = {area.id for area in all_areas}
    return [area.scope for area in all_areas if area.parent_id not in known]


def choices(areas: Iterable[AreaOut]) -> list[Choice]:
    """List areas by their whole names."""
    return [Choice(each.id, " · ".join(each.path)) for each in areas]


def scope_names(areas: Iterable[AreaOut], nodes: Iterable[NodeOut]) -> dict[str, str]:
    """Name every target that is in sight."""
    return {area.scope: area.name for area in areas} | {node.scope: node.name for node in nodes}
