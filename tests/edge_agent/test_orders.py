"""Orders as they come in: what is taken, what is dropped, what stays. Real signatures, real store, stepped clock."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from edge_agent.errors import CorruptError
from edge_agent.inbox import MAX_PENDING_COMMANDS
from edge_agent.protocol.content import Voice
from edge_agent.protocol.documents import Command, CommandAction, Membership, Plan, ReceiptsAck, Settings
from edge_agent.protocol.states import ClockState, KeyUse, Outcome, PlayState
from edge_agent.protocol.topics import Topic, Word
from tests.edge_agent.centre import SCOPE, Keys, broadcast
from tests.edge_agent.fakes import NODE, NOON, Desk

VOICE = Voice(language="vi", sha256="a" * 64, bytes=10, length_ms=1000)
LATER = NOON + timedelta(minutes=10)


@pytest.fixture
async def desk(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path)
    desk.settle()
    return desk


@pytest.fixture(autouse=True)
def closed(desk: Desk) -> Iterator[None]:
    yield
    desk.close()


def listed(desk: Desk) -> set[str]:
    return set(desk.keeper.listings)


# Plans.


async def test_a_plan_acts_when_its_body_is_here(desk: Desk) -> None:
    plan = desk.orders.plan(broadcast("b-1", LATER, VOICE))
    desk.send(plan)
    assert listed(desk) == set()
    assert desk.keeper.held()[SCOPE]["plan"].complete is False
    desk.bring_bodies()
    assert listed(desk) == {"b-1"}
    assert desk.keeper.held()[SCOPE]["plan"].complete is True


async def test_the_old_plan_stands_until_the_body_of_the_new_one_is_here(desk: Desk) -> None:
    desk.plan(broadcast("b-old", LATER, VOICE))
    desk.send(desk.orders.plan(broadcast("b-new", LATER, VOICE)))
    assert listed(desk) == {"b-old"}
    desk.bring_bodies()
    assert listed(desk) == {"b-new"}


async def test_a_plan_signed_anew_renews_the_lease_without_its_body(desk: Desk) -> None:
    due = broadcast("b-1", LATER, VOICE)
    desk.plan(due)
    desk.send(desk.orders.plan(due, lease=timedelta(days=7)))
    assert desk.keeper.bodies_wanted() == []
    assert desk.keeper.listings["b-1"].lease_until == NOON + timedelta(days=7)


async def test_a_wrong_body_changes_nothing(desk: Desk) -> None:
    plan = desk.orders.plan(broadcast("b-1", LATER, VOICE))
    desk.send(plan)
    with pytest.raises(CorruptError):
        desk.keeper.open_body(plan, b"something else")
    assert listed(desk) == set()
    assert desk.keeper.bodies_wanted() == [plan]


async def test_a_body_that_comes_after_a_newer_plan_is_left_alone(desk: Desk) -> None:
    old = desk.orders.plan(broadcast("b-old", LATER, VOICE))
    desk.send(old)
    desk.send(desk.orders.plan(broadcast("b-new", LATER, VOICE)))
    packed = desk.orders.bodies[old.body_sha256]
    desk.keeper.body_arrived(old, packed, desk.keeper.open_body(old, packed))
    assert listed(desk) == set()


async def test_what_is_withdrawn_before_it_began_is_cancelled(desk: Desk) -> None:
    desk.plan(broadcast("b-1", LATER, VOICE), broadcast("b-2", LATER, VOICE))
    desk.plan(broadcast("b-2", LATER, VOICE))
    assert desk.outcomes() == {"b-1": (Outcome.CANCELLED, "withdrawn")}
    assert [one.state for one in desk.events("b-1")] == [PlayState.RECEIVED, None]


async def test_what_is_stopped_before_it_began_is_cancelled_for_that(desk: Desk) -> None:
    desk.urgent(broadcast("b-1", LATER, VOICE))
    desk.urgent(stops=("b-1",))
    assert desk.outcomes() == {"b-1": (Outcome.CANCELLED, "stopped")}


# What has no effect.


def forged(desk: Desk, plan: Plan) -> bytes:
    return Keys().dispatch.sign(plan)


def bent(desk: Desk, plan: Plan) -> bytes:
    return desk.keys.sign(plan)[:-6] + b"AAAAAA"


def of_the_policy_key(desk: Desk, plan: Plan) -> bytes:
    return desk.keys.policy.sign(plan)


def for_another(desk: Desk, plan: Plan) -> bytes:
    return desk.keys.sign(msgspec.structs.replace(plan, aud="areas/elsewhere"))


def expired(desk: Desk, plan: Plan) -> bytes:
    return desk.keys.sign(msgspec.structs.replace(plan, exp=plan.iat - 1))


def for_ten_years(desk: Desk, plan: Plan) -> bytes:
    return desk.keys.sign(msgspec.structs.replace(plan, exp=plan.iat + 3650 * 86_400))


def early(desk: Desk, plan: Plan) -> bytes:
    return desk.keys.sign(msgspec.structs.replace(plan, nbf=plan.iat + 60))


def of_an_older_epoch(desk: Desk, plan: Plan) -> bytes:
    desk.settle(claims={"epoch": 2})
    return desk.keys.sign(plan)


def unsigned(desk: Desk, plan: Plan) -> bytes:
    return msgspec.json.encode(plan)


@pytest.mark.parametrize(("make", "code"), [
    (forged, "unknown_key"),
    (bent, "bad_signature"),
    (of_the_policy_key, "unknown_key"),
    (for_another, "wrong_audience"),
    (expired, "expired"),
    (early, "not_yet_valid"),
    (for_ten_years, "lasts_too_long"),
    (of_an_older_epoch, "stale"),
    (unsigned, "malformed"),
])  # fmt: skip
async def test_a_document_that_is_not_right_is_dropped_and_counted(
    desk: Desk, make: Callable[[Desk, Plan], bytes], code: str
) -> None:
    token = make(desk, desk.orders.plan(broadcast("b-1", LATER, VOICE)))
    desk.inbox.take(str(Topic(SCOPE, Word.PLAN)), token)
    assert desk.inbox.dropped == {code: 1}
    assert desk.keeper.bodies_wanted() == []
    stands = {fault.code for fault in desk.faults.standing()}
    assert ("bad_message" in stands) is (code not in {"stale", "expired", "not_yet_valid"})


@pytest.mark.parametrize("topic", ["loa/v1/areas/elsewhere/plan", "loa/v1/nodes/node-2/settings", "other", ""])
async def test_a_topic_that_is_not_ours_is_dropped(desk: Desk, topic: str) -> None:
    desk.inbox.take(topic, b"x.y.z")
    assert sum(desk.inbox.dropped.values()) == 1


async def test_the_fault_of_a_bad_message_ends_when_no_more_come(desk: Desk) -> None:
    desk.inbox.take(str(Topic(SCOPE, Word.PLAN)), b"rubbish")
    desk.inbox.check()
    assert [fault.code for fault in desk.faults.standing()] == ["bad_message"]
    desk.instruments.pass_(minutes=11)
    desk.inbox.check()
    assert desk.faults.standing() == ()


async def test_an_older_version_has_no_effect_even_after_a_restart(desk: Desk) -> None:
    old = desk.orders.plan(broadcast("b-old", LATER, VOICE))
    desk.plan(broadcast("b-new", LATER, VOICE))
    again = desk.again()
    again.send(old)
    assert again.inbox.dropped == {"stale": 1}
    assert listed(again) == {"b-new"}
    again.close()


async def test_the_same_message_again_is_no_drop(desk: Desk) -> None:
    urgent = desk.urgent(broadcast("b-1", LATER, VOICE))
    desk.send(urgent)
    assert desk.inbox.dropped == {}
    assert len(desk.events("b-1")) == 1


# Holds.


async def test_a_hold_ends_only_by_a_release_that_names_it(desk: Desk) -> None:
    desk.hold("hold-1", "hold-2")
    desk.hold()
    assert desk.keeper.holds == {"hold-1", "hold-2"}
    desk.hold(released=("hold-2", "hold-9"))
    assert desk.keeper.holds == {"hold-1"}


async def test_a_hold_can_be_released_on_another_scope(desk: Desk) -> None:
    desk.hold("hold-1")
    desk.hold(released=("hold-1",), scope=f"nodes/{NODE}")
    assert desk.keeper.holds == frozenset()


async def test_a_release_that_came_first_counts(desk: Desk) -> None:
    """Two scopes have no order between them."""
    desk.hold(released=("hold-1",), scope=f"nodes/{NODE}")
    desk.hold("hold-1")
    assert desk.keeper.holds == frozenset()
    again = desk.again()
    assert again.keeper.holds == frozenset()
    again.close()


async def test_a_hold_and_its_release_survive_restarts(desk: Desk) -> None:
    desk.hold("hold-1", "hold-2")
    again = desk.again(reboot=True)
    assert again.keeper.holds == {"hold-1", "hold-2"}
    again.hold(released=("hold-1",))
    last = again.again()
    assert last.keeper.holds == {"hold-2"}
    last.close()


async def test_a_hold_is_obeyed_whatever_the_clock_says(tmp_path: Path, desk: Desk) -> None:
    blind = Desk(tmp_path / "blind", keys=desk.keys, trust=False)
    blind.settle()
    blind.hold("hold-1", exp=1, nbf=0)
    assert blind.keeper.holds == {"hold-1"}
    blind.close()


async def test_a_forged_release_changes_nothing(desk: Desk) -> None:
    held = desk.hold("hold-1")
    forged_release = msgspec.structs.replace(held, active=(), released=("hold-1",), version=99)
    desk.inbox.take(str(Topic(SCOPE, Word.HOLD)), Keys().dispatch.sign(forged_release))
    assert desk.keeper.holds == {"hold-1"}


async def test_a_node_that_moves_away_takes_its_hold_along(desk: Desk) -> None:
    desk.hold("hold-1")
    desk.settle(areas=(Membership(area_id="thon-2"),))
    assert desk.again().keeper.holds == {"hold-1"}


# Without a clock.


async def test_without_a_trusted_clock_plans_and_urgents_wait_for_the_time(tmp_path: Path, desk: Desk) -> None:
    blind = Desk(tmp_path / "blind", keys=desk.keys, trust=False)
    blind.settle()
    blind.plan(broadcast("b-plan", LATER, VOICE))
    blind.urgent(broadcast("b-urgent", LATER, VOICE))
    assert blind.keeper.bodies_wanted() == []
    assert listed(blind) == set()
    blind.answer_time()
    assert blind.clock.state is ClockState.TRUSTED
    blind.bring_bodies()
    assert listed(blind) == {"b-plan", "b-urgent"}
    blind.close()


async def test_what_waited_is_judged_by_the_centres_time(tmp_path: Path, desk: Desk) -> None:
    """An urgent recorded yesterday and played back to a node that has just booted in 1970 is not taken."""
    blind = Desk(tmp_path / "blind", keys=desk.keys, trust=False)
    blind.settle()
    blind.urgent(broadcast("b-1", LATER, VOICE))
    blind.answer_time(off_ms=2 * 86_400_000)
    assert listed(blind) == set()
    assert blind.inbox.dropped == {"expired": 1}
    blind.close()


@pytest.mark.parametrize("newest_first", [False, True])
async def test_of_what_waits_the_highest_version_is_taken(tmp_path: Path, desk: Desk, *, newest_first: bool) -> None:
    """An old message that comes late, or again, does not push aside what has come before it."""
    blind = Desk(tmp_path / "blind", keys=desk.keys, trust=False)
    blind.settle()
    plans = [blind.orders.plan(broadcast(name, LATER, VOICE)) for name in ("b-old", "b-new")]
    for plan in reversed(plans) if newest_first else plans:
        blind.send(plan)
    blind.answer_time()
    blind.bring_bodies()
    assert listed(blind) == {"b-new"}
    assert blind.inbox.dropped == {}
    blind.close()


async def test_commands_that_wait_are_all_done_and_in_order(tmp_path: Path, desk: Desk) -> None:
    blind = Desk(tmp_path / "blind", keys=desk.keys, trust=False)
    first, second = (
        Command(**blind.orders.claims(Command, f"nodes/{NODE}"), command_id=name, action=CommandAction.IDENTIFY)
        for name in ("c-1", "c-2")
    )
    blind.send(second)
    blind.send(first)
    blind.send(first)
    blind.answer_time()
    assert blind.commands == [first, second]
    blind.close()


async def test_commands_that_wait_leave_room_for_what_must_sound(tmp_path: Path, desk: Desk) -> None:
    blind = Desk(tmp_path / "blind", keys=desk.keys, trust=False)
    blind.settle()
    for number in range(100):
        claims = blind.orders.claims(Command, f"nodes/{NODE}")
        blind.send(Command(**claims, command_id=f"c-{number}", action=CommandAction.IDENTIFY))
    blind.urgent(broadcast("b-urgent", LATER, VOICE))
    blind.answer_time()
    assert len(blind.commands) == MAX_PENDING_COMMANDS
    assert listed(blind) == {"b-urgent"}
    blind.close()


async def test_a_clock_that_is_wrong_ends_no_broadcast(desk: Desk) -> None:
    """It would be withdrawn for good because a time server, or an empty battery, moved the clock by a year."""
    desk.plan(broadcast("b-1", LATER, VOICE))
    desk.instruments.synchronised = False
    desk.instruments.step(days=365)
    desk.clock.check()
    assert desk.clock.state is ClockState.UNTRUSTED
    desk.keeper.relist()
    desk.player.note_orders()
    assert listed(desk) == {"b-1"}
    again = desk.again(reboot=True)
    assert listed(again) == {"b-1"}
    assert again.outcomes() == {}
    again.close()


# Settings and keys.


async def test_settings_of_the_dispatch_key_are_not_taken(desk: Desk) -> None:
    settings = Settings(**desk.orders.claims(Settings, f"nodes/{NODE}"), volume_mb=1200, trusted_keys=desk.keys.trusted)
    desk.inbox.take(str(Topic(f"nodes/{NODE}", Word.SETTINGS)), desk.keys.dispatch.sign(settings))
    assert desk.inbox.dropped == {"unknown_key": 1}


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "/etc", "Asia"])
async def test_settings_with_a_zone_that_is_none_are_dropped(desk: Desk, zone: str) -> None:
    """They would end the player at every start, before it could hear of better ones."""
    if zone.startswith("."):
        with pytest.raises(ValueError, match="zone"):
            desk.settle(zone=zone)
        return
    desk.settle(zone=zone)
    assert desk.inbox.dropped == {"malformed": 1}
    assert desk.keeper.settings is not None
    assert desk.keeper.settings.zone == "Asia/Ho_Chi_Minh"


async def test_a_broadcast_at_the_end_of_the_calendar_does_no_harm(desk: Desk) -> None:
    last = datetime.max.replace(tzinfo=UTC)
    due = msgspec.structs.replace(broadcast("b-1", NOON, VOICE), latest_start_at=last, latest_end_at=last)
    desk.urgent(due)
    desk.player.catch_up()
    assert listed(desk) == set()


async def test_keys_are_rotated_by_settings_and_stay_so_after_a_restart(desk: Desk) -> None:
    old, new = desk.keys, Keys()
    desk.settle(trusted_keys=(*old.trusted, *new.trusted))
    desk.keys = new
    desk.settle(trusted_keys=new.trusted)
    desk.hold("hold-1")
    assert desk.keeper.holds == {"hold-1"}
    again = desk.again()
    again.keys = new
    assert again.keeper.settings is not None
    again.inbox.take(str(Topic(SCOPE, Word.PLAN)), old.dispatch.sign(again.orders.plan()))
    assert again.inbox.dropped == {"unknown_key": 1}
    again.close()


async def test_a_stop_by_a_key_that_is_not_known_yet_silences_when_settings_name_it(desk: Desk) -> None:
    """A node that slept through a rotation hears the retained stop before the retained settings."""
    old, new = desk.keys, Keys()
    hold = desk.orders.hold("hold-1")
    desk.inbox.take(str(Topic(SCOPE, Word.HOLD)), new.dispatch.sign(hold))
    assert desk.keeper.holds == frozenset()
    assert desk.inbox.dropped == {"unknown_key": 1}
    desk.settle(trusted_keys=(*old.trusted, new.dispatch.trusted_as(KeyUse.DISPATCH)))
    assert desk.keeper.holds == {"hold-1"}


async def test_what_strangers_send_stays_without_effect_and_bounded(desk: Desk) -> None:
    thief = Keys()
    for number in range(200):
        desk.inbox.take(str(Topic(SCOPE, Word.HOLD)), thief.dispatch.sign(desk.orders.hold(f"hold-{number}")))
    desk.settle(volume_mb=-100)
    assert desk.keeper.holds == frozenset()
    assert desk.inbox.dropped["unknown_key"] == 200
    assert len(desk.inbox._strange) == 1


async def test_what_a_key_signed_that_is_trusted_no_more_stands_after_a_restart(desk: Desk) -> None:
    """A rotation is routine: the week that was planned before it is played, link or not."""
    desk.plan(broadcast("b-plan", LATER, VOICE))
    desk.urgent(broadcast("b-urgent", LATER, VOICE))
    desk.rotate_keys()
    again = desk.again()
    again.player.note_orders()
    assert listed(again) == {"b-plan", "b-urgent"}
    assert again.outcomes() == {}
    old = again.orders.plan(broadcast("b-other", LATER, VOICE))
    again.inbox.take(str(Topic(SCOPE, Word.PLAN)), desk.former.dispatch.sign(old))
    assert again.inbox.dropped == {"unknown_key": 1}, "nothing new is taken of that key"
    again.close()


@pytest.mark.parametrize("restart", [False, True])
async def test_what_a_revoked_key_signed_is_void_and_may_be_ordered_again(desk: Desk, *, restart: bool) -> None:
    due = broadcast("b-1", LATER, VOICE)
    desk.plan(due, broadcast("b-bad", LATER, VOICE), version=1_000_000)
    desk.rotate_keys(revoke=True)
    node = desk.again() if restart else desk
    node.player.note_orders()
    assert listed(node) == set()
    assert node.outcomes() == {}, "to be withdrawn is for good, and the centre may list it by its new key"
    node.plan(due)
    assert listed(node) == {"b-1"}
    assert node.outcomes() == {"b-bad": (Outcome.CANCELLED, "withdrawn")}
    node.close()


async def test_a_revoked_key_that_was_retired_before_is_void_too(desk: Desk) -> None:
    desk.urgent(broadcast("b-1", LATER, VOICE))
    desk.rotate_keys()
    assert listed(desk) == {"b-1"}
    desk.settle(revoked_keys=(desk.former.dispatch.kid,))
    assert listed(desk) == set()
    assert desk.keeper.scopes == (f"nodes/{NODE}", SCOPE)


async def test_a_hold_of_a_revoked_key_stays_until_it_is_released(desk: Desk) -> None:
    desk.hold("hold-1")
    desk.rotate_keys(revoke=True)
    assert desk.keeper.holds == {"hold-1"}
    desk.hold(released=("hold-1",))
    assert desk.keeper.holds == frozenset()


async def test_an_order_that_cannot_be_read_again_withdraws_nothing(desk: Desk) -> None:
    """The broker has it still: a rotten sector must not cost a week."""
    due = broadcast("b-1", LATER, VOICE)
    desk.plan(due)
    desk.store.run("UPDATE documents SET token = CAST(token || 'A' AS BLOB) WHERE word = 'plan'")
    again = desk.again()
    again.player.note_orders()
    assert (listed(again), again.outcomes()) == (set(), {})
    again.plan(due)
    assert listed(again) == {"b-1"}
    again.close()


async def test_orders_are_found_again_after_a_restart_without_a_link(desk: Desk) -> None:
    desk.plan(broadcast("b-plan", LATER, VOICE))
    desk.urgent(broadcast("b-urgent", LATER, VOICE), stops=("b-x",))
    desk.send(desk.orders.plan(broadcast("b-coming", LATER, VOICE), scope=f"nodes/{NODE}"))
    again = desk.again()
    assert listed(again) == {"b-plan", "b-urgent"}
    assert again.keeper.stops == {"b-x"}
    assert [plan.aud for plan in again.keeper.bodies_wanted()] == [f"nodes/{NODE}"]
    assert again.keeper.settings == desk.keeper.settings
    again.close()


async def test_a_stored_order_that_was_tampered_with_is_left_out(desk: Desk) -> None:
    desk.plan(broadcast("b-plan", LATER, VOICE))
    desk.urgent(broadcast("b-urgent", LATER, VOICE))
    desk.store.run("UPDATE documents SET token = CAST(token || 'A' AS BLOB) WHERE word = 'urgent'")
    desk.store.run("UPDATE bodies SET packed = zeroblob(10)")
    again = desk.again()
    assert listed(again) == set()
    again.close()


# Moving house.


async def test_a_node_that_moves_keeps_the_old_areas_plan_until_it_holds_the_new_one(desk: Desk) -> None:
    desk.plan(broadcast("b-old", LATER, VOICE))
    desk.settle(areas=(Membership(area_id="thon-2", plan_from_version=2),))
    assert listed(desk) == {"b-old"}
    assert SCOPE in desk.keeper.scopes
    new = broadcast("b-new", LATER, VOICE, scopes=("areas/thon-2",))
    desk.plan(new, scope="areas/thon-2")
    assert listed(desk) == {"b-old", "b-new"}, "version 1 was made before the node moved"
    desk.plan(new, scope="areas/thon-2")
    assert listed(desk) == {"b-new"}
    assert desk.keeper.scopes == (f"nodes/{NODE}", "areas/thon-2")
    assert desk.outcomes() == {"b-old": (Outcome.CANCELLED, "withdrawn")}


# Commands and acknowledgements.


async def test_a_command_twice_is_once_even_after_a_restart(desk: Desk) -> None:
    def command() -> Command:
        claims = desk.orders.claims(Command, f"nodes/{NODE}")
        return Command(**claims, command_id="c-1", action=CommandAction.RESTART)

    desk.send(command())
    desk.send(command())
    assert len(desk.commands) == 1
    again = desk.again()
    again.send(command())
    assert again.commands == []
    again.close()


async def test_stops_and_commands_are_remembered_for_31_days_and_no_longer(desk: Desk) -> None:
    desk.urgent(stops=("b-1",))
    desk.urgent()
    assert desk.keeper.is_new_command("c-1", desk.clock.now())
    desk.instruments.pass_(days=30)
    desk.keeper.forget()
    assert desk.keeper.stops == {"b-1"}
    assert not desk.keeper.is_new_command("c-1", desk.clock.now())
    desk.urgent(stops=("b-2",))
    desk.instruments.pass_(days=2)
    desk.keeper.forget()
    assert desk.keeper.stops == {"b-2"}
    assert desk.keeper.is_new_command("c-1", desk.clock.now())
    desk.instruments.pass_(days=31)
    desk.keeper.forget()
    assert desk.keeper.stops == {"b-2"}, "as long as the centre repeats it"


async def test_an_acknowledgement_is_handed_on(desk: Desk) -> None:
    claims = desk.orders.claims(ReceiptsAck, f"nodes/{NODE}")
    ack = ReceiptsAck(**claims, store_id=desk.store.store_id, stored_through_seq=3)
    desk.send(ack)
    assert desk.acks == [ack]
