"""Logs that nodes send: who may ask and read, the one place that takes one, and what is left of hostile bytes."""

import gzip
import os
import zlib
from contextlib import suppress

import pytest
from sqlalchemy import func, select

from controller.areas.move_schemas import MoveIn, MoveSeenIn
from controller.errors import ForbiddenError, InvalidError, NotFoundError
from controller.nodes.logs import CAME, KEPT, KEPT_FOR
from controller.nodes.models import NodeLog
from controller.nodes.schemas import NodeOut
from controller.nodes.shown import Shown
from controller.people.actor import Actor
from controller.people.rights import Role
from controller.renewals.models import NodeCertificate
from controller.retention import Forgetting
from edge_agent.protocol.documents import CommandAction
from edge_agent.protocol.logs import LOG_WITHIN, MAX_LOG_BYTES, MAX_PACKED_LOG_BYTES, pack_log
from tests.controller.factories import Centre

from .test_node_acts import Wire, able

LINES = ("2026-03-09 INFO edge_agent.agent: node is ready", "2026-03-09 WARNING edge_agent.link: no link")


async def shown(here: Centre, node: NodeOut) -> Shown:
    """Give the node's certificate, as its connection shows it."""
    async with here.database.transaction() as tx:
        serial = f"a{node.id}"
        if await tx.session.get(NodeCertificate, serial) is None:
            now = here.clock()
            given = {"pem": "", "public_key": "A" * 43, "issued_at": now, "expires_at": now + KEPT_FOR * 12}
            tx.session.add(NodeCertificate(serial=serial, node_id=node.id, **given))
    return Shown(node.id, serial)


async def asked(here: Centre) -> tuple[NodeOut, str]:
    node = await able(here, "send_log")
    Wire(here)
    return node, (await here.services.node_logs.ask(here.actor, node.id)).command_id


async def test_a_log_is_asked_for_comes_and_is_read(here: Centre) -> None:
    node, wire = await able(here, "send_log"), Wire(here)
    asked = await here.services.node_logs.ask(here.actor, node.id)
    assert wire.sent == [(node.scope, {"command_id": asked.command_id, "action": CommandAction.SEND_LOG})]
    (awaited,) = await here.services.node_logs.list(here.actor, node.id)
    assert (awaited.id, awaited.state, awaited.asked_by_name) == (asked.command_id, "waiting", here.person.name)
    with pytest.raises(NotFoundError):
        await here.services.node_logs.text(here.actor, node.id, awaited.id)
    await here.services.node_logs.take(await shown(here, node), node.id, awaited.id, pack_log(LINES))
    (here_now,) = await here.services.node_logs.list(here.actor, node.id)
    assert (here_now.state, here_now.lines) == ("here", 2)
    text = await here.services.node_logs.text(here.actor, node.id, awaited.id)
    assert text.splitlines() == list(LINES)
    written = [(each.action, each.subject) for each in await here.services.audit.list(here.actor)]
    assert ("nodes.log", node.scope) in written
    assert (CAME, node.scope) in written


async def test_a_place_takes_one_log_from_its_own_node_in_its_time_alone(here: Centre) -> None:
    node, log_id = await asked(here)
    area = await here.services.areas.get(here.actor, node.area_id)
    other, own, logs = await here.node(area, "Cụm 2"), await shown(here, node), here.services.node_logs
    strangers = (None, await shown(here, other), Shown(node.id, "another"), Shown("nobody", own.serial))
    for stranger in strangers:
        with pytest.raises(NotFoundError):
            await logs.take(stranger, node.id, log_id, pack_log(LINES))
    with pytest.raises(NotFoundError):  # its own certificate, in another's name
        await logs.take(await shown(here, other), other.id, log_id, pack_log(LINES))
    await logs.take(own, node.id, log_id, pack_log(LINES))
    with pytest.raises(NotFoundError):
        await logs.take(own, node.id, log_id, pack_log(("something else",)))
    assert (await logs.text(here.actor, node.id, log_id)).splitlines() == list(LINES)
    here.clock.step(seconds=1)
    late = (await logs.ask(here.actor, node.id)).command_id
    here.clock.step(seconds=LOG_WITHIN.total_seconds())
    with pytest.raises(NotFoundError):
        await logs.take(own, node.id, late, pack_log(LINES))
    assert [each.state for each in await logs.list(here.actor, node.id)] == ["missed", "here"]


async def test_a_node_that_was_cut_off_brings_nothing(here: Centre) -> None:
    node, log_id = await asked(here)
    own = await shown(here, node)
    await here.services.revocations.revoke(here.actor, node.id, "stolen")
    with pytest.raises(NotFoundError):
        await here.services.node_logs.take(own, node.id, log_id, pack_log(LINES))


async def test_a_second_question_closes_the_place_of_the_first(here: Centre) -> None:
    node, first = await asked(here)
    second = (await here.services.node_logs.ask(here.actor, node.id)).command_id
    with pytest.raises(NotFoundError):
        await here.services.node_logs.take(await shown(here, node), node.id, first, pack_log(LINES))
    assert [each.id for each in await here.services.node_logs.list(here.actor, node.id)] == [second]


