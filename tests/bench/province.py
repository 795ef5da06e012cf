"""A province as rows: communes with hamlets and nodes, a day of broadcasts to all of it, a daily one of each commune.

Written straight into the tables: to adopt ten thousand nodes one by one takes longer than any measurement.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from controller.areas.models import Area
from controller.areas.schemas import AreaOut
from controller.broadcasts.models import Broadcast, BroadcastItem, BroadcastTarget
from controller.db import Transaction
from controller.ids import new_id
from controller.nodes.models import Node
from controller.plays.models import Play
from controller.programmes.models import Programme, ProgrammeItem
from controller.schedules.models import Schedule
from edge_agent.protocol.reports import CacheReport, ClockReport, Health, Held
from edge_agent.protocol.states import ClockState, Level, Outcome, PlayState, Reason
from tests.controller.factories import Centre

HAMLETS, A_HAMLET = 10, 10
"""Of a commune; nodes of each."""
A_COMMUNE = HAMLETS * A_HAMLET
EVERY = 50
"""Of so many nodes one missed what is over."""
LENGTH = timedelta(minutes=20)
DAYS = 7
"""So far ahead what a schedule brings is planned."""
ZONE = "Asia/Ho_Chi_Minh"
PLAYED = {"state": PlayState.PLAYING, "outcome": Outcome.PLAYED, "item": 0, "start_error_ms": 0.4, "grade": 1}
MISSED = {"state": PlayState.PLANNED, "outcome": Outcome.MISSED, "reason": Reason.NO_FILE}
PLAYING = {"state": PlayState.PLAYING, "item": 0}
CACHED = {"state": PlayState.CACHED}
ARMED = {"state": PlayState.ARMED}


@dataclass(frozen=True)
class Province:
    """What was made."""

    root: AreaOut
    communes: list[str]
    """Ids; the nodes of the first come first."""
    nodes: list[str]
    on_air: str
    """Id of the broadcast that sounds at every node, each with a virtual output."""
    over: str
    """Id of one that was played by all but one in ``EVERY``."""


async def province(here: Centre, count: int) -> Province:
    """Make so many nodes, all well, and their day: three broadcasts to all are over, one is on air, one is next.

    Each commune had one of its own this morning, and has one every evening, planned for a week.
    """
    root = await here.area("Tỉnh", None, kind="province")
    recording = await here.recording("Bản tin", length_ms=1_200_000)
    async with here.database.transaction() as tx:
        communes, nodes = await _places(tx, root.id, count, here.clock())
        made = await _day(tx, here, _Day(recording, root.id, communes, nodes, here.clock()))
    for node_id in nodes:
        says_that_it_plays(here, node_id, made["on air"])
    return Province(root, communes, nodes, made["on air"], made["over"])


def says_that_it_plays(here: Centre, node_id: str, broadcast_id: str) -> None:
    """Let a node say that it is well and plays this."""
    now = here.clock()
    ends_at = (now + LENGTH).replace(hour=23, minute=0).isoformat()
    playing = {"broadcast_id": broadcast_id, "item": 0, "started_at": now.isoformat(), "ends_at": ends_at}
    here.services.live.note(node_id, abilities={"output": "virtual"})
    here.hears(node_id, now_playing=playing)


async def _places(tx: Transaction, root_id: str, count: int, now: datetime) -> tuple[list[str], list[str]]:
    communes = [new_id() for _ in range(count // A_COMMUNE)]
    for number, commune in enumerate(communes):
        tx.session.add(Area(id=commune, parent_id=root_id, kind="commune", name=f"Xã {number}", created_at=now))
    await tx.session.flush()
    hamlets = [new_id() for _ in range(len(communes) * HAMLETS)]
    for at, hamlet in enumerate(hamlets):
        parent_id, name = communes[at // HAMLETS], f"Thôn {at % HAMLETS}"
        tx.session.add(Area(id=hamlet, parent_id=parent_id, kind="hamlet", name=name, created_at=now))
    await tx.session.flush()
    nodes = [new_id() for _ in range(count)]
    health = _said_before(now)
    for at, node_id in enumerate(nodes):
        row = Node(id=node_id, area_id=hamlets[at // A_HAMLET], name=f"Cụm {at % A_HAMLET}", kind="agent")
        row.public_key, row.certificate_serial, row.enrolled_at = "", "", now
        row.abilities, row.health = {"output": "virtual"}, health
        tx.session.add(row)
    await tx.session.flush()
    return communes, nodes


def _said_before(now: datetime) -> dict[str, Any]:
    """Give a report as rows keep the last one: with some thousand of these a row is found, not read in passing."""
    held = Held(epoch=1, version=12)
    health = Health(
        sent_at=now,
        uptime_ms=86_400_000,
        held={f"areas/{new_id()}": dict.fromkeys(("hold", "urgent", "plan"), held) for _ in range(3)},
        clock=ClockReport(state=ClockState.TRUSTED, offset_ms=0.4),
        disk_free_bytes=1 << 33,
        memory_bytes=1 << 26,
        temperature_c=51.5,
        link_rtt_ms=38.5,
        lease_until=now + timedelta(days=DAYS),
        cache=CacheReport(due=12, here=12),
        store_id=new_id(),
        last_seq=900,
        acked_seq=900,
    )
    said: dict[str, Any] = msgspec.to_builtins(health)
    return said


@dataclass(frozen=True)
class _Day:
    recording_id: str
    root_id: str
    communes: list[str]
    nodes: list[str]
    now: datetime


async def _day(tx: Transaction, here: Centre, day: _Day) -> dict[str, str]:
    made: dict[str, str] = {}
    for hours in (10, 6, 2):
        made["over"] = await _add(tx, here, day, day.root_id, -timedelta(hours=hours), day.nodes, PLAYED)
    made["on air"] = await _add(tx, here, day, day.root_id, -timedelta(minutes=3), day.nodes, PLAYING)
    await _add(tx, here, day, day.root_id, timedelta(hours=1), day.nodes, ARMED)
    for at, commune in enumerate(day.communes):
        nodes = day.nodes[at * A_COMMUNE :][:A_COMMUNE]
        await _add(tx, here, day, commune, -timedelta(hours=9), nodes, PLAYED)
        schedule_id = await _every_evening(tx, here, day, commune)
        for later in range(DAYS):
            begins = timedelta(days=later, hours=2)
            await _add(tx, here, day, commune, begins, nodes, CACHED if later else ARMED, schedule_id=schedule_id)
    return made


async def _every_evening(tx: Transaction, here: Centre, day: _Day, commune: str) -> str:
    by = here.person.id
    made: dict[str, Any] = {"version": 1, "created_by": by, "changed_by": by}
    made |= {"created_at": day.now, "changed_at": day.now}
    programme = Programme(id=new_id(), area_id=commune, title="Buổi tối", **made)
    row = Schedule(
        id=new_id(),
        area_id=commune,
        title="Buổi tối",
        programme_id=programme.id,
        scopes=[f"areas/{commune}"],
        level=Level.NORMAL,
        zone=ZONE,
        starts_at_local=_local(day.now + timedelta(hours=2)),
        rule="FREQ=DAILY",
        rolled_until=day.now + timedelta(days=DAYS),
        **made,
    )
    tx.session.add(programme)
    await tx.session.flush()
    item = ProgrammeItem(programme_id=programme.id, position=0, kind="recording", recording_id=day.recording_id)
    tx.session.add_all([item, row])
    await tx.session.flush()
    return row.id


def _local(at: datetime) -> str:
    return at.astimezone(ZoneInfo(ZONE)).replace(tzinfo=None).isoformat()


async def _add(
    tx: Transaction,
    here: Centre,
    day: _Day,
    area_id: str,
    begins: timedelta,
    nodes: list[str],
    said: dict[str, Any],
    *,
    schedule_id: str | None = None,
) -> str:
    start_at, length_ms = day.now + begins, int(LENGTH.total_seconds() * 1000)
    row = Broadcast(
        id=new_id(),
        title="Bản tin",
        level=Level.NORMAL,
        urgent=False,
        start_at=start_at,
        latest_start_at=start_at + timedelta(minutes=5),
        latest_end_at=start_at + LENGTH + timedelta(minutes=10),
        area_id=area_id,
        schedule_id=schedule_id,
        recurrence_local=_local(start_at) if schedule_id else None,
        length_ms=length_ms,
        created_by=here.person.id,
        created_at=start_at - timedelta(days=1),
    )
    tx.session.add(row)
    await tx.session.flush()
    item = {
        "broadcast_id": row.id,
        "position": 0,
        "recording_id": day.recording_id,
        "language": "vi",
        "sha256": "0" * 64,
    }
    tx.session.add(BroadcastItem(**item, bytes=1, length_ms=length_ms, offset_ms=0))
    tx.session.add(BroadcastTarget(broadcast_id=row.id, scope=f"areas/{area_id}"))
    blank = dict.fromkeys(column.name for column in Play.__table__.columns)
    blank |= {"broadcast_id": row.id, "simulated": True, "updated_at": start_at}
    began = {"started_at": start_at, "item_at": start_at}
    plays = []
    for at, node_id in enumerate(nodes):
        became = MISSED if at % EVERY == 0 and said is PLAYED else said
        plays.append(blank | became | (began if "item" in became else {}) | {"node_id": node_id})
    await tx.session.flush()
    await tx.session.execute(Play.__table__.insert(), plays)  # type: ignore[attr-defined]  # a FromClause, says its type
    return row.id
