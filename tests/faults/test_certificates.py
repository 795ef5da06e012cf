"""Nodes that are let in no more: one that was stolen while it played, and one whose certificate came to its end."""

import asyncio
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

import controller.tables  # noqa: F401 - rows refer to each other
from controller.config import Config
from controller.db import Database
from controller.demo.commune import DemoNode
from controller.enrolments.authority import IssuedCertificate
from controller.events import EventBus
from controller.nodes.models import Node
from controller.renewals.service import keep_certificate
from controller.wire.keys import load_keys
from controller.wire.pki import LEAF_LIFE, Authority
from edge_agent import identity
from edge_agent.config import StateDir, load_key
from tests.e2e.waiting import until
from tests.faults.checker import violations
from tests.faults.history import Wrong
from tests.faults.proxy import Way
from tests.faults.rig import BACK_S, Rig, Row, running_rig

pytestmark = [pytest.mark.broker, pytest.mark.long]

CUT_OFF_S = 60
"""The promise."""
NO_LINK = "no link to"


def refusals(node: DemoNode) -> int:
    return (node.folder / "agent.log").read_text().count(NO_LINK)


async def row_of(rig: Rig, node: DemoNode) -> Row | None:
    rows = await rig.call("GET", "/nodes")
    return next((row for row in rows if row["id"] == node.node_id), None)


@pytest.mark.fault("C37")
@pytest.mark.timeout(300)
async def test_c37_a_node_that_is_revoked_while_it_plays_is_cut_off_and_no_other_notices(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """What it was told before it may sound to its end, as it may in any strange hands; it is told nothing more."""
    async with running_rig(tmp_path) as rig:
        await rig.record(1, length_s=25)
        await rig.record(1)
        await rig.send(None)
        stolen, *others = rig.nodes
        await until(partial(_all_play, rig), BACK_S, "every node plays")
        known, revoked_at = refusals(stolen), datetime.now(UTC)
        others_known = [refusals(node) for node in others]
        await rig.call("POST", f"/nodes/{stolen.node_id}/revoke", json={"reason": "mất trộm"})
        await until(lambda: refusals(stolen) > known, 2 * CUT_OFF_S, "it has no link")
        took_s = (datetime.now(UTC) - revoked_at).total_seconds()
        rig.gone(stolen, revoked_at)
        await rig.send(None)
        await rig.until_all_over(within_s=120)
        assert await row_of(rig, stolen) is None
        assert [refusals(node) for node in others] == others_known
        history = rig.history()
    assert took_s <= CUT_OFF_S
    first, second = rig.orders
    assert [len(history.heard(node.node_id, first.recordings[0])) for node in others] == [1, 1]
    assert [len(history.heard(node.node_id, second.recordings[0])) for node in (stolen, *others)] == [0, 1, 1]
    assert [str(one) for one in violations(history)] == []
    record_property("figure", f"revoked in the middle of a play: without a link {took_s:.1f} s after it")


async def _all_play(rig: Rig) -> bool:
    return all(play["state"] == "playing" for play in await rig.plays(rig.orders[0].broadcast_id))


@pytest.mark.fault("F18", "F19")
@pytest.mark.timeout(600)
async def test_f18_f19_a_certificate_that_ends_is_told_before_silences_nothing_and_is_followed_by_a_persons_yes(
    tmp_path: Path,
) -> None:
    """Its renewals fail, then it is away over the end; switched on again it waits outside until somebody agrees."""
    async with running_rig(tmp_path, nodes=2) as rig:
        await rig.record(4)
        node = rig.nodes[0]
        await rig.until_cached(await rig.send(45), await rig.send(170))
        rig.links[node.node_id].media.turn(Way.CUT)
        ends_at = await _let_certificate_end(rig, node, timedelta(seconds=110), tmp_path / "keys-of-then")
        since_at = datetime.now(UTC)
        await until(partial(_says, rig, node, stands=True), 100, "the node says that its certificate ends")
        shown_at = datetime.now(UTC)
        assert shown_at < ends_at
        await rig.until(rig.orders[0].start_at, plus_s=4)
        rig.cut(node)
        assert rig.orders[1].start_at > ends_at
        await rig.until(rig.orders[1].start_at, plus_s=4)
        await rig.kill_node(node)  # or it may wait for an hour, as who asked in vain again and again
        known = refusals(node)
        rig.links[node.node_id].turn(Way.OPEN)
        await rig.start_node(node)
        wish = await until(partial(_wish, rig), 200, "it asks for a person's yes")
        await until(lambda: refusals(node) > known, BACK_S, "the broker lets it in no more")
        row = await row_of(rig, node)
        assert wish is not None
        assert row is not None
        assert (wish["node_id"], row["status"]) == (node.node_id, "offline")
        await rig.call("POST", f"/renewals/{wish['id']}/answer", json={"confirmed": True})
        await rig.until_online(200)
        rig.heal(node)
        renewed_at = datetime.now(UTC)
        await until(partial(_says, rig, node, stands=False), 100, "the fault is over")
        wrong = Wrong(node.node_id, "certificate_ending", since_at, renewed_at, shown_at, datetime.now(UTC))
        await rig.send(None)
        await rig.until_all_over(within_s=120)
        history = rig.history()
        history.wrongs.append(wrong)
    assert [[len(history.heard(name, one.recordings[0])) for name in history.nodes] for one in rig.orders] == [
        [1, 1],
        [1, 1],
        [1, 1],
    ]
    assert [str(one) for one in violations(history)] == []


async def _let_certificate_end(rig: Rig, node: DemoNode, after: timedelta, keys: Path) -> datetime:
    """Let a node have its certificate since nearly a whole life of one; at the centre too. It keeps its key."""
    config = Config(state=rig.centre_state)
    shutil.copytree(config.keys, keys)
    then = datetime.now(UTC) - LEAF_LIFE + after
    authority = Authority(keys, load_keys(keys), lambda: then, names=("127.0.0.1", "localhost"))
    state = StateDir(node.folder)
    issued = authority.issue_node_certificate(identity.request_pem(load_key(state)), node.node_id)
    await _put_into_rows(config, node, issued, then)
    await asyncio.to_thread(state.certificate.write_text, issued.pem)
    return issued.expires_at


async def _put_into_rows(config: Config, node: DemoNode, issued: IssuedCertificate, then: datetime) -> None:
    database = Database(config.database, EventBus())
    try:
        async with database.transaction() as tx:
            row = await tx.session.get_one(Node, node.node_id)
            row.certificate_serial, row.certificate_expires_at = issued.serial, issued.expires_at
            keep_certificate(tx.session, row, issued.pem, then)
    finally:
        await database.close()


async def _says(rig: Rig, node: DemoNode, *, stands: bool) -> bool:
    row = await row_of(rig, node)
    return row is not None and stands == ("certificate_ending" in {fault["code"] for fault in row["faults"]})


async def _wish(rig: Rig) -> Row | None:
    wishes: list[Row] = await rig.call("GET", "/renewals")
    return next(iter(wishes), None)
