"""The first broadcast over a restart: of the centre between two of its steps, of everything under a hold.

As in ``test_first_broadcast_broken``: judged at the sinks, one commune, in this order.
"""

from datetime import UTC, datetime, timedelta

import pytest

from edge_agent.protocol.topics import Word
from tests.e2e.scenes import assert_good
from tests.e2e.stalls import on_a_machine_that_keeps_up
from tests.e2e.village import Village
from tests.e2e.waiting import until

pytestmark = [
    pytest.mark.broker,
    pytest.mark.sound,
    pytest.mark.listening,
    pytest.mark.timeout(300),
    pytest.mark.asyncio(loop_scope="module"),
]


@on_a_machine_that_keeps_up
async def test_a_centre_killed_between_commit_and_publish_loses_nothing(village: Village) -> None:
    """The broker is frozen, so that one order is signed and not published, another one committed and not signed."""
    since = await village.now()
    broker = village.broker()
    broker.suspend()
    version, _ = village.document(village.scope, Word.PLAN)
    signed = await village.send("bulletin", in_s=village.back_in_s)
    await until(lambda: village.document(village.scope, Word.PLAN)[0] > version, 30, "a signed plan")
    second_in_s = village.back_in_s + village.sounds["bulletin"].length.total_seconds() + 3
    hamlets = [f"areas/{node.area_id}" for node in village.nodes]
    committed = await village.send("bulletin", in_s=second_in_s, targets=hamlets)
    assert village.rows("SELECT count(*) FROM documents WHERE dirty_since IS NOT NULL") == [(3,)]
    await village.kill_centre()
    states = village.rows(
        "SELECT DISTINCT state FROM plays WHERE broadcast_id IN (?, ?)", signed["id"], committed["id"]
    )
    assert states == [("planned",)]

    await village.bring_back()
    for sent in (signed, committed):
        await village.until_over(sent, within_s=60 + village.back_in_s)
    to = await village.until_sounded(committed)
    assert_good(await village.judge("bulletin", since, to, signed, committed))


@on_a_machine_that_keeps_up
async def test_a_hold_silences_at_once_and_outlives_a_restart_of_everything_until_released(village: Village) -> None:
    cut = await village.send("notice")
    await village.until_playing(cut)
    (hold,) = await village.commune.call("POST", "/holds", json={"scopes": [village.scope]})
    held_at = datetime.now(UTC)

    async def confirmed() -> bool:
        return bool((await village.commune.call("GET", f"/holds/{hold['id']}"))["confirmed_count"] == 3)

    await until(confirmed, 30, "every node obeys")
    plays = await village.until_over(cut)
    assert {(play["outcome"], play["reason"], play["interrupted_by"]) for play in plays.values()} == {
        ("interrupted", "held", hold["id"])
    }

    await village.kill_centre()
    for node in village.nodes:
        await village.kill_node(node)
    await village.bring_back()
    shown = await village.commune.call("GET", "/nodes")
    assert [node["holds"] for node in shown] == [[hold["id"]]] * 3
    held = await village.send("notice", in_s=3, latest_after_s=1)
    plays = await village.until_over(held)
    assert {(play["outcome"], play["reason"]) for play in plays.values()} == {("missed", "held")}
    to = await village.until_sounded(held)
    # What "at once" means in milliseconds is measured by the benchmarks.
    assert [village.part(node, held_at + timedelta(seconds=2), to).silent for node in village.nodes] == [True] * 3

    await village.commune.call("POST", f"/holds/{hold['id']}/release")
    await until(confirmed, 30, "every node has let go")
    sent = await village.send("bulletin")
    await village.until_over(sent)
    assert_good(await village.judge("bulletin", to, await village.until_sounded(sent), sent))
