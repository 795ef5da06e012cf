"""The first broadcast, from a file to the loudspeaker: real centre, real agents, PulseAudio, everything listened to.

Every judgement of sound is made on what left the sinks. The tests share one commune and run in this order; each leaves
it whole.
"""

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller.demo.check import NodeVerdict
from controller.wire.mqtt import RefusedError
from edge_agent.protocol.documents import Urgent
from edge_agent.protocol.signing import SigningKey
from edge_agent.protocol.topics import Word
from tests.e2e.neighbour import Neighbour, as_centre, as_node, persistently, read_urgent
from tests.e2e.stalls import on_a_machine_that_keeps_up
from tests.e2e.village import Village, report, running_village
from tests.e2e.waiting import until

pytestmark = [
    pytest.mark.broker,
    pytest.mark.sound,
    pytest.mark.listening,
    pytest.mark.timeout(300),
    pytest.mark.asyncio(loop_scope="module"),
]


HEARD_OF_S = 40
"""What a node tells of itself while the centre's connection is stolen is lost; it says so again after 30 s."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Village]:
    async with running_village(tmp_path_factory.mktemp("village")) as village:
        yield village
    report(request.config, village)


@pytest_asyncio.fixture(loop_scope="module")
async def village(shared: Village) -> Village:
    """The commune, whole: whatever the test before has left."""
    await shared.bring_back()
    return shared


def assert_good(verdicts: list[NodeVerdict]) -> None:
    """Right sound, once, on time, nothing else, and reported truly."""
    assert {verdict.node: verdict.problems for verdict in verdicts if verdict.problems} == {}
    assert [play.simulated for verdict in verdicts for play in verdict.plays if play.simulated] == []


@on_a_machine_that_keeps_up
async def test_every_node_plays_an_uploaded_mp3_once_at_its_time_and_once_now_and_says_so(village: Village) -> None:
    since = await village.now()
    scheduled = await village.send("bulletin", in_s=4)
    await village.until_over(scheduled)
    now = await village.send("bulletin")
    plays = await village.until_over(now)
    to = await village.until_sounded(now)

    assert_good(await village.judge("bulletin", since, to, scheduled, now))
    assert [(play["reached"], play["state"], play["grade"]) for play in plays.values()] == [("playing", None, 1)] * 3
    assert all(play["underruns"] is not None for play in plays.values())
    shown = await village.commune.call("GET", f"/broadcasts/{now['id']}")
    assert (shown["phase"], shown["counts"], shown["grades"]) == ("over", {"played": 3}, {"e1": 3})


@on_a_machine_that_keeps_up
async def test_the_same_orders_delivered_again_play_once(village: Village) -> None:
    """The retained plan and urgent, sent again by somebody with the centre's certificate: before, while, and after."""
    since = await village.now()
    now = await village.send("bulletin")
    scheduled = await village.send("bulletin", in_s=village.sounds["bulletin"].length.total_seconds() + 3.5)

    async def tell_again(neighbour: Neighbour) -> None:
        for word in (Word.URGENT, Word.PLAN):
            token = await neighbour.retained(village.scope, word)
            for retain in (False, True):
                await neighbour.publish(village.scope, word, token, retain=retain)

    centre = partial(as_centre, village.commune)
    await persistently(centre, tell_again)
    await village.until_playing(now)
    await persistently(centre, tell_again)
    await village.until_playing(scheduled)
    await persistently(centre, tell_again)
    await village.until_over(scheduled)
    await persistently(centre, tell_again)
    to = await village.listened_for(2)

    assert_good(await village.judge("bulletin", since, to, now, scheduled))


@on_a_machine_that_keeps_up
async def test_a_changed_byte_in_a_cached_file_is_not_played(village: Village) -> None:
    """Changed under a running agent, under a stopped one, and by a disk that rots without a trace."""
    changed, rotten, stopped = village.nodes
    since = await village.now()
    sent = await village.send("bulletin", in_s=8)
    await village.until_cached(sent)
    await village.kill_node(stopped)
    for node in village.nodes:
        flip_a_byte(village.media(node, "bulletin"), trace=node is not rotten)
    await village.start_node(stopped)
    await village.until_over(sent)
    to = await village.until_sounded(sent)

    fetched_again = [changed, stopped]
    verdicts = await village.judge("bulletin", since, to, sent)
    assert_good([verdict for verdict in verdicts if verdict.node in {node.spec.name for node in fetched_again}])
    play = (await village.plays(sent))[rotten.node_id]
    if play["outcome"] == "played":
        assert_good([verdict for verdict in verdicts if verdict.node == rotten.spec.name])
    else:
        assert play["reason"] == "corrupt_file"
        assert village.part(rotten, since, to).silent


