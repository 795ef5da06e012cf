"""What a rollout does next: a pure function of its rows, of what its nodes say, and of the time.

A node's row moves forward by what that node says of a release that it was sent, and by nothing else; falling silent
while it tries one counts as said.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil

from edge_agent.protocol.updates import UpdateReport, UpdateState

WAVES = ("1", "5%", "25%", "100%")
"""How many of the nodes have been told at the end of each wave (brief of issue 4; Mender and hawkBit work alike)."""
MAX_WAVES = 16
SOAK = timedelta(hours=1)
"""Between the end of a wave and the next: a fault that a quarter of an hour hides shows in four programmes of a day.
Who was good and falls silent in it is waited for, and is lost after ``LOST_AFTER``."""
ERROR_PERCENT = 5
"""Of a wave after the first, so many may go wrong. In the first, none."""
READABLE = timedelta(minutes=30)
"""The command is good for so long: a link that is down for minutes delays it."""
AGAIN_AFTER = timedelta(minutes=10)
"""A node that is there and has not answered is told again."""
AWAY_AFTER = timedelta(hours=1)
"""A node that was told and has been silent for so long is waited for no more; it is told when it comes. By then no
command of before can reach it."""
LOST_AFTER = timedelta(minutes=60)
"""Silent for so long while it tries a release, a node is lost: three tries of a quarter of an hour are over by then."""
TRIED_FOR = timedelta(hours=7)
"""One that still tries after so long is lost, heard or not: its starter ends a trial that says nothing after six."""
AT_ONCE = 200
"""Nodes told in one look: each is a row and a command, and others want the database and the broker too."""
PATIENCE = timedelta(hours=24)
"""A wave waits so long for nodes that are away, and for a node that does not come further: then that one is lost."""

_WAVE = re.compile(r"(?:[1-9][0-9]{0,4}|(?:[1-9][0-9]?|100)%)\Z")


class State(StrEnum):
    """How far a node is in a rollout."""

    PLANNED = "planned"
    """It was not told."""
    TOLD = "told"
    """It was sent the release, and has not answered."""
    FETCHING = "fetching"
    WAITING = "waiting"
    """For a moment in which nothing sounds."""
    TRYING = "trying"
    GOOD = "good"
    RETURNED = "returned"
    """It could not, and what was there before runs again."""
    REFUSED = "refused"
    LOST = "lost"
    """Not heard from while it was to try or had just been good, or it came no further."""
    SKIPPED = "skipped"
    """It needs none, or cannot take it; the reason says which."""


class RolloutState(StrEnum):
    """How a rollout stands; the last two are ends."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    """By a person, or by itself; the reason says which."""
    DONE = "done"


class Stopped(StrEnum):
    """Why a rollout came to its end early."""

    BY_PERSON = "by_person"
    FIRST_WAVE = "first_wave"
    """Something went wrong in the first wave."""
    TOO_MANY = "too_many"
    """More went wrong in a later wave than may."""
    STUCK = "stuck"
    """Of a wave none was good, and none came any further."""
    EXPIRED = "expired"
    """No node takes the release any more."""


class Skipped(StrEnum):
    """Why a node is left out."""

    ALREADY = "already"
    """It runs this release, or a later one."""
    REMOVED = "removed"


OPEN = frozenset({RolloutState.RUNNING, RolloutState.PAUSED})
TROUBLE = frozenset({State.RETURNED, State.REFUSED, State.LOST})
SETTLED = TROUBLE | {State.GOOD, State.SKIPPED}
UNDER_WAY = frozenset({State.TOLD, State.FETCHING, State.WAITING, State.TRYING})
_ORDER = (State.TOLD, State.FETCHING, State.WAITING, State.TRYING)


@dataclass(frozen=True, slots=True)
class Course:
    """What a rollout's row says."""

    release: int
    total: int
    """Nodes that were to get it when it began."""
    waves: tuple[str, ...]
    soak: timedelta
    error_percent: int
    wave: int
    """Which wave it is in, from 0."""
    wave_since_at: datetime
    expires_at: datetime
    """From then on no node takes it."""


@dataclass(frozen=True, slots=True)
class Member:
    """What is known of one node: its row, and what it says."""

    node_id: str
    state: State = State.PLANNED
    state_at: datetime | None = None
    """Of its last change."""
    wave: int | None = None
    """In which it was told; None: it was not, or it never heard."""
    sent_at: datetime | None = None
    """When it was last told; None: never."""
    commands: tuple[str, ...] = ()
    """With which commands, the last ones."""
    heard_at: datetime | None = None
    """None: never."""
    online: bool = False
    left_for_update: bool = False
    """The last it said was that it goes to begin an update."""
    able: bool = True
    """It takes updates, and there is a bundle for it."""
    spared: bool = False
    """It has something more important to do now."""
    gone: bool = False
    """It was removed."""
    running: int = 0
    """Release that runs there, as it says."""
    report: UpdateReport | None = None
    unbelieved: str | None = None
    """A state that it claimed and that could not be."""


