"""Broadcasts: who will play what when, said before it is saved and followed afterwards."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from controller.areas.repository import read_tree
from controller.broadcasts.forecast import PLAYS_PER_HOUR
from controller.broadcasts.models import Broadcast
from controller.broadcasts.repository import as_sent
from controller.broadcasts.schemas import BroadcastIn
from controller.errors import ConflictError, InvalidError, NotFoundError
from controller.events import Event, Topic
from controller.nodes.rules import NodeKind
from controller.plans.build import NodeFacts, Stamp, build_settings
from controller.plays import service as plays
from controller.plays.models import Play
from controller.receipts.models import Receipt
from edge_agent.protocol.listings import merge
from edge_agent.protocol.reports import PlayEvent
from edge_agent.protocol.states import Grade, Outcome, PlayState, Reason
from edge_agent.protocol.timeline import View, project
from tests.controller.factories import Centre, made_once, play_event
from tests.controller.test_services_areas import dirty

HALF_A_MINUTE = timedelta(seconds=24)


@made_once
async def commune(here: Centre) -> dict[str, Any]:
    """A commune with two hamlets, a node in each, and one recording; gives what a request needs."""
    area = await here.area("Xã Nga My", kind="commune")
    east, west = await here.area("Xóm Đông", area), await here.area("Xóm Tây", area)
    first, second = await here.node(east, "Cụm Đông"), await here.node(west, "Cụm Tây")
    recording = await here.recording()
    return {"area": area, "east": east, "west": west, "first": first, "second": second, "recording": recording}


def wish(place: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """What a client sends."""
    area = place.get("area")
    targets = [area.scope] if area else []
    return {"title": "Mất nước", "recordings": [place["recording"]], "targets": targets} | changed


def asked(place: dict[str, Any], **changed: Any) -> BroadcastIn:
    return BroadcastIn.checked(**wish(place, **changed))


async def tell(here: Centre, node_id: str, broadcast_id: str, seq: int = 1, **said: Any) -> bool:
    event = play_event(broadcast_id, seq, here.clock(), **said)
    async with here.database.transaction() as tx:
        return await plays.apply(tx, node_id, event, here.clock())


PLAYED: dict[str, Any] = {
    "outcome": Outcome.PLAYED,
    "grade": Grade.E1,
    "requested_ms": 24_000,
    "played_ms": 24_000,
    "simulated": True,
}


async def test_every_node_gets_one_play_however_often_it_is_aimed_at(here: Centre) -> None:
    place = await commune(here)
    targets = [place["east"].scope, place["area"].scope, place["first"].scope, place["area"].scope]
    sent = await here.services.broadcasts.create(here.actor, asked(place, targets=targets))
    assert [target.name for target in sent.targets] == ["Xã Nga My"]
    found = await here.services.broadcasts.plays(here.actor, sent.id)
    assert [(play.node_name, play.state) for play in found] == [("Cụm Đông", "planned"), ("Cụm Tây", "planned")]


async def test_now_stands_in_urgents_and_a_time_in_plans(here: Centre) -> None:
    place = await commune(here)
    await dirty(here)
    with here.bus.listen() as events:
        now = await here.services.broadcasts.create(here.actor, asked(place))
        told: list[Event] = []
        while len(told) < 2:
            told += [event for event in [await anext(events)] if event.topic is not Topic.AUDIT]
    assert Event(Topic.DOCUMENTS, place["area"].scope) in told
    assert Event(Topic.BROADCAST, now.id) in told
    assert await dirty(here) == {(place["area"].scope, "urgent")}
    assert now.start_at == here.clock() + timedelta(milliseconds=1500)
    assert now.latest_start_at == now.start_at + timedelta(minutes=2)
    at = here.clock() + timedelta(hours=3)
    later = await here.services.broadcasts.create(here.actor, asked(place, start_at=at, targets=[place["first"].scope]))
    assert await dirty(here) == {(place["first"].scope, "plan")}
    assert (later.latest_start_at, later.latest_end_at) == (
        at + timedelta(minutes=5),
        at + timedelta(minutes=6) + HALF_A_MINUTE,
    )


async def test_what_nodes_are_sent_is_approved_for_where_and_when_it_sounds(here: Centre) -> None:
    place = await commune(here)
    second = await here.recording("Nhạc hiệu", length_ms=3_000)
    sent = await here.services.broadcasts.create(here.actor, asked(place, recordings=[second, place["recording"]]))
    async with here.database.reading() as session:
        wire = (await as_sent(session, [sent.id]))[sent.id]
    assert wire.approved_for(frozenset([place["area"].scope]))
    assert not wire.approved_for(frozenset([place["east"].scope]))
    assert [item.offset_ms for item in wire.items] == [0, 3_000]
    assert sent.length_ms == wire.length_ms == 27_000


async def test_a_double_tap_sends_once(here: Centre) -> None:
    place = await commune(here)
    taps = [here.services.broadcasts.create(here.actor, asked(place), idempotency_key="tap-1") for _ in range(2)]
    sent = await asyncio.gather(*taps)
    assert sent[0].id == sent[1].id
    async with here.database.reading() as session:
        assert len((await session.scalars(select(Broadcast.id))).all()) == 1


async def test_a_key_belongs_to_one_request(here: Centre) -> None:
    place = await commune(here)
    await here.services.broadcasts.create(here.actor, asked(place), idempotency_key="tap-1")
    with pytest.raises(ConflictError):
        await here.services.broadcasts.create(here.actor, asked(place, title="Khác"), idempotency_key="tap-1")


@pytest.mark.parametrize(
    ("changed", "field", "problem"),
    [
        ({"title": " "}, "title", "empty"),
        ({"title": "a\u202eb"}, "title", "control_characters"),
        ({"recordings": []}, "recordings", "empty"),
        ({"recordings": ["nothing"]}, "recordings", "unknown"),
        ({"recordings": "not ready"}, "recordings", "not_ready"),
        ({"recordings": "withdrawn"}, "recordings", "withdrawn"),
        ({"recordings": "many"}, "recordings", "too_long"),
        ({"targets": []}, "targets", "empty"),
        ({"targets": ["areas/nowhere"]}, "targets", "unknown"),
        ({"targets": ["nowhere"]}, "targets", "unknown"),
        ({"targets": ["areas/"]}, "targets", "unknown"),
        ({"targets": "empty area"}, "targets", "no_nodes"),
        ({"level": "emergency"}, "level", "literal_error"),
        ({"start_at": datetime(1970, 1, 1, tzinfo=UTC)}, "start_at", "past"),
        ({"start_at": datetime(2199, 12, 31, 23, 59, 59, tzinfo=UTC)}, "start_at", "too_far"),
        ({"start_at": datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)}, "start_at", "less_than_equal"),
        ({"start_at": datetime(2026, 3, 9, 9, 0)}, "start_at", "timezone_aware"),  # noqa: DTZ001  refused for it
        ({"latest_start_at": datetime(1970, 1, 1, tzinfo=UTC)}, "latest_start_at", "before_start"),
        ({"latest_start_at": datetime(2199, 1, 1, tzinfo=UTC)}, "latest_start_at", "before_start"),
        ({"latest_end_at": datetime(2026, 3, 9, 2, 0, 20, tzinfo=UTC)}, "latest_end_at", "too_short"),
        ({"latest_end_at": datetime(2199, 1, 1, tzinfo=UTC)}, "latest_end_at", "too_far"),
    ],
)
async def test_what_could_not_be_sent_is_refused_by_name(
    lite: Centre, changed: dict[str, Any], field: str, problem: str
) -> None:
    place = await commune(lite)
    given = {
        "not ready": lambda: lite.recording(state="processing"),
        "withdrawn": lambda: lite.recording(withdrawn_at=lite.clock()),
    }
    given_fields = wish(place, **changed)
    if given_fields["recordings"] == "many":
        given_fields["recordings"] = [place["recording"]] * 51
    elif isinstance(given_fields["recordings"], str):
        given_fields["recordings"] = [await given[given_fields["recordings"]]()]
    if given_fields["targets"] == "empty area":
        given_fields["targets"] = [(await lite.area("Thôn trống")).scope]
    with pytest.raises(InvalidError) as wrong:
        await lite.services.broadcasts.create(lite.actor, BroadcastIn.checked(**given_fields))
    assert (wrong.value.fields["field"], wrong.value.fields["problem"]) == (field, problem)
    async with lite.database.reading() as session:
        assert (await session.scalars(select(Broadcast.id))).all() == []


async def test_nobody_can_wake_a_commune_at_a_quarter_past_three(here: Centre) -> None:
    """Trung Lộc, 5 December 2025: a slip in an hour, and no guard."""
    place = await commune(here)
    at = datetime(2026, 3, 10, 3, 15, tzinfo=UTC) - timedelta(hours=7)
    with pytest.raises(InvalidError) as wrong:
        await here.services.broadcasts.create(here.actor, asked(place, start_at=at))
    assert (wrong.value.code, wrong.value.fields["hours"]) == ("quiet_hours", "22:00–05:00")
    assert (await here.services.broadcasts.preview(here.actor, asked(place, start_at=at))).refusal == "quiet_hours"


async def test_what_would_run_into_quiet_hours_is_refused_too(here: Centre) -> None:
    place = await commune(here)
    long = await here.recording(length_ms=20 * 60_000)
    at = datetime(2026, 3, 9, 21, 50, tzinfo=UTC) - timedelta(hours=7)
    with pytest.raises(InvalidError) as wrong:
        await here.services.broadcasts.create(here.actor, asked(place, start_at=at, recordings=[long]))
    assert wrong.value.code == "quiet_hours"


async def test_the_preview_names_the_nodes_that_would_refuse(here: Centre) -> None:
    place = await commune(here)
    await here.services.areas.change(here.actor, place["west"].id, quiet_hours=[])
    at = datetime(2026, 3, 9, 22, 30, tzinfo=UTC) - timedelta(hours=7)
    found = await here.services.broadcasts.preview(here.actor, asked(place, start_at=at))
    assert (found.node_count, found.played_count, found.refusal) == (2, 1, None)
    said = {node.name: (each.outcome, each.reason, each.quiet_hours) for each in found.forecasts for node in each.nodes}
    assert said == {
        "Cụm Đông": ("refused", "quiet_hours", "22:00–05:00"),
        "Cụm Tây": ("played", None, None),
    }


async def test_the_preview_knows_what_else_wants_the_node(here: Centre) -> None:
    place = await commune(here)
    at = here.clock() + timedelta(hours=1)
    await here.services.broadcasts.create(
        here.actor, asked(place, title="Bản tin", start_at=at, targets=[place["east"].scope])
    )
    found = await here.services.broadcasts.preview(here.actor, asked(place, start_at=at))
    begins = {node.name: each.begins_at for each in found.forecasts for node in each.nodes}
    assert begins == {"Cụm Đông": at + HALF_A_MINUTE, "Cụm Tây": at}
    assert (found.late_count, found.yields) == (1, ("Bản tin",))


async def test_the_preview_knows_what_sounds_now(here: Centre) -> None:
    place = await commune(here)
    long = await here.recording("Bản tin chiều", length_ms=60_000)
    sent = await here.services.broadcasts.create(here.actor, asked(place, title="Bản tin", recordings=[long]))
    here.clock.step(seconds=1.5)
    await tell(here, place["first"].id, sent.id, state=PlayState.PLAYING, item=0)
    await tell(here, place["second"].id, sent.id, **PLAYED)
    here.clock.step(seconds=30)
    found = await here.services.broadcasts.preview(here.actor, asked(place))
    begins = {node.name: each.begins_at for each in found.forecasts for node in each.nodes}
    assert begins == {
        "Cụm Đông": sent.start_at + timedelta(seconds=60),
        "Cụm Tây": here.clock() + timedelta(seconds=1.5),
    }


async def test_of_two_at_one_start_the_preview_says_who_waits(lite: Centre) -> None:
    """Promise P10, many times over: names decide the tie, and chance must not decide the names."""
    place = await commune(lite)
    at = lite.clock() + timedelta(hours=1)
    for number in range(8):
        start_at = at + timedelta(hours=number)
        first = await lite.services.broadcasts.create(lite.actor, asked(place, start_at=start_at))
        lite.clock.step(seconds=1)
        preview = await lite.services.broadcasts.preview(lite.actor, asked(place, start_at=start_at))
        meant = asked(place, start_at=start_at, confirm_conflicts=True)
        second = await lite.services.broadcasts.create(lite.actor, meant)
        async with lite.database.reading() as session:
            wire = await as_sent(session, [first.id, second.id])
            tree = await read_tree(session)
        settings = build_settings(
            Stamp("nodes/n-1", 1, 1, lite.clock()),
            NodeFacts(),
            [],
            tree.effective(place["area"].id),
            lite.trusted_keys,
        )
        view = View(listings=merge([(place["area"].scope, second.latest_end_at, wire.values())], []), settings=settings)
        begins = [
            step.at
            for step in project(view, lite.clock(), second.latest_end_at)
            if step.sound is not None and step.sound.broadcast_id == second.id
        ]
        assert {each.begins_at for each in preview.forecasts} == {begins[0]} == {start_at + HALF_A_MINUTE}


async def test_the_preview_counts_the_plays_of_the_last_hour(here: Centre) -> None:
    place = await commune(here)
    short = await here.recording("Chuông", length_ms=1_000)
    for number in range(PLAYS_PER_HOUR):
        if number % 25 == 0:
            here.clock.step(minutes=2, seconds=30)
        sent = await here.services.broadcasts.create(here.actor, asked(place, recordings=[short]))
        await tell(here, place["first"].id, sent.id, seq=2 * number + 1, state=PlayState.PLAYING, item=0)
        for node in (place["first"], place["second"]):
            await tell(here, node.id, sent.id, seq=2 * number + 2, **PLAYED)
    found = await here.services.broadcasts.preview(here.actor, asked(place))
    said = {node.name: (each.outcome, each.reason) for each in found.forecasts for node in each.nodes}
    assert said == {"Cụm Đông": ("refused", "plays_per_hour"), "Cụm Tây": ("played", None)}
    here.clock.step(minutes=60)
    found = await here.services.broadcasts.preview(here.actor, asked(place))
    assert found.played_count == 2


async def test_the_preview_says_that_a_held_node_stays_silent(here: Centre) -> None:
    place = await commune(here)
    await here.services.holds.order(here.actor, [place["east"].scope])
    found = await here.services.broadcasts.preview(here.actor, asked(place))
    said = {node.name: (each.outcome, each.reason) for each in found.forecasts for node in each.nodes}
    assert said == {"Cụm Đông": ("missed", "held"), "Cụm Tây": ("played", None)}


async def test_who_speaks_under_a_hold_is_told_before_and_after(here: Centre) -> None:
    """And no more when it is released, is over, or stands elsewhere."""
    place = await commune(here)
    [hold] = await here.services.holds.order(here.actor, [place["east"].scope])
    stands = {"hold_id": hold.id, "scope": place["east"].scope, "scope_name": "Xóm Đông", "node_count": 1}
    stands |= {"ordered_at": hold.ordered_at}
    seen = await here.services.broadcasts.preview(here.actor, asked(place))
    sent = await here.services.broadcasts.create(here.actor, asked(place))
    again = await here.services.broadcasts.get(here.actor, sent.id)
    assert [[each.model_dump() for each in told.held_by] for told in (seen, sent, again)] == [[stands]] * 3
    beside = asked(place, targets=[place["west"].scope])
    assert (await here.services.broadcasts.preview(here.actor, beside)).held_by == ()
    assert (await here.services.broadcasts.cancel(here.actor, sent.id)).held_by == ()
    await here.services.holds.release(here.actor, hold.id)
    assert (await here.services.broadcasts.preview(here.actor, asked(place))).held_by == ()


async def test_the_preview_counts_who_is_there(here: Centre) -> None:
    place = await commune(here)
    here.clock.step(seconds=46)
    here.hears(place["first"].id)
    found = await here.services.broadcasts.preview(here.actor, asked(place))
    assert (found.node_count, found.online_count, found.area_names) == (2, 1, ("Xóm Đông", "Xóm Tây"))
    async with here.database.reading() as session:
        assert (await session.scalars(select(Broadcast.id))).all() == []


async def test_the_preview_counts_clusters_that_report_nothing_apart(lite: Centre) -> None:
    place = await commune(lite)
    await lite.services.nodes.create(lite.actor, kind=NodeKind.FM, area_id=place["west"].id, name="FM")
    found = await lite.services.broadcasts.preview(lite.actor, asked(place))
    assert (found.node_count, found.unreporting_count, found.played_count, found.late_count) == (2, 1, 2, 0)


async def test_a_cancelled_broadcast_leaves_plans_and_is_stopped_where_it_sounds(here: Centre) -> None:
    place = await commune(here)
    sent = await here.services.broadcasts.create(here.actor, asked(place))
    await tell(here, place["first"].id, sent.id, state=PlayState.PLAYING, item=0)
    await dirty(here)
    cancelled = await here.services.broadcasts.cancel(here.actor, sent.id)
    assert await dirty(here) == {(place["area"].scope, "plan"), (place["area"].scope, "urgent")}
    assert (cancelled.phase, cancelled.counts) == ("cancelled", {"cancel_unconfirmed": 2})
    await tell(here, place["first"].id, sent.id, outcome=Outcome.INTERRUPTED, reason=Reason.STOPPED, seq=2)
    await tell(here, place["second"].id, sent.id, outcome=Outcome.CANCELLED, reason=Reason.STOPPED)
    confirmed = await here.services.broadcasts.get(here.actor, sent.id)
    assert confirmed.counts == {"interrupted": 1, "cancelled": 1}
    with pytest.raises(ConflictError):
        await here.services.broadcasts.cancel(here.actor, sent.id)


async def test_what_is_over_cannot_be_cancelled(here: Centre) -> None:
    place = await commune(here)
    sent = await here.services.broadcasts.create(here.actor, asked(place))
    for node in (place["first"], place["second"]):
        await tell(here, node.id, sent.id, **PLAYED)
    with pytest.raises(ConflictError) as refused:
        await here.services.broadcasts.cancel(here.actor, sent.id)
    assert refused.value.fields["problem"] == "over"
    with pytest.raises(NotFoundError):
        await here.services.broadcasts.cancel(here.actor, "nothing")


async def test_no_word_is_unknown_until_the_word_comes(here: Centre) -> None:
    place = await commune(here)
    sent = await here.services.broadcasts.create(here.actor, asked(place))
    await tell(here, place["first"].id, sent.id, **PLAYED)
    here.clock.now = sent.latest_end_at + timedelta(minutes=2)
    async with here.database.transaction() as tx:
        assert await plays.sweep(tx, here.clock()) == 0
    here.clock.step(seconds=1)
    async with here.database.transaction() as tx:
        assert await plays.sweep(tx, here.clock()) == 1
        assert await plays.sweep(tx, here.clock()) == 0
    swept = await here.services.broadcasts.get(here.actor, sent.id)
    assert (swept.phase, swept.counts) == ("over", {"played": 1, "unknown": 1})
    assert await tell(here, place["second"].id, sent.id, **PLAYED)
    told = await here.services.broadcasts.get(here.actor, sent.id)
    assert (told.counts, told.grades) == ({"played": 2}, {"e1_simulated": 2})


async def test_a_node_moves_its_own_plays_only(here: Centre) -> None:
    place = await commune(here)
    sent = await here.services.broadcasts.create(here.actor, asked(place, targets=[place["first"].scope]))
    assert not await tell(here, place["second"].id, sent.id, **PLAYED)
    assert not await tell(here, place["first"].id, "no-such-broadcast", **PLAYED)
    async with here.database.reading() as session:
        assert [play.outcome for play in await session.scalars(select(Play))] == [None]
        assert (await session.scalars(select(Receipt))).all() == []  # storing them is the ingest's work


async def test_a_play_only_goes_forward_whatever_the_order_of_the_news(here: Centre) -> None:
    place = await commune(here)
    sent = await here.services.broadcasts.create(here.actor, asked(place, targets=[place["first"].scope]))
    node, at = place["first"].id, here.clock()
    assert await tell(here, node, sent.id, state=PlayState.PLAYING, item=0, start_error_ms=0.25)
    assert not await tell(here, node, sent.id, state=PlayState.CACHED)
    assert await tell(here, node, sent.id, **PLAYED)
    assert not await tell(here, node, sent.id, outcome=Outcome.MISSED, reason=Reason.LATE)
    assert not await tell(here, node, sent.id, **PLAYED)
    play = (await here.services.broadcasts.plays(here.actor, sent.id))[0]
    assert (play.state, play.reached, play.outcome) == (None, "playing", "played"), "it is over, and plays no more"
    assert (play.started_at, play.start_error_ms) == (at, 0.25)


async def test_an_absurd_number_of_a_node_stops_nothing(here: Centre) -> None:
    place = await commune(here)
    sent = await here.services.broadcasts.create(here.actor, asked(place))
    said = PLAYED | {"played_ms": 2**53 - 1, "underruns": 2**53 - 1, "start_error_ms": 1e9}
    assert await tell(here, place["first"].id, sent.id, **said)
    assert (await here.services.broadcasts.plays(here.actor, sent.id))[0].played_ms == 2**31 - 1


async def test_the_phase_follows_the_nodes(here: Centre) -> None:
    place = await commune(here)
    sent = await here.services.broadcasts.create(here.actor, asked(place))
    phases = [sent.phase]
    for said in ({"state": PlayState.CACHED}, {"state": PlayState.PLAYING, "item": 0}, PLAYED):
        for node in (place["first"], place["second"]):
            await tell(here, node.id, sent.id, **said)
            phases.append((await here.services.broadcasts.get(here.actor, sent.id)).phase)
        here.clock.step(seconds=2)
    assert phases == ["sending", "sending", "ready", "on_air", "on_air", "on_air", "over"]
    assert (await here.services.broadcasts.get(here.actor, sent.id)).ready_count == 2


async def test_a_node_that_comes_later_takes_part(here: Centre) -> None:
    place = await commune(here)
    sent = await here.services.broadcasts.create(here.actor, asked(place, start_at=here.clock() + timedelta(hours=1)))
    await here.node(place["east"], "Cụm mới")
    names = [play.node_name for play in await here.services.broadcasts.plays(here.actor, sent.id)]
    assert names == ["Cụm Đông", "Cụm mới", "Cụm Tây"]


async def test_today_is_the_day_of_the_place(here: Centre) -> None:
    """At 23:30 UTC it is tomorrow morning in Hanoi."""
    place = await commune(here)
    here.clock.now = datetime(2026, 3, 9, 22, 30, tzinfo=UTC)
    today = await here.services.broadcasts.create(here.actor, asked(place))
    await here.services.broadcasts.create(here.actor, asked(place, start_at=datetime(2026, 3, 11, 0, 0, tzinfo=UTC)))
    assert [each.id for each in await here.services.broadcasts.today(here.actor, "Asia/Ho_Chi_Minh")] == [today.id]


def test_a_node_cannot_say_what_only_the_centre_knows() -> None:
    with pytest.raises(ValueError, match="only the centre says"):
        PlayEvent(seq=1, at=datetime.now(UTC), broadcast_id="b", outcome=Outcome.UNKNOWN)
