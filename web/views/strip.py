"""What stands on top of every page: silence ordered, what sounds by the nodes' own word, and what needs a person."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import NamedTuple

from controller.broadcasts.schemas import BroadcastOut
from controller.emergencies.schemas import EmergencyOut
from controller.emergencies.states import UNDECIDED
from controller.holds.schemas import HoldOut
from controller.names import in_reading_order
from controller.nodes.rules import HEARD
from controller.overview.schemas import FaultCount, Overview, SoundingOut, Those
from controller.schedules.schemas import UnairedOut
from web.formats import Formats
from web.views.runs import title_of
from web.views.unaired import href_of, soonest_said
from web.words import NOT_WELL, Mark, in_words, run_mark

FAILURE_STANDS_FOR = timedelta(hours=1)
"""After this a failed broadcast is told in today's list only."""
FAULTS = "/faults"
"""The page of all that is wrong: who of them to call is one press further."""
MOST_FAULTS = 4
"""Kinds of faults told one by one: the strip must leave room for the page."""

MOST_WAITING = 30
"""Nodes that have not confirmed a hold, named on the page of STOP."""
COMING = frozenset({"awaiting_approval", "returned", "sending", "ready"})
"""Phases of what is to sound, with a yes or without."""


class NotYet(NamedTuple):
    """A node that has not confirmed, and why it may take longer."""

    node_id: str
    name: str
    mark: Mark


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
    not_yet: tuple["NotYet", ...]
    """The first ``MOST_WAITING`` of them, those that are in contact before those that are not."""
    not_yet_count: int
    not_yet_more: str
    """How many others have not; empty: none."""
    share: int
    """How many have, in hundredths."""
    mute: str
    """That some clusters take no orders; empty: there are none."""
    release_said: str
    starts: str
    """What the release lets sound at once; empty: nothing."""


@dataclass(frozen=True)
class GoingLine:
    """A release that not every node has obeyed yet."""

    id: str
    said: str
    not_yet: tuple[NotYet, ...]
    more: str


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
    approvals: int = 0
    """How many requests wait for this very person: a number beside the menu's word."""
    unsent: int = 0
    """How many emergencies are not sent yet: likewise."""


@dataclass(frozen=True)
class Calls:
    """What waits for this very person."""

    emergencies: Sequence[EmergencyOut] = ()
    approvals: int = 0
    alarms: int = 0
    unaired: Sequence[UnairedOut] = ()
    """Dates of schedules that this person may mend, which stay silent soon or did just now, by start."""


def strip(
    holds: Sequence[HoldOut],
    found: Overview,
    runs: Sequence[BroadcastOut],
    form: Formats,
    calls: Calls | None = None,
    *,
    starts: Mapping[str, str] | None = None,
    silent: Collection[str] = (),
) -> Strip:
    """Gather what stands on top of every page.

    ``starts``: what the release of each hold lets sound; ``silent``: runs that holds keep from being heard anywhere.
    """
    calls, held = calls or Calls(), held_lines(holds, form, starts or {})
    problems = (
        *_waiting(calls, form),
        *_returned(runs, form),
        *_unaired(calls.unaired, form),
        *_offline(found.lost, form),
        *_faults(found.faults, form),
        *_failed(runs, form),
        *_looked_after(found.looked_after, form),
    )
    return Strip(
        held=held,
        many_held=Mark("square", "stop", form.text("strip.held", count=len(held))) if len(held) > 1 else None,
        emergencies=_emergencies(calls.emergencies, runs, form),
        on_air=_on_air(found, runs, form),
        next=_next(runs, form, silent),
        problems=problems,
        folded=Mark("triangle", "care", form.text("strip.folded", count=len(problems))) if len(problems) > 1 else None,
        approvals=calls.approvals,
        unsent=sum(each.state in UNDECIDED for each in calls.emergencies),
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
    # One that waits for somebody's act; one that was sent calls as long as it sounds.
    calling = [each for each in found if each.state in UNDECIDED or _is_heard_yet(each, sounding)]
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
        not_yet=not_yet(hold, form),
        not_yet_count=len(names),
        not_yet_more=_more_nodes(len(names) - MOST_WAITING, form),
        share=round(100 * hold.confirmed_count / hold.node_count) if hold.node_count else 100,
        mute=text("stop.mute", count=hold.unreporting_count) if hold.unreporting_count else "",
        release_said=text("hold.release_said", place=hold.scope_name),
        starts=text("hold.release_starts", titles=starts) if starts else "",
    )


def not_yet(hold: HoldOut, form: Formats) -> tuple[NotYet, ...]:
    """Name who has not confirmed: who is in contact answers at once, or somebody has to go and look."""
    found = sorted(hold.not_yet, key=lambda node: (node.status not in HEARD, in_reading_order(node.name)))
    there = Mark("part", "care", form.text("stop.sent"))
    away = Mark("triangle", "care", form.text("stop.away"))
    return tuple(
        NotYet(node.node_id, node.name, there if node.status in HEARD else away) for node in found[:MOST_WAITING]
    )


def _more_nodes(count: int, form: Formats) -> str:
    return form.text("today.more_nodes", count=count) if count > 0 else ""