@dataclass(frozen=True, slots=True)
class Change:
    """A node that stands otherwise now."""

    node_id: str
    state: State
    reason: str | None = None
    wave: int | None = None


@dataclass(frozen=True, slots=True)
class Tell:
    """Send the release to a node."""

    node_id: str
    anew: bool
    """Under a new name: what came of the last command is not to be had any more, and the same one is obeyed once."""


@dataclass(frozen=True, slots=True)
class Steps:
    """What is to be done."""

    changes: tuple[Change, ...] = ()
    tell: tuple[Tell, ...] = ()
    """Those that are new to it are among the changes."""
    lies: tuple[str, ...] = ()
    """Nodes that claim what cannot be, and did not before: of no effect."""
    wave: int = 0
    """In which the rollout is now."""
    ends: RolloutState | None = None
    why: Stopped | None = None


def check_waves(waves: Sequence[str]) -> bool:
    """Say whether waves can be gone through: numbers or shares, of which the last is all."""
    return 0 < len(waves) <= MAX_WAVES and all(map(_WAVE.match, waves)) and waves[-1] == "100%"


def reach(wave: str, total: int) -> int:
    """Give how many nodes have been told at the end of a wave."""
    many = ceil(total * int(wave[:-1]) / 100) if wave.endswith("%") else int(wave)
    return min(total, many)


def next_steps(course: Course, members: Iterable[Member], now: datetime, *, running: bool) -> Steps:
    """Say what is to be done. Not ``running``: nothing is sent, and what nodes say is taken in all the same."""
    before = tuple(members)
    after = tuple(_moved(course, each, now) for each in before)
    lies = tuple(each.node_id for each in before if _lies(course, each))
    why = _why_stop(course, after, now) if running else None
    if why is not None:
        return _steps(before, after, (), lies, course.wave, ends=RolloutState.STOPPED, why=why)
    if not running:
        return _steps(before, after, (), lies, course.wave)
    if all(each.state in SETTLED for each in after):
        return _steps(before, after, (), lies, course.wave, ends=RolloutState.DONE)
    wave = course.wave + 1 if _is_over(course, after, now) else course.wave
    new = set(_next_ones(replace(course, wave=wave), after))
    after = tuple(
        replace(each, state=State.TOLD, wave=wave, state_at=now, sent_at=None) if each.node_id in new else each
        for each in after
    )
    told = [each for each in after if _is_to_be_told(course, each, now)]
    told.sort(key=lambda each: each.node_id not in new)  # whose row says that it was told, is told
    tell = tuple(Tell(each.node_id, _anew(each, now)) for each in told[:AT_ONCE])
    return _steps(before, after, tell, lies, wave)


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


def _moved(course: Course, member: Member, now: datetime) -> Member:
    """Take in what a node says, or that it says nothing."""
    found = _said(course, member)
    if found is not None:
        # One that was taken for away, and heard after all, is part of the wave of now.
        wave = course.wave if member.wave is None else member.wave
        return replace(member, state=found, wave=wave, state_at=now)
    if member.state not in SETTLED and member.gone:
        return replace(member, state=State.SKIPPED, wave=None, state_at=now)  # it shows nothing of the release
    if member.state is State.PLANNED and member.running >= course.release:
        return replace(member, state=State.SKIPPED, state_at=now)
    found = _after_good(course, member, now) if member.state is State.GOOD else _by_time(member, now)
    if found is None:
        return member
    return replace(member, state=found, wave=None if found is State.PLANNED else member.wave, state_at=now)


def _after_good(course: Course, member: Member, now: datetime) -> State | None:
    """Give the state to which a node comes that was good and is so no more; None: it stays."""
    if not _soaks(course, member):
        return None
    if not member.online:
        return State.LOST if _silent(member, now) >= LOST_AFTER else None
    said = member.report
    left = said is not None and said.state is UpdateState.GOOD and said.release == course.release > member.running
    return State.RETURNED if left else None


def _soaks(course: Course, member: Member) -> bool:
    """Say whether the next wave hangs on what a good node does now."""
    return member.state is State.GOOD and member.wave == course.wave and course.wave + 1 < len(course.waves)


def _by_time(member: Member, now: datetime) -> State | None:
    """Give the state to which a node comes that is not heard from, or comes no further; None: it stays."""
    if member.state not in UNDER_WAY:
        return None
    if member.state in {State.WAITING, State.TRYING} and not member.spared:
        since = now - (member.state_at or now)
        if since >= (TRIED_FOR if member.state is State.TRYING else PATIENCE):
            return State.LOST
    if member.online:
        return None
    if (member.left_for_update or member.state is State.TRYING) and _silent(member, now) >= LOST_AFTER:
        return State.LOST
    if member.state is State.TOLD and not member.left_for_update and _silent(member, now) >= AWAY_AFTER:
        return State.PLANNED  # it never heard: the command was good for minutes
    return None


