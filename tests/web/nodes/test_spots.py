"""A node on the map says the same as in the list: shape, colour and word, and never more than is known."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from controller.nodes.rules import NodeStatus
from controller.nodes.schemas import SpotOut
from web.formats import Formats
from web.i18n import load
from web.views.node_lists import spot_rows, spots

NOW = datetime(2031, 11, 24, 10, 3, tzinfo=UTC)
FORM = Formats(load("vi"), ZoneInfo("Asia/Ho_Chi_Minh"), NOW)


def spot(**given: Any) -> SpotOut:
    well = {
        "id": "n",
        "name": "Cụm",
        "area_id": "a",
        "latitude": 21.0,
        "longitude": 105.8,
        "status": NodeStatus.ONLINE,
        "since_at": None,
        "faults": (),
        "is_left": False,
        "is_playing": False,
        "is_held": False,
        "simulated": False,
    }
    return SpotOut.model_validate(well | given)


@pytest.mark.parametrize(
    ("given", "icon", "tone", "word"),
    [
        ({}, "on", "good", "Đang kết nối"),
        ({"is_playing": True}, "dot", "live", "Đang phát"),
        ({"is_held": True}, "square", "stop", "Đang tạm ngừng"),
        ({"is_playing": True, "simulated": True}, "dot", "live", "Đang phát (mô phỏng)"),
        ({"faults": ("disk_low",)}, "triangle", "care", "Có sự cố: có thẻ nhớ sắp đầy"),
        ({"status": NodeStatus.LATE}, "part", "care", "Chậm tin"),
        ({"status": NodeStatus.OFFLINE, "since_at": NOW}, "triangle", "care", "Mất kết nối từ 17:03"),
        ({"status": NodeStatus.OFFLINE}, "unknown", "unsure", "Chưa kết nối lần nào"),
        ({"status": NodeStatus.NEVER_SEEN}, "unknown", "unsure", "Chưa kết nối lần nào"),
        ({"status": NodeStatus.UNREPORTING}, "empty", "unsure", "Không báo về"),
    ],
)
def test_a_spot_says_how_its_node_stands(given: dict[str, Any], icon: str, tone: str, word: str) -> None:
    drawn = spots([spot(**given)], FORM)
    assert drawn["marks"] == [[icon, tone, word]]
    (row,) = spot_rows([spot(**given)], FORM)
    assert (row.mark.icon, row.mark.tone) == (icon, tone)


def test_nodes_that_stand_alike_share_their_mark() -> None:
    drawn = spots([spot(id="a"), spot(id="b", is_held=True), spot(id="c", latitude=21.123456789)], FORM)
    assert len(drawn["marks"]) == 2
    assert drawn["spots"][2] == ["c", "Cụm", 21.123457, 105.8, 0]
