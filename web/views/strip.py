"""What stands on top of every page: silence ordered, what sounds by the nodes' own word, and what needs a person."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import itemgetter

from controller.broadcasts.schemas import BroadcastOut
from controller.emergencies.schemas import EmergencyOut
from controller.faults.rules import OFFLINE
from controller.holds.schemas import HoldOut
from controller.nodes.schemas import NodeOut
from web.formats import Formats
from web.views.places import is_heard
from web.views.runs import title_of
from web.words import NOT_WELL, Mark, run_mark, standing_faults

FAILURE_STANDS_FOR = timedelta(hours=1)
"""After this a failed broadcast is told in today's list only."""
MOST_FAULTS = 4
"""Kinds of faults told one by one: the strip must leave room for the page."""

UNSENT = frozenset({"proposed", "counting_down"})
"""States of an emergency that waits for somebody's act; one that was sent calls as long as it sounds."""


COMING = frozenset({"awaiting_approval", "returned", "sending", "ready"})
"""Phases of what is to sound, with a yes or without."""


@dataclass(frozen=True)
class HeldLine:
    """Silence ordered somewhere."""

    id: str
    mark: Mark
    silent: str
    """How many are: all that the strip has room for."""
    said: str
    waiting: str
    """Who has not answered; empty when all have."""
    not_yet: tuple[str, ...]
    """All of their names."""
    release_said: str
    starts: str
    """What the release lets sound at once; empty: nothing."""


@dataclass(frozen=True)
class RunLine:
    """A broadcast that sounds, or comes next."""

    href: str
    title: str
    said: str
    mark: Mark | None = None
    more: str = ""
    """How many others sound besides."""


@dataclass(frozen=True)
class Problem:
    """Something that needs a person, and where to see it."""

    mark: Mark
    href: str


@dataclass(frozen=True)
class Strip:
    """All of it."""

    held: tuple[HeldLine, ...]
    many_held: Mark | None
    """With more than one hold: all of them in one line, their releases stand on the page of STOP."""
    emergencies: tuple[Problem, ...]
    """One line for the real ones, one for drills."""
    on_air: RunLine | None
    """What sounds; further ones are counted in it."""
    next: RunLine | None
    problems: tuple[Problem, ...]
    folded: Mark | None
    """With more than one problem: the line that they are folded into."""


@dataclass(frozen=True)
class Calls:
    """What waits for this very person."""

    emergencies: Sequence[EmergencyOut] = ()
    approvals: int = 0
    alarms: int = 0


def strip(
    holds: Sequence[HoldOut],
    nodes: Sequence[NodeOut],
    runs: Sequence[BroadcastOut],
    form: Formats,
    calls: Calls | None = None,
    *,
    starts: Mapping[str, str] | None = None,
) -> Strip:
    """Gather what stands on top of every page; ``starts``: what the release of each hold lets sound."""
    calls, held = calls or Calls(), held_lines(holds, form, starts or {})
    problems = (
        *_waiting(calls, form),
        *_returned(runs, form),
        *_offline(nodes, form),
        *_faults(nodes, form),
        *_failed(runs, form),
        *_looked_after(nodes, form),
    )
    return Strip(
        held=held,
        many_held=Mark("square", "stop", form.text("strip.held", count=len(held))) if len(held) > 1 else None,
        emergencies=_emergencies(calls.emergencies, runs, form),
        on_air=_on_air(nodes, runs, form),
        next=_next(runs, form),
        problems=problems,
        folded=Mark("triangle", "care", form.text("strip.folded", count=len(problems))) if len(problems) > 1 else None,
    )


def _waiting(calls: Calls, form: Formats) -> list[Problem]:
    """Count what waits for this person."""
    text, found = form.text, []
    if calls.approvals:
        mark = Mark("part", "care", text("strip.approvals", count=calls.approvals))
        found.append(Problem(mark, "/approvals"))
    if calls.alarms:
        found.append(Problem(Mark("triangle", "care", text("strip.alarms", count=calls.alarms)), "/alarms"))
    return found


