"""What a rollout does next: a pure function of its rows, of what its nodes say, and of the time."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from .progress import AWAY_AFTER, lies, moved
from .states import SETTLED, UNDER_WAY, Change, Course, Member, RolloutState, Skipped, State, Steps, Stopped, Tell
from .waves import is_over, reach, why_stop

READABLE = timedelta(minutes=30)
"""The command is good for so long: a link that is down for minutes delays it."""
AGAIN_AFTER = timedelta(minutes=10)
"""A node that is there and has not answered is told again."""
AT_ONCE = 200
"""Nodes told in one look: each is a row and a command, and others want the database and the broker too."""


def next_steps(course: Course, members: Iterable[Member], now: datetime, *, running: bool) -> Steps:
    """Say what is to be done. Not ``running``: nothing is sent, and what nodes say is taken in all the same."""
    before = tuple(members)
    after = tuple(moved(course, each, now) for each in before)
    liars = tuple(each.node_id for each in before if lies(course, each))
    why = why_stop(course, after, now) if running else None
    if why is not None:
        return _steps(before, after, (), liars, course.wave, ends=RolloutState.STOPPED, why=why)
    if not running:
        return _steps(before, after, (), liars, course.wave)
    if all(each.state in SETTLED for each in after):
        return _steps(before, after, (), liars, course.wave, ends=RolloutState.DONE)
    wave = course.wave + 1 if is_over(course, after, now) else course.wave
    new = set(_next_ones(replace(course, wave=wave), after))
    after = tuple(
        replace(each, state=State.TOLD, wave=wave, state_at=now, sent_at=None) if each.node_id in new else each
        for each in after
    )
    told = [each for each in after if _is_to_be_told(course, each, now)]
    told.sort(key=lambda each: each.node_id not in new)  # whose row says that it was told, is told
    tell = tuple(Tell(each.node_id, _anew(each, now)) for each in told[:AT_ONCE])
    return _steps(before, after, tell, liars, wave)


def _steps(
    before: Sequence[Member],
    after: Sequence[Member],
    tell: tuple[Tell, ...],
    lies: tuple[str, ...],
    wave: int,
    *,
    ends: RolloutState | None = None,
    why: Stopped | None = None,
) -> Steps:
    changes = tuple(
        Change(new.node_id, new.state, _reason(new), new.wave)
        for old, new in zip(before, after, strict=True)
        if (old.state, old.wave) != (new.state, new.wave)
    )
    return Steps(changes, tell, lies, wave, ends, why)


def _reason(member: Member) -> str | None:
    if member.state is State.SKIPPED:
        return Skipped.REMOVED if member.gone else Skipped.ALREADY
    said = member.report
    return said.reason if said is not None and member.state.value == said.state.value else None


def _next_ones(course: Course, members: Sequence[Member]) -> list[str]:
    """Choose who is told besides those that were: who is there, in their order, as many as the wave has room for."""
    inside = sum(each.wave is not None for each in members)
    room = reach(course.waves[course.wave], course.total) - inside
    ready = [each.node_id for each in members if each.state is State.PLANNED and _can_hear(each)]
    return ready[: max(0, min(room, AT_ONCE))]


def _can_hear(member: Member) -> bool:
    return member.online and member.able and not member.spared and not member.gone


def _is_to_be_told(course: Course, member: Member, now: datetime) -> bool:
    """Say whether to send to a node now: it was never answered, or has forgotten."""
    if member.state not in UNDER_WAY or not _can_hear(member) or member.running >= course.release:
        return False
    said = member.report
    forgotten = said is None or said.release != course.release
    if member.state is not State.TOLD and not forgotten:
        return False
    return member.sent_at is None or now - member.sent_at >= AGAIN_AFTER


def _anew(member: Member, now: datetime) -> bool:
    told_long_ago = member.state_at is not None and now - member.state_at >= AWAY_AFTER
    return not member.commands or member.state is not State.TOLD or told_long_ago
