"""What any agent must do, seen from outside: the wire on one side, the frames that left its output on the other.

Runs against every agent in ``agents.KINDS`` as a process, with a real broker over TLS and real audio. Every agent has a
centre of its own and all run at once: most of the time is spent waiting.
"""

import functools
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.protocol.content import Item
from edge_agent.protocol.documents import Plan, QuietHours
from edge_agent.protocol.signing import SigningKey
from edge_agent.protocol.states import ClockState, Drill, Grade, Level, Outcome, PlayState, Reason
from edge_agent.protocol.topics import Topic, Word
from tests.e2e import unsynchronised
from tests.e2e.agents import NODE, Node, by_every_agent, is_silent_but_for, starts
from tests.edge_agent.centre import AREA, Centre, broadcast, make_opus, pcm_of, soon

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]

SCOPE = f"areas/{AREA}"
START_ERROR = timedelta(milliseconds=10)
"""DESIGN section 9, loaded: these tests share two cores with others."""
SHORT = timedelta(milliseconds=500)


@functools.cache
def opus(seed: int, length_ms: int = 1000) -> bytes:
    return make_opus(seed, length_ms)


async def online(centre: Centre, node: Node) -> None:
    """Start the agent and wait until it is ready to be ordered about."""
    since = len(centre.said(NODE, Word.HEALTH))
    node.start()

    def ready() -> bool:
        health = centre.health(NODE)
        new = len(centre.said(NODE, Word.HEALTH)) > since
        return bool(new and health and health.clock.state is ClockState.TRUSTED and f"nodes/{NODE}" in health.held)

    await centre.until(ready, what="a node with settings and a trusted clock")


@by_every_agent
async def test_a_planned_broadcast_plays_whole_on_its_sample_and_is_reported_in_sequence(
    centre: Centre, node: Node
) -> None:
    first, second = centre.add_media(opus(1)), centre.add_media(opus(2, 600))
    await online(centre, node)
    due = broadcast("b-1", soon(2), first, second)
    await centre.plan(due)
    event = await centre.until_outcome(NODE, "b-1")
    node.stop()

    assert event.outcome is Outcome.PLAYED
    assert event.grade is Grade.E1
    assert event.simulated
    assert event.requested_ms == first.length_ms + second.length_ms
    assert event.played_ms is not None
    assert abs(event.played_ms - event.requested_ms) <= event.requested_ms * 0.01
    states = [one.state for one in centre.plays(NODE, "b-1")]
    playing = PlayState.PLAYING
    assert states == [PlayState.RECEIVED, PlayState.CACHED, PlayState.ARMED, playing, playing, None]
    assert sorted(centre.events[NODE]) == list(range(1, len(centre.events[NODE]) + 1))

    recording = node.recording()
    begun = starts(recording, pcm_of(opus(1)))
    assert [one.whole for one in begun] == [True]
    assert abs(begun[0].at - due.start_at) <= START_ERROR
    then = starts(recording, pcm_of(opus(2, 600)))
    assert [one.whole for one in then] == [True]
    assert abs(then[0].at - due.start_at - timedelta(milliseconds=first.length_ms)) <= START_ERROR
    assert is_silent_but_for(recording, pcm_of(opus(1)), pcm_of(opus(2, 600)))
    await centre.until(lambda: centre.presence(NODE)["state"] == "leaving", what="a goodbye")


@by_every_agent
async def test_what_comes_twice_or_by_two_ways_plays_once(centre: Centre, node: Node) -> None:
    voice = centre.add_media(opus(1))
    await online(centre, node)
    due = broadcast("b-1", soon(2), voice, scopes=(SCOPE, f"nodes/{NODE}"))
    plan = await centre.plan(due)
    await centre.send(plan)
    await centre.plan(due, scope=f"nodes/{NODE}")
    await centre.plan(due)
    await centre.urgent(due)
    assert (await centre.until_outcome(NODE, "b-1")).outcome is Outcome.PLAYED
    last = await centre.plan(due)
    await centre.until_held(NODE, last)
    node.stop()

    assert centre.outcomes(NODE) == [("b-1", Outcome.PLAYED)]
    assert [one.whole for one in starts(node.recording(), pcm_of(opus(1)))] == [True]


