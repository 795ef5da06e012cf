"""Nodes, their faults and their plays as rows of lists; and as spots on the map. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from controller.areas.schemas import AreaOut
from controller.faults.schemas import FaultEntryOut
from controller.nodes.lists import PLAYING, UNWELL
from controller.nodes.rules import NodeKind, NodeStatus
from controller.nodes.schemas import ContactOut, NodeOut, SpotOut
from controller.overview.schemas import Overview
from controller.plays.of_node import NodePlayOut
from web.formats import Formats
from web.i18n import Catalogue
from web.listing import Column, Filter
from web.views.faults import Entry, also, entry
from web.views.places import choices
from web.words import Mark, in_words, node_mark, play_mark, play_why, quiet, standing_faults

NODE_COLUMNS = (Column("name", "nodes.name"), Column("place", "nodes.place"), Column("need", "nodes.state"))
FAULT_COLUMNS = (
    Column("need", "faults.what"),
    Column("node", "faults.node", sort=False),
    Column("since", "faults.since_head"),
    Column("act", "faults.act", sort=False),
)
PLAY_COLUMNS = (
    Column("start", "node_plays.start"),
    Column("title", "node_plays.title", sort=False),
    Column("result", "node_plays.result", sort=False),
)
STATES = (UNWELL, PLAYING, *NodeStatus)
FAULT_STATES = ("new", "acknowledged", "cleared")
RESULTS = ("played", "failed", "open")


@dataclass(frozen=True)
class NodeRow:
    """A node in a list."""

    id: str
    name: str
    place: str
    mark: Mark
    wrong: str
    """What is wrong with it, in few words."""


@dataclass(frozen=True)
class FaultRow:
    """A fault in the list of all."""

    entry: Entry
    node_id: str
    node_name: str
    place: str
    since: str
    more: str
    """Besides since when: how often, who looks after it."""
    call: ContactOut | None


@dataclass(frozen=True)
class PlayRow:
    """A play in the list of a node."""

    broadcast_id: str
    title: str
    at: str
    mark: Mark
    why: str

    @property
    def id(self) -> str:
        """Tell it from the others of its list."""
        return self.broadcast_id


def counts_said(found: Overview, form: Formats) -> str:
    """Count those in contact among the nodes that report; those that report nothing are counted apart."""
    told = found.by_status
    apart = told.get(NodeStatus.UNREPORTING, 0)
    online, reporting = told.get(NodeStatus.ONLINE, 0) + told.get(NodeStatus.LATE, 0), found.total - apart
    said = form.text("nodes.summary", online=online, count=reporting)
    mute = form.text("count.unreporting", count=apart)
    return " · ".join(each for each, count in ((said, reporting), (mute, apart)) if count) or said


def node_filters(areas: Sequence[AreaOut], found: Overview, form: Formats, asked_fault: str = "") -> tuple[Filter, ...]:
    """Say by what nodes are narrowed; of faults by those that there are, and by the one that is asked for."""
    text = form.text
    codes = dict.fromkeys(
        [*(each.code for each in found.faults), *(code for each in found.unwell for code in each.faults)]
    )
    if asked_fault.isidentifier() and len(asked_fault) <= 40:  # a code
        codes[asked_fault] = None
    return (
        Filter("area", "nodes.place", tuple(choices(areas))),
        Filter("state", "nodes.state", tuple((each, text(f"nodes.is_{each}")) for each in STATES)),
        Filter("fault", "nodes.fault", tuple((each, text.word("fault_short", each)) for each in codes)),
        Filter("kind", "nodes.kind", tuple((each, text(f"nodes.kind_{each}")) for each in NodeKind)),
    )


def fault_filters(areas: Sequence[AreaOut], text: Catalogue) -> tuple[Filter, ...]:
    """Say by what faults are narrowed; without a state those that still stand are listed."""
    states = tuple((each, text(f"faults.is_{each}")) for each in FAULT_STATES)
    return (
        Filter("area", "nodes.place", tuple(choices(areas))),
        Filter("state", "nodes.state", states, otherwise="faults.still"),
    )


def play_filters(text: Catalogue) -> tuple[Filter, ...]:
    """Say by what a node's plays are narrowed."""
    return (Filter("result", "node_plays.result", tuple((each, text(f"node_plays.is_{each}")) for each in RESULTS)),)


