"""Dates that no roll has reached yet, of programmes of which nothing is planned: a yes to them is asked for by now."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.rules import Tree

from .looking import Looking
from .models import Schedule, ScheduleException
from .planning import Planner, is_aired

ASKED_SPAN = timedelta(days=92)
"""A yes that is asked for reaches this far: a quarter, after which the leader is asked again."""


async def far_contents(
    session: AsyncSession,
    row: Schedule,
    tree: Tree,
    changes: Sequence[ScheduleException],
    programmes: Collection[str | None],
    *,
    now: datetime,
) -> dict[str, datetime]:
    """Give the hash of what each of these programmes says there, with the start of its first date.

    Of ``programmes`` None stands for any. What has a date that is planned is left out: of that the broadcasts tell.
    """
    dates = await Looking.ahead(session, tree, row, now, ASKED_SPAN).dates(row, changes)
    first = {each.programme_id: each for each in reversed(dates) if is_aired(each) and each.start_at > now}
    until = row.rolled_until or now
    wanted = [each for key, each in first.items() if key in programmes or None in programmes]
    far = [each for each in wanted if each.start_at >= until]
    if not far:
        return {}
    planned, _ = await (await Planner.of(session, row, tree)).plan_all(far)
    return {each.laid_out.content_sha256: each.session.start_at for each in planned.values()}