@by_every_agent
async def test_what_was_edited_after_it_began_is_not_heard_again(centre: Centre, node: Node) -> None:
    """The node hears of the edit when the old version has ended, then restarts; it never begins another."""
    voice, other = centre.add_media(opus(1)), centre.add_media(opus(2))
    await online(centre, node)
    await centre.plan(broadcast("b-old", soon(1.5), voice))
    assert (await centre.until_outcome(NODE, "b-old")).outcome is Outcome.PLAYED
    newer = await centre.plan(broadcast("b-new", soon(1), other, run="b-old"))
    event = await centre.until_outcome(NODE, "b-new")
    assert (event.outcome, event.reason, event.by) == (Outcome.CANCELLED, Reason.ALREADY_BEGUN, "b-old")
    await centre.until_held(NODE, newer)
    node.kill()
    await online(centre, node)
    await centre.plan(broadcast("b-newest", soon(1), other, run="b-old"), broadcast("b-free", soon(1.5), voice))
    assert (await centre.until_outcome(NODE, "b-free")).outcome is Outcome.PLAYED
    assert (await centre.until_outcome(NODE, "b-newest")).reason is Reason.ALREADY_BEGUN
    node.stop()

    assert starts(node.recording(), pcm_of(opus(2))) == []


@by_every_agent
async def test_an_older_version_has_no_effect(centre: Centre, node: Node) -> None:
    voice, other = centre.add_media(opus(1)), centre.add_media(opus(2))
    await online(centre, node)
    start_at = soon(2.5)
    old = await centre.plan(broadcast("b-old", start_at, other))
    new = await centre.plan(broadcast("b-new", start_at, voice))
    await centre.until_held(NODE, new)
    await centre.send(old)
    assert (await centre.until_outcome(NODE, "b-new")).outcome is Outcome.PLAYED
    node.stop()

    assert starts(node.recording(), pcm_of(opus(2))) == []


@by_every_agent
async def test_nothing_sounds_by_a_document_that_is_not_the_centres_or_not_for_this_node(
    centre: Centre, node: Node
) -> None:
    """Unsigned, by a stranger's key, by the wrong one of our keys, for another node, for another topic, expired."""
    voice, good = centre.add_media(opus(1)), centre.add_media(opus(2))
    await online(centre, node)
    start_at = soon(2)
    stranger = SigningKey(Ed25519PrivateKey.generate())
    body = await centre.plan(broadcast("b-bad", start_at, voice), scope="areas/elsewhere")

    def bad(**changes: Any) -> Plan:
        fields = {name: getattr(body, name) for name in body.__struct_fields__}
        return Plan(**{**fields, "aud": SCOPE, "version": 1000, **changes})

    here = Topic(SCOPE, Word.PLAN)
    now_s = int(soon(0).timestamp())
    await centre.send_bytes(here, b"{}", retain=False)
    await centre.send_bytes(here, centre.dispatch.sign(bad())[:-8] + b"AAAAAAAA", retain=False)
    await centre.send(bad(), key=stranger, topic=here)
    await centre.send(bad(), key=centre.policy, topic=here)
    await centre.send(bad(aud="areas/elsewhere"), topic=here)
    await centre.send(bad(exp=now_s - 10, nbf=now_s - 100), topic=here)
    due = broadcast("b-good", start_at + timedelta(seconds=1.5), good)
    await centre.urgent(due)
    assert (await centre.until_outcome(NODE, "b-good")).outcome is Outcome.PLAYED
    health = await centre.until(lambda: (one := centre.health(NODE)) and sum(one.dropped.values()) >= 6 and one)
    node.stop()

    assert health.dropped["malformed"] >= 1
    assert health.dropped["bad_signature"] >= 1
    assert health.dropped["unknown_key"] >= 2
    assert health.dropped["wrong_audience"] >= 1
    assert health.dropped["expired"] == 1
    assert starts(node.recording(), pcm_of(opus(1))) == []
    assert is_silent_but_for(node.recording(), pcm_of(opus(2)))


