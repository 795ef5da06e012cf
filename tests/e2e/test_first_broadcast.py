"""The first broadcast, from a file to the loudspeaker: real centre, real agents, PulseAudio, everything listened to.

Every judgement of sound is made on what left the sinks. The tests share one commune and run in this order; each leaves
it whole.
"""

from datetime import UTC, datetime, timedelta
from functools import partial

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller.wire.mqtt import RefusedError
from edge_agent.protocol.documents import Urgent
from edge_agent.protocol.signing import SigningKey
from edge_agent.protocol.topics import Word
from tests.e2e.neighbour import Neighbour, as_centre, as_node, persistently, read_urgent
from tests.e2e.scenes import assert_good, flip_a_byte
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


HEARD_OF_S = 40
"""What a node tells of itself while the centre's connection is stolen is lost; it says so again after 30 s."""


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
    await until(lambda: all(village.dropped(node) >= dropped[node.node_id] + 3 for node in village.nodes), 40, "drops")
    to = await village.listened_for(4)
    assert [village.part(node, since, to).silent for node in village.nodes] == [True] * 3

    await village.commune.until_online()
    sent = await village.send("bulletin")
    await village.until_over(sent)
    assert_good(await village.judge("bulletin", since, await village.until_sounded(sent), sent))
    await until(lambda: village.all_have_fault("bad_message"), HEARD_OF_S, "every node tells that somebody is at work")


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
