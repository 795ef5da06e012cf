"""What an emergency sounds like, by rule: whatever is composed fits on the wire and into every node's limits."""

from datetime import UTC, datetime
from itertools import pairwise, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from controller.broadcasts.rules import Slot
from controller.emergencies.rules import (
    GAP_MS,
    LONGEST_MS,
    Standing,
    compose,
    frozen,
    length_of,
    standing_of,
    thawed,
    window_of,
)
from controller.errors import InvalidError
from controller.nodes.rules import NodeStatus
from controller.plays.schemas import PlayOut
from controller.programmes.layout import Part, Spoken
from edge_agent.protocol.content import Broadcast
from edge_agent.protocol.states import Level, Outcome, PlayState, Reason

NOW = datetime(2026, 9, 8, 3, 0, tzinfo=UTC)
TAGS = ("vi", "hmn", "tyz")

voices = some.lists(some.sampled_from(TAGS), min_size=1, max_size=3, unique=True)
lengths = some.integers(1, 20 * 60_000)


@some.composite
def parts(draw: some.DrawFn) -> list[Part]:
    """A signal, a message in some languages, perhaps a recording."""
    said = [["vi"], draw(voices), *([["vi"]] if draw(some.booleans()) else [])]
    return [
        Part(number, voices=tuple(Spoken(f"r{number}", each, "a" * 64, 100, draw(lengths)) for each in languages))
        for number, languages in enumerate(said)
    ]


def composed(
    given: list[Part], orders: set[tuple[str, ...]], repeats: int, every_ms: int | None, signal: Part | None = None
) -> tuple[Slot, ...]:
    try:
        return compose(given, orders, repeats=repeats, every_ms=every_ms, signal=signal)
    except InvalidError:
        return ()


@given(
    parts(),
    some.sets(some.permutations(TAGS).map(tuple), min_size=1, max_size=3),
    some.integers(1, 20),
    some.none() | some.integers(1_000, 1_800_000),
)
def test_what_is_composed_fits_on_the_wire_and_every_time_is_whole(
    given_parts: list[Part], orders: set[tuple[str, ...]], repeats: int, every_ms: int | None
) -> None:
    """The signal before every time, before the first, or nowhere: nothing is refused for it."""
    signal, *said = given_parts
    slots = composed(said, orders, repeats, every_ms, signal=signal)
    if not slots:
        assert composed(said, orders, repeats, every_ms) == ()
        return
    window = window_of(NOW, length_of(slots))
    wire = Broadcast(  # refuses slots that overlap, and what does not fit into its window
        broadcast_id="b1",
        level=Level.EMERGENCY,
        start_at=window.start_at,
        latest_start_at=window.latest_start_at,
        latest_end_at=window.latest_end_at,
        items=tuple(slot.item for slot in slots),
    )
    assert wire.length_ms <= LONGEST_MS
    signals = [number for number, slot in enumerate(slots) if slot.recording_ids == ("r0",)]
    times = slots[1:] if signals == [0] else slots
    once = len(times) // repeats
    assert signals in ([], [0], [once * time for time in range(repeats)])
    for order in orders:
        heard = [slot.item.voice_for(order) for slot in times]
        assert [heard[at : at + once] for at in range(0, len(heard), once)] == [heard[:once]] * repeats
        assert {voice.language for voice in heard[:once] if voice} >= {each.language for each in said[0].voices}
    begins = [slot.item.offset_ms for slot in times[::once]]
    whole = times[once - 1].item.offset_ms + times[once - 1].item.slot_ms - begins[0]
    assert all(after - before >= max(every_ms or 0, whole + GAP_MS) for before, after in pairwise(begins))
    assert thawed(frozen(slots)) == slots


@pytest.mark.parametrize("framed", [False, True])
@pytest.mark.parametrize(("repeats", "every_ms"), [(20, 24 * 3_600_000), (2, 100 * 3_600_000), (20, None)])
def test_what_would_take_days_is_too_long_and_no_fault(*, repeats: int, every_ms: int | None, framed: bool) -> None:
    """Its last time would begin later than the wire can say."""
    long = Part(0, voices=tuple(Spoken("r0", each, "a" * 64, 100, 29 * 60_000) for each in TAGS))
    orders = set(permutations(TAGS))
    with pytest.raises(InvalidError):
        compose([long, long], orders, repeats=repeats, every_ms=every_ms, framed_by=long if framed else None)


def play(outcome: Outcome | None, **given: object) -> PlayOut:
    plain: dict[str, object] = {
        "broadcast_id": "b",
        "node_id": "n",
        "node_name": "Cụm",
        "area_path": (),
        "state": None if outcome else PlayState.CACHED,
        "reached": given.get("state", PlayState.CACHED),
        "outcome": outcome,
        "simulated": False,
        "updated_at": NOW,
    }
    missing = dict.fromkeys(
        ("reason", "interrupted_by", "grade", "started_at", "start_error_ms", "requested_ms", "played_ms", "underruns")
    )
    return PlayOut.model_validate(missing | plain | given)


@pytest.mark.parametrize(
    ("outcome", "given", "status", "standing"),
    [
        (None, {}, NodeStatus.ONLINE, Standing.WAITING),
        (None, {}, NodeStatus.LATE, Standing.WAITING),
        (None, {"state": PlayState.PLAYING}, NodeStatus.ONLINE, Standing.SOUNDING),
        (None, {"state": PlayState.PLAYING}, NodeStatus.OFFLINE, Standing.UNREACHABLE),
        (None, {}, NodeStatus.NEVER_SEEN, Standing.UNREACHABLE),
        (Outcome.UNKNOWN, {}, NodeStatus.ONLINE, Standing.UNREACHABLE),
        (Outcome.CANCEL_UNCONFIRMED, {}, NodeStatus.ONLINE, Standing.UNREACHABLE),
        (Outcome.CANCELLED, {}, NodeStatus.ONLINE, Standing.CANCELLED),
        (Outcome.MISSED, {}, NodeStatus.ONLINE, Standing.MISSED),
        (Outcome.REFUSED, {}, NodeStatus.ONLINE, Standing.MISSED),
        (Outcome.EXPIRED, {}, NodeStatus.ONLINE, Standing.MISSED),
        (Outcome.INTERRUPTED, {"grade": 3}, NodeStatus.ONLINE, Standing.INTERRUPTED),
        (Outcome.INTERRUPTED, {"reason": Reason.POWER}, NodeStatus.ONLINE, Standing.INTERRUPTED),
        (Outcome.INTERRUPTED, {"reason": Reason.STOPPED}, NodeStatus.ONLINE, Standing.ENDED),
        (Outcome.PLAYED, {}, NodeStatus.ONLINE, Standing.UNVERIFIED),
        (Outcome.PLAYED, {"grade": 1}, NodeStatus.OFFLINE, Standing.UNVERIFIED),
        (Outcome.PLAYED, {"grade": 2}, NodeStatus.OFFLINE, Standing.VERIFIED),
        (Outcome.PLAYED, {"grade": 3, "simulated": True}, NodeStatus.ONLINE, Standing.UNVERIFIED),
        (None, {"reports": False}, NodeStatus.UNREPORTING, Standing.UNREPORTING),
    ],
)
def test_only_evidence_makes_a_node_verified(
    outcome: Outcome | None, given: dict[str, object], status: NodeStatus, standing: Standing
) -> None:
    assert standing_of(play(outcome, **given), status) is standing