@on_a_machine_that_keeps_up
async def test_nothing_sounds_for_a_hostile_neighbour(village: Village) -> None:
    """With a node's certificate the broker refuses; with the centre's, what its keys did not sign has no effect."""
    now = await village.send("bulletin")
    await village.until_over(now)
    since = await village.listened_for(0.5)

    async def order_the_others_about(neighbour: Neighbour) -> None:
        for scope in (village.scope, *(f"nodes/{node.node_id}" for node in village.nodes)):
            with pytest.raises(RefusedError):
                await neighbour.publish(scope, Word.URGENT, b"{}")

    async def order_all_about(neighbour: Neighbour) -> None:
        _, genuine = village.document(village.scope, Word.URGENT)
        forged = forge(read_urgent(genuine, village.scope, village.commune))
        stranger = SigningKey(Ed25519PrivateKey.generate()).sign(forged)
        head, _, tail = genuine.split(b".")
        altered = b".".join((head, stranger.split(b".")[1], tail))
        for payload in (msgspec.json.encode(forged), altered, stranger):
            await neighbour.publish(village.scope, Word.URGENT, payload, retain=True)

    await persistently(lambda: as_node(village.commune, village.nodes[0]), order_the_others_about)
    await village.commune.until_online()
    dropped = {node.node_id: village.dropped(node) for node in village.nodes}
    await persistently(lambda: as_centre(village.commune), order_all_about)
    await until(lambda: all(village.dropped(node) >= dropped[node.node_id] + 3 for node in village.nodes), 15, "drops")
    to = await village.listened_for(4)
    assert [village.part(node, since, to).silent for node in village.nodes] == [True] * 3

    await village.commune.until_online()
    sent = await village.send("bulletin")
    await village.until_over(sent)
    assert_good(await village.judge("bulletin", since, await village.until_sounded(sent), sent))
    await until(lambda: village.all_have_fault("bad_message"), HEARD_OF_S, "every node tells that somebody is at work")


@on_a_machine_that_keeps_up
async def test_a_cancelled_broadcast_does_not_sound_and_what_a_lost_node_did_is_told_when_it_is_back(
    village: Village,
) -> None:
    online, dead, cut_off = village.nodes
    since = await village.now()
    sent = await village.send("bulletin", in_s=9, latest_after_s=1)
    await village.until_cached(sent)
    await village.kill_node(dead)
    await village.kill_node(cut_off)
    village.cut_link(cut_off)
    await village.start_node(cut_off)
    await village.commune.call("POST", f"/broadcasts/{sent['id']}/cancel")
    expected = {
        online.node_id: "cancelled",
        dead.node_id: "cancel_unconfirmed",
        cut_off.node_id: "cancel_unconfirmed",
    }
    await village.until_outcomes(sent, expected)
    to = await village.until_sounded(sent)
    assert await village.outcomes(sent) == expected

    await village.bring_back()
    # The dead one finds at its start, before anybody tells it, that it is too late.
    await village.until_outcomes(sent, {**expected, dead.node_id: "missed", cut_off.node_id: "played"})
    assert village.part(online, since, to).silent
    assert village.part(dead, since, to).silent
    verdicts = await village.judge("bulletin", since, to, sent)
    assert_good([verdict for verdict in verdicts if verdict.node == cut_off.spec.name])


@on_a_machine_that_keeps_up
async def test_nodes_alone_play_on_time_and_report_later_and_never_a_changed_file(village: Village) -> None:
    """Centre and broker are killed before the start; one agent is killed too, another one's disk changes a byte."""
    spoiled, restarted, _ = village.nodes
    since = await village.now()
    sent = await village.send("bulletin", in_s=8, latest_after_s=1)
    await village.until_cached(sent)
    await village.kill_centre()
    await village.kill_node(restarted)
    await village.start_node(restarted)
    flip_a_byte(village.media(spoiled, "bulletin"))
    to = await village.until_sounded(sent)

    await village.bring_back()
    plays = await village.until_over(sent)
    verdicts = await village.judge("bulletin", since, to, sent)
    assert_good([verdict for verdict in verdicts if verdict.node != spoiled.spec.name])
    assert village.part(spoiled, since, to).silent
    told = plays[spoiled.node_id]
    assert (told["outcome"], told["reason"] in {"no_file", "corrupt_file"}) == ("missed", True)


@on_a_machine_that_keeps_up
async def test_a_centre_killed_between_commit_and_publish_loses_nothing(village: Village) -> None:
    """The broker is frozen, so that one order is signed and not published, another one committed and not signed."""
    since = await village.now()
    broker = village.broker()
    broker.suspend()
    version, _ = village.document(village.scope, Word.PLAN)
    signed = await village.send("bulletin", in_s=village.back_in_s)
    await until(lambda: village.document(village.scope, Word.PLAN)[0] > version, 10, "a signed plan")
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

    await until(confirmed, 10, "every node obeys")
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
    await until(confirmed, 10, "every node has let go")
    sent = await village.send("bulletin")
    await village.until_over(sent)
    assert_good(await village.judge("bulletin", to, await village.until_sounded(sent), sent))


def flip_a_byte(path: Path, *, trace: bool = True) -> None:
    """Change one byte in place; without ``trace`` the file's times stay as they were."""
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(before.st_size // 2)
        byte = file.read(1)[0]
        file.seek(before.st_size // 2)
        file.write(bytes([byte ^ 1]))
    if not trace:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def forge(genuine: Urgent) -> Urgent:
    """Say the same again, two seconds from now, under a new name and a much newer version."""
    start_at = datetime.now(UTC) + timedelta(seconds=2)
    last = genuine.broadcasts[-1]
    window = {"latest_start_at": start_at + timedelta(minutes=1), "latest_end_at": start_at + timedelta(minutes=2)}
    until_at = window["latest_end_at"]
    approvals = [msgspec.structs.replace(one, not_before_at=start_at, not_after_at=until_at) for one in last.approvals]
    again = msgspec.structs.replace(
        last, broadcast_id="forged", start_at=start_at, approvals=tuple(approvals), **window
    )
    return msgspec.structs.replace(genuine, version=genuine.version + 1000, broadcasts=(again,))
