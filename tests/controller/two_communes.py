"""A province with two communes that have the same things each: what the matrix of rights is tried on."""

import asyncio
import gzip
import hashlib
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from controller.alarms.models import Alarm
from controller.approvals.models import Approval, ApprovalRequest
from controller.areas.schemas import AreaOut
from controller.broadcasts.schemas import BroadcastIn
from controller.bulletins.models import Bulletin, BulletinVersion, BulletinVoice
from controller.db import Base
from controller.emergencies.models import Emergency, ReadyMessage
from controller.faults.models import Fault
from controller.ids import new_id
from controller.nodes.models import NodeLog
from controller.nodes.schemas import PositionIn
from controller.people.models import ApiToken, Device, Session
from controller.people.rights import Role
from controller.policies.models import Policy
from controller.programmes.models import Programme, ProgrammeItem
from controller.renewals.models import Renewal
from controller.schedules.models import Calendar, Schedule
from controller.updates.models import Release, Rollout, RolloutNode
from tests.controller import factories
from tests.controller.factories import PASSWORD, SYSTEM, Centre

Things = dict[str, str]
"""Name of a thing, as it stands between braces in a path → its id."""


@dataclass
class World:
    """Both communes and the people who look at them."""

    centre: Centre
    east: Things = field(default_factory=dict)
    west: Things = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    """``own`` and ``observer`` of the east, ``sibling`` in the west, ``parent`` in the province."""


async def build(centre: Centre) -> World:
    """Make the world; some twenty rows for each commune."""
    world = World(centre)
    province = await centre.area("Tỉnh Bắc", kind="province")
    await centre.area("Tỉnh Nam", kind="province")
    for name, things in (("Xã Đông", world.east), ("Xã Đoài", world.west)):
        await _commune(centre, province, name, things)
    await _people(world, province)
    return world


async def _commune(centre: Centre, province: AreaOut, name: str, things: Things) -> None:
    commune = await centre.area(name, province, kind="commune")
    hamlet = await centre.area(f"Thôn của {name}", commune)
    node, held = await centre.node(hamlet, f"Cụm của {name}"), await centre.node(hamlet, f"Cụm lặng của {name}")
    await centre.services.nodes.change(centre.actor, node.id, position=PositionIn(latitude=21.0, longitude=105.8))
    lost = await centre.node(hamlet, f"Cụm mất của {name}")
    recording = await centre.recording(f"Tiếng của {name}", area_id=commune.id)
    spare = await centre.recording(f"Tiếng khác của {name}", area_id=commune.id)
    asked = BroadcastIn(
        title=f"Phát của {name}",
        recordings=(recording,),
        targets=(f"nodes/{node.id}",),
        start_at=centre.clock() + timedelta(hours=2),
    )
    sent = await centre.services.broadcasts.create(centre.actor, asked)
    (hold,) = await centre.services.holds.order(centre.actor, [f"nodes/{held.id}"])
    things |= {
        "name": name,
        "area_id": commune.id,
        "hamlet_id": hamlet.id,
        "node_id": node.id,
        "lost_id": lost.id,
        "held_id": held.id,
        "recording_id": recording,
        "spare_id": spare,
        "broadcast_id": sent.id,
        "hold_id": hold.id,
        "date": "2026-03-10T17:00:00",  # of the schedule
        "sha256": (await centre.services.recordings.get(SYSTEM, spare)).sha256 or "",
    }
    async with centre.database.transaction() as tx:
        for row in (*_rows(centre, commune, name, things), *_updates(centre, commune, name, things)):
            tx.session.add(row)
            await tx.session.flush()


def _updates(centre: Centre, commune: AreaOut, name: str, things: Things) -> list[Base]:
    """A release of this commune's own, which anybody may read of, and two rollouts of it."""
    now, later = centre.clock(), centre.clock() + timedelta(days=90)
    number = 7 if name == "Xã Đông" else 8
    release = Release(
        id=things["release_id"],
        release=number,
        version="0.2.0",
        board="arm64",
        python="3.11",
        bytes=1,
        sha256=new_id() * 2,
        token="a.b.c",
        key_id="0" * 16,
        signed_at=now,
        expires_at=later,
        added_at=now,
    )
    rows: list[Base] = [release]
    for thing, node, state in (("rollout", "node_id", "running"), ("paused", "held_id", "paused")):
        said: dict[str, Any] = {"release": number, "version": "0.2.0", "scopes": [commune.scope], "area_id": commune.id}
        times: dict[str, Any] = {"wave_since_at": now, "expires_at": later, "created_at": now}
        rollout_id = things[f"{thing}_id"]
        rows += [
            Rollout(id=rollout_id, waves=["100%"], soak_s=0, error_percent=5, total=1, state=state, **said, **times),
            RolloutNode(rollout_id=rollout_id, node_id=things[node], state="planned", state_at=now, commands=[]),
        ]
    return rows


