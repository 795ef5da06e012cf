"""What waits for a yes: a broadcast that somebody asked for, an emergency and a drill."""

from datetime import timedelta

from controller.broadcasts.schemas import BroadcastIn
from controller.emergencies.schemas import BreakGlassIn, EmergencyIn, MessageIn
from controller.people.actor import Actor
from controller.people.schemas import PersonOut
from controller.policies.schemas import PolicyIn
from tests.controller.factories import ADDRESS
from tests.web.harness import Commune


async def asked(site: Commune, author: PersonOut) -> dict[str, str]:
    """Ask for a yes by the rule that a second person gives it; gives pages by name."""
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


async def emergencies(site: Commune, recording: str) -> dict[str, str]:
    """Write what lies ready, propose an emergency and a drill; gives pages by name."""
    services, actor = site.centre.services, site.centre.actor
    voices = [{"language": "vi", "text": "Lũ quét đang về. Sơ tán ngay.", "recording_id": recording}]
    ready = {"area_id": site.root.id, "kind": "alert", "title": "Lũ quét", "voices": voices}
    message = await services.messages.create(actor, MessageIn.model_validate(ready))
    spoken = await site.centre.recording("Đây là diễn tập", length_ms=7_000)
    text = "Đây là diễn tập, không phải tình huống thật. Bà con không cần làm gì."
    words = [{"language": "vi", "text": text, "recording_id": spoken}]
    drill_words = {"kind": "drill", "title": "Đây là diễn tập", "voices": words}
    await services.messages.create(actor, MessageIn.model_validate(ready | drill_words))
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


async def to_confirm(site: Commune) -> str:
    """Have somebody else propose a ready message and a recording of their own; gives the page with its yes."""
    centre, services = site.centre, site.centre.services
    author = Actor((await centre.somebody("thu.hien", "operator", site.root)).id, ADDRESS)
    said = [await centre.recording(title, area_id=site.root.id) for title in ("Vỡ đê", "Vỡ đê, tại hiện trường")]
    words = "Đê vỡ ở bờ tả sông Cầu. Dân Thôn Trại và Thôn Đồng lên đồi ngay, theo lối sau trường học."
    voices = [{"language": "vi", "text": words, "recording_id": said[0]}]
    ready = {"area_id": site.root.id, "kind": "alert", "title": "Vỡ đê", "voices": voices}
    message = await services.messages.create(centre.actor, MessageIn.model_validate(ready))
    wanted = {"message_id": message.id, "recordings": [said[1]], "targets": [site.root.scope]}
    made = await services.emergencies.propose(author, EmergencyIn.model_validate(wanted))
    return f"/emergencies/{made.id}"
