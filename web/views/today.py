"""Hôm nay: what the day comes to in one sentence, its broadcasts hour by hour, and how the nodes are. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from controller.areas.schemas import AreaOut
from controller.broadcasts.schemas import BroadcastOut
from controller.nodes.rules import HEARD, NodeStatus
from controller.overview.schemas import AreaCount, NodeBrief, Overview
from controller.plays.schemas import PlayedNotOut
from controller.schedules.schemas import UnairedOut
from web.formats import Formats
from web.i18n import Catalogue
from web.views import unaired
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
TO_COME = frozenset({"sending", "ready"})
"""Phases of what nodes were told to play and have not begun."""
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
    """A broadcast in the day, or a date of a schedule of which none came to be."""

    id: str
    href: str
    """Its page; empty: none that this person sees."""
    hour: str
    sign: Mark | None
    """That it is an emergency, or a drill; None: routine."""
    title: str
    said: str
    mark: Mark
    stands: str
    """``past``, ``now`` or ``coming``."""
    notes: tuple[str, ...]
    """Why it was returned or never made, or that it may be heard although it was taken back."""
    mend: str = ""
    """What to do about it, with a way to ``href``; empty: nothing."""
    why: str = ""
    """Which nodes did not play it and why, in a line; empty: all did."""
    parts: tuple[Part, ...] = ()
    one: NodeWhy | None = None
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


def day(
    runs: Sequence[BroadcastOut],
    failed: Mapping[str, Sequence[PlayedNotOut]],
    form: Formats,
    unmade: Sequence[UnairedOut] = (),
    *,
    doubtful: Mapping[str, int] | None = None,
) -> Day:
    """Show a day; ``failed``: of those that did not go well, where and why; ``unmade``: dates that never became one.

    ``doubtful``: of those to come, how many nodes have it and may stay silent all the same.
    """
    # What was taken out of the plan is told once: why, and that a node that is away may have it yet.
    told = {(each.schedule_id, each.recurrence_local): each.id for each in unmade}
    gone = {told[key]: run for run in runs if run.phase == "replaced" and (key := _date_of(run)) in told}
    twice = {run.id for run in gone.values()}
    shown = [run for run in runs if run.id not in twice]
    unsure = doubtful or {}
    dated = [(run.start_at, _line(run, failed.get(run.id, ()), form, unsure.get(run.id, 0))) for run in shown]
    dated += [(each.start_at, _unmade(each, gone.get(each.id), form)) for each in unmade]
    dated.sort(key=lambda pair: pair[0])
    coming = (line.id for start_at, line in dated if start_at > form.now)
    lines = tuple(line for _, line in dated)
    return Day(_sentence(shown, unmade, form), lines, next(coming, ""), form.hour(form.now))


def _date_of(run: BroadcastOut) -> tuple[str | None, datetime | None]:
    return run.schedule_id, run.recurrence_local


def _unmade(each: UnairedOut, gone: BroadcastOut | None, form: Formats) -> DayLine:
    """Show a date of which no broadcast came to be; ``gone``: one that was taken out, where nobody can confirm it."""
    href = unaired.href_of(each)
    return DayLine(
        id=each.id,
        href=href,
        hour=form.hour(each.start_at),
        sign=None,
        title=each.title,
        said=form.text("unaired.said", targets=unaired.places_of(each, form)),
        mark=unaired.mark_of(each, form),
        stands="coming" if each.start_at > form.now else "past",
        notes=(unaired.why_said(each, form), *doubt_said(gone.unconfirmed if gone else None, form)),
        mend=unaired.to_do(each, form) if href else "",
    )


def _line(run: BroadcastOut, failed: Sequence[PlayedNotOut], form: Formats, doubtful: int) -> DayLine:
    parts = tuple(_part(run.id, each, form) for each in failed)
    count = sum(each.count for each in failed)
    return DayLine(
        id=run.id,
        href=f"/broadcasts/{run.id}",
        hour=form.hour(run.start_at),
        sign=_sign(run, form),
        title=run.title,
        said=form.text("today.run_said", length=form.length(run.length_ms), targets=targets_of(run, form)),
        mark=run_mark(run, form.text, doubtful),
        stands=_stands(run, form),
        notes=(*doubt_said(run.unconfirmed, form), *returned_said(run, form), *_doubt(doubtful, form)),
        why=" ".join(_named(each, form) for each in failed),
        parts=parts,
        one=parts[0].nodes[0] if count == 1 else None,
    )


def _doubt(count: int, form: Formats) -> list[str]:
    return [form.text("today.doubtful", count=count)] if count else []


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


class _Failure(NamedTuple):
    """Something of the day that did not sound as it should, or of which nobody knows."""

    start_at: datetime
    said: str
    mark: Mark


def _sentence(runs: Sequence[BroadcastOut], unmade: Sequence[UnairedOut], form: Formats) -> Mark | None:
    """Answer whether what should have sounded did: what did not is named first, else the last one stands for all."""
    text = form.text
    over = [run for run in runs if run.phase == "over"]
    well = [run for run in over if _is_well(run, text)]
    failed = sorted([*_failures(runs, form), *_never_made(unmade, form)], key=lambda each: each.start_at)
    open_yet = [_failure(run, form) for run in over if _is_unverified(run, text)]
    if failed or open_yet:
        last = (failed or open_yet)[-1]
        said = [last.said]
        if len(failed) > 1:
            said.append(text("today.sentence_failed_more", count=len(failed) - 1))
        if rest := len(open_yet) - (not failed):
            said.append(text("today.sentence_unverified", count=rest))
        if well:
            said.append(text("today.sentence_others_well", count=len(well)))
        icon, tone = ("triangle", "care") if failed else (last.mark.icon, last.mark.tone)
        return Mark(icon, tone, " ".join(said))
    if not well:
        return None
    last_run, mark = well[-1], run_mark(well[-1], text)
    played = {"played": last_run.counts.get("played", 0), "count": last_run.node_count}
    grade = min((int(name[1]) for name in last_run.grades), default=0)
    said = [text("today.sentence_all_well", count=len(well))] if len(well) > 1 else []
    said.append(text(f"today.sentence_e{grade}", what=_called(last_run, form), **played))
    return Mark(mark.icon, "good", " ".join(said), simulated=mark.simulated)


def _is_well(run: BroadcastOut, text: Catalogue) -> bool:
    """Tell whether every node gave evidence that it sounded. Without any nobody can say so, whatever the level."""
    return run_mark(run, text).tone == "good"


def _is_unverified(run: BroadcastOut, text: Catalogue) -> bool:
    """Tell of what did not fail whether yet nobody can say that it was heard, as nothing or too little shows it."""
    aimed = run.node_count or run.unreporting_count
    return bool(aimed) and not is_not_well(run) and not _is_well(run, text)


def _failures(runs: Iterable[BroadcastOut], form: Formats) -> list[_Failure]:
    return [
        _failure(run, form) for run in runs if run.phase == "not_approved" or (run.phase == "over" and is_not_well(run))
    ]


def _failure(run: BroadcastOut, form: Formats) -> _Failure:
    mark = run_mark(run, form.text)
    word = in_words(mark, form.text)
    return _Failure(run.start_at, form.text("today.sentence_failed", what=_called(run, form), word=word), mark)


def _never_made(unmade: Iterable[UnairedOut], form: Formats) -> list[_Failure]:
    """Name what should have sounded by now and never became a broadcast."""
    found = []
    for each in unmade:
        if each.start_at <= form.now:
            mark = unaired.mark_of(each, form)
            what = f"{form.hour(each.start_at)} {each.title}"
            said = form.text("today.sentence_failed", what=what, word=mark.word)
            found.append(_Failure(each.start_at, f"{said} {unaired.why_said(each, form)}", mark))
    return found


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