def _rows(centre: Centre, commune: AreaOut, name: str, things: Things) -> list[Base]:
    """What has no service that would make it in one step, or none that all of this could wait for."""
    now, made_by = centre.clock(), centre.person.id
    for thing in (
        "bulletin",
        "programme",
        "schedule",
        "calendar",
        "request",
        "approval",
        "alarm",
        "renewal",
        "fault",
        "message",
        "emergency",
        "rollout",
        "paused",
        "release",
        "log",
    ):
        things[f"{thing}_id"] = new_id()
    said: dict[str, Any] = {"created_by": made_by, "created_at": now, "area_id": commune.id}
    bulletin = {"bulletin_id": things["bulletin_id"], "version": 1}
    heard = {"language": "vi", "sha256": things["sha256"], "bytes": 96_000, "length_ms": 24_000}
    return [
        Bulletin(
            id=things["bulletin_id"], state="submitted", version=1, submitted_by=made_by, submitted_at=now, **said
        ),
        BulletinVersion(
            **bulletin,
            title=f"Bản tin của {name}",
            category="notice",
            level="normal",
            author="",
            source="",
            content_sha256="0" * 64,
            search_text="",
            saved_by=made_by,
            saved_at=now,
        ),
        BulletinVoice(**bulletin, language="vi", position=0, text=name, recording_id=things["recording_id"]),
        Programme(id=things["programme_id"], title=f"Chương trình của {name}", version=1, changed_at=now, **said),
        ProgrammeItem(
            programme_id=things["programme_id"], position=0, kind="recording", recording_id=things["recording_id"]
        ),
        Schedule(
            id=things["schedule_id"],
            title=f"Lịch của {name}",
            programme_id=things["programme_id"],
            scopes=[commune.scope],
            level="normal",
            zone="Asia/Ho_Chi_Minh",
            starts_at_local="2026-03-10T17:00:00",
            rule="FREQ=DAILY",
            version=1,
            changed_by=made_by,
            changed_at=now,
            **said,
        ),
        Calendar(id=things["calendar_id"], title=f"Ngày nghỉ của {name}", days=[], effect="suspend", version=1, **said),
        ApprovalRequest(
            id=things["request_id"],
            subject=f"broadcasts/{things['broadcast_id']}",
            area_id=commune.id,
            title=f"Thông báo của {name}",
            content_sha256="0" * 64,
            recordings=[],
            scopes=[commune.scope],
            level="normal",
            categories=[],
            length_ms=24_000,
            shown={"items": []},
            first_start_at=now,
            not_before_at=now,
            not_after_at=now + timedelta(hours=3),
            state="open",
            asked_by=made_by,
            asked_at=now,
        ),
        Approval(
            id=things["approval_id"],
            subject=f"broadcasts/{things['broadcast_id']}",
            person_id=made_by,
            content_sha256="0" * 64,
            scopes=[commune.scope],
            not_before_at=now,
            not_after_at=now + timedelta(hours=3),
            by_author=True,
            given_at=now,
            voided_at=now,
        ),
        Policy(
            area_id=commune.id, version=1, rules={"minutes_a_day": 600}, locked=[], changed_by=made_by, changed_at=now
        ),
        Alarm(
            id=things["alarm_id"],
            area_id=commune.id,
            kind="holds.lasting",
            subject=f"areas/{commune.id}",
            detail={"of": name},
            raised_at=now,
        ),
        Renewal(
            id=things["renewal_id"],
            node_id=things["node_id"],
            csr_pem="",
            new_key="A" * 43,
            origin="192.0.2.1",
            created_at=now,
            asked_at=now,
        ),
        NodeLog(
            id=things["log_id"],
            node_id=things["node_id"],
            asked_at=now,
            received_at=now,
            packed=gzip.compress(name.encode()),
            lines=1,
            bytes=len(name.encode()),
        ),
        Fault(
            id=things["fault_id"],
            node_id=things["node_id"],
            code="disk_low",
            detail=name,
            since_at=now,
            began_at=now,
        ),
        ReadyMessage(
            id=things["message_id"],
            area_id=commune.id,
            kind="alert",
            title=f"Khẩn của {name}",
            voices=[{"language": "vi", "text": name, "recording_id": things["recording_id"]}],
            version=1,
            created_by=made_by,
            changed_at=now,
        ),
        Emergency(
            id=things["emergency_id"],
            area_id=commune.id,
            title=f"Khẩn của {name}",
            scopes=[commune.scope],
            message_id=things["message_id"],
            slots=[{"item": {"offset_ms": 0, "voices": [heard]}, "recording_ids": [things["recording_id"]]}],
            state="proposed",
            proposed_by=made_by,
            proposed_at=now,
        ),
    ]


