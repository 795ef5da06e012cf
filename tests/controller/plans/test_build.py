"""Rows → documents: what is listed, for how long, and what is left out."""

from datetime import datetime, timedelta

import pytest

from controller.plans.build import (
    MAX_RELEASED,
    MAX_URGENT,
    HoldFacts,
    NodeFacts,
    Stamp,
    build_hold,
    build_plan,
    build_settings,
    build_urgent,
    says_the_same,
)
from controller.policies.rules import EffectivePolicy
from controller.policies.schemas import Night, Window
from edge_agent.protocol import content
from edge_agent.protocol.documents import MAX_INLINE_BYTES, Membership, Plan, Stop, TrustedKey
from edge_agent.protocol.signing import check_window
from edge_agent.protocol.states import KeyUse, Level
from tests.controller.factories import MORNING

NOW = MORNING
STAMP = Stamp("areas/a-1", epoch=2, version=7, now=NOW)
MINUTE = timedelta(minutes=1)


def broadcast(
    name: str, start_at: datetime = NOW, *, level: Level = Level.NORMAL, size: int = 100
) -> content.Broadcast:
    sha256 = name[-1] * 64 if name[-1] in "ab" else "0" * 64
    voice = content.Voice(language="vi", sha256=sha256, bytes=size, length_ms=30_000)
    return content.Broadcast(
        broadcast_id=name,
        level=level,
        start_at=start_at,
        latest_start_at=start_at + MINUTE,
        latest_end_at=start_at + 2 * MINUTE,
        items=(content.Item(offset_ms=0, voices=(voice,)),),
    )


def test_a_document_is_valid_for_a_clock_that_is_a_little_behind() -> None:
    check_window(build_hold(STAMP, []), NOW - timedelta(seconds=30))


def test_a_released_hold_is_named_until_nobody_obeys_it() -> None:
    def holds(released_at: datetime, *, obeyed: bool) -> list[HoldFacts]:
        return [HoldFacts("h-1", NOW - timedelta(days=9), released_at, still_obeyed=obeyed)]

    long_ago = NOW - timedelta(days=8)
    assert build_hold(STAMP, holds(long_ago, obeyed=True)).released == ("h-1",)
    assert build_hold(STAMP, holds(long_ago, obeyed=False)).released == ()
    assert build_hold(STAMP, holds(NOW - MINUTE, obeyed=False)).released == ("h-1",)


def test_active_holds_come_oldest_first_and_releases_are_bounded() -> None:
    holds = [HoldFacts(f"h-{n}", NOW - n * MINUTE, NOW if n > 2 else None, still_obeyed=True) for n in range(400)]
    built = build_hold(STAMP, holds)
    assert [order.hold_id for order in built.active] == ["h-2", "h-1", "h-0"]
    assert len(built.released) == MAX_RELEASED
    assert built.released[-1] == "h-3"


def test_an_urgent_loses_a_broadcast_after_its_latest_end_only() -> None:
    over, alive = broadcast("b-1", NOW - 2 * MINUTE), broadcast("b-2", NOW - 2 * MINUTE + timedelta(seconds=1))
    built = build_urgent(STAMP, [over, alive], [], {})
    assert [each.broadcast_id for each in built.broadcasts] == ["b-2"]
    check_window(built, alive.latest_end_at)


def test_a_stop_stands_until_the_latest_end_of_what_it_stops() -> None:
    stops = [
        (Stop(broadcast_id="b-1", stopped_at=NOW), NOW),
        (Stop(broadcast_id="b-2", stopped_at=NOW), NOW + MINUTE),
    ]
    built = build_urgent(STAMP, [], stops, {})
    assert [stop.broadcast_id for stop in built.stops] == ["b-2"]
    check_window(built, NOW + MINUTE)


def test_an_empty_urgent_is_readable_for_years() -> None:
    check_window(build_urgent(STAMP, [], [], {}), NOW + timedelta(days=1000))


def test_emergencies_stand_first_when_there_are_too_many() -> None:
    many = [broadcast(f"b-{n}") for n in range(MAX_URGENT)]
    built = build_urgent(STAMP, [*many, broadcast("b-last", level=Level.EMERGENCY)], [], {})
    assert len(built.broadcasts) == MAX_URGENT
    assert built.broadcasts[0].broadcast_id == "b-last"


def test_audio_rides_inside_while_it_fits_emergency_first() -> None:
    big = MAX_INLINE_BYTES - 100
    broadcasts = [broadcast("b-a", size=200), broadcast("b-b", size=big, level=Level.EMERGENCY)]
    built = build_urgent(STAMP, broadcasts, [], {"a" * 64: b"x" * 200, "b" * 64: b"x" * big})
    assert set(built.inline) == {"b" * 64}
    fits = build_urgent(STAMP, [broadcast("b-a", size=200)], [], {"a" * 64: b"x" * 200})
    assert fits.inline == {"a" * 64: b"x" * 200}


