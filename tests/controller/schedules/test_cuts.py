"""Of two that meet, one may cut the other: who begins later and hard does, unless the other is of a higher level."""

from datetime import timedelta

import pytest

from controller.schedules.meetings import Conflict, Other, Span
from edge_agent.protocol.states import StartMode
from tests.controller.factories import MORNING, Centre
from tests.controller.schedules.village import scheduled

NORMAL, PRIORITY = (0, 0), (-1, 0)


def span(minute: int, rank: tuple[int, int] = NORMAL, *, is_hard: bool = False) -> Span:
    start_at = MORNING + timedelta(minutes=minute)
    return Span(start_at, start_at + timedelta(minutes=10), rank, is_hard=is_hard)


@pytest.mark.parametrize(
    ("ours", "theirs", "cut"),
    [
        (span(5), span(0), None),
        (span(5, is_hard=True), span(0), "other"),
        (span(0), span(5, is_hard=True), "ours"),
        (span(0, is_hard=True), span(5), None),
        (span(5, is_hard=True), span(0, PRIORITY), None),
        (span(5, PRIORITY, is_hard=True), span(0), "other"),
        (span(0, is_hard=True), span(0), None),
    ],
)
def test_who_begins_later_and_hard_cuts_what_is_not_above_it(ours: Span, theirs: Span, cut: str | None) -> None:
    other = Other("Khác", None, "s", None, frozenset({"n"}), (theirs,))
    assert Conflict(ours, theirs, other, 1, 1).cut == cut


async def test_both_sides_are_told_what_is_cut(lite: Centre) -> None:
    area = await lite.area("Xã", kind="commune")
    await lite.node(area)
    first = await scheduled(lite, area, 10, title="Tiếp sóng", confirm_unusual=True)
    given = {"confirm_conflicts": True, "confirm_unusual": True}
    hard = await scheduled(
        lite, area, 10, title="Giờ vàng", starts="2026-03-10T05:05:00", start_mode=StartMode.HARD, **given
    )
    schedules = lite.services.schedules
    [cutting] = await schedules.met(lite.actor, hard.id)
    [is_cut] = await schedules.met(lite.actor, first.id)
    assert (cutting.title, cutting.first, cutting.cut) == ("Tiếp sóng", "other", "other")
    assert (is_cut.title, is_cut.first, is_cut.cut) == ("Giờ vàng", "ours", "ours")
    await schedules.end(lite.actor, hard.id)
    assert await schedules.met(lite.actor, first.id) == ()
    assert await schedules.met(lite.actor, hard.id) == (), "what is ended meets nothing"