def _said(course: Course, member: Member) -> State | None:
    """Give the state to which a node's own words move it; None: they do not."""
    said = member.report
    runs = member.sent_at is not None and member.running >= course.release
    if member.state in UNDER_WAY and runs and (said is None or said.release != course.release):
        return State.GOOD  # it has forgotten how it came to it
    if said is None or not _is_ours(course, member, said) or not _is_believed(course, member, said):
        return None
    state = State.GOOD if runs and said.state is UpdateState.REFUSED else State(said.state.value)
    if member.state is State.LOST:  # it is back; how that ended is still its own to say
        return state if state in SETTLED and member.online else None
    if member.state in SETTLED or (state in _ORDER and member.state in _ORDER and _rank(state) <= _rank(member.state)):
        return None
    return state


def _rank(state: State) -> int:
    return _ORDER.index(state)


def _is_ours(course: Course, member: Member, said: UpdateReport) -> bool:
    """Say whether a report answers what this rollout sent; not what another one sent before."""
    if said.command_id is not None:
        return said.command_id in member.commands
    return member.sent_at is not None and said.release == course.release


def _is_believed(course: Course, member: Member, said: UpdateReport) -> bool:
    """Say whether it can be: of what was sent, and ``good`` only with that very release running."""
    if said.state is UpdateState.GOOD:
        return said.release == member.running == course.release
    return said.release == course.release or (said.release == 0 and said.state is UpdateState.REFUSED)


def _lies(course: Course, member: Member) -> bool:
    """Say whether a node claims of this release what cannot be."""
    said = member.report
    if said is None or said.release != course.release or member.state in SETTLED or said.state == member.unbelieved:
        return False
    if member.sent_at is None:
        return member.running < course.release and said.state is UpdateState.GOOD
    return _is_ours(course, member, said) and not _is_believed(course, member, said)


def _silent(member: Member, now: datetime) -> timedelta:
    """Say for how long nothing came of what it was told."""
    since = max((at for at in (member.heard_at, member.sent_at) if at is not None), default=now)
    return now - since


def _why_stop(course: Course, members: Sequence[Member], now: datetime) -> Stopped | None:
    for wave in range(course.wave + 1):
        inside = [each for each in members if each.wave == wave]
        if sum(each.state in TROUBLE for each in inside) > _may_fail(course, wave, inside):
            return Stopped.FIRST_WAVE if wave == 0 else Stopped.TOO_MANY
    if now >= course.expires_at:
        return Stopped.EXPIRED
    own = [each for each in members if each.wave == course.wave]
    return Stopped.STUCK if course.wave + 1 < len(course.waves) and own and _is_stuck(own, now) else None


def _may_fail(course: Course, wave: int, inside: Collection[Member]) -> int:
    return 0 if wave == 0 else len(inside) * course.error_percent // 100


def _is_stuck(own: Collection[Member], now: datetime) -> bool:
    """Say whether nothing good is to be expected of a wave any more."""
    return all(each.state in TROUBLE or (each.state in UNDER_WAY and _stays(each, now)) for each in own)


def _stays(member: Member, now: datetime) -> bool:
    return not member.spared and member.state_at is not None and now - member.state_at >= PATIENCE


def _is_over(course: Course, members: Sequence[Member], now: datetime) -> bool:
    """Say whether the next wave may begin."""
    if course.wave + 1 >= len(course.waves):
        return False
    inside = [each for each in members if each.wave is not None]
    if any(_holds_up(each, now) for each in inside):
        return False
    waited = now - course.wave_since_at
    if len(inside) < reach(course.waves[course.wave], course.total) and waited < PATIENCE:
        return False
    own = [each for each in inside if each.wave == course.wave]
    # Without anybody new the wave was either of no size, or nobody is there who could be told: then the next waits too.
    shown = own if own or len(inside) < reach(course.waves[course.wave], course.total) else inside
    if not any(each.state is State.GOOD for each in shown) or _too_many_silent(course, own):
        return False
    ended = max((each.state_at for each in own if each.state_at is not None), default=course.wave_since_at)
    return now - max(ended, course.wave_since_at) >= course.soak


def _too_many_silent(course: Course, own: Collection[Member]) -> bool:
    """Say whether more would have gone wrong than may, if those that were good and are silent are dead."""
    silent = sum(each.state is State.GOOD and not each.online for each in own)
    return silent + sum(each.state in TROUBLE for each in own) > _may_fail(course, course.wave, own)


def _holds_up(member: Member, now: datetime) -> bool:
    """Say whether the wave waits for a node: it is under way, and neither away nor stuck."""
    if member.state not in UNDER_WAY:
        return False
    # One that waits and falls silent may have died at the switch.
    away = not member.online and member.state is not State.WAITING and _silent(member, now) >= AWAY_AFTER
    return not away and not _stays(member, now)


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