BOMB = gzip.compress(bytes(40 * 1024 * 1024))
NONSENSE = {
    "a bomb": BOMB,
    "too much text": gzip.compress(b"x" * (MAX_LOG_BYTES + 1)),
    "too large as sent": gzip.compress(os.urandom(MAX_PACKED_LOG_BYTES + 1)),
    "nothing": b"",
    "not packed": b"2026-03-09 INFO",
    "cut short": pack_log(LINES)[:-4],
    "something after it": pack_log(LINES) + b"more",
    "a bomb after it": pack_log(LINES) + BOMB,
    "another format": zlib.compress(b"2026-03-09 INFO"),
}


async def test_what_is_no_log_is_refused_and_the_place_stays(here: Centre) -> None:
    node, log_id = await asked(here)
    own, taken = await shown(here, node), []
    for what, packed in NONSENSE.items():
        with suppress(InvalidError):
            await here.services.node_logs.take(own, node.id, log_id, packed)
            taken.append(what)
    assert taken == []
    await here.services.node_logs.take(own, node.id, log_id, pack_log(LINES))


async def test_what_a_terminal_or_browser_would_obey_is_text_alone(here: Centre) -> None:
    node, log_id = await asked(here)
    evil = "\x1b]0;title\x07\x1b[2J\x9b31m\u202egnp.exe\u2066\r\x00\x7f\u2028<script>xss()</script>\t."
    raw = evil.encode() + b"\xff\xfe\n" + "Xã Đông".encode()
    await here.services.node_logs.take(await shown(here, node), node.id, log_id, gzip.compress(raw))
    text = await here.services.node_logs.text(here.actor, node.id, log_id)
    assert all(each.isprintable() or each == "\n" for each in text)
    assert text == "?]0;title??[2J?31m?gnp.exe?????<script>xss()</script> .??\nXã Đông"
    async with here.client(who=here.person) as client:
        answer = await client.get(f"/api/v1/nodes/{node.id}/logs/{log_id}")
    assert answer.text == text
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_the_last_few_of_a_node_are_kept_and_not_for_ever(here: Centre) -> None:
    node, log_id = await asked(here)
    own, logs, seen = await shown(here, node), here.services.node_logs, [log_id]
    await logs.take(own, node.id, log_id, pack_log(LINES))
    for _ in range(KEPT):
        here.clock.step(seconds=1)
        seen.append((await logs.ask(here.actor, node.id)).command_id)
        await logs.take(own, node.id, seen[-1], pack_log(LINES))
    assert [each.id for each in await logs.list(here.actor, node.id)] == seen[:0:-1]
    sweep = Forgetting(here.database, here.clock, here.services.live, evidence_days=731)
    for left in (KEPT, 0):
        await sweep.forget()
        async with here.database.reading() as session:
            assert await session.scalar(select(func.count()).select_from(NodeLog)) == left
        here.clock.step(days=KEPT_FOR.days)


async def test_who_may_not_look_after_nodes_neither_asks_nor_reads(here: Centre) -> None:
    node, log_id = await asked(here)
    await here.services.node_logs.take(await shown(here, node), node.id, log_id, pack_log(LINES))
    area, logs = await here.services.areas.get(here.actor, node.area_id), here.services.node_logs
    for role in Role:
        someone = Actor((await here.somebody(role.value, role, area)).id, "192.0.2.9")
        if role in {Role.TECHNICIAN, Role.ADMINISTRATOR}:
            assert await logs.text(someone, node.id, log_id)
            continue
        for asking in (logs.ask(someone, node.id), logs.list(someone, node.id), logs.text(someone, node.id, log_id)):
            with pytest.raises(ForbiddenError):
                await asking


@pytest.mark.parametrize("moves", ["the node", "its commune"])
async def test_logs_stay_behind_when_a_node_goes_to_other_people(here: Centre, moves: str) -> None:
    """They say what happened in the old place, and who of it asked; a place that waits takes nothing any more."""
    node, log_id = await asked(here)
    own, logs = await shown(here, node), here.services.node_logs
    await logs.take(own, node.id, log_id, pack_log(LINES))
    here.clock.step(seconds=1)
    waiting = (await logs.ask(here.actor, node.id)).command_id
    into = await here.area("Tỉnh Tây", kind="province")
    there = Actor((await here.somebody("there", "technician", into)).id, "192.0.2.9")
    wanted = MoveIn(nodes=(node.id,)) if moves == "the node" else MoveIn(areas=(node.area_id,))
    seen = await here.services.moves.preview(here.actor, into.id, wanted)
    await here.services.moves.move(here.actor, into.id, MoveSeenIn(**wanted.model_dump(), seen_sha256=seen.sha256))
    assert await logs.list(there, node.id) == []
    with pytest.raises(NotFoundError):
        await logs.text(there, node.id, log_id)
    with pytest.raises(NotFoundError):
        await logs.take(own, node.id, waiting, pack_log(LINES))
