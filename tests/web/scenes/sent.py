"""Emergencies that were sent and did not sound everywhere; and something planned that half of the nodes may miss."""

from datetime import timedelta

from controller.broadcasts.schemas import BroadcastOut
from controller.emergencies.schemas import EmergencyIn, MessageIn
from controller.people.actor import Actor
from edge_agent.protocol.states import Grade, Outcome, PlayState, Reason
from tests.controller.factories import ADDRESS
from tests.web.harness import Commune


async def sent(site: Commune) -> dict[str, str]:
    """Send a flood that is cut off at one node, and a storm that one misses; gives their pages by name."""
    names, clock = list(site.nodes), site.centre.clock
    author = Actor((await site.centre.somebody("thu.hien", "operator", site.root, name="Nguyễn Thu Hiền")).id, ADDRESS)
    _there(site, *names)
    cut, flood = await _send(site, author, "Lũ quét", "Lũ quét đang về. Sơ tán ngay lên đồi sau trường học.", 18)
    await site.played(flood, names[0], grade=Grade.E2)
    await site.played(flood, names[1])
    await site.reach(flood, PlayState.PLAYING, *names[2:])
    cut_off = {"outcome": Outcome.INTERRUPTED, "reason": Reason.POWER, "requested_ms": flood.length_ms}
    await site.says(flood, names[2], **cut_off, played_ms=12_000)
    await site.says(flood, names[3], outcome=Outcome.PLAYED, grade=Grade.E1)
    clock.step(minutes=20)
    _there(site, *names)
    missed, storm = await _send(site, author, "Bão số 9", "Bão đổ bộ đêm nay. Không ai ra khỏi nhà.", 60)
    await site.reach(storm, PlayState.PLAYING, *names[:3])
    await site.missed(storm, names[3], Reason.NO_FILE)
    coming = await site.broadcast("Tối nay họp toàn xã", start_at=clock() + timedelta(hours=2), confirm_unusual=True)
    await site.reach(coming, PlayState.CACHED, *names)
    clock.step(minutes=1)
    _there(site, names[0], names[2])  # of the others nobody knows that they play what they have
    site.plays_now(storm, names[0], names[2])
    return {"emergency-cut": cut, "emergency-missed": missed}


def _there(site: Commune, *names: str) -> None:
    for name in names:
        site.centre.hears(site.nodes[name].id)


async def _send(site: Commune, author: Actor, title: str, words: str, seconds: int) -> tuple[str, BroadcastOut]:
    """Propose and confirm one; gives its page and its broadcast."""
    emergencies, actor = site.centre.services.emergencies, site.centre.actor
    recording = await site.centre.recording(title, length_ms=seconds * 1000, area_id=site.root.id)
    voices = [{"language": "vi", "text": words, "recording_id": recording}]
    ready = {"area_id": site.root.id, "kind": "alert", "title": title, "voices": voices}
    message = await site.centre.services.messages.create(actor, MessageIn.model_validate(ready))
    wanted = {"message_id": message.id, "targets": [site.root.scope]}
    made = await emergencies.propose(author, EmergencyIn.model_validate(wanted))
    known = await emergencies.confirm(actor, made.id)
    assert known.broadcast_id is not None
    return f"/emergencies/{made.id}", await site.centre.services.broadcasts.get(actor, known.broadcast_id)
