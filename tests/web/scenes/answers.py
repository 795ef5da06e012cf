"""What became of requests: a yes, a no to a whole schedule and to one date of another, one taken back, one to come."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from controller.approvals import listening
from controller.approvals.schemas import ApprovalRow, ReturnIn
from controller.broadcasts.schemas import BroadcastIn
from controller.people.actor import Actor
from controller.policies.schemas import PolicyIn
from controller.programmes.schemas import ProgrammeIn
from controller.recordings.models import Recording
from controller.schedules.schemas import ExceptionIn
from controller.schedules.states import DateChange
from edge_agent.protocol.states import PlayState
from tests.controller.factories import ADDRESS
from tests.web.harness import Commune
from tests.web.scenes.plan import schedule

FIVE = datetime(2031, 11, 25, 5, 0)  # noqa: DTZ001 - wall time
FAIR = datetime(2031, 12, 20, 5, 0)  # noqa: DTZ001 - wall time
"""A date of five o'clock too far ahead to be planned."""
MINUTE_MS = 60_000


async def second_person(site: Commune) -> None:
    """Let everything need the yes of somebody else."""
    rules = PolicyIn.model_validate({"version": 0, "rules": {"second_person": [{}]}})
    await site.centre.services.policies.put(site.centre.actor, site.root.id, rules)


async def programme(site: Commune, title: str, minutes: int) -> str:
    """Write one with a recording; gives its id."""
    recording = await site.centre.recording(title, length_ms=minutes * MINUTE_MS, area_id=site.root.id)
    items = [{"kind": "recording", "recording_id": recording}]
    wanted = ProgrammeIn.model_validate({"area_id": site.root.id, "title": title, "items": items})
    return (await site.centre.services.programmes.create(site.centre.actor, wanted)).id


async def one_date_returned(site: Commune, leader: Actor) -> str:
    """Have five o'clock of every day approved, and what airs instead on a day of December returned; gives its id."""
    made = await schedule(site, await programme(site, "Tin xã buổi sáng", 20), "Buổi sáng", FIVE, "FREQ=DAILY")
    fair = ExceptionIn(kind=DateChange.KEPT, programme_id=await programme(site, "Hội chợ cuối năm", 25))
    await site.centre.services.single_dates.except_(site.centre.actor, made, FAIR, fair)
    for row in await site.centre.services.approvals.list(leader):
        await (_returned if row.first_start_at.month == FAIR.month else approved)(site, leader, row)
    return made


async def approved(site: Commune, leader: Actor, row: ApprovalRow) -> None:
    """Hear all of a request, in no time, and say yes."""
    approvals, now = site.centre.services.approvals, site.centre.clock()
    asked = await approvals.get(leader, row.id)
    async with site.centre.database.transaction() as tx:
        ids = [file.recording_id for file in asked.files]
        for each in await tx.session.scalars(select(Recording).where(Recording.id.in_(ids))):
            length_ms = each.length_ms or 0
            await listening.note(tx, leader.person_id or "", each.sha256 or "", [(0, length_ms)], length_ms, now=now)
    await approvals.approve(leader, row.id)


async def _returned(site: Commune, leader: Actor, row: ApprovalRow) -> None:
    await site.centre.services.approvals.return_(leader, row.id, ReturnIn(reason="Dài quá, bớt phần quảng cáo"))


async def answered(site: Commune) -> dict[str, str]:
    """Let all of that happen, and a date be taken out that nodes hold; gives pages by name."""
    centre, services, actor = site.centre, site.centre.services, site.centre.actor
    evening = datetime(2031, 11, 24, 20, 0)  # noqa: DTZ001 - wall time
    late = await schedule(site, await programme(site, "Văn nghệ", 15), "Văn nghệ buổi tối", evening, "FREQ=DAILY")
    at_eight = datetime(2031, 11, 24, 13, 0, tzinfo=UTC)
    [run] = await services.broadcasts.list(actor, from_at=at_eight, to_at=at_eight + timedelta(minutes=1))
    await site.reach(run, PlayState.CACHED, *site.nodes)
    await services.single_dates.except_(actor, late, evening, ExceptionIn(kind=DateChange.CANCELLED))
    await second_person(site)
    leader = Actor((await centre.somebody("nam", "approver", site.root, name="Lê Văn Nam")).id, ADDRESS)
    morning = await one_date_returned(site, leader)
    returned = await schedule(
        site, await programme(site, "Tin trưa", 45), "Buổi trưa", FIVE.replace(hour=11), "FREQ=DAILY"
    )
    [row] = await services.approvals.list(leader)
    await _returned(site, leader, row)
    back = await schedule(
        site, await programme(site, "Tin chiều", 10), "Tin chiều", FIVE.replace(hour=16), "FREQ=DAILY"
    )
    [row] = await services.approvals.list(leader)
    await services.approvals.withdraw(actor, row.id)
    recording = await centre.recording("Họp thôn", length_ms=5 * MINUTE_MS, area_id=site.root.id)
    meeting = {"title": "Họp thôn", "recordings": [recording], "targets": [site.root.scope], "confirm_unusual": True}
    at = datetime(2031, 11, 24, 22, 5, tzinfo=UTC)
    single = await services.broadcasts.create(
        actor, BroadcastIn.checked(**meeting, start_at=at, confirm_conflicts=True)
    )
    assert single.approval is not None
    return {
        "taken-out": f"/broadcasts/{run.id}",
        "one-date-returned": f"/schedules/{morning}",
        "returned-schedule": f"/schedules/{returned}",
        "withdrawn-schedule": f"/schedules/{back}",
        "withdrawn-request": f"/approvals/{row.id}",
        "meets": f"/approvals/{single.approval.id}",
    }