def _emergencies(found: Sequence[EmergencyOut], runs: Sequence[BroadcastOut], form: Formats) -> tuple[Problem, ...]:
    """Say what everybody there must see, real ones apart from drills."""
    sounding = {run.id for run in runs if _sounds_yet(run, form)}
    calling = [each for each in found if each.state in UNSENT or _is_heard_yet(each, sounding)]
    real = [each for each in calling if each.drill is None]
    drills = [each for each in calling if each.drill is not None]
    return tuple(_emergency_line(those, form) for those in (real, drills) if those)


def _is_heard_yet(each: EmergencyOut, sounding: Collection[str]) -> bool:
    return each.state == "sent" and each.broadcast_id in sounding


def _sounds_yet(run: BroadcastOut, form: Formats) -> bool:
    """Tell whether it sounds, or will where it lies ready: a node that never got it does not keep it on every page."""
    if run.phase in {"over", "cancelled"}:
        return False
    return run.ends_at > form.now or any(run.counts.get(state) for state in ("playing", "received", "cached", "armed"))


def _emergency_line(those: Sequence[EmergencyOut], form: Formats) -> Problem:
    """Name the one that needs an act first; the others are counted."""
    first = min(those, key=lambda each: ("counting_down", "proposed", "sent").index(each.state))
    word = form.text(f"strip.emergency_{first.state}", title=first.title, by=first.proposed_by.name)
    if len(those) > 1:
        word = f"{word} {form.text('strip.more', count=len(those) - 1)}"
    href = f"/emergencies/{first.id}" if len(those) == 1 else "/emergencies"
    if first.drill is not None:
        return Problem(Mark("hatched", "unsure", f"{form.text('emergency.drill')} · {word}"), href)
    return Problem(Mark("octagon", "stop", word), href)


def held_lines(holds: Sequence[HoldOut], form: Formats, starts: Mapping[str, str]) -> tuple[HeldLine, ...]:
    """Say where silence is ordered, who obeys, and what the release sets off."""
    return tuple(_held(hold, form, starts.get(hold.id, "")) for hold in holds)


def _held(hold: HoldOut, form: Formats, starts: str) -> HeldLine:
    text, names = form.text, [node.name for node in hold.not_yet]
    return HeldLine(
        id=hold.id,
        mark=Mark("square", "stop", text("hold.word", place=hold.scope_name)),
        silent=text("hold.silent", confirmed=hold.confirmed_count, count=hold.node_count),
        said=text(
            "hold.found" if hold.found else "hold.said",
            since=form.since(hold.ordered_at),
            by=hold.ordered_by,
            confirmed=hold.confirmed_count,
            count=hold.node_count,
        ),
        waiting=text("hold.waiting", names=form.names(names), count=len(names)) if names else "",
        not_yet=tuple(names),
        release_said=text("hold.release_said", place=hold.scope_name),
        starts=text("hold.release_starts", titles=starts) if starts else "",
    )


def _on_air(nodes: Sequence[NodeOut], runs: Sequence[BroadcastOut], form: Formats) -> RunLine | None:
    """Say what nodes themselves say that they play; a node that is lost says nothing."""
    sounding: dict[str, list[NodeOut]] = {}
    for node in nodes:
        if node.now_playing and node.status in {"online", "late"}:
            sounding.setdefault(node.now_playing.broadcast_id, []).append(node)
    if not sounding:
        return None
    known = {run.id: run for run in runs}
    broadcast_id, those = max(sounding.items(), key=lambda found: len(found[1]))
    line = _sounding(known.get(broadcast_id), those, form)
    return replace(line, more=form.text("strip.more", count=len(sounding) - 1)) if len(sounding) > 1 else line


def _sounding(run: BroadcastOut | None, those: Sequence[NodeOut], form: Formats) -> RunLine:
    """Show one broadcast that sounds; a drill is called one, whoever says that it sounds."""
    playing = [node.now_playing for node in those if node.now_playing]
    mark = Mark("dot", "live", form.text("state.playing"), pulse=True, simulated=all(n.simulated_output for n in those))
    left = form.left(max(each.ends_at for each in playing))
    said = form.text("strip.on_air", left=left, sounding=len(those), count=run.node_count if run else len(those))
    title = title_of(run, form) if run else playing[0].title
    href = f"/broadcasts/{playing[0].broadcast_id}" if title else f"/nodes/{those[0].id}"
    return RunLine(href, title or form.text("strip.foreign"), said, mark)


