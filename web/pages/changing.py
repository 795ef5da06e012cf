"""Sửa lần phát: what stands besides the form of Phát ngay while a broadcast that was sent is changed."""

from controller.broadcasts.schemas import BroadcastOut, PreviewOut
from controller.nodes.rules import NodeStatus
from web.site import Visit
from web.views import changing as views
from web.views.contents import parts
from web.words import Mark


async def kept(visit: Visit, known: BroadcastOut) -> views.Kept:
    """Show what it says."""
    found = parts(await visit.services.broadcast_sounds.of(visit.actor, known.id), visit.form)
    return views.Kept(known.title, visit.form.length(known.length_ms), tuple(found))


async def effects(visit: Visit, known: BroadcastOut, found: PreviewOut) -> tuple[Mark, ...]:
    """Say what would be otherwise than it was sent."""
    plays = await visit.services.broadcasts.plays(visit.actor, known.id)
    before = {play.node_id: play.node_name for play in plays}
    return views.effects(known, before, await out_of_reach(visit), found, visit.form)


async def out_of_reach(visit: Visit) -> list[str]:
    """Name the nodes in sight that are out of reach."""
    stands = await visit.services.overview.stands(visit.actor)
    return [each.node.id for each in stands if each.status in {NodeStatus.OFFLINE, NodeStatus.NEVER_SEEN}]