async def _people(world: World, province: AreaOut) -> None:
    seats = {
        "own": (Role.ADMINISTRATOR, world.east["area_id"]),
        "observer": (Role.OBSERVER, world.east["area_id"]),
        "sibling": (Role.ADMINISTRATOR, world.west["area_id"]),
        "parent": (Role.ADMINISTRATOR, province.id),
    }
    for who, (role, area_id) in seats.items():
        person = await world.centre.services.people.add(
            SYSTEM, login=f"{who}.login", name=who, password=PASSWORD, role=role, area_id=area_id
        )
        world.tokens[who] = await sign_in(world.centre, person.id)
    for things in (world.east, world.west):
        await _clerk(world.centre, things)


async def _clerk(centre: Centre, things: Things) -> None:
    """Somebody who works in the commune, signed in on a browser that is remembered, with a machine's key."""
    clerk = await centre.services.people.add(
        SYSTEM,
        login=f"clerk.{things['area_id']}",
        name=f"Cán bộ của {things['name']}",
        password=PASSWORD,
        role=Role.OPERATOR,
        area_id=things["area_id"],
    )
    now, later = centre.clock(), centre.clock() + timedelta(days=1)
    ids = {name: new_id() for name in ("session_id", "device_id", "token_id")}
    said: dict[str, Any] = {"person_id": clerk.id, "created_at": now, "expires_at": later}
    rows = [
        Session(token_sha256=new_id(), id=ids["session_id"], origin=factories.ADDRESS, **said),
        Device(token_sha256=new_id(), id=ids["device_id"], name="Firefox", **said),
        ApiToken(token_sha256=new_id(), id=ids["token_id"], name="Máy", acts=[], **said),
    ]
    async with centre.database.transaction() as tx:
        tx.session.add_all(rows)
    things |= ids | {"person_id": clerk.id, "grant_id": clerk.grants[0].id}


async def sign_in(centre: Centre, person_id: str) -> str:
    """A session with its second factor shown; gives its token."""
    token, now = new_id(), centre.clock()
    async with centre.database.transaction() as tx:
        tx.session.add(
            Session(
                token_sha256=hashlib.sha256(token.encode()).hexdigest(),
                id=new_id(),
                person_id=person_id,
                created_at=now,
                expires_at=now + timedelta(days=1),
                second_factor_at=now,
                origin=factories.ADDRESS,
            )
        )
    return token


@dataclass(frozen=True)
class Kept:
    """A world on the disk, to be opened as often as wanted."""

    file: Path
    world: World

    @asynccontextmanager
    async def opened(self, folder: Path) -> AsyncIterator[World]:
        """A copy of it."""
        await asyncio.to_thread(_copy, self.file, folder)
        async with factories.centre(folder, known=self.world.centre.person) as centre:
            yield World(centre, self.world.east, self.world.west, self.world.tokens)


def _copy(file: Path, folder: Path) -> None:
    folder.mkdir()
    shutil.copyfile(file, folder / "loa.db")


async def keep(folder: Path) -> Kept:
    """Make the world once, and keep it."""
    async with factories.centre(folder) as centre:
        world = await build(centre)
    return Kept(folder / "loa.db", world)


@asynccontextmanager
async def asking(world: World, who: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client as one of the people, or as nobody."""
    async with world.centre.client(signed_in=False) as client:
        if who in world.tokens:
            client.headers["Authorization"] = f"Bearer {world.tokens[who]}"
        yield client