@by_every_agent
async def test_what_no_approval_covers_is_refused(centre: Centre, node: Node) -> None:
    voice, good = centre.add_media(opus(1)), centre.add_media(opus(2))
    await online(centre, node)
    start_at = soon(1.5)
    await centre.plan(
        broadcast("b-none", start_at, voice, approved=False),
        broadcast("b-elsewhere", start_at, voice, scopes=("areas/elsewhere",)),
        broadcast("b-good", start_at + timedelta(seconds=1), good),
    )
    assert (await centre.until_outcome(NODE, "b-good")).outcome is Outcome.PLAYED
    node.stop()

    for name in ("b-none", "b-elsewhere"):
        event = await centre.until_outcome(NODE, name)
        assert (event.outcome, event.reason) == (Outcome.REFUSED, Reason.NOT_APPROVED)
    assert starts(node.recording(), pcm_of(opus(1))) == []


@by_every_agent
async def test_outside_its_hours_routine_and_drills_are_refused_and_an_emergency_is_not(
    centre: Centre, node: Node
) -> None:
    voice, siren = centre.add_media(opus(1)), centre.add_media(opus(2))
    await online(centre, node)
    later = QuietHours(start=f"{soon(7200):%H:%M}", until=f"{soon(10_800):%H:%M}")
    await centre.until_held(NODE, await centre.settle(NODE, zone="UTC", windows=(later,)))
    start_at = soon(1.5)
    await centre.plan(broadcast("b-routine", start_at, voice, late=SHORT))
    flood = broadcast("b-flood", start_at + timedelta(seconds=1), siren, level=Level.EMERGENCY)
    drill = broadcast("b-drill", start_at, voice, level=Level.EMERGENCY, drill=Drill.MARKED, late=SHORT)
    await centre.urgent(flood, drill)
    assert (await centre.until_outcome(NODE, "b-flood")).outcome is Outcome.PLAYED
    events = [await centre.until_outcome(NODE, name) for name in ("b-routine", "b-drill")]
    node.stop()

    assert [(one.outcome, one.reason) for one in events] == [(Outcome.REFUSED, Reason.OUTSIDE_WINDOW)] * 2
    assert is_silent_but_for(node.recording(), pcm_of(opus(2)))


@by_every_agent
async def test_a_drill_says_so_and_a_silent_one_is_zeros_without_a_grade(centre: Centre, node: Node) -> None:
    """An approval of a drill is none of the real thing."""
    voice, mark = centre.add_media(opus(1)), centre.add_media(opus(2))
    await online(centre, node)
    start_at = soon(1.5)
    silent = broadcast("b-silent", start_at, voice, level=Level.EMERGENCY, drill=Drill.SILENT)
    later_at = start_at + timedelta(seconds=1.3)
    marked = broadcast("b-marked", later_at, mark, level=Level.EMERGENCY, drill=Drill.MARKED)
    real = broadcast("b-real", later_at, voice, level=Level.EMERGENCY, drill=Drill.MARKED)
    await centre.urgent(silent, marked, msgspec.structs.replace(real, drill=None))
    played = [await centre.until_outcome(NODE, name) for name in ("b-silent", "b-marked")]
    refused = await centre.until_outcome(NODE, "b-real")
    node.stop()

    assert [(one.outcome, one.grade) for one in played] == [(Outcome.PLAYED, Grade.E0), (Outcome.PLAYED, Grade.E1)]
    assert played[0].played_ms == pytest.approx(1000, rel=0.02)
    assert (refused.outcome, refused.reason) == (Outcome.REFUSED, Reason.NOT_APPROVED)
    told = [{one.drill for one in centre.plays(NODE, name)} for name in ("b-silent", "b-marked", "b-real")]
    assert told == [{Drill.SILENT}, {Drill.MARKED}, {None}]
    assert [one.whole for one in starts(node.recording(), pcm_of(opus(2)))] == [True]
    assert is_silent_but_for(node.recording(), pcm_of(opus(2)))


