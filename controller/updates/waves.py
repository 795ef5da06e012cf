"""Waves: how many nodes each of them reaches, when the next may begin, and what stops all of them."""

import re
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from math import ceil

from .progress import AWAY_AFTER, PATIENCE, silent
from .states import TROUBLE, UNDER_WAY, Course, Member, State, Stopped

WAVES = ("1", "5%", "25%", "100%")
"""How many of the nodes have been told at the end of each wave (brief of issue 4; Mender and hawkBit work alike)."""
MAX_WAVES = 16
SOAK = timedelta(hours=1)
"""Between the end of a wave and the next: a fault that a quarter of an hour hides shows in four programmes of a day.
Who was good and falls silent in it is waited for, and is lost after ``LOST_AFTER``."""
ERROR_PERCENT = 5
"""Of a wave after the first, so many may go wrong. In the first, none."""
_WAVE = re.compile(r"(?:[1-9][0-9]{0,4}|(?:[1-9][0-9]?|100)%)\Z")


def check_waves(waves: Sequence[str]) -> bool:
    """Say whether waves can be gone through: numbers or shares, of which the last is all."""
    return 0 < len(waves) <= MAX_WAVES and all(map(_WAVE.match, waves)) and waves[-1] == "100%"


def reach(wave: str, total: int) -> int:
    """Give how many nodes have been told at the end of a wave."""
    many = ceil(total * int(wave[:-1]) / 100) if wave.endswith("%") else int(wave)
    return min(total, many)


def why_stop(course: Course, members: Sequence[Member], now: datetime) -> Stopped | None:
    """Say what ends the rollout now; None: it goes on."""
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


def is_over(course: Course, members: Sequence[Member], now: datetime) -> bool:
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
    away = not member.online and member.state is not State.WAITING and silent(member, now) >= AWAY_AFTER
    return not away and not _stays(member, now)
