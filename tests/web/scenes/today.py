"""A day in a commune: some went well, some did not, one sounds, one comes, a node is lost."""

from dataclasses import dataclass
from datetime import timedelta

from controller.broadcasts.schemas import BroadcastOut
from edge_agent.protocol.states import PlayState, Reason
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