@by_every_agent
async def test_a_bulletin_sounds_once_in_each_language_asked_for_and_keeps_the_slots_of_others(
    centre: Centre, node: Node
) -> None:
    viet, hmong = centre.add_media(opus(1)), centre.add_media(opus(2, 600), language="hmn")
    after_it = centre.add_media(opus(3, 500))
    await online(centre, node)
    await centre.until_held(NODE, await centre.settle(NODE, languages=("hmn", "tyz", "vi")))
    slots = tuple(Item(offset_ms=1000 * choice, choice=choice, voices=(viet, hmong)) for choice in range(3))
    news = broadcast("b-news", soon(2), items=slots)
    await centre.plan(news, broadcast("b-then", news.start_at + timedelta(milliseconds=100), after_it))
    event = await centre.until_outcome(NODE, "b-news")
    assert (await centre.until_outcome(NODE, "b-then")).outcome is Outcome.PLAYED
    node.stop()

    assert (event.outcome, event.requested_ms) == (Outcome.PLAYED, 1600)
    recording = node.recording()
    begun = [starts(recording, pcm_of(one)) for one in (opus(2, 600), opus(1), opus(3, 500))]
    assert [[one.whole for one in found] for found in begun] == [[True]] * 3
    for found, offset_s in zip(begun, (0, 1, 3), strict=True):
        assert abs(found[0].at - news.start_at - timedelta(seconds=offset_s)) <= START_ERROR


@by_every_agent
async def test_a_hold_silences_at_once_and_stays_through_a_restart_until_released(centre: Centre, node: Node) -> None:
    long, voice = centre.add_media(opus(3, 6000)), centre.add_media(opus(1))
    await online(centre, node)
    await centre.plan(broadcast("b-cut", soon(1.5), long))
    await centre.until(lambda: any(one.state is PlayState.PLAYING for one in centre.plays(NODE, "b-cut")))
    ordered_at = soon(0)
    await centre.hold("hold-1")
    event = await centre.until_outcome(NODE, "b-cut")
    assert (event.outcome, event.reason, event.by) == (Outcome.INTERRUPTED, Reason.HELD, "hold-1")
    assert event.played_ms is not None
    assert event.played_ms < 5000

    # The broker forgets everything, the node restarts: the hold is nowhere but in the node.
    node.kill()
    await centre.lose_broker()
    centre.forget_retained(SCOPE, Word.HOLD)
    await centre.bring_broker_back()
    await online(centre, node)
    held = broadcast("b-held", soon(1), voice, late=SHORT)
    await centre.urgent(held)
    event = await centre.until_outcome(NODE, "b-held")
    assert (event.outcome, event.reason) == (Outcome.MISSED, Reason.HELD)
    health = centre.health(NODE)
    assert health is not None
    assert health.holds == ("hold-1",)

    await centre.hold(released=("hold-1",))
    await centre.until(lambda: (one := centre.health(NODE)) and not one.holds)
    await centre.urgent(held, broadcast("b-free", soon(1), voice))
    assert (await centre.until_outcome(NODE, "b-free")).outcome is Outcome.PLAYED
    node.stop()

    recording = node.recording()
    sounded = starts(recording, pcm_of(opus(1)))
    assert [one.whole for one in sounded] == [True]
    silence = recording.between(ordered_at + timedelta(seconds=1), sounded[0].at - timedelta(milliseconds=1))
    assert len(silence) > 48_000
    assert not any(silence)


@by_every_agent
async def test_a_node_cut_off_and_restarted_plays_its_plan_and_reports_later(centre: Centre, node: Node) -> None:
    voice = centre.add_media(opus(1))
    await online(centre, node)
    due = broadcast("b-1", soon(4), voice)
    await centre.plan(due)
    await centre.until(lambda: any(one.state is PlayState.CACHED for one in centre.plays(NODE, "b-1")))
    await centre.lose_broker()
    centre.files.shelves.files.clear()
    node.kill()
    node.start()
    await node.consumed_until(due.start_at + timedelta(milliseconds=voice.length_ms))
    await centre.bring_broker_back()
    event = await centre.until_outcome(NODE, "b-1", within_s=40)
    node.stop()

    assert event.outcome is Outcome.PLAYED
    begun = starts(node.recording(), pcm_of(opus(1)))
    assert [one.whole for one in begun] == [True]
    assert abs(begun[0].at - due.start_at) <= START_ERROR
    assert sorted(centre.events[NODE]) == list(range(1, len(centre.events[NODE]) + 1))


