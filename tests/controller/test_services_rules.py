"""Pure rules of the centre: names, limits, phases; and that a preview is what a node does."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.areas.repository import read_tree
from controller.areas.rules import Place, Tree
from controller.areas.schemas import QuietWindow
from controller.broadcasts.repository import as_sent
from controller.broadcasts.rules import Phase, PlayCount, phase_of
from controller.errors import InvalidError, TooManyAttemptsError
from controller.names import clean_file_name, clean_name, in_reading_order
from controller.plans.build import NodeFacts, Stamp, build_settings
from controller.policies.schemas import PolicyIn, PolicyRules, Window
from controller.ratelimit import RateLimit
from edge_agent.protocol.documents import Membership
from edge_agent.protocol.listings import merge
from edge_agent.protocol.states import PlayState
from edge_agent.protocol.timeline import View, project
from tests.controller.factories import MORNING, Centre, SteppedClock
from tests.controller.test_services_broadcasts import asked, commune

START, ENDS, END = MORNING, MORNING + timedelta(seconds=24), MORNING + timedelta(minutes=5)


def test_names_come_in_the_order_of_the_vietnamese_alphabet() -> None:
    assert sorted(["Đồng", "Dốc", "Ế"], key=in_reading_order) == ["Dốc", "Đồng", "Ế"]
    assert sorted(["Ơn", "On", "Ôn"], key=in_reading_order) == ["On", "Ôn", "Ơn"]
    assert sorted(["Thôn 10", "Thôn 9", "thôn 1"], key=in_reading_order) == ["thôn 1", "Thôn 9", "Thôn 10"]


@pytest.mark.parametrize("text", ["a\u200db", "\ufeffa", "a\u2066b", "a\u2028b", "a\x7fb", "a\ue000b", "a\x1fb"])
def test_a_name_hides_nothing(text: str) -> None:
    with pytest.raises(InvalidError):
        clean_name(text)


def test_a_file_name_is_never_a_path_and_never_empty() -> None:
    for typed in ("a/b", "a\\b", "/", "..", ".", " ", "\x00", "-rf", "~/.ssh/id", "C:\\x"):
        shown = clean_file_name(typed)
        assert shown
        assert not set("/\\\x00") & set(shown)
        assert not shown.startswith(("-", ".", " "))


def test_a_limit_gives_its_burst_then_one_at_a_time() -> None:
    clock = SteppedClock()
    limit = RateLimit(burst=3, every=timedelta(seconds=10), clock=clock)
    for _ in range(3):
        limit.take("a")
    with pytest.raises(TooManyAttemptsError) as refused:
        limit.take("a")
    assert 0 < refused.value.fields["retry_after_s"] <= 11
    limit.take("b")
    clock.step(seconds=10)
    limit.take("a")
    with pytest.raises(TooManyAttemptsError):
        limit.take("a")
    clock.step(minutes=5)
    for _ in range(3):
        limit.take("a")


def test_a_flood_of_keys_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.ratelimit.MAX_KEYS", 10)
    limit = RateLimit(burst=1, every=timedelta(seconds=1), clock=SteppedClock())
    for number in range(100):
        limit.take(str(number))
    assert len(limit._full_at) == 10


@pytest.mark.parametrize(
    ("plays", "after_s", "phase"),
    [
        ([("planned", None)], -60, Phase.SENDING),
        ([("cached", None), ("planned", None)], -60, Phase.SENDING),
        ([("cached", None), ("armed", None)], -60, Phase.READY),
        ([("cached", None), ("cached", "refused")], -60, Phase.READY),
        ([("playing", None), ("planned", None)], 1, Phase.ON_AIR),
        ([("playing", "played"), ("armed", None)], 23, Phase.ON_AIR),
        ([("playing", "played"), ("playing", None)], 30, Phase.ON_AIR),
        ([("playing", "played"), ("armed", None)], 30, Phase.AWAITING_REPORTS),
        ([("planned", "missed"), ("armed", None)], 30, Phase.READY),
        ([("playing", "played"), ("planned", "missed")], 30, Phase.OVER),
        ([("planned", None)], 301, Phase.OVER),
        ([], 1, Phase.OVER),
    ],
)
def test_the_phase_is_read_from_the_plays(plays: list[tuple[Any, str | None]], after_s: int, phase: Phase) -> None:
    counts = [PlayCount(PlayState(state), outcome, None, False, 1) for state, outcome in plays]
    now = START + timedelta(seconds=after_s)
    assert phase_of(counts, ends_at=ENDS, latest_end_at=END, cancelled=False, now=now) is phase
    assert phase_of(counts, ends_at=ENDS, latest_end_at=END, cancelled=True, now=now) is Phase.CANCELLED


def test_a_broken_tree_does_not_turn_in_circles() -> None:
    lost = Place("a", "gone", "hamlet", "Thôn", None, None, None)
    tree = Tree([lost])
    assert [place.id for place in tree.chain("a")] == ["a"]
    assert list(tree.walk()) == []


@pytest.mark.parametrize(
    ("hours", "at", "languages"),
    [
        (None, "2026-03-09T17:00:00+07:00", None),
        (None, "2026-03-09T21:59:50+07:00", None),
        (None, "2026-03-09T22:30:00+07:00", None),
        ([("11:30", "13:30"), ("21:00", "05:30")], "2026-03-09T11:29:50+07:00", ["tyz"]),
        ([], "2026-03-10T03:15:00+07:00", None),
    ],
)
async def test_the_preview_is_what_a_node_does_with_what_it_is_sent(
    lite: Centre, hours: list[tuple[str, str]] | None, at: str, languages: list[str] | None
) -> None:
    """Promise P10: one function, and the same facts on both sides."""
    place = await commune(lite)
    windows = None if hours is None else [QuietWindow(start=start, until=until) for start, until in hours]
    await lite.services.areas.change(lite.actor, place["area"].id, quiet_hours=windows, languages=languages)
    await lite.services.areas.change(lite.actor, place["west"].id, quiet_hours=[])
    hours_of_routine = PolicyRules(windows=(Window(start="05:00", until="17:00"), Window(start="03:00", until="04:00")))
    await lite.services.policies.put(lite.actor, place["east"].id, PolicyIn(version=0, rules=hours_of_routine))
    start_at = datetime.fromisoformat(at).astimezone(UTC)
    before = await lite.services.broadcasts.create(
        lite.actor, asked(place, targets=[place["west"].scope], start_at=start_at, confirm_unusual=True)
    )
    preview = await lite.services.broadcasts.preview(lite.actor, asked(place, start_at=start_at))
    meant = asked(place, start_at=start_at, confirm_unusual=True, confirm_conflicts=True)
    sent = await lite.services.broadcasts.create(lite.actor, meant)
    promised = {node.node_id: (each.outcome, each.reason) for each in preview.forecasts for node in each.nodes}

    async with lite.database.reading() as session:
        tree, wire = await read_tree(session), await as_sent(session, [before.id, sent.id])
    for node in (place["first"], place["second"]):
        settings = build_settings(
            Stamp(node.scope, 1, 1, lite.clock()),
            NodeFacts(),
            [Membership(area_id=each.id) for each in tree.chain(node.area_id)],
            tree.effective(node.area_id),
            lite.trusted_keys,
        )
        lease = start_at + timedelta(days=7)
        scopes = tree.scopes(node.id, node.area_id)
        targets = {before.id: place["west"].scope, sent.id: place["area"].scope}
        plans = [(scope, lease, [wire[key] for key in wire if targets[key] == scope]) for scope in scopes]
        view = View(listings=merge(plans, []), settings=settings)
        until = sent.latest_end_at + timedelta(seconds=1)
        done = {
            end.broadcast_id: (end.outcome, end.reason)
            for step in project(view, lite.clock(), until)
            for end in step.conclusions
        }
        assert promised[node.id] == done[sent.id]
