"""Hôm nay: its broadcasts hour by hour, with what failed and why. Pure.

The day's sentence is said in ``day_sentence``, how the nodes are in ``standing``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from controller.broadcasts.schemas import BroadcastOut
from controller.plays.schemas import PlayedNotOut
from controller.schedules.schemas import UnairedOut
from web.formats import Formats
from web.views import unaired
from web.views.day_sentence import sentence
from web.views.runs import mended_at, refused_said, targets_of
from web.words import EMERGENCY, Mark, doubt_said, reason_said, run_mark

MOST_NAMED = 5
"""Nodes of one reason that unfold with a broadcast; the others stand on its own page."""
TOLD_AT_ONCE = 2
"""Of these, told without unfolding."""
TO_COME = frozenset({"sending", "ready"})
"""Phases of what nodes were told to play and have not begun."""
_ENDED = frozenset({"over", "cancelled", "not_approved", "replaced", "taken_out"})
_MENDED = {"returned": "schedules.to_do", "withdrawn": "schedules.to_do", "not_approved": "unaired.mend_next"}
"""What to do about a date that was returned, or whose request was taken back: yet to come, or over."""
_GONE = frozenset({"replaced", "taken_out"})
_DRILLS = {"silent": "emergency.drill_silent"}


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
    """What to do about it, with a way to ``mend_href``; empty: nothing."""
    mend_href: str = ""
    why: str = ""
    """Which nodes did not play it and why, in a line; empty: all did."""
    parts: tuple[Part, ...] = ()
    one: NodeWhy | None = None
    """The only node that did not: nothing to unfold."""


@dataclass(frozen=True)
class Day:
    """The whole page."""

    sentence: Mark | None
    """What became of what is over; None: there is nothing to say yet."""
    lines: tuple[DayLine, ...]
    now_before: str
    """Id of the first line that is yet to come: before it stands the present hour; empty: after all of them."""
    hour: str


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
    told = {key: each.id for each in unmade for key in each.replaced_ids}
    gone = {told[run.id]: run for run in runs if run.phase in _GONE and run.id in told}
    shown = [run for run in runs if run.phase not in _GONE or run.id not in told]
    unsure = doubtful or {}
    dated = [(run.start_at, _line(run, failed.get(run.id, ()), form, unsure.get(run.id, 0))) for run in shown]
    dated += [(each.start_at, _unmade(each, gone.get(each.id), form)) for each in unmade]
    dated.sort(key=lambda pair: pair[0])
    coming = (line.id for start_at, line in dated if start_at > form.now)
    lines = tuple(line for _, line in dated)
    return Day(sentence(shown, unmade, form), lines, next(coming, ""), form.hour(form.now))


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
        mend_href=href,
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
        notes=(*doubt_said(run.unconfirmed, form), *refused_said(run, form), *_doubt(doubtful, form)),
        mend=_mend(run, form),
        mend_href=mended_at(run),
        why=" ".join(_named(each, run, form) for each in failed),
        parts=parts,
        one=parts[0].nodes[0] if count == 1 else None,
    )


def _mend(run: BroadcastOut, form: Formats) -> str:
    """Say of a date of a schedule that was returned, or taken back, what to do; empty: it was neither."""
    key = _MENDED.get(run.phase) if run.schedule_id and refused_said(run, form) else None
    return form.text(key) if key else ""


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


def _named(each: PlayedNotOut, run: BroadcastOut, form: Formats) -> str:
    if each.count == run.node_count > 1:  # their names tell nothing apart
        return f"{form.text('today.all_nodes', count=each.count)}: {_reason(each, form)}"
    names = [name for _, name in each.first[: TOLD_AT_ONCE + 1]]
    return f"{form.names(names, TOLD_AT_ONCE, count=each.count)}: {_reason(each, form)}"


def _reason(each: PlayedNotOut, form: Formats) -> str:
    if each.outcome == "unknown":
        return form.text("today.no_word")
    cut = each.outcome == "interrupted"
    return reason_said(each.reason, form.text, cut=cut) if each.reason else f"{form.text(f'outcome.{each.outcome}')}."
