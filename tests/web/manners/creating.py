"""Forms that make something: where each is sent, and with what. For tests of sending."""

import re
from collections.abc import Awaitable, Callable, Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.protocol.enrolment import new_claim_code
from edge_agent.protocol.states import Reason
from tests.controller.factories import ADDRESS, enrolment_request
from tests.web.harness import Commune, visitor
from tests.web.pages import draft, planned, programme
from tests.web.test_emergency_pages import message, typed

Typed = tuple[str, Mapping[str, object]]
"""An address, and what is sent to it."""


async def _place(site: Commune) -> Typed:
    return "/areas", {"name": "Thôn Mới", "kind": "hamlet", "parent_id": site.root.id}


async def _person(site: Commune) -> Typed:
    fields = {"name": "Trần Thị Hoa", "login": "hoa", "password": "ba con vịt xanh", "role": "operator"}
    return "/people", fields | {"area_id": site.root.id}


async def _role(site: Commune) -> Typed:
    hoa = await site.centre.somebody("hoa", "operator", site.root)
    return f"/people/{hoa.id}", {"act": "grant", "role": "approver", "area_id": site.root.id}


async def _node(site: Commune) -> Typed:
    code = new_claim_code()
    await site.centre.services.enrolments.ask(enrolment_request(code, Ed25519PrivateKey.generate()), ADDRESS)
    return "/nodes", {"code": code, "name": "Cụm mới", "area_id": site.root.id}


async def _log(site: Commune) -> Typed:
    async def to_nobody(*_: object) -> None:
        """Send nothing: no broker runs."""

    site.centre.services.node_acts.send = to_nobody
    node = next(iter(site.nodes.values()))
    site.centre.services.live.note(node.id, abilities={"commands": ["send_log"], "best_grade": 1})
    site.centre.hears(node.id)
    return f"/nodes/{node.id}/send-log", {}


async def _programme(site: Commune) -> Typed:
    return "/programmes", {"title": "Bản tin chiều", "area_id": site.root.id}


async def _copy(site: Commune) -> Typed:
    return f"/programmes/{(await programme(site)).id}", {"act": "copy", "title": "Bản chép"}


async def _item(site: Commune) -> Typed:
    return f"/programmes/{(await programme(site)).id}", {"act": "add", "kind": "pause", "seconds": "10"}


async def _schedule(site: Commune) -> Typed:
    return "/schedules/new", planned(await programme(site), site)


async def _week(site: Commune) -> Typed:
    """Copied with whatever it meets: a second time it would be there twice."""
    async with visitor(site) as client:
        once_a_week = planned(await programme(site), site, weekday=["TU"])
        assert (await client.post("/schedules/new", data=once_a_week)).status_code == 303
    weeks = {"from_week": "25/11/2031", "into_week": "02/12/2031"}
    return "/schedules/copy", weeks | {"area_id": site.root.id, "confirm_conflicts": "yes"}


async def _file(site: Commune) -> Typed:
    """Taken in with whatever it meets: a second time it would be there twice."""
    lines = ("UID:1@elsewhere", "DTSTAMP:20311101T000000Z", "SUMMARY:Buổi tối", "DTSTART:20311126T183000")
    ics = "\n".join(["BEGIN:VCALENDAR", "BEGIN:VEVENT", *lines, "END:VEVENT", "END:VCALENDAR"])
    typed = {"programme": (await programme(site)).id, "area_id": site.root.id, "ics": ics}
    async with visitor(site) as client:
        page = (await client.post("/schedules/import", data=typed | {"look": "yes"})).text
    looked = re.findall(r'name="looked" value="(\w+)"', page)[0]
    return "/schedules/import", typed | {"looked": looked, "only": "0", "confirm_conflicts": "yes"}


async def _calendar(site: Commune) -> Typed:
    return "/calendars/new", {"area_id": site.root.id, "title": "Giỗ làng", "days": "20/12", "effect": "suspend"}


async def _bulletin(site: Commune) -> Typed:
    recording = await site.centre.recording("Phòng rét", area_id=site.root.id)
    fields = {"title": "Phòng rét", "area_id": site.root.id, "category": "farming", "text-vi": "Kính thưa bà con"}
    return "/bulletins/new", fields | {"recording": recording}


async def _message(site: Commune) -> Typed:
    return "/messages/new", {"kind": "alert", "title": "Lũ quét", "area_id": site.root.id, "text-vi": "Lũ về."}


async def _replay(site: Commune) -> Typed:
    run = await site.broadcast("Mất nước")
    missed, *heard = site.nodes
    await site.played(run, *heard)
    await site.missed(run, missed, Reason.NO_FILE)
    site.centre.clock.step(minutes=20)
    site.centre.hears(site.nodes[missed].id)
    return f"/broadcasts/{run.id}/replay", {"confirm_unusual": "yes"}


async def _broadcast(site: Commune) -> Typed:
    return "/say", await draft(site)


async def _emergency(site: Commune) -> Typed:
    return "/emergencies/new", typed(site, await message(site)) | {"again": "yes"}


FORMS: dict[str, Callable[[Commune], Awaitable[Typed]]] = {
    "place": _place,
    "person": _person,
    "role": _role,
    "node": _node,
    "log": _log,
    "programme": _programme,
    "copy": _copy,
    "item": _item,
    "schedule": _schedule,
    "week": _week,
    "file": _file,
    "calendar": _calendar,
    "bulletin": _bulletin,
    "message": _message,
    "replay": _replay,
    "broadcast": _broadcast,
    "emergency": _emergency,
}
