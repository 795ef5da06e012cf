"""What a state looks like: never greener than what is known."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from controller.alarms.schemas import AlarmOut
from controller.approvals.states import RequestState
from controller.broadcasts.rules import Phase
from controller.broadcasts.schemas import AskedOut, BroadcastOut
from controller.holds.schemas import HoldOut
from controller.nodes.rules import NodeStatus
from controller.nodes.schemas import FaultOut, NodeOut
from controller.plays.schemas import PlayGroupsOut, PlayOut, UnconfirmedOut
from controller.schedules.expand import Verdict
from controller.schedules.schemas import DateOut
from edge_agent.protocol.states import Level, Outcome, PlayState, Reason
from web.formats import Formats
from web.i18n import load
from web.views.alarms import line
from web.views.runs import groups, one_run, play_line
from web.views.schedules import date_line
from web.views.today import day
from web.words import node_mark, play_mark, play_why, run_mark

NOW = datetime(2031, 11, 24, 10, 3, tzinfo=UTC)
TEXT = load("vi")
FORM = Formats(TEXT, ZoneInfo("Asia/Ho_Chi_Minh"), NOW)


def play(**given: Any) -> PlayOut:
    nothing: dict[str, Any] = dict.fromkeys(
        ("outcome", "reason", "interrupted_by", "grade", "started_at", "start_error_ms", "requested_ms", "played_ms")
    )
    values = {
        "broadcast_id": "b",
        "node_id": "n",
        "node_name": "Xóm Mới",
        "area_path": ("Xã",),
        "state": None if given.get("outcome") else PlayState.PLANNED,
        "reached": given.get("state") or PlayState.PLANNED,
        "simulated": False,
        "underruns": None,
        "updated_at": NOW,
    }
    return PlayOut(**nothing | values | given)


def run(phase: Phase = Phase.OVER, *, count: int = 3, counts: dict[str, int], grades: dict[str, int]) -> BroadcastOut:
    return BroadcastOut(
        id="b",
        title="Bản tin",
        level=Level.NORMAL,
        urgent=True,
        phase=phase,
        start_at=NOW,
        ends_at=NOW,
        latest_start_at=NOW,
        latest_end_at=NOW,
        length_ms=1000,
        created_at=NOW,
        created_by="Lan",
        cancelled_at=None,
        targets=(),
        items=(),
        node_count=count,
        ready_count=count,
        counts=counts,
        grades=grades,
    )


def node(status: NodeStatus = NodeStatus.ONLINE, **given: Any) -> NodeOut:
    values: dict[str, Any] = {
        "id": "n",
        "name": "Xóm Mới",
        "area_id": "a",
        "area_path": ("Xã",),
        "status": status,
        "status_since": NOW - timedelta(minutes=23),
        "last_heard_at": NOW,
        "leaving_reason": None,
        "now_playing": None,
        "held_up_to_date": True,
        "holds": (),
        "clock_state": "trusted",
        "clock_offset_ms": None,
        "faults": (),
        "best_grade": 1,
        "simulated_output": False,
        "software": None,
        "disk_free_bytes": None,
        "temperature_c": None,
        "volume_mb": 0,
        "trim_mb": 0,
        "enrolled_at": NOW,
        "certificate_expires_at": NOW,
    }
    return NodeOut(**values | given)


def test_played_on_the_players_word_alone_is_not_verified_and_not_green() -> None:
    mark = play_mark(play(outcome=Outcome.PLAYED, grade=0), Level.NORMAL, TEXT)
    assert (mark.word, mark.tone) == ("Chưa kiểm chứng", "unsure")


def test_what_sounded_with_gaps_is_not_said_to_have_lost_its_device() -> None:
    """A node says the same of a device that is gone and of one that could not keep up; whole, it sounded to the end."""
    figures = {"played_ms": 26_000, "requested_ms": 26_000}
    cut = play(outcome=Outcome.INTERRUPTED, reason=Reason.OUTPUT_LOST, **figures)
    assert "không phát kịp" in play_why(cut, FORM)
    assert "Mất thiết bị" not in play_why(cut, FORM)
    assert "Mất thiết bị" in play_why(play(outcome=Outcome.MISSED, reason=Reason.OUTPUT_LOST), FORM)


def test_played_without_a_grade_is_not_verified() -> None:
    assert play_mark(play(outcome=Outcome.PLAYED, grade=None), Level.NORMAL, TEXT).word == "Chưa kiểm chứng"


@pytest.mark.parametrize(("grade", "icon"), [(1, "tick"), (2, "ticks"), (3, "ear")])
def test_each_grade_has_its_own_shape(grade: int, icon: str) -> None:
    assert play_mark(play(outcome=Outcome.PLAYED, grade=grade), Level.NORMAL, TEXT).icon == icon


def test_simulated_evidence_says_so() -> None:
    assert play_mark(play(outcome=Outcome.PLAYED, grade=1, simulated=True), Level.NORMAL, TEXT).simulated
    assert run_mark(run(counts={"played": 3}, grades={"e1": 2, "e1_simulated": 1}), TEXT).simulated


@pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, Outcome.CANCEL_UNCONFIRMED])
def test_what_the_centre_does_not_know_is_neither_good_nor_failed(outcome: Outcome) -> None:
    mark = play_mark(play(outcome=outcome), Level.NORMAL, TEXT)
    assert (mark.icon, mark.tone) == ("unknown", "unsure")


def test_a_broadcast_is_as_green_as_its_weakest_play() -> None:
    mark = run_mark(run(counts={"played": 3}, grades={"e3": 2, "e1": 1}), TEXT)
    assert (mark.icon, mark.word) == ("tick", "Thiết bị đã phát: 3/3 cụm")


def test_a_broadcast_with_a_silent_node_is_not_known_rather_than_good() -> None:
    mark = run_mark(run(counts={"played": 2, "unknown": 1}, grades={"e1": 2}), TEXT)
    assert (mark.icon, mark.tone) == ("unknown", "unsure")


def test_a_broadcast_whose_time_is_over_does_not_look_as_if_it_sounded() -> None:
    mark = run_mark(run(Phase.AWAITING_REPORTS, counts={"played": 2}, grades={"e1": 2}), TEXT)
    assert (mark.tone, mark.pulse, mark.word) == ("unsure", False, "Hết giờ phát, đang chờ cụm báo: 2/3")


def test_a_broadcast_that_failed_somewhere_needs_an_eye() -> None:
    assert run_mark(run(counts={"played": 2, "missed": 1}, grades={"e1": 2}), TEXT).icon == "triangle"
    assert run_mark(run(counts={"refused": 3}, grades={}), TEXT).word == "Không cụm nào phát được"


def test_an_overdue_report_is_never_a_success() -> None:
    """Over by the clock, no outcome yet."""
    assert run_mark(run(counts={"playing": 3}, grades={}), TEXT).tone == "unsure"


def test_a_lost_node_is_offline_not_faulty() -> None:
    fault = FaultOut(code="output_lost", since_at=NOW, detail="")
    mark = node_mark(node(NodeStatus.OFFLINE, faults=(fault,)), FORM)
    assert mark.word == "Mất kết nối từ 16:40"


def test_a_node_that_does_not_trust_its_clock_has_a_fault() -> None:
    assert node_mark(node(clock_state="untrusted"), FORM).icon == "triangle"


def test_an_interrupted_play_says_how_much_was_heard() -> None:
    said = play_why(play(outcome=Outcome.INTERRUPTED, reason=Reason.POWER, played_ms=10_000, requested_ms=24_000), FORM)
    assert said == "Cụm mất điện hoặc khởi động lại. Đã phát 10 giây trong 24 giây."


def test_a_late_start_is_told_and_a_start_on_time_needs_no_figure() -> None:
    on_time = play(outcome=Outcome.PLAYED, grade=1, started_at=NOW, start_error_ms=0.4)
    late = play(outcome=Outcome.PLAYED, grade=1, started_at=NOW, start_error_ms=90_000)
    assert play_why(on_time, FORM) == "Bắt đầu 17:03:00."
    assert play_why(late, FORM) == "Bắt đầu 17:03:00, muộn 2 phút."


@pytest.mark.parametrize(("counts", "word"), [({"interrupted": 3}, "3/3"), ({"interrupted": 2, "missed": 1}, "2/3")])
def test_a_broadcast_that_was_cut_off_is_not_said_to_have_been_silent(counts: dict[str, int], word: str) -> None:
    assert run_mark(run(counts=counts, grades={}), TEXT).word == f"Bị ngắt giữa chừng {word} cụm"
    assert run_mark(run(counts={"missed": 3}, grades={}), TEXT).word == "Không cụm nào phát được"


def test_what_was_returned_says_why_and_promises_no_beginning() -> None:
    asked = AskedOut(id="q", state=RequestState.RETURNED, returned_reason="Sai ngày")
    returned = run(Phase.RETURNED, counts={"planned": 3}, grades={}).model_copy(update={"approval": asked})
    assert run_mark(returned, TEXT).word == "Bị trả lại"
    assert day([returned], {}, FORM).lines[0].notes == ("Lý do trả lại: Sai ngày",)
    shown = one_run(returned, FORM)
    assert (shown.lines, shown.cancel is not None) == (("Lý do trả lại: Sai ngày",), True)


def alone(one: PlayOut) -> PlayGroupsOut:
    return PlayGroupsOut(counts={str(one.outcome or one.state): 1}, first=(one,), waiting=())


def test_plays_that_were_cut_off_stand_under_their_own_heading() -> None:
    found = groups(alone(play(outcome=Outcome.INTERRUPTED, played_ms=2000, requested_ms=3000)), Level.NORMAL, {}, FORM)
    assert [group.title for group in found] == ["Bị ngắt giữa chừng"]


def test_what_nobody_said_yes_to_waits_for_that_and_for_no_node() -> None:
    planned, over = play(state=PlayState.PLANNED), play(outcome=Outcome.EXPIRED)
    marks = [groups(alone(each), Level.NORMAL, {}, FORM, awaits=True)[0].plays[0].mark.word for each in (planned, over)]
    assert marks == ["Chưa được duyệt", "Quá giờ, không phát"]
    assert play_line(planned, run(Phase.AWAITING_APPROVAL, counts={}, grades={}), FORM).mark.word == "Chưa được duyệt"
    assert play_line(planned, run(Phase.SENDING, counts={}, grades={}), FORM).mark.word == "Chờ cụm nhận"


def test_a_play_that_waits_under_a_hold_names_it() -> None:
    hold = HoldOut(
        id="h",
        wire_id="h",
        scope="areas/a",
        scope_name="Xã Nga My",
        ordered_at=NOW,
        ordered_by="Lan",
        released_at=None,
        may_release=True,
        node_count=1,
        confirmed_count=1,
        not_yet=(),
    )
    ready, over = play(state=PlayState.CACHED), play(outcome=Outcome.PLAYED, grade=1)
    [group] = groups(alone(ready), Level.NORMAL, {"n": node(holds=("h", "released"))}, FORM, [hold])
    assert group.plays[0].why == "Đang có lệnh dừng (Xã Nga My): chưa bỏ lệnh dừng thì cụm không phát."
    for quiet_play, holds in ((ready, ()), (over, ("h",))):
        [group] = groups(alone(quiet_play), Level.NORMAL, {"n": node(holds=holds)}, FORM, [hold])
        assert "lệnh dừng" not in group.plays[0].why


def test_what_nobody_can_confirm_is_said_of_broadcasts_plays_and_dates() -> None:
    at = NOW + timedelta(minutes=5)
    doubt = UnconfirmedOut(node_count=2, may_play_at=at)
    changed = run(Phase.READY, counts={"armed": 2}, grades={}).model_copy(update={"unconfirmed": doubt})
    words = f"Không xác nhận được: 2 cụm mất kết nối, vẫn phát {FORM.when(at)} nếu chưa có mạng lại."
    assert one_run(changed, FORM).lines[0] == words
    assert day([changed], {}, FORM).lines[0].notes == (words,)
    taken_back = play(outcome=Outcome.CANCEL_UNCONFIRMED, may_play_at=at)
    assert play_why(taken_back, FORM) == words.replace("2 cụm", "1 cụm")
    date = DateOut(
        schedule_id="s",
        recurrence_local=at.replace(tzinfo=None),
        local=at.replace(tzinfo=None),
        start_at=at,
        programme_id="p",
        verdict=Verdict.CANCELLED,
        because=None,
        changed=None,
        reason=None,
        broadcast_id=None,
        unconfirmed=doubt,
    )
    mark = date_line(date, FORM).mark
    assert (mark.tone, mark.word) == ("care", f"Bỏ lần này. {words}")


def alarm(kind: str, detail: dict[str, Any]) -> AlarmOut:
    nobody: dict[str, Any] = dict.fromkeys(("area_id", "acknowledged_at", "acknowledged_by", "acknowledged_by_name"))
    subject = f"{kind.partition('.')[0]}/e"
    return AlarmOut(**nobody, id="a", kind=kind, subject=subject, raised_at=NOW, may_acknowledge=True, detail=detail)


@pytest.mark.parametrize(
    ("at", "said"), [("2031-11-25T05:00:00+07:00", "25/11"), ("2032-01-10T05:00:00+07:00", "10/01/2032")]
)
def test_an_alarm_of_a_date_says_its_year_where_it_is_another(at: str, said: str) -> None:
    day = datetime.fromisoformat(at)
    detail = {"title": "Buổi sáng", "date": f"{day:%d/%m %H:%M}", "start_at": at, "problem": "not_airable"}
    word = line(alarm("schedules.not_airable", detail), {}, FORM).mark.word
    assert word.startswith(f"“Buổi sáng” lúc {FORM.long(day)} sẽ không phát.")
    assert f"{said} sẽ" in word


@pytest.mark.parametrize(
    ("kind", "detail", "words"),
    [
        (
            "emergencies.not_followed",
            {"title": "Lũ", "nodes": "Cụm A, Cụm B"},
            "Cụm A, Cụm B đã nghe lệnh khẩn cấp “Lũ”",
        ),
        ("emergencies.holds_stand", {"title": "Lũ", "count": 2}, "“Lũ”, nhưng 2 lệnh DỪNG"),
    ],
)
def test_an_alarm_of_an_emergency_names_what_is_to_be_looked_after(
    kind: str, detail: dict[str, Any], words: str
) -> None:
    assert words in line(alarm(kind, detail), {}, FORM).mark.word
