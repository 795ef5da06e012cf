"""What stands on top of every page: a line for several nodes says the oldest time and which fault it is."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from controller.nodes.rules import NodeStatus
from controller.nodes.schemas import FaultOut, NodeOut
from controller.overview.service import _overview
from controller.overview.stands import CLOCK_UNTRUSTED, Placed, Stand, Sum
from tests.web.test_words import node
from web.formats import Formats
from web.i18n import load
from web.views.strip import strip
from web.views.strip_problems import MOST_FAULTS, Problem

NOW = datetime(2031, 11, 24, 10, 3, tzinfo=UTC)  # 17:03 in Hanoi


def problems(nodes: list[NodeOut], locale: str = "vi") -> list[Problem]:
    stands = Sum.of(stand(each) for each in nodes)
    return list(
        strip([], _overview({"a": stands}), [], Formats(load(locale), ZoneInfo("Asia/Ho_Chi_Minh"), NOW)).problems
    )


def stand(it: NodeOut) -> Stand:
    """How the overview sees a node."""
    is_lost = it.status in {NodeStatus.OFFLINE, NodeStatus.NEVER_SEEN}
    faults: list[tuple[str, datetime | None]] = [(each.code, each.since_at) for each in it.faults]
    faults += [(CLOCK_UNTRUSTED, None)] if it.clock_state == "untrusted" else []
    placed = Placed(it.id, it.name, it.area_id, it.kind)
    known = () if is_lost else tuple(faults)
    since_at = it.status_since if is_lost else None
    return Stand(placed, it.status, since_at, known, it.looked_after, None, it.simulated_output)


def said(nodes: list[NodeOut], locale: str = "vi") -> list[str]:
    return [problem.mark.word for problem in problems(nodes, locale)]


def lost(name: str, minutes: float) -> NodeOut:
    return node(NodeStatus.OFFLINE, id=name, name=name, status_since=NOW - timedelta(minutes=minutes))


def ill(name: str, **codes: float) -> NodeOut:
    """A node with faults, each standing for so many minutes."""
    found = (FaultOut(code=code, since_at=NOW - timedelta(minutes=old), detail="") for code, old in codes.items())
    return node(id=name, name=name, faults=tuple(found))


def test_several_lost_nodes_are_told_with_the_longest_silence_first() -> None:
    nodes = [lost("Chợ", 3), lost("Đồng", 183), lost("Trại", 23)]
    assert said(nodes) == ["3 cụm mất kết nối, lâu nhất từ 14:00: Đồng, Trại, Chợ"]
    assert said(nodes, "en") == ["3 nodes offline, the first since 14:00: Đồng, Trại, Chợ"]


def test_of_many_lost_nodes_those_lost_longest_are_named() -> None:
    [word] = said([lost(f"Cụm {number}", number) for number in range(1, 31)])
    assert "từ 16:33: Cụm 30, Cụm 29, Cụm 28 và 27 nơi khác" in word


def test_silence_since_an_earlier_day_tells_the_day() -> None:
    assert "lâu nhất từ 17:03 22/11" in said([lost("Chợ", 1), lost("Đồng", 2 * 24 * 60)])[0]


def test_a_fault_of_several_nodes_is_told_once_with_its_name_and_its_oldest_time() -> None:
    nodes = [ill("Chợ", output_lost=3), ill("Đồng", output_lost=183)]
    assert said(nodes) == ["2 cụm mất thiết bị âm thanh, lâu nhất từ 14:00: Đồng, Chợ"]
    assert said(nodes, "en") == ["2 nodes without a sound device, the first since 14:00: Đồng, Chợ"]
    assert said(nodes[:1]) == ["Chợ mất thiết bị âm thanh từ 17:00"]


def test_different_faults_are_different_lines_also_on_one_node() -> None:
    nodes = [ill("Chợ", output_lost=3, disk_low=10), ill("Đồng", disk_low=20), node(clock_state="untrusted")]
    first, second, third = problems(nodes)
    assert first.mark.word == "2 cụm có thẻ nhớ sắp đầy, lâu nhất từ 16:43: Đồng, Chợ"
    assert first.href == "/faults"
    assert second.mark.word == "Xóm Mới có đồng hồ chưa tin được"
    assert second.href == "/nodes/n"
    assert third.mark.word == "Chợ mất thiết bị âm thanh từ 17:00"
    assert third.href == "/nodes/Chợ"


def test_many_kinds_of_faults_leave_room_for_the_page() -> None:
    words = said([ill("Chợ", **{f"fault_{number}": 1 for number in range(9)})])
    assert len(words) == MOST_FAULTS + 1
    assert words[-1] == f"Còn {9 - MOST_FAULTS} loại sự cố khác. Bấm để xem từng cụm."


@pytest.mark.parametrize("status", [NodeStatus.OFFLINE, NodeStatus.NEVER_SEEN])
def test_what_a_node_said_before_it_was_lost_is_not_told_as_standing(status: NodeStatus) -> None:
    fault = FaultOut(code="output_lost", since_at=NOW, detail="")
    assert not any("âm thanh" in word for word in said([node(status, faults=(fault,))]))


def test_what_somebody_looks_after_is_told_last_and_calmly() -> None:
    cared = lost("Chợ", 3).model_copy(update={"looked_after": ("offline",)})
    sick = ill("Đồng", output_lost=3, disk_low=5).model_copy(update={"looked_after": ("output_lost",)})
    first, last = problems([cared, sick])
    assert (first.mark.tone, first.mark.word) == ("care", "Đồng có thẻ nhớ sắp đầy từ 16:58")
    assert (last.mark.tone, last.mark.word) == ("unsure", "Đã có người lo sự cố ở 2 cụm: Chợ, Đồng")