def test_audio_that_is_larger_than_its_row_says_does_not_ride_inside() -> None:
    built = build_urgent(STAMP, [broadcast("b-a", size=200)], [], {"a" * 64: b"x" * (MAX_INLINE_BYTES + 1)})
    assert built.inline == {}


def test_a_plan_lists_what_is_to_come_until_its_horizon() -> None:
    horizon, lease = NOW + timedelta(days=7), NOW + timedelta(days=9)
    broadcasts = [
        broadcast("b-late", NOW + timedelta(hours=2)),
        broadcast("b-soon", NOW + timedelta(hours=1)),
        broadcast("b-over", NOW - 2 * MINUTE),
        broadcast("b-far", horizon),
    ]
    plan, body = build_plan(STAMP, broadcasts, covers_until=horizon, lease_until=lease)
    assert (plan.covers_until, plan.lease_until, plan.body_bytes) == (horizon, lease, len(body.packed))
    found = content.unpack_body(body.packed, sha256=plan.body_sha256, scope=STAMP.scope)
    assert [each.broadcast_id for each in found.broadcasts] == ["b-soon", "b-late"]
    check_window(plan, lease - timedelta(seconds=1))


def test_settings_carry_what_holds_in_the_place() -> None:
    local = EffectivePolicy("Asia/Ho_Chi_Minh", (Window(start="21:00", until="05:30"),), ("hmn", "vi"))
    keys = tuple(TrustedKey(kid=f"{n:016x}", use=use, x="A" * 43) for n, use in enumerate(list(KeyUse)[:2]))
    areas = [Membership(area_id="hamlet", plan_from_version=3), Membership(area_id="commune")]
    built = build_settings(STAMP, NodeFacts(volume_mb=-300, trim_mb=50, clock_battery=True), areas, local, keys)
    assert [area.area_id for area in built.areas] == ["hamlet", "commune"]
    assert [(window.start, window.until) for window in built.quiet_hours] == [("21:00", "05:30")]
    assert (built.volume_mb, built.trim_mb, built.languages) == (-300, 50, ("hmn", "vi"))
    assert built.clock_hold_ms == 7 * 86_400_000
    assert build_settings(STAMP, NodeFacts(), areas, local, keys).clock_hold_ms == 72 * 3_600_000


@pytest.mark.parametrize(("epoch", "same"), [(2, True), (3, False)])
def test_a_later_stamp_alone_is_no_reason_for_a_new_version_but_a_new_epoch_is(epoch: int, *, same: bool) -> None:
    later = Stamp(STAMP.scope, epoch, STAMP.version + 1, NOW + timedelta(minutes=10))

    def plan(stamp: Stamp) -> object:
        until = stamp.now + timedelta(days=7)
        return build_plan(stamp, [broadcast("b-1", NOW + timedelta(hours=1))], covers_until=until, lease_until=until)[0]

    assert says_the_same(plan(later), plan(STAMP)) is same  # type: ignore[type-var]  # both are plans
    assert says_the_same(build_hold(later, []), build_hold(STAMP, [])) is same


def test_settings_carry_the_policy_of_the_place() -> None:
    windows = (Window(start="05:00", until="07:30"), Window(start="16:30", until="18:00"))
    night = Night(start="20:00", until="06:00", cap_mb=-900)
    local = EffectivePolicy(windows=windows, night=night, lease_hours=24, download_kbit_s=256)
    keys = tuple(TrustedKey(kid=f"{n:016x}", use=use, x="A" * 43) for n, use in enumerate(list(KeyUse)[:2]))
    built = build_settings(STAMP, NodeFacts(), [], local, keys)
    assert [(window.start, window.until) for window in built.windows] == [("05:00", "07:30"), ("16:30", "18:00")]
    assert built.night_cap is not None
    assert (built.night_cap.window.start, built.night_cap.window.until, built.night_cap.cap_mb) == (
        "20:00",
        "06:00",
        -900,
    )
    assert built.clock_hold_ms == 24 * 3_600_000
    assert built.download_kbit_s == 256


def test_another_lease_is_a_reason_for_a_new_version() -> None:
    def plan(hours: int) -> Plan:
        return build_plan(STAMP, [], covers_until=NOW, lease_until=NOW + timedelta(hours=hours))[0]

    assert says_the_same(plan(72), plan(72))
    assert not says_the_same(plan(72), plan(24))


def test_another_hold_is_a_reason_for_a_new_version() -> None:
    held = [HoldFacts("h-1", NOW, None, still_obeyed=False)]
    assert not says_the_same(build_hold(STAMP, held), build_hold(STAMP, []))
