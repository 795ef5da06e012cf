"""Another programme for one date of a schedule: what that would change first, then the act."""

from dataclasses import replace
from datetime import datetime

from fastapi import Response

from controller.errors import ConflictError, InvalidError
from web.forms import Form, Unclear
from web.pages.frame import back
from web.pages.schedule import one_page
from web.site import Visit
from web.views import moving as moves
from web.views.whatif import Looked, looked


async def replaced(visit: Visit, schedule_id: str, recurrence: datetime, typed: Form) -> Response:
    """Let one date air what was chosen; whoever asks for a look, or would silence something, reads that first."""
    services, replacing = visit.services, moves.read_replacing(typed, recurrence)
    seen: Looked | None = None
    try:
        known = await services.schedules.get(visit.actor, schedule_id)
        date = await services.single_dates.get(visit.actor, schedule_id, recurrence)
        moves.check_standing(replacing, date, visit.form)
        change = moves.replacing_wanted(replacing, date, known.programme_id, visit.form)
        found = await services.what_ifs.of_date(visit.actor, schedule_id, recurrence, change)
        seen = looked(typed, [schedule_id, replacing.name, replacing.programme], found.changes, visit.form)
        if seen is None:
            await services.single_dates.except_(visit.actor, schedule_id, recurrence, change)
            return back(f"/schedules/{schedule_id}", "date")
        await services.single_dates.check(visit.actor, schedule_id, recurrence, change)
    except Unclear as unclear:
        replacing = replace(replacing, problem=next(iter(unclear.problems.values())))
    except (InvalidError, ConflictError) as error:
        replacing = moves.refused(replacing, error, visit.form)
    return await one_page(visit, schedule_id, replacing=replacing, seen=seen)
