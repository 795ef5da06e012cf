"""What stands on top of every page: silence ordered, what sounds by the nodes' own word, and what needs a person."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from controller.broadcasts.schemas import BroadcastOut
from controller.emergencies.schemas import EmergencyOut
from controller.emergencies.states import UNDECIDED
from controller.holds.schemas import HoldOut
from controller.overview.schemas import Overview, SoundingOut
from web.formats import Formats
from web.views.held import HeldLine, held_lines
from web.views.runs import title_of
from web.views.strip_problems import Calls, Problem, problems
from web.words import Mark


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
    told = problems(calls, found, runs, form)
    return Strip(
        held=held,
        many_held=Mark("square", "stop", form.text("strip.held", count=len(held))) if len(held) > 1 else None,
        emergencies=_emergencies(calls.emergencies, runs, form),
        on_air=_on_air(found, runs, form),
        next=_next(runs, form, silent),
        problems=told,
        folded=Mark("triangle", "care", form.text("strip.folded", count=len(told))) if len(told) > 1 else None,
        approvals=calls.approvals,
        unsent=sum(each.state in UNDECIDED for each in calls.emergencies),
    )


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
    kind = "emergency" if first.drill is None else "drill"  # nobody takes one for the other
    word = form.text(f"strip.{kind}_{first.state}", title=first.title, by=first.proposed_by.name)
    if len(those) > 1:
        word = f"{word} {form.text('strip.more', count=len(those) - 1)}"
    href = f"/emergencies/{first.id}" if len(those) == 1 else "/emergencies"
    if first.drill is not None:
        return Problem(Mark("hatched", "unsure", word), href)
    return Problem(Mark("octagon", "stop", word), href)


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
