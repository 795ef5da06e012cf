"""Hôm nay: what the day comes to in one sentence, its broadcasts hour by hour, and how the nodes are. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from controller.areas.schemas import AreaOut
from controller.broadcasts.schemas import BroadcastOut
from controller.nodes.rules import HEARD, NodeStatus
from controller.overview.schemas import AreaCount, NodeBrief, Overview
from controller.plays.schemas import PlayedNotOut
from web.formats import Formats
from web.i18n import Catalogue
from web.views.places import Choice, contact_said, own_scopes
from web.views.runs import kind_of, returned_said, targets_of
from web.words import EMERGENCY, NOT_WELL, Mark, doubt_said, in_words, run_mark

MOST_NAMED = 5
"""Nodes of one reason that unfold with a broadcast; the others stand on its own page."""
TOLD_AT_ONCE = 2
"""Of these, told without unfolding."""
MOST_PROBLEMS = 6
MOST_PLACES = 40
MOST_CHOICES = 60

_DRILLS = {"silent": "emergency.drill_silent"}
_ENDED = frozenset({"over", "cancelled", "not_approved", "replaced"})


class NodeWhy(NamedTuple):
    """A node that did not play well, and where it says why."""

    id: str
    """Of its place on the page."""
    name: str
    why_href: str


@dataclass(frozen=True)
class Part:
    """Nodes that did not play well for the same reason."""

    said: str
    nodes: tuple[NodeWhy, ...]
    more: str
    """How many others; empty: none."""


@dataclass(frozen=True)
class DayLine:
    """A broadcast in the day."""

    id: str
    hour: str
    sign: Mark | None
    """That it is an emergency, or a drill; None: routine."""
    title: str
    said: str
    mark: Mark
    stands: str
    """``past``, ``now`` or ``coming``."""
    notes: tuple[str, ...]
    """Why it was returned, or that it may be heard although it was taken back."""
    why: str
    """Which nodes did not play it and why, in a line; empty: all did."""
    parts: tuple[Part, ...]
    one: NodeWhy | None
    """The only node that did not: nothing to unfold."""


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
    """The day of that place alone."""
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


@dataclass(frozen=True)
class Day:
    """The whole page."""

    sentence: Mark | None
    """What became of what is over; None: there is nothing to say yet."""
    lines: tuple[DayLine, ...]
    now_before: str
    """Id of the first line that is yet to come: before it stands the present hour; empty: after all of them."""
    hour: str


def is_not_well(run: BroadcastOut) -> bool:
    """Tell whether somewhere it did not sound as it should, or nobody knows."""
    return any(run.counts.get(name) for name in NOT_WELL)


def day(runs: Sequence[BroadcastOut], failed: Mapping[str, Sequence[PlayedNotOut]], form: Formats) -> Day:
    """Show a day; ``failed``: of those that did not go well, where and why."""
    lines = tuple(_line(run, failed.get(run.id, ()), form) for run in runs)
    coming = (line.id for line, run in zip(lines, runs, strict=True) if run.start_at > form.now)
    return Day(_sentence(runs, form), lines, next(coming, ""), form.hour(form.now))


def _line(run: BroadcastOut, failed: Sequence[PlayedNotOut], form: Formats) -> DayLine:
    parts = tuple(_part(run.id, each, form) for each in failed)
    count = sum(each.count for each in failed)
    return DayLine(
        id=run.id,
        hour=form.hour(run.start_at),
        sign=_sign(run, form),
        title=run.title,
        said=form.text("today.run_said", length=form.length(run.length_ms), targets=targets_of(run, form)),
        mark=run_mark(run, form.text),
        stands=_stands(run, form),
        notes=(*doubt_said(run.unconfirmed, form), *returned_said(run, form)),
        why=" ".join(_named(each, form) for each in failed),
        parts=parts,
        one=parts[0].nodes[0] if count == 1 else None,
    )


def _sign(run: BroadcastOut, form: Formats) -> Mark | None:
    if run.drill is not None:
        return Mark("hatched", "unsure", form.text(_DRILLS.get(run.drill, "emergency.drill")))
    return Mark("octagon", "stop", form.text("message_kind.alert")) if run.level == EMERGENCY else None


def _stands(run: BroadcastOut, form: Formats) -> str:
    if run.phase in _ENDED:
        return "past"
    return "now" if run.phase in {"on_air", "awaiting_reports"} or run.start_at <= form.now else "coming"


def _part(run_id: str, each: PlayedNotOut, form: Formats) -> Part:
    nodes = tuple(
        NodeWhy(f"why-{run_id}-{node_id}", name, f"/nodes/{node_id}/broadcasts/{run_id}/why")
        for node_id, name in each.first
    )
    rest = each.count - len(nodes)
    return Part(_reason(each, form), nodes, form.text("today.more_nodes", count=rest) if rest else "")


def _named(each: PlayedNotOut, form: Formats) -> str:
    names = [name for _, name in each.first[: TOLD_AT_ONCE + 1]]
    return f"{form.names(names, TOLD_AT_ONCE, count=each.count)}: {_reason(each, form)}"


def _reason(each: PlayedNotOut, form: Formats) -> str:
    if each.outcome == "unknown":
        return form.text("today.no_word")
    return form.text.word("reason", each.reason) if each.reason else f"{form.text(f'outcome.{each.outcome}')}."


def _sentence(runs: Sequence[BroadcastOut], form: Formats) -> Mark | None:
    """Answer whether what should have sounded did: what did not is named first, else the last one stands for all."""
    text = form.text
    well = [run for run in runs if run.phase == "over" and run_mark(run, text).tone == "good"]
    failed = [run for run in runs if run.phase == "not_approved" or (run.phase == "over" and is_not_well(run))]
    open_yet = [run for run in runs if _is_unverified(run, text)]
    if failed or open_yet:
        last = (failed or open_yet)[-1]
        mark = run_mark(last, text)
        said = [text("today.sentence_failed", what=_called(last, form), word=in_words(mark, text))]
        if len(failed) > 1:
            said.append(text("today.sentence_failed_more", count=len(failed) - 1))
        if rest := len(open_yet) - (not failed):
            said.append(text("today.sentence_unverified", count=rest))
        if well:
            said.append(text("today.sentence_others_well", count=len(well)))
        return Mark("triangle", "care", " ".join(said)) if failed else Mark(mark.icon, mark.tone, " ".join(said))
    if not well:
        return None
    last, mark = well[-1], run_mark(well[-1], text)
    played = {"played": last.counts.get("played", 0), "count": last.node_count}
    grade = min((int(name[1]) for name in last.grades), default=0)
    said = [text("today.sentence_all_well", count=len(well))] if len(well) > 1 else []
    said.append(text(f"today.sentence_e{grade}", what=_called(last, form), **played))
    return Mark(mark.icon, "good", " ".join(said), simulated=mark.simulated)


def _is_unverified(run: BroadcastOut, text: Catalogue) -> bool:
    """Tell of an emergency that is over and did not fail whether yet nobody can say that it was heard."""
    over = run.phase == "over" and run.level == EMERGENCY and bool(run.node_count)
    return over and not is_not_well(run) and run_mark(run, text).tone != "good"


def _called(run: BroadcastOut, form: Formats) -> str:
    """Name a run inside a sentence: what it is and its title, without a colon that would end the clause."""
    kind = kind_of(run, form)
    return f"{form.hour(run.start_at)} {kind} “{run.title}”" if kind else f"{form.hour(run.start_at)} {run.title}"


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
    """Add up each place that lies right below what is looked at."""
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
    return [_place(area, total[area.id], form) for area in shown if any(total[area.id])]


def _place(area: AreaOut, counted: Sequence[int], form: Formats) -> PlaceCount:
    reporting, heard, mute, unwell = counted
    return PlaceCount(
        area.name,
        f"/today?place={area.id}",
        contact_said(heard, reporting, mute, form),
        Mark("triangle", "care", form.text("today.unwell", count=unwell)) if unwell else None,
    )


def _shown_below(areas: Sequence[AreaOut], top_id: str) -> list[AreaOut]:
    """Give the places right below the one that is looked at; where there is none below, the place itself."""
    scopes = set(own_scopes(areas))
    tops = [area for area in areas if area.id == top_id] if top_id else [each for each in areas if each.scope in scopes]
    if len(tops) > 1:
        return tops
    below = [area for area in areas if tops and area.parent_id == tops[0].id]
    itself = [top for top in tops if top.node_count and not below]
    return [*itself, *below]


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
