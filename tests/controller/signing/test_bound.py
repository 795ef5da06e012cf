"""What a code is good for: what was agreed to, once, then, and as long as nobody took it back."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from controller.cli import main
from controller.people.proof import CodeError, Loosened, Runs
from controller.plans.build import NodeFacts, Stamp, build_hold, build_plan, build_settings, build_urgent
from controller.policies.rules import DEFAULT, EffectivePolicy
from controller.policies.schemas import Window
from controller.signing.log import FILE, verify
from controller.signing.remote import RemoteDesk
from controller.signing.ring import begin
from controller.signing.rules import RefusedError
from controller.wire.keys import new_key
from edge_agent.protocol.content import Broadcast
from edge_agent.protocol.documents import Membership, QuietHours, Settings, Stop, TimeAnswer
from edge_agent.protocol.states import Drill, KeyUse, Level
from tests.controller.signing.test_apart import Apart, Direct, agreed, apart
from tests.controller.signing.test_rules import VOICE
from tests.edge_agent.centre import SCOPE, broadcast

__all__ = ["apart"]

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
FOUR_HOURS = 4 * 3_600_000


async def refused(apart: Apart, *broadcasts: Broadcast) -> dict[str, str]:
    """Why they are not signed; empty: they are."""
    try:
        await apart.sign(*broadcasts)
    except RefusedError as error:
        return {name: str(why) for name, why in error.refused.items()}
    return {}


def alarm(apart: Apart, name: str) -> Broadcast:
    return apart.due(name, level=Level.EMERGENCY)


async def test_a_glass_broken_for_one_emergency_is_whole_for_the_next(apart: Apart) -> None:
    """A ready message is the same content every year."""
    first = alarm(apart, "b-1")
    await apart.approve("lan", first, glass=True)
    apart.clock.step(seconds=30)
    await apart.sign(first)
    apart.clock.step(days=60)
    later = alarm(apart, "b-2")
    await apart.approve("lan", later)
    assert await refused(apart, later) == {"b-2": "one_person"}
    apart.clock.step(minutes=1)
    await apart.approve("lan", later, glass=True)
    apart.clock.step(seconds=29)
    assert await refused(apart, later) == {"b-2": "one_person"}, "the cancel window is waited out anew"
    apart.clock.step(seconds=1)
    assert await refused(apart, later) == {}


async def test_somebody_elses_old_glass_keeps_nobody_from_being_heard(apart: Apart) -> None:
    old = alarm(apart, "b-1")
    await apart.approve("lan", old, glass=True)
    apart.clock.step(days=60)
    now = alarm(apart, "b-2")
    await apart.approve("minh", now, glass=True)
    apart.clock.step(seconds=31)
    assert await refused(apart, now) == {}


async def test_yeses_to_a_routine_programme_are_none_to_an_emergency(apart: Apart) -> None:
    routine = apart.due("b-1")
    for person in ("lan", "minh"):
        await apart.approve(person, routine)
    for level in (Level.EMERGENCY, Level.PRIORITY):
        louder = msgspec.structs.replace(routine, broadcast_id="b-x", level=level)
        assert await refused(apart, louder) == {"b-x": "no_yes"}
    assert await refused(apart, routine) == {}


async def test_a_yes_to_one_broadcast_is_good_for_one_run(apart: Apart) -> None:
    due = apart.due("b-1")
    await apart.approve("lan", due)
    assert await refused(apart, due, msgspec.structs.replace(due, broadcast_id="b-2")) == {"b-2": "used"}
    assert await refused(apart, due) == {}
    assert await refused(apart, due) == {}, "signed anew with the next document"
    assert await refused(apart, msgspec.structs.replace(due, broadcast_id="b-2")) == {"b-2": "used"}
    again = msgspec.structs.replace(due, broadcast_id="b-3", run="b-1")
    assert await refused(apart, again) == {}, "another version of the run, which no node begins twice"


async def test_what_was_refused_uses_no_yes_up(apart: Apart) -> None:
    due = apart.due("b-1")
    await apart.approve("lan", due)
    stranger = broadcast("b-x", due.start_at, VOICE, VOICE)
    assert await refused(apart, stranger, due) == {"b-x": "no_yes"}
    assert await refused(apart, msgspec.structs.replace(due, broadcast_id="b-2")) == {}


def series(apart: Apart, **how: Any) -> tuple[Runs, dict[str, Any]]:
    """Every day at 02:05 UTC for ten days, and the window of a yes to that."""
    now = apart.clock()
    runs = Runs(zone="UTC", times=("02:05:00",), lasts_ms=FOUR_HOURS, count=10)
    return msgspec.structs.replace(runs, **how), {"not_before_at": now, "not_after_at": now + 20 * DAY}


async def test_a_yes_to_a_series_is_good_at_its_hour_on_each_day(apart: Apart) -> None:
    due = apart.due("b-0")
    runs, window = series(apart)
    await apart.approve("lan", due, runs=runs, **window)
    days = [broadcast(f"b-{day}", due.start_at + day * DAY, VOICE) for day in range(10)]
    assert await refused(apart, *days) == {}
    assert await refused(apart, *days) == {}
    night = broadcast("b-night", (due.start_at + DAY).replace(hour=20, minute=15), VOICE)
    late = msgspec.structs.replace(days[1], broadcast_id="b-late", latest_end_at=days[1].latest_end_at + 10 * DAY)
    assert await refused(apart, night, late) == {"b-night": "no_yes", "b-late": "no_yes"}


async def test_a_series_has_one_run_for_each_hour_and_no_more_than_was_said(apart: Apart) -> None:
    due = apart.due("b-0")
    runs, window = series(apart, count=2)
    await apart.approve("lan", due, runs=runs, **window)
    twin = msgspec.structs.replace(due, broadcast_id="b-twin")
    assert await refused(apart, due, twin) == {"b-twin": "used"}
    days = [broadcast(f"b-{day}", due.start_at + day * DAY, VOICE) for day in range(3)]
    assert await refused(apart, *days) == {"b-2": "used"}


async def test_more_than_a_node_plays_in_an_hour_is_not_signed(apart: Apart) -> None:
    due = apart.due("b-0")
    times = tuple(f"02:{minute:02}:00" for minute in range(5, 50))
    runs, window = series(apart, times=times, count=100)
    await apart.approve("lan", due, runs=runs, **window)
    many = [broadcast(f"b-{n:02}", due.start_at + n * MINUTE, VOICE) for n in range(31)]
    assert await refused(apart, *many) == {"b-30": "too_many"}


async def test_a_yes_that_was_taken_back_is_none(apart: Apart) -> None:
    due = apart.due("b-1")
    await apart.approve("lan", due)
    await apart.desk.void("broadcasts/b-other", apart.clock() + DAY)
    await apart.desk.void("broadcasts/b-1", apart.clock() + DAY, "0" * 64)
    await apart.desk.void("broadcasts/b-1", apart.clock() - MINUTE)
    assert await refused(apart, due) == {}
    apart.clock.step(seconds=1)
    await apart.desk.void("broadcasts/b-1", apart.clock())
    assert await refused(apart, due) == {"b-1": "no_yes"}
    apart.clock.step(minutes=1)
    await apart.approve("lan", due)
    assert await refused(apart, due) == {}, "and another one may be given"


async def test_a_void_takes_nothing_that_is_given_later(apart: Apart) -> None:
    due = apart.due("b-1")
    await apart.desk.void("broadcasts/b-1", apart.clock() + 300 * DAY)
    apart.clock.step(seconds=1)
    await apart.approve("lan", due)
    assert await refused(apart, due) == {}


async def test_who_is_removed_takes_their_yeses_along(apart: Apart) -> None:
    due = apart.due("b-1")
    await apart.approve("lan", due)
    assert apart.ledger.remove("lan", apart.clock()) == 1
    assert apart.ledger.remove("lan", apart.clock()) is None
    assert await refused(apart, due) == {"b-1": "no_yes"}


async def test_the_keeper_of_the_signer_lists_yeses_and_takes_one_back(
    apart: Apart, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    apart.clock.now = datetime.now(apart.clock.now.tzinfo)
    due, other = apart.due("b-1"), apart.due("b-2", level=Level.PRIORITY)
    await apart.approve("lan", due)
    apart.clock.step(minutes=1)
    await apart.approve("lan", other)
    folder = ["signer", "--folder", str(tmp_path)]
    assert main([*folder, "yeses"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.split("\t")[:4] == ["1", "lan", "broadcasts/b-1", "normal"]
    assert main([*folder, "void", "1"]) == 0
    assert main([*folder, "void", "1"]) == 1
    assert await refused(apart, due, other) == {"b-1": "no_yes"}
    assert second.split("\t")[4].endswith("UTC")


async def test_what_is_over_is_not_signed(apart: Apart) -> None:
    due = apart.due("b-1")
    await apart.approve("lan", due)
    apart.clock.step(days=1)
    stamp = Stamp(SCOPE, 1, 1, apart.clock())
    late = msgspec.structs.replace(apart.urgent(due), **stamp.claims(apart.clock() + DAY), broadcasts=(due,))
    with pytest.raises(RefusedError, match="over"):
        await apart.desk.sign(late, apart.keys.dispatch.kid, body=None, facts={})


@pytest.mark.parametrize("off", [-6 * MINUTE, 6 * MINUTE, -300 * DAY])
async def test_a_document_of_another_time_is_not_signed(apart: Apart, off: timedelta) -> None:
    due = broadcast("b-1", apart.clock() + DAY, VOICE)
    await apart.approve("lan", due)
    old = build_urgent(Stamp(SCOPE, 1, 1, apart.clock() + off), (due,), (), {})
    with pytest.raises(ValueError, match="another time"):
        await apart.desk.sign(old, apart.keys.dispatch.kid, body=None, facts={})


async def test_nothing_is_readable_for_ten_years_that_lets_something_sound(apart: Apart) -> None:
    due, now = apart.due("b-1"), apart.clock()
    await apart.approve("lan", due)
    far = int((now + 3650 * DAY).timestamp())
    urgent = msgspec.structs.replace(apart.urgent(due), exp=far)
    plan, body = build_plan(Stamp(SCOPE, 1, 1, now), [], covers_until=now + DAY, lease_until=now + DAY)
    leased = msgspec.structs.replace(plan, lease_until=now + 40 * DAY)
    for document in (urgent, msgspec.structs.replace(plan, exp=far), leased):
        with pytest.raises(ValueError, match="readable"):
            await apart.desk.sign(document, apart.keys.dispatch.kid, body=body.packed, facts={})


@pytest.mark.parametrize(("off_s", "fits"), [(0, True), (-1.5, True), (3, False), (-3, False), (-365 * 86_400, False)])
async def test_only_the_signers_own_time_is_told_to_nodes(apart: Apart, off_s: float, *, fits: bool) -> None:
    claims = Stamp("nodes/node-1", 1, 1, apart.clock()).claims(apart.clock() + MINUTE)
    answer = TimeAnswer(**claims, nonce="0" * 32, time_at=apart.clock() + timedelta(seconds=off_s))
    if fits:
        assert await apart.desk.sign(answer, apart.keys.dispatch.kid, body=None, facts={})
        return
    with pytest.raises(ValueError, match="the time is another"):
        await apart.desk.sign(answer, apart.keys.dispatch.kid, body=None, facts={})


async def test_stop_waits_for_no_clock(apart: Apart) -> None:
    for at in (apart.clock() - 400 * DAY, apart.clock() + 400 * DAY):
        stamp = Stamp(SCOPE, 1, 1, at)
        stop = Stop(broadcast_id="b-1", stopped_at=at)
        for document in (build_hold(stamp, []), build_urgent(stamp, (), [(stop, at + DAY)], {})):
            assert await apart.desk.sign(document, apart.keys.dispatch.kid, body=None, facts={})


class Noting(Direct):
    """Notes what goes first."""

    first = False

    async def asked(self, request: Any, *, first: bool = False) -> Any:
        self.first = first
        return await super().asked(request, first=first)


async def test_stop_and_emergencies_go_first(apart: Apart) -> None:
    wire, stamp = Noting(apart.room), Stamp(SCOPE, 1, 1, apart.clock())
    plan, body = build_plan(stamp, [], covers_until=apart.clock() + DAY, lease_until=apart.clock() + DAY)
    for document, first in ((build_hold(stamp, []), True), (build_urgent(stamp, (), (), {}), True), (plan, False)):
        await RemoteDesk(wire).sign(document, apart.keys.dispatch.kid, body=body.packed, facts={})
        assert wire.first is first


def settings(apart: Apart, policy: EffectivePolicy = DEFAULT, **how: Any) -> Settings:
    stamp = Stamp("nodes/node-1", 1, 1, apart.clock())
    areas = (Membership(area_id="hamlet"), Membership(area_id="commune"))
    return msgspec.structs.replace(build_settings(stamp, NodeFacts(), areas, policy, apart.keys.trusted), **how)


async def sign_settings(apart: Apart, document: Settings) -> None:
    await apart.desk.sign(document, apart.keys.policy.kid, body=None, facts={})


@pytest.mark.parametrize(
    "how",
    [
        {"quiet_hours": ()},
        {"quiet_hours": (QuietHours(start="22:00", until="04:59"),)},
        {"zone": "America/New_York"},
        {"cap_mb": 1},
        {"plays_per_hour": 31},
        {"max_broadcast_ms": FOUR_HOURS},
        {"max_emergency_ms": FOUR_HOURS},
    ],
    ids=str,
)
async def test_the_last_guard_is_not_signed_away_by_rows(apart: Apart, how: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"loosen|more than any node"):
        await sign_settings(apart, settings(apart, **how))


async def test_stricter_settings_take_no_code(apart: Apart) -> None:
    quieter = EffectivePolicy(quiet_hours=(Window(start="21:00", until="05:30"),))
    by_windows = EffectivePolicy(quiet_hours=(), windows=(Window(start="05:00", until="22:00"),))
    for policy in (DEFAULT, quieter, by_windows):
        await sign_settings(apart, settings(apart, policy, volume_mb=-600, cap_mb=-300, plays_per_hour=5))


async def test_fewer_quiet_hours_take_a_code_and_hold_there_and_below(apart: Apart) -> None:
    early = (QuietHours(start="22:00", until="04:30"),)
    with pytest.raises(ValueError, match="loosen"):
        await sign_settings(apart, settings(apart, quiet_hours=early))
    to = Loosened(scope="areas/commune", zone="Asia/Ho_Chi_Minh", quiet_hours=early)
    with pytest.raises(CodeError):
        await apart.desk.approve("lan", "000000", to)
    await apart.desk.approve("lan", apart.code("lan"), to)
    await sign_settings(apart, settings(apart, quiet_hours=early))
    for beyond in ({"quiet_hours": ()}, {"quiet_hours": early, "zone": "UTC"}, {"quiet_hours": early, "areas": ()}):
        with pytest.raises(ValueError, match="loosen"):
            await sign_settings(apart, settings(apart, **beyond))


async def test_quiet_hours_that_somebody_loosened_are_listed_and_taken_back(
    apart: Apart, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    early = (QuietHours(start="22:00", until="04:30"),)
    to = Loosened(scope="areas/commune", zone="Asia/Ho_Chi_Minh", quiet_hours=early)
    folder = ["signer", "--folder", str(tmp_path)]
    await apart.desk.approve("lan", apart.code("lan"), to)
    await sign_settings(apart, settings(apart, quiet_hours=early))
    assert main([*folder, "quiet-hours"]) == 0
    assert capsys.readouterr().out == "areas/commune\tlan\tquiet hours\tAsia/Ho_Chi_Minh\t22:00–04:30\n"
    assert main([*folder, "tighten", "areas/commune"]) == 0
    assert main([*folder, "tighten", "areas/commune"]) == 1
    with pytest.raises(ValueError, match="loosen"):
        await sign_settings(apart, settings(apart, quiet_hours=early))
    await sign_settings(apart, settings(apart))
    assert verify(tmp_path / FILE) is not None


async def test_who_is_removed_takes_the_quiet_hours_that_they_loosened_along(apart: Apart) -> None:
    for person, scope in (("lan", "areas/commune"), ("minh", "areas/other")):
        to = Loosened(scope=scope, zone="Asia/Ho_Chi_Minh", quiet_hours=())
        await apart.desk.approve(person, apart.code(person), to)
    assert apart.ledger.remove("lan", apart.clock()) == 1
    assert [each.person_id for each in apart.ledger.all_loosened()] == ["minh"]
    with pytest.raises(ValueError, match="loosen"):
        await sign_settings(apart, settings(apart, quiet_hours=()))


async def test_a_key_that_nodes_do_not_know_yet_signs_nothing(apart: Apart) -> None:
    keys = apart.room._keys
    keys.change(begin(keys.ring, new_key(keys._folder, KeyUse.DISPATCH, apart.clock())))
    [coming] = [key.kid for key in keys.ring.keys if key.step == "coming"]
    hold = build_hold(Stamp(SCOPE, 1, 1, apart.clock()), [])
    with pytest.raises(ValueError, match="does not sign"):
        await apart.desk.sign(hold, coming, body=None, facts={})


async def test_a_silent_drill_is_no_way_around_the_cancel_window(apart: Apart) -> None:
    drill = apart.due("b-1", level=Level.EMERGENCY, drill=Drill.MARKED)
    await apart.approve("lan", drill, glass=True)
    assert await refused(apart, drill) == {"b-1": "no_yes"}


@pytest.mark.parametrize(
    "how",
    [
        {"zone": "Nowhere/At_All"},
        {"zone": "../etc/passwd"},
        {"times": ("25:00:00",)},
        {"times": ("02:05:00+07:00",)},
        {"times": ("2026-03-09T02:05:00+07:00",)},
    ],
    ids=str,
)
async def test_a_yes_to_no_time_is_none(apart: Apart, how: dict[str, Any]) -> None:
    runs, window = series(apart, **how)
    with pytest.raises((CodeError, Exception), match=r"zone|wall clock|did not take"):
        await apart.desk.approve("lan", apart.code("lan"), agreed(apart.due(), runs=runs, **window))
    assert apart.ledger.standing(apart.clock()) == []