def letting_go(holds: Sequence[HoldOut], form: Formats) -> tuple[GoingLine, ...]:
    """Show releases that not every node has obeyed yet."""
    return tuple(
        GoingLine(
            id=hold.id,
            said=form.text(
                "stop.letting_go",
                place=hold.scope_name,
                at=form.since(hold.released_at or form.now),
                confirmed=hold.confirmed_count,
                count=hold.node_count,
            ),
            not_yet=not_yet(hold, form),
            more=_more_nodes(len(hold.not_yet) - MOST_WAITING, form),
        )
        for hold in holds
    )


def _on_air(found: Overview, runs: Sequence[BroadcastOut], form: Formats) -> RunLine | None:
    """Say what nodes themselves say that they play."""
    if not found.sounding:
        return None
    known = {run.id: run for run in runs}
    line = _sounding(known.get(found.sounding[0].broadcast_id), found.sounding[0], form)
    more = len(found.sounding) - 1
    return replace(line, more=form.text("strip.more", count=more)) if more else line


def _sounding(run: BroadcastOut | None, it: SoundingOut, form: Formats) -> RunLine:
    """Show one broadcast that sounds; a drill is called one, whoever says that it sounds."""
    mark = Mark("dot", "live", form.text("state.playing"), pulse=True, simulated=it.simulated)
    count = run.node_count if run else it.nodes
    said = form.text("strip.on_air", left=form.left(it.ends_at), sounding=it.nodes, count=count)
    title = title_of(run, form) if run else it.title
    href = f"/broadcasts/{it.broadcast_id}" if title else f"/nodes/{it.node_id}"
    return RunLine(href, title or form.text("strip.foreign"), said, mark)


def _next(runs: Sequence[BroadcastOut], form: Formats, silent: Collection[str]) -> RunLine | None:
    coming = [run for run in runs if run.phase in {"sending", "ready"} and run.start_at > form.now]
    if not coming:
        return None
    run = min(coming, key=lambda each: each.start_at)
    when = form.when(run.start_at)
    said = form.text("strip.next_held", when=when) if run.id in silent else when
    return RunLine(f"/broadcasts/{run.id}", title_of(run, form), said)


def _returned(runs: Sequence[BroadcastOut], form: Formats) -> tuple[Problem, ...]:
    """Say that what should sound next was refused: somebody has to change it, or it stays silent."""
    coming = [run for run in runs if run.phase in COMING and run.start_at > form.now]
    run = min(coming, key=lambda each: each.start_at, default=None)
    if run is None or run.phase != "returned":
        return ()
    reason = run.approval.returned_reason if run.approval else ""
    word = form.text("strip.returned", title=title_of(run, form), when=form.when(run.start_at), reason=reason)
    return (Problem(Mark("triangle", "care", word), f"/broadcasts/{run.id}"),)


def _unaired(found: Sequence[UnairedOut], form: Formats) -> tuple[Problem, ...]:
    """Say of the soonest date that nothing of it was planned, to whoever can mend it."""
    if not found:
        return ()
    return (Problem(Mark("triangle", "care", soonest_said(found, form)), href_of(found[0])),)


def _offline(lost: Those, form: Formats) -> tuple[Problem, ...]:
    """Name who is not heard from, the longest silence first."""
    if not lost.count:
        return ()
    return (_problem("strip.offline", lost, form, since=form.since(lost.since_at or form.now)),)


def _faults(faults: Sequence[FaultCount], form: Formats) -> tuple[Problem, ...]:
    """Say each fault once, with all nodes that have it and its oldest time; what most nodes have comes first."""
    told = []
    for each in faults[:MOST_FAULTS]:
        since_at = each.since_at
        said = {"fault": form.text.word("fault_short", each.code)} | (
            {"since": form.since(since_at)} if since_at else {}
        )
        told.append(_problem("strip.fault" if since_at else "strip.fault_undated", each, form, **said))
    if rest := len(faults) - len(told):
        told.append(Problem(Mark("triangle", "care", form.text("strip.more_faults", count=rest)), FAULTS))
    return tuple(told)


def _looked_after(those: Those, form: Formats) -> tuple[Problem, ...]:
    """Say once, calmly and last, of which nodes somebody looks after what is wrong."""
    if not those.count:
        return ()
    word = form.text("strip.looked_after", count=those.count, names=_names(those, form))
    return (Problem(Mark("part", "unsure", word), _where(those)),)


def _problem(key: str, those: Those, form: Formats, **said: str) -> Problem:
    word = form.text(key, count=those.count, names=_names(those, form), **said)
    return Problem(Mark("triangle", "care", word), _where(those))


def _names(those: Those, form: Formats) -> str:
    return form.names([node.name for node in those.first], count=those.count)


def _where(those: Those) -> str:
    return f"/nodes/{those.first[0].id}" if those.count == 1 else FAULTS


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
                    word=in_words(run_mark(run, form.text), form.text),
                ),
            ),
            f"/broadcasts/{run.id}",
        )
        for run in runs
        if run.phase == "over"
        and form.now - run.ends_at < FAILURE_STANDS_FOR
        and any(run.counts.get(name) for name in NOT_WELL)
    )