def node_row(node: NodeOut, form: Formats, own: str = "") -> NodeRow:
    """Show a node; ``own``: the name of the one place that its reader works in, which need not be said each time."""
    path = node.area_path[1:] if len(node.area_path) > 1 and node.area_path[0] == own else node.area_path
    codes = [code for code, _ in standing_faults(node)] if node.status in {"online", "late"} else []
    wrong = form.names([form.text.word("fault_short", code) for code in codes], 2)
    return NodeRow(node.id, node.name, " · ".join(path[-2:]), quiet(node_mark(node, form)), wrong)


def fault_row(
    fault: FaultEntryOut, place: str, call: ContactOut | None, form: Formats, *, may_acknowledge: bool
) -> FaultRow:
    """Show a fault with its node, and whom to call about it."""
    said = entry(fault, form, may_acknowledge=may_acknowledge)
    more = said.said if fault.cleared_at else " ".join(also(fault, form))
    return FaultRow(said, fault.node_id, fault.node_name, place, form.since(fault.since_at), more, call)


def play_row(play: NodePlayOut, form: Formats) -> PlayRow:
    """Show a play; a drill says so."""
    drill = f"{form.text('emergency.drill')} · " if play.drill else ""
    mark, why = play_mark(play.play, play.level, form.text, awaits=play.awaits_approval), play_why(play.play, form)
    return PlayRow(play.play.broadcast_id, f"{drill}{play.title}", form.long(play.start_at), quiet(mark), why)


@dataclass(frozen=True)
class SpotRow:
    """A node of the map in the list beside it."""

    id: str
    name: str
    mark: Mark


def spot_rows(found: Iterable[SpotOut], form: Formats) -> list[SpotRow]:
    """Show nodes beside their map."""
    return [SpotRow(each.id, each.name, _spot_mark(each, form)) for each in found]


def spots(found: Iterable[SpotOut], form: Formats) -> dict[str, list[list[Any]]]:
    """Give what a map draws. Thousands of nodes share a few marks: each names its own by its place among them."""
    marks: dict[tuple[str, str, str], int] = {}
    drawn = []
    for each in found:
        mark = _spot_mark(each, form)
        which = marks.setdefault((mark.icon, mark.tone, in_words(mark, form.text)), len(marks))
        drawn.append([each.id, each.name, round(each.latitude, 6), round(each.longitude, 6), which])
    return {"marks": [list(mark) for mark in marks], "spots": drawn}


def _spot_mark(found: SpotOut, form: Formats) -> Mark:
    text = form.text
    if found.status == NodeStatus.ONLINE:
        return _online_mark(found, form)
    if found.status == NodeStatus.LATE:
        return Mark("part", "care", text("nodes.is_late"))
    if found.status == NodeStatus.UNREPORTING:
        return Mark("empty", "unsure", text("node.unreporting"))
    if found.status == NodeStatus.NEVER_SEEN or found.since_at is None:
        return Mark("unknown", "unsure", text("node.never_seen"))
    return Mark("triangle", "care", text("node.offline", since=form.since(found.since_at)))


def _online_mark(found: SpotOut, form: Formats) -> Mark:
    text = form.text
    if found.is_playing:
        return Mark("dot", "live", text("node.playing"), simulated=found.simulated)
    if found.is_held:
        return Mark("square", "stop", text("node.held"))
    if found.faults:
        words = [text.word("fault_short", code) for code in found.faults]
        return Mark("triangle", "care", f"{text('node.fault')}: {form.names(words, 2)}")
    return Mark("on", "good", text("node.online"))


def exported(node: NodeOut, form: Formats) -> list[str]:
    """Give a node as a line of a table to take along."""
    row, place = node_row(node, form), node.position
    where = [f"{place.latitude:.6f}", f"{place.longitude:.6f}"] if place else ["", ""]
    heard = form.long(node.last_heard_at) if node.last_heard_at else ""
    state = in_words(row.mark, form.text)
    return [node.name, " · ".join(node.area_path), state, row.wrong, heard, node.software or "", *where]
