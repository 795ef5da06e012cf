"""What needs a person, line by line, as the strip tells it: requests, faults, what failed or will stay silent. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.broadcasts.schemas import BroadcastOut
from controller.emergencies.schemas import EmergencyOut
from controller.overview.schemas import FaultCount, Overview, Those
from controller.schedules.schemas import ReturnedOut, UnairedOut
from web.formats import Formats
from web.views.runs import mended_at, title_of
from web.views.unaired import href_of, soonest_said
from web.words import NOT_WELL, Mark, in_words, run_mark

FAILURE_STANDS_FOR = timedelta(hours=1)
"""After this a failed broadcast is told in today's list only."""
FAULTS = "/faults"
"""The page of all that is wrong: who of them to call is one press further."""
MOST_FAULTS = 4
"""Kinds of faults told one by one: the strip must leave room for the page."""


@dataclass(frozen=True)
class Problem:
    """Something that needs a person, and where to see it."""

    mark: Mark
    href: str


@dataclass(frozen=True)
class Calls:
    """What waits for this very person."""

    emergencies: Sequence[EmergencyOut] = ()
    approvals: int = 0
    alarms: int = 0
    unaired: Sequence[UnairedOut] = ()
    """Dates of schedules that this person may mend, which stay silent soon or did just now, by start."""
    returned: Sequence[ReturnedOut] = ()
    """Schedules that this person may mend, to which somebody said no before anything of them was planned."""


def problems(calls: Calls, found: Overview, runs: Sequence[BroadcastOut], form: Formats) -> tuple[Problem, ...]:
    """Give all of them: what waits for this very person first, what somebody looks after last."""
    return (
        *_waiting(calls, form),
        *_returned(runs, calls.returned, form),
        *_unaired(calls.unaired, form),
        *_offline(found.lost, form),
        *_faults(found.faults, form),
        *_failed(runs, form),
        *_looked_after(found.looked_after, form),
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


def _returned(runs: Sequence[BroadcastOut], unplanned: Sequence[ReturnedOut], form: Formats) -> tuple[Problem, ...]:
    """Say what was refused: somebody has to change it, or it stays silent. Of a schedule by its next date."""
    told: dict[str, tuple[datetime, Problem]] = {}
    for run in sorted(runs, key=lambda each: each.start_at):
        if run.phase == "returned" and run.start_at > form.now:
            reason = run.approval.returned_reason if run.approval else ""
            line = _returned_line(title_of(run, form), run.start_at, reason or "", mended_at(run), form)
            told.setdefault(run.schedule_id or run.id, (run.start_at, line))
    for each in unplanned:
        line = _returned_line(each.title, each.start_at, each.reason, f"/schedules/{each.schedule_id}", form)
        told.setdefault(each.schedule_id, (each.start_at, line))
    return tuple(line for _, line in sorted(told.values(), key=lambda pair: pair[0]))


def _returned_line(title: str, start_at: datetime, reason: str, href: str, form: Formats) -> Problem:
    word = form.text("strip.returned", title=title, when=form.when(start_at), reason=reason)
    return Problem(Mark("triangle", "care", word), href)


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