@by_every_agent
async def test_a_changed_byte_in_a_cached_file_is_never_played(centre: Centre, node: Node) -> None:
    """With the original at hand it is fetched again; without it nothing sounds."""
    kept, lost, mark = (centre.add_media(opus(seed)) for seed in (1, 2, 3))
    await online(centre, node)
    first = broadcast("b-again", soon(4.5), kept)
    await centre.plan(first, broadcast("b-lost", first.start_at + timedelta(seconds=1.2), lost, late=SHORT))
    names = ("b-again", "b-lost")
    await centre.until(lambda: all(any(e.state is PlayState.CACHED for e in centre.plays(NODE, n)) for n in names))
    node.stop()
    changed = {file for name in (kept.sha256, lost.sha256) for file in node.state.rglob(f"*{name}*")}
    assert len(changed) == 2
    for file in changed:
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    del centre.files.shelves.files[f"/media/{lost.sha256}.opus"]
    await online(centre, node)
    await centre.urgent(broadcast("b-mark", first.start_at + timedelta(seconds=3), mark))
    assert (await centre.until_outcome(NODE, "b-mark")).outcome is Outcome.PLAYED
    node.stop()

    assert (await centre.until_outcome(NODE, "b-again")).outcome is Outcome.PLAYED
    event = await centre.until_outcome(NODE, "b-lost")
    assert event.outcome is Outcome.MISSED
    assert event.reason in {Reason.NO_FILE, Reason.CORRUPT_FILE}
    recording = node.recording()
    assert [one.whole for one in starts(recording, pcm_of(opus(1)))] == [True]
    assert is_silent_but_for(recording, pcm_of(opus(1)), pcm_of(opus(3)))


@by_every_agent
async def test_receipts_come_again_until_they_are_acknowledged(centre: Centre, node: Node) -> None:
    voice = centre.add_media(opus(1, 500))
    centre.acks = False
    await online(centre, node)
    await centre.plan(broadcast("b-1", soon(1.5), voice))
    await centre.until_outcome(NODE, "b-1")
    store_id = centre.batches[-1].store_id
    last_seq = max(centre.events[NODE])

    def sent(seq: int) -> int:
        return sum(any(event.seq == seq for event in batch.events) for batch in centre.batches)

    await centre.until(lambda: sent(1) >= 2 and sent(last_seq) >= 2, what="a second sending")
    await centre.ack(NODE, store_id)
    await centre.until(lambda: (one := centre.health(NODE)) and one.acked_seq >= last_seq, what="the ack taken")
    before = len(centre.batches)
    await centre.ack(NODE, store_id, send_from_seq=2)
    await centre.until(lambda: len(centre.batches) > before, what="sending from 2 on")
    node.stop()

    assert centre.batches[before].events[0].seq == 2


@by_every_agent
async def test_nothing_scheduled_sounds_before_the_centre_has_told_the_time(centre: Centre, node: Node) -> None:
    """Wherever this runs: nobody but the centre can tell the agent the time."""
    kind = node.kind
    node.kind = replace(kind, command=lambda state: unsynchronised.command(kind.command(state)))
    blind, seeing = centre.add_media(opus(1, 500)), centre.add_media(opus(2, 500))
    centre.answers_time = False
    node.start()
    await centre.until(lambda: centre.said(NODE, Word.TIME_ASK), what="the question for the time")
    health = await centre.until(lambda: centre.health(NODE))
    assert health.clock.state is ClockState.UNTRUSTED
    missed = broadcast("b-blind", soon(1), blind, late=SHORT)
    await centre.plan(missed)
    await centre.until(lambda: soon(-0.5) > missed.latest_start_at, what="the start to be over")
    centre.answers_time = True
    await centre.until(lambda: (one := centre.health(NODE)) and one.clock.state is ClockState.TRUSTED, within_s=30)
    await centre.plan(missed, broadcast("b-seeing", soon(1.5), seeing))
    event = await centre.until_outcome(NODE, "b-seeing")
    node.stop()

    assert event.outcome is Outcome.PLAYED
    assert (await centre.until_outcome(NODE, "b-blind")).outcome is Outcome.MISSED
    assert is_silent_but_for(node.recording(), pcm_of(opus(2, 500)))
