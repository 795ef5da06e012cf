"""How a node's row moves: by what that node says of a release that it was sent, and by falling silent."""

from dataclasses import replace
from datetime import datetime, timedelta

from edge_agent.protocol.updates import UpdateReport, UpdateState

from .states import SETTLED, UNDER_WAY, Course, Member, State

AWAY_AFTER = timedelta(hours=1)
"""A node that was told and has been silent for so long is waited for no more; it is told when it comes. By then no
command of before can reach it."""
LOST_AFTER = timedelta(minutes=60)
"""Silent for so long while it tries a release, a node is lost: three tries of a quarter of an hour are over by then."""
TRIED_FOR = timedelta(hours=7)
"""One that still tries after so long is lost, heard or not: its starter ends a trial that says nothing after six."""
PATIENCE = timedelta(hours=24)
"""A wave waits so long for nodes that are away, and for a node that does not come further: then that one is lost."""
_ORDER = (State.TOLD, State.FETCHING, State.WAITING, State.TRYING)


def moved(course: Course, member: Member, now: datetime) -> Member:
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
        return State.LOST if silent(member, now) >= LOST_AFTER else None
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
    if (member.left_for_update or member.state is State.TRYING) and silent(member, now) >= LOST_AFTER:
        return State.LOST
    if member.state is State.TOLD and not member.left_for_update and silent(member, now) >= AWAY_AFTER:
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


def lies(course: Course, member: Member) -> bool:
    """Say whether a node claims of this release what cannot be."""
    said = member.report
    if said is None or said.release != course.release or member.state in SETTLED or said.state == member.unbelieved:
        return False
    if member.sent_at is None:
        return member.running < course.release and said.state is UpdateState.GOOD
    return _is_ours(course, member, said) and not _is_believed(course, member, said)


def silent(member: Member, now: datetime) -> timedelta:
    """Say for how long nothing came of what it was told."""
    since = max((at for at in (member.heard_at, member.sent_at) if at is not None), default=now)
    return now - since
