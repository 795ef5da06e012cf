"""The first broadcast when parts of the way are gone: dead nodes, cut links, a killed centre, a spoilt file.

Every judgement of sound is made on what left the sinks. The tests share one commune and run in this order; each leaves
it whole. They are apart from the rest of the first broadcast so that all may run at once.
"""

import pytest

from tests.e2e.scenes import assert_good, flip_a_byte
from tests.e2e.stalls import on_a_machine_that_keeps_up
from tests.e2e.village import Village

pytestmark = [
    pytest.mark.broker,
    pytest.mark.sound,
    pytest.mark.listening,
    pytest.mark.timeout(300),
    pytest.mark.asyncio(loop_scope="module"),
]


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
