"""The tree of places with its nodes, for reading and for choosing."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from controller.areas.schemas import AreaOut
from controller.nodes.schemas import NodeOut
from web.formats import Formats
from web.words import Mark


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
    unread: Literal["", "nodes", "inside"] = ""
    """What is read only when somebody opens it: its own nodes, or all that is in it."""


class Whole(NamedTuple):
    """A place that can be chosen as one, with all in it."""

    scope: str
    name: str
    said: str


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


def contact_said(heard: int, reporting: int, apart: int, form: Formats) -> str:
    """Say how many of those that report are in contact; ``apart``: clusters that report nothing."""
    online = form.text("nodes.summary", online=heard, count=reporting)
    mute = form.text("count.unreporting", count=apart)
    return " · ".join(said for said, count in ((online, reporting), (mute, apart)) if count) or online


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