def _next(runs: Sequence[BroadcastOut], form: Formats) -> RunLine | None:
    coming = [run for run in runs if run.phase in {"sending", "ready"} and run.start_at > form.now]
    if not coming:
        return None
    run = min(coming, key=lambda each: each.start_at)
    return RunLine(f"/broadcasts/{run.id}", title_of(run, form), form.when(run.start_at))


def _returned(runs: Sequence[BroadcastOut], form: Formats) -> tuple[Problem, ...]:
    """Say that what should sound next was refused: somebody has to change it, or it stays silent."""
    coming = [run for run in runs if run.phase in COMING and run.start_at > form.now]
    run = min(coming, key=lambda each: each.start_at, default=None)
    if run is None or run.phase != "returned":
        return ()
    reason = run.approval.returned_reason if run.approval else ""
    word = form.text("strip.returned", title=title_of(run, form), when=form.when(run.start_at), reason=reason)
    return (Problem(Mark("triangle", "care", word), f"/broadcasts/{run.id}"),)


def _offline(nodes: Sequence[NodeOut], form: Formats) -> tuple[Problem, ...]:
    """Name who is not heard from, the longest silence first."""
    lost = [
        (node.status_since or form.now, node)
        for node in nodes
        if node.status == "offline" and OFFLINE not in node.looked_after
    ]
    if not lost:
        return ()
    lost.sort(key=itemgetter(0))
    return (_problem("strip.offline", [node for _, node in lost], form, since=form.since(lost[0][0])),)


def _faults(nodes: Sequence[NodeOut], form: Formats) -> tuple[Problem, ...]:
    """Say each fault once, with all nodes that have it and its oldest time; what most nodes have comes first."""
    bad: dict[str, list[tuple[datetime | None, NodeOut]]] = {}
    for node in nodes:
        for code, since_at in standing_faults(node) if is_heard(node) else ():
            if code not in node.looked_after:
                bad.setdefault(code, []).append((since_at, node))
    most_first = sorted(bad.items(), key=lambda found: (-len(found[1]), found[0]))
    told = []
    for code, those in most_first[:MOST_FAULTS]:
        oldest = min((since_at for since_at, _ in those if since_at), default=None)
        said = {"fault": form.text.word("fault_short", code)} | ({"since": form.since(oldest)} if oldest else {})
        told.append(
            _problem("strip.fault" if oldest else "strip.fault_undated", [node for _, node in those], form, **said)
        )
    if rest := len(most_first) - len(told):
        told.append(Problem(Mark("triangle", "care", form.text("strip.more_faults", count=rest)), "/nodes"))
    return tuple(told)


def _looked_after(nodes: Sequence[NodeOut], form: Formats) -> tuple[Problem, ...]:
    """Say once, calmly and last, of which nodes somebody looks after what is wrong."""
    those = [node for node in nodes if node.looked_after]
    if not those:
        return ()
    word = form.text("strip.looked_after", count=len(those), names=form.names([node.name for node in those]))
    return (Problem(Mark("part", "unsure", word), f"/nodes/{those[0].id}" if len(those) == 1 else "/nodes"),)


def _problem(key: str, nodes: Sequence[NodeOut], form: Formats, **said: str) -> Problem:
    word = form.text(key, count=len(nodes), names=form.names([node.name for node in nodes]), **said)
    return Problem(Mark("triangle", "care", word), f"/nodes/{nodes[0].id}" if len(nodes) == 1 else "/nodes")


def _failed(runs: Sequence[BroadcastOut], form: Formats) -> tuple[Problem, ...]:
    return tuple(
        Problem(
            Mark(
                "triangle",
                "care",
                form.text(
                    "strip.failed",
                    title=title_of(run, form),
                    hour=form.hour(run.start_at),
                    word=run_mark(run, form.text).word,
                ),
            ),
            f"/broadcasts/{run.id}",
        )
        for run in runs
        if run.phase == "over"
        and form.now - run.ends_at < FAILURE_STANDS_FOR
        and any(run.counts.get(name) for name in NOT_WELL)
    )
