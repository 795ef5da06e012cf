"""What tests of approvals start from: a commune with an operator and a leader, and what its nodes are told."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from controller.approvals import listening
from controller.approvals.schemas import ApprovalOut, ApprovalRow
from controller.areas.repository import read_tree
from controller.areas.schemas import AreaOut
from controller.broadcasts.models import Broadcast
from controller.broadcasts.schemas import BroadcastIn, BroadcastOut
from controller.nodes.schemas import NodeOut
from controller.people.actor import Actor
from controller.people.rights import Role
from controller.people.schemas import PersonOut
from controller.plans.models import Document, PlanBody
from controller.policies.schemas import PolicyIn, PolicyRules
from controller.recordings.models import Recording
from controller.wire.keys import load_keys
from controller.wire.signer import Signer, own_document
from edge_agent.protocol import content
from edge_agent.protocol.content import unpack_body
from edge_agent.protocol.documents import Urgent
from tests.controller.factories import ADDRESS, Centre, made_once

ANOTHER: dict[str, Any] = {"second_person": [{"category": "*"}]}
"""The policy that asks for a second person, whatever it is about."""


@dataclass(frozen=True)
class Commune:
    """A commune with one node."""

    here: Centre
    area: AreaOut
    node: NodeOut
    operator: Actor
    leader: Actor
    people: dict[Actor, PersonOut]
    recording: str

    def wish(self, **given: Any) -> BroadcastIn:
        """A broadcast in an hour, or as it is given."""
        said: dict[str, Any] = {
            "title": "Lịch tiêm chủng",
            "recordings": (self.recording,),
            "targets": (f"areas/{self.area.id}",),
            "start_at": self.here.clock() + timedelta(hours=1),
            "confirm_conflicts": True,
        }
        return BroadcastIn(**{**said, **given})

    async def say(self, who: Actor | None = None, **given: Any) -> BroadcastOut:
        """Send one, as the operator unless somebody else is named."""
        return await self.here.services.broadcasts.create(who or self.operator, self.wish(**given))

    async def queue(self, who: Actor | None = None) -> list[ApprovalRow]:
        """What waits for a yes, as the leader sees it."""
        return await self.here.services.approvals.list(who or self.leader)

    async def hear(self, who: Actor, recording_id: str | None = None) -> None:
        """Have the whole of a recording heard, in no time."""
        wanted = recording_id or self.recording
        async with self.here.database.transaction() as tx:
            row = await tx.session.get_one(Recording, wanted)
            sha256, length_ms = row.sha256 or "", row.length_ms or 0
            person_id, now = who.person_id or "", self.here.clock()
            await listening.note(tx, person_id, sha256, [(0, length_ms)], length_ms, now=now)

    async def approve(self, request_id: str, who: Actor | None = None) -> ApprovalOut:
        """Listen to all of it and say yes, as the leader unless somebody else is named."""
        who = who or self.leader
        asked = await self.here.services.approvals.get(who, request_id)
        for file in asked.files:
            await self.hear(who, file.recording_id or "")
        return await self.here.services.approvals.approve(who, request_id)

    async def rule(self, **rules: Any) -> None:
        """Give the commune these rules."""
        version = (await self.here.services.policies.get(self.here.actor, self.area.id)).version
        wanted = PolicyIn(version=version, rules=PolicyRules(**rules))
        await self.here.services.policies.put(self.here.actor, self.area.id, wanted)

    async def told(self) -> set[str]:
        """The broadcasts that nodes are told of."""
        return {each.broadcast_id for each in await told(self.here)}


@made_once
async def commune(here: Centre, name: str = "Xã Đông", parent: AreaOut | None = None, **rules: Any) -> Commune:
    """A commune whose policy says this; nothing: it leaves it to rights."""
    area = await here.area(name, parent, kind="commune")
    node = await here.node(area, f"Cụm {name}")
    seats = {role: await here.somebody(f"{role}.{area.id[:8]}", role, area) for role in (Role.OPERATOR, Role.APPROVER)}
    actors = {role: Actor(person.id, ADDRESS) for role, person in seats.items()}
    people = {actors[role]: person for role, person in seats.items()}
    recording = await here.recording("Thông báo", area_id=area.id)
    found = Commune(here, area, node, actors[Role.OPERATOR], actors[Role.APPROVER], people, recording)
    if rules:
        await found.rule(**rules)
    return found


async def told(here: Centre, signer: Signer | None = None) -> list[content.Broadcast]:
    """What nodes are told to sound: every dirty document is signed as the dispatcher would, then all are read."""
    config = here.services.config
    signer = signer or Signer(config, load_keys(config.keys), here.clock, here.services.live)
    async with here.database.transaction() as tx:
        tree = await read_tree(tx.session)
        for row in (await tx.session.scalars(select(Document).where(Document.dirty_since.is_not(None)))).all():
            await signer.sign(tx, row, tree)
    found: list[content.Broadcast] = []
    async with here.database.reading() as session:
        for row in await session.scalars(select(Document).where(Document.word.in_(["plan", "urgent"]))):
            if row.token is None:
                continue
            if row.word == "urgent":
                urgent = own_document(row.token, Urgent)
                assert not await _awaiting(here, [stop.broadcast_id for stop in urgent.stops])
                found += urgent.broadcasts
                continue
            body = await session.get_one(PlanBody, row.body_sha256)
            found += unpack_body(body.packed, sha256=body.sha256, scope=row.scope).broadcasts
    return found


async def _awaiting(here: Centre, ids: list[str]) -> list[str]:
    async with here.database.reading() as session:
        query = select(Broadcast.id).where(Broadcast.id.in_(ids), Broadcast.awaits_approval.is_(True))
        return list(await session.scalars(query))


async def row_of(here: Centre, broadcast_id: str) -> Broadcast:
    """A broadcast as it stands in its table."""
    async with here.database.reading() as session:
        return await session.get_one(Broadcast, broadcast_id)


async def sha256_of(here: Centre, recording_id: str) -> str:
    """The name of a recording's file."""
    async with here.database.reading() as session:
        return (await session.get_one(Recording, recording_id)).sha256 or ""


def local(here: Centre, hour: int, *, days: int = 0) -> datetime:
    """An hour by the wall clock of Hanoi, so many days from now."""
    at = (here.clock() + timedelta(hours=7, days=days)).replace(hour=hour, minute=0, second=0, microsecond=0)
    return at - timedelta(hours=7)
