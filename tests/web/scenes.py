"""A day in a commune, for looking at: some went well, some did not, one sounds, one comes, a node is lost."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.broadcasts.schemas import BroadcastIn, BroadcastOut
from controller.bulletins.schemas import BulletinIn
from controller.emergencies.schemas import BreakGlassIn, EmergencyIn, MessageIn
from controller.people.actor import Actor
from controller.people.schemas import PersonOut
from controller.policies.schemas import PolicyIn
from controller.programmes.schemas import ProgrammeIn
from controller.schedules.schemas import ScheduleIn
from edge_agent.protocol.states import PlayState, Reason
from tests.controller.factories import ADDRESS
from tests.web.harness import Commune


@dataclass
class Day:
    """What happened."""

    failed: BroadcastOut
    heard: BroadcastOut
    on_air: BroadcastOut
    coming: BroadcastOut
    lost_node: str

    def addresses(self) -> list[str]:
        runs = [self.on_air, self.failed, self.coming, self.heard]
        return [*(f"/broadcasts/{run.id}" for run in runs), f"/nodes/{self.lost_node}"]


async def busy_day(site: Commune) -> Day:
    """Live through a Monday until the evening bulletin has run for a minute."""
    names, clock = list(site.nodes), site.centre.clock

    def all_there(*those: str) -> None:
        for name in those or names:
            site.centre.hears(site.nodes[name].id)

    clock.step(hours=-8)
    all_there()
    failed = await site.broadcast("Thông báo tạm ngừng cấp nước", length_ms=65_000)
    await site.played(failed, *names[:3])
    await site.missed(failed, names[3], Reason.NO_FILE)
    clock.step(hours=3)
    all_there()
    heard = await site.broadcast("Tiêm chủng cho trẻ em tại trạm y tế", "Thôn Trại", length_ms=124_000)
    await site.played(heard, *names[1:3])
    clock.step(hours=5)
    all_there()
    on_air = await site.broadcast("Bản tin chiều", length_ms=750_000)
    await site.reach(on_air, PlayState.PLAYING, *names[:3])
    at_seven = clock().replace(hour=12, minute=0)
    coming = await site.broadcast("Họp thôn tối nay", "Thôn Đồng", "Thôn Trại", start_at=at_seven)
    await site.reach(coming, PlayState.CACHED, *names[:2])
    clock.step(seconds=timedelta(seconds=70).total_seconds())
    all_there(*names[:3])
    site.plays_now(on_air, *names[:3])
    return Day(failed, heard, on_air, coming, site.nodes[names[3]].id)


async def planned_week(site: Commune) -> dict[str, str]:
    """Plan a week, ask for a yes, write what lies ready, propose an emergency and a drill; gives pages by name."""
    centre, services = site.centre, site.centre.services
    actor, root = centre.actor, site.root
    tune = await centre.recording("Nhạc hiệu", length_ms=15_000)
    items = [{"kind": "tune", "recording_id": tune}, {"kind": "pause", "pause_ms": 5_000}]
    wanted = ProgrammeIn.model_validate({"area_id": root.id, "title": "Chương trình chiều", "items": items})
    programme = await services.programmes.create(actor, wanted)
    evening = datetime(2031, 11, 25, 17, 30)  # noqa: DTZ001 - wall time
    schedule = await services.schedules.create(
        actor,
        ScheduleIn.checked(
            title="Buổi chiều",
            programme_id=programme.id,
            targets=[root.scope],
            starts_at_local=evening,
            rule="FREQ=DAILY",
            confirm_unusual=True,
            confirm_conflicts=True,
        ),
    )
    voices = [{"language": "vi", "text": "Kính thưa bà con.\nĐêm nay rét đậm.", "recording_id": tune}]
    bulletin = BulletinIn.model_validate({"area_id": root.id, "title": "Phòng rét cho trâu bò", "voices": voices})
    written = await services.bulletins.create(actor, bulletin)
    hoa = await centre.somebody("hoa", "operator", root)
    pages = {
        "schedule": f"/schedules/{schedule.id}",
        "schedule-edit": f"/schedules/{schedule.id}/edit",
        "programme": f"/programmes/{programme.id}",
        "bulletin": f"/bulletins/{written.id}",
        "person": f"/people/{hoa.id}",
        "policy": f"/policies/{site.hamlets['Thôn Đồng'].id}",
    }
    return pages | await _asked(site, hoa) | await _emergencies(site, tune)


async def _asked(site: Commune, author: PersonOut) -> dict[str, str]:
    centre, services = site.centre, site.centre.services
    rules = PolicyIn.model_validate({"version": 0, "rules": {"second_person": [{}]}})
    await services.policies.put(centre.actor, site.root.id, rules)
    recording = await centre.recording("Họp thôn", length_ms=61_000, area_id=site.root.id)
    wanted = {"title": "Họp thôn", "recordings": [recording], "targets": [site.root.scope], "confirm_unusual": True}
    tomorrow = centre.clock() + timedelta(hours=26)
    run = await services.broadcasts.create(Actor(author.id, ADDRESS), BroadcastIn.checked(**wanted, start_at=tomorrow))
    assert run.approval is not None
    node = next(iter(site.nodes.values()))
    return {"approval": f"/approvals/{run.approval.id}", "why": f"/nodes/{node.id}/broadcasts/{run.id}/why"}


async def _emergencies(site: Commune, recording: str) -> dict[str, str]:
    services, actor = site.centre.services, site.centre.actor
    voices = [{"language": "vi", "text": "Lũ quét đang về. Sơ tán ngay.", "recording_id": recording}]
    ready = {"area_id": site.root.id, "kind": "alert", "title": "Lũ quét", "voices": voices}
    message = await services.messages.create(actor, MessageIn.model_validate(ready))
    await services.messages.create(
        actor, MessageIn.model_validate(ready | {"kind": "drill", "title": "Đây là diễn tập"})
    )
    wanted = {"message_id": message.id, "targets": [site.root.scope]}
    real = await services.emergencies.propose(actor, EmergencyIn.model_validate(wanted))
    drill = await services.emergencies.propose(actor, EmergencyIn.model_validate(wanted | {"drill": "marked"}))
    reason = BreakGlassIn(reason="Không gọi được ai")
    await services.emergencies.break_glass(actor, drill.id, reason)
    return {
        "message": f"/messages/{message.id}",
        "emergency": f"/emergencies/{real.id}",
        "drill": f"/emergencies/{drill.id}",
    }
