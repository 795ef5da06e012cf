"""Phát bù: once, only where it was missed, inside policy, and never by itself."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from controller.areas.schemas import AreaOut
from controller.broadcasts.models import Broadcast, BroadcastItem, BroadcastTarget
from controller.broadcasts.replays import OLDEST
from controller.broadcasts.schemas import BroadcastIn, BroadcastOut, ReplayIn
from controller.bulletins.schemas import BulletinChange, OfferIn, VersionSeen
from controller.errors import InvalidError
from controller.nodes.rules import NodeKind
from controller.nodes.schemas import NodeOut
from controller.plays.models import Play
from controller.policies.schemas import PolicyIn, PolicyRules, SecondPerson, Window
from edge_agent.protocol.states import Outcome, Reason
from tests.controller import approving
from tests.controller.factories import Centre, made_once
from tests.controller.schedules import village
from tests.controller.test_services_areas import dirty
from tests.controller.words import approved

TEN = datetime(2026, 3, 9, 3, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)

ENDS: dict[str, dict[str, Any]] = {
    "nghe đủ": {"outcome": Outcome.PLAYED, "played_ms": 60_000, "requested_ms": 60_000},
    "nghe quá nửa": {"outcome": Outcome.INTERRUPTED, "played_ms": 30_000, "requested_ms": 60_000},
    "nghe chưa nửa": {"outcome": Outcome.INTERRUPTED, "played_ms": 29_999, "requested_ms": 60_000},
    "tắt": {"outcome": Outcome.MISSED, "reason": Reason.OFF},
    "muộn": {"outcome": Outcome.EXPIRED, "reason": Reason.LATE},
    "giờ yên tĩnh": {"outcome": Outcome.REFUSED, "reason": Reason.QUIET_HOURS},
    "không rõ": {"outcome": Outcome.UNKNOWN},
}
MISSED = {"nghe chưa nửa", "tắt", "muộn", "không rõ"}


async def sent(here: Centre, area: AreaOut, **given: Any) -> BroadcastOut:
    recording = await here.recording(length_ms=60_000, area_id=area.id)
    said: dict[str, Any] = {"title": "Lịch tiêm", "recordings": (recording,), "targets": (area.scope,), "start_at": TEN}
    return await here.services.broadcasts.create(here.actor, BroadcastIn(**{**said, **given}))


@made_once
async def over(here: Centre, **given: Any) -> tuple[AreaOut, BroadcastOut, dict[str, NodeOut]]:
    """A broadcast of ten that ended differently at each node of a commune; it is eleven."""
    area = await here.area(quiet_hours=[])
    nodes = {name: await here.node(area, name) for name in ENDS}
    await here.services.nodes.create(here.actor, kind=NodeKind.WIRED, area_id=area.id, name="Có dây")
    made = await sent(here, area, **given)
    async with here.database.transaction() as tx:
        for name, node in nodes.items():
            which = (Play.broadcast_id == made.id) & (Play.node_id == node.id)
            await tx.session.execute(update(Play).where(which).values(**ENDS[name]))
    here.clock.now = TEN + HOUR
    for node in nodes.values():
        here.hears(node.id)
    return area, made, nodes


async def post(client: httpx.AsyncClient, made: BroadcastOut, tail: str = "", **wanted: Any) -> httpx.Response:
    return await client.post(f"/api/v1/broadcasts/{made.id}/replays{tail}", json={"confirm_unusual": True, **wanted})


async def scopes_of(here: Centre, broadcast_id: str) -> set[str]:
    async with here.database.reading() as session:
        query = select(BroadcastTarget.scope).where(BroadcastTarget.broadcast_id == broadcast_id)
        return set(await session.scalars(query))


async def test_only_the_nodes_that_missed_it_hear_it_again(here: Centre) -> None:
    _, made, nodes = await over(here)
    async with here.client() as client:
        shown = (await post(client, made, "/preview")).json()
        assert {each["name"] for each in shown["missed"]} == MISSED
        assert (shown["broadcast"]["node_count"], shown["broadcast"]["played_count"]) == (len(MISSED), len(MISSED))
        answer = await post(client, made)
    assert answer.status_code == 201, answer.text
    again = answer.json()
    assert (again["replays_id"], again["title"], again["urgent"]) == (made.id, "Lịch tiêm", True)
    assert await scopes_of(here, again["id"]) == {f"nodes/{nodes[name].id}" for name in MISSED}
    assert again["items"] == [each.model_dump(mode="json") for each in made.items]


async def test_it_is_made_up_for_once_and_again_only_when_that_was_cancelled(lite: Centre) -> None:
    _, made, _ = await over(lite)
    later = (TEN + 3 * HOUR).isoformat()
    async with lite.client() as client:
        first = (await post(client, made, start_at=later)).json()
        refused = await post(client, made)
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "already_replayed")
        assert refused.json()["error"]["fields"]["broadcast_id"] == first["id"]
        assert (await post(client, made, "/preview")).status_code == 409
        assert (await client.post(f"/api/v1/broadcasts/{first['id']}/cancel")).status_code == 200
        second = await post(client, made)
        assert second.status_code == 201, second.text
        lite.clock.now = TEN + 10 * HOUR
        chained = await client.post(f"/api/v1/broadcasts/{second.json()['id']}/replays")
        assert chained.json()["error"]["fields"]["problem"] == "is_replay"


async def test_what_is_not_over_cancelled_or_heard_everywhere_is_not_made_up_for(lite: Centre) -> None:
    area = await lite.area(quiet_hours=[])
    await lite.node(area)
    running, stopped = await sent(lite, area), await sent(lite, area, start_at=TEN + HOUR)
    await lite.services.broadcasts.cancel(lite.actor, stopped.id)
    lite.clock.now = TEN
    async with lite.client() as client:

        async def problem(made: BroadcastOut) -> str:
            answer = await post(client, made)
            assert answer.status_code == 409, answer.text
            found: str = answer.json()["error"]["fields"]["problem"]
            return found

        assert await problem(running) == "not_over"
        assert await problem(stopped) == "cancelled"
        async with lite.database.transaction() as tx:
            await tx.session.execute(update(Play).values(outcome=Outcome.PLAYED))
        assert await problem(running) == "nobody_missed"
        async with lite.database.transaction() as tx:
            await tx.session.execute(update(Broadcast).where(Broadcast.id == running.id).values(level="emergency"))
        assert await problem(running) == "emergency"


async def test_a_silent_node_counts_as_having_missed_it_once_its_time_to_answer_is_over(lite: Centre) -> None:
    area = await lite.area(quiet_hours=[])
    node = await lite.node(area)
    made = await sent(lite, area)
    async with lite.client() as client:
        lite.clock.now = made.latest_end_at + timedelta(seconds=119)
        assert (await post(client, made)).status_code == 409
        lite.clock.step(seconds=1)
        shown = (await post(client, made, "/preview")).json()
    assert [(each["node_id"], each["outcome"]) for each in shown["missed"]] == [(node.id, "unknown")]


async def test_a_replay_stays_inside_policy(lite: Centre) -> None:
    area, made, _ = await over(lite)
    rules = PolicyRules(windows=(Window(start="05:00", until="20:00"),))
    await lite.services.policies.put(lite.actor, area.id, PolicyIn(version=0, rules=rules))
    async with lite.client() as client:
        refused = await post(client, made, start_at=(TEN + 11 * HOUR).isoformat())  # 21:00 there
        assert (refused.status_code, refused.json()["error"]["code"]) == (422, "policy_breach")
        assert (await post(client, made, start_at=(TEN + 7 * HOUR).isoformat())).status_code == 201


async def test_where_policy_asks_for_a_second_person_a_replay_awaits_one(lite: Centre) -> None:
    area, made, _ = await over(lite)
    rules = PolicyRules(second_person=(SecondPerson(),))
    await lite.services.policies.put(lite.actor, area.id, PolicyIn(version=0, rules=rules))
    async with lite.client() as client:
        shown = (await post(client, made, "/preview")).json()
        again = (await post(client, made)).json()
    assert shown["broadcast"]["approval"] == "another"
    assert (again["phase"], again["approval"]["state"]) == ("awaiting_approval", "open")


async def test_what_may_not_be_said_any_more_is_not_replayed(lite: Centre) -> None:
    _, made, _ = await over(lite)
    await lite.services.recordings.withdraw(lite.actor, made.items[0].recording_id)
    async with lite.client() as client:
        answer = await post(client, made)
    assert answer.status_code == 422
    assert answer.json()["error"]["fields"]["problem"] == "withdrawn"


async def test_a_bulletin_is_replayed_only_while_its_words_are_the_approved_ones(lite: Centre) -> None:
    area = await lite.area(quiet_hours=[])
    node = await lite.node(area)
    said = await approved(lite, area, "Họp lúc 7 giờ")
    made = await sent(lite, area, recordings=(), bulletins=(said.id,))
    lite.clock.now = TEN + HOUR
    lite.hears(node.id)

    async def problem() -> tuple[str, str]:
        async with lite.client() as client:
            answer = await post(client, made)
        assert answer.status_code == 422, answer.text
        fields = answer.json()["error"]["fields"]
        return fields["problem"], fields["title"]

    await lite.services.bulletins.change(lite.actor, said.id, BulletinChange(version=1, title="Họp lúc 8 giờ"))
    assert await problem() == ("not_approved", "Họp lúc 8 giờ")
    await lite.services.bulletins.submit(lite.actor, said.id, VersionSeen(version=2))
    await lite.services.bulletins.approve(lite.actor, said.id, VersionSeen(version=2))
    assert await problem() == ("changed", "Họp lúc 8 giờ")


async def test_a_bulletin_that_was_put_away_is_not_replayed(lite: Centre) -> None:
    area = await lite.area(quiet_hours=[])
    await lite.node(area)
    said = await approved(lite, area)
    made = await sent(lite, area, recordings=(), bulletins=(said.id,))
    lite.clock.now = TEN + HOUR
    await lite.services.bulletins.archive(lite.actor, said.id)
    async with lite.client() as client:
        answer = await post(client, made)
    assert (answer.status_code, answer.json()["error"]["fields"]["problem"]) == (422, "not_approved")


async def test_a_replay_that_nobody_approved_in_time_is_in_the_way_of_none(lite: Centre) -> None:
    area, made, _ = await over(lite)
    rules = PolicyRules(second_person=(SecondPerson(),))
    await lite.services.policies.put(lite.actor, area.id, PolicyIn(version=0, rules=rules))
    async with lite.client() as client:
        first = (await post(client, made, start_at=(TEN + 3 * HOUR).isoformat())).json()
        lite.clock.now = datetime.fromisoformat(first["latest_start_at"]) - timedelta(seconds=1)
        assert (await post(client, made)).json()["error"]["code"] == "already_replayed"
        lite.clock.step(seconds=1)
        assert (await post(client, made)).status_code == 201


async def test_a_session_of_a_schedule_is_replayed_as_it_was_laid_out(here: Centre) -> None:
    area = await here.area(quiet_hours=[])
    await here.node(area)
    made = await village.scheduled(here, area, 1, 2, confirm_unusual=True)
    first = (await village.broadcasts(here, made.id))[0]
    here.clock.now = first.latest_end_at + HOUR
    answer = await here.services.replays.create(
        here.actor, first.id, ReplayIn(start_at=here.clock() + HOUR, confirm_unusual=True)
    )
    async with here.database.reading() as session:
        columns = (BroadcastItem.position, BroadcastItem.sha256, BroadcastItem.offset_ms, BroadcastItem.choice)
        rows = [
            [tuple(row) for row in await session.execute(select(*columns).where(BroadcastItem.broadcast_id == key))]
            for key in (first.id, answer.id)
        ]
    assert rows[0] == rows[1]
    assert len(rows[0]) == 2


async def test_a_commune_does_not_replay_what_the_province_sent(lite: Centre) -> None:
    """It was aimed above; whoever may send there makes up for it."""
    province = await lite.area("Tỉnh", kind="province", quiet_hours=[])
    commune = await lite.area("Xã", province)
    await lite.node(commune)
    made = await sent(lite, province)
    lite.clock.now = TEN + HOUR
    clerk = await lite.somebody("canbo", "operator", commune)
    async with lite.client(who=clerk) as client:
        assert (await post(client, made)).status_code == 403


async def test_what_an_area_above_offered_is_replayed_by_those_below_only_while_it_is_on_offer(lite: Centre) -> None:
    place = await approving.commune(lite, "Xã", await lite.area("Tỉnh", kind="province"))
    assert place.area.parent_id is not None
    said = await approved(lite, await lite.services.areas.get(lite.actor, place.area.parent_id), "Bão số 5")
    until = TEN + 2 * HOUR
    await lite.services.bulletins.offer(lite.actor, said.id, OfferIn(version=1, until_at=until))
    wanted = BroadcastIn(
        title="Bão", bulletins=(said.id,), targets=(place.area.scope,), start_at=TEN, confirm_unusual=True
    )
    made = await lite.services.broadcasts.create(place.leader, wanted)
    lite.clock.now = TEN + HOUR
    later = ReplayIn(start_at=until, confirm_unusual=True)
    with pytest.raises(InvalidError) as refused:
        await lite.services.replays.create(place.leader, made.id, later)
    assert (refused.value.fields["problem"], refused.value.fields["title"]) == ("not_offered", "Bão số 5")
    await lite.services.replays.preview(lite.actor, made.id, later)  # whose bulletin it is may say it
    assert await lite.services.replays.preview(place.leader, made.id, ReplayIn(start_at=until - HOUR / 2))


async def test_what_was_missed_long_ago_is_said_anew_and_not_replayed(lite: Centre) -> None:
    _, made, _ = await over(lite)
    lite.clock.now = made.latest_end_at + OLDEST - timedelta(seconds=1)
    async with lite.client() as client:
        assert (await post(client, made, "/preview")).status_code == 200
        lite.clock.step(seconds=2)
        answer = await post(client, made)
    assert (answer.status_code, answer.json()["error"]["fields"]["problem"]) == (409, "too_old")


async def test_a_node_that_heard_it_after_all_is_taken_out_of_the_replay_to_come(here: Centre) -> None:
    _, made, nodes = await over(here)
    first, later = nodes["không rõ"], nodes["tắt"]
    again = await here.services.replays.create(
        here.actor, made.id, ReplayIn(confirm_unusual=True, start_at=here.clock() + 2 * HOUR)
    )
    heard = {"outcome": Outcome.PLAYED, "played_ms": 60_000, "requested_ms": 60_000}

    async def word_of(node: NodeOut, **said: Any) -> dict[str, str | None]:
        async with here.database.transaction() as tx:
            which = (Play.broadcast_id == made.id) & (Play.node_id == node.id)
            await tx.session.execute(update(Play).where(which).values(**said))
        await approving.told(here)
        await here.services.late_words.take_out()
        return {each.node_name: each.outcome for each in await here.services.broadcasts.plays(here.actor, again.id)}

    assert set((await word_of(first, outcome=Outcome.MISSED)).values()) == {None}
    assert (await word_of(first, **heard))["không rõ"] is Outcome.CANCEL_UNCONFIRMED
    left = {f"nodes/{nodes[name].id}" for name in MISSED - {"không rõ"}}
    assert await scopes_of(here, again.id) == left
    assert {scope for scope, _ in await dirty(here)} == {f"nodes/{first.id}"}
    await word_of(later, **heard)
    for name in MISSED - {"không rõ", "tắt"}:
        assert (await here.services.broadcasts.get(here.actor, again.id)).cancelled_at is None
        await word_of(nodes[name], **heard)
    assert (await here.services.broadcasts.get(here.actor, again.id)).cancelled_at == here.clock()
