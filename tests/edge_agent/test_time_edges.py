"""A node at the edges of time: midnight, months, leap days, another zone, and a machine that slept.

What is heard is asked of the real player over real audio; the clock is stepped. What a zone's law does to windows is in
``protocol/test_quiet.py``.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from edge_agent.protocol.documents import QuietHours
from edge_agent.protocol.states import Level, Outcome, PlayState
from tests.edge_agent.centre import broadcast
from tests.edge_agent.fakes import NOON, Desk, SteppedInstruments
from tests.edge_agent.hall import Hall, at, due

EDGES = {
    "midnight in Hanoi": datetime(2026, 11, 22, 17, tzinfo=UTC),
    "midnight by the wire": datetime(2026, 11, 23, tzinfo=UTC),
    "month end": datetime(2026, 11, 30, 17, tzinfo=UTC),
    "year end": datetime(2026, 12, 31, 17, tzinfo=UTC),
    "year end by the wire": datetime(2027, 1, 1, tzinfo=UTC),
    "no leap day": datetime(2027, 2, 28, 17, tzinfo=UTC),
    "leap day begins": datetime(2028, 2, 28, 17, tzinfo=UTC),
    "leap day ends": datetime(2028, 2, 29, 17, tzinfo=UTC),
    "leap day by the wire": datetime(2028, 2, 29, tzinfo=UTC),
}
HANOI_EDGES = [name for name in EDGES if "wire" not in name]
STEP = timedelta(milliseconds=500)


class Place:
    """Makes halls at an instant, and closes what they have open."""

    def __init__(self, root: Path) -> None:
        self._root, self._halls = root, list[Hall]()

    def hall(self, now: datetime, **settings: Any) -> Hall:
        desk = Desk(self._root / str(len(self._halls)), SteppedInstruments(now))
        desk.settle(**settings)
        self._halls.append(Hall(desk))
        return self._halls[-1]

    def close(self) -> None:
        for hall in self._halls:
            hall.desk.close()


@pytest.fixture
async def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture(autouse=True)
def closed(place: Place) -> Iterator[None]:
    yield
    place.close()


@pytest.mark.parametrize("edge_at", EDGES.values(), ids=EDGES)
async def test_a_session_passes_over_the_edge_of_a_day_as_over_any_other_instant(
    place: Place, edge_at: datetime
) -> None:
    """Three items around it, each on its sample, once; and the receipts name the right instants."""
    start_at = edge_at - STEP * 1.5
    hall = place.hall(start_at - timedelta(seconds=1))
    hall.desk.plan(broadcast("b-1", start_at, *(hall.voice(seed) for seed in (1, 2, 3))))
    assert await hall.outcome("b-1") == (Outcome.PLAYED, None)
    begins = [start_at + STEP * index for index in range(3)]
    assert [hall.starts(seed) for seed in (1, 2, 3)] == [[pytest.approx(1000 + 500 * index)] for index in range(3)]
    told = [one.at for one in hall.desk.events("b-1") if one.state is PlayState.PLAYING]
    assert [abs(one - begin) < timedelta(milliseconds=1) for one, begin in zip(told, begins, strict=True)] == [True] * 3


@pytest.mark.parametrize("edge", HANOI_EDGES)
async def test_quiet_hours_that_begin_at_midnight_begin_on_that_day_too(place: Place, edge: str) -> None:
    start_at = EDGES[edge] - STEP * 1.5
    hall = place.hall(start_at - timedelta(seconds=1), quiet_hours=(QuietHours(start="00:00", until="05:00"),))
    hall.desk.plan(broadcast("b-1", start_at, *(hall.voice(seed) for seed in (1, 2, 3))))
    assert await hall.outcome("b-1") == (Outcome.INTERRUPTED, "quiet_hours")
    assert [len(hall.starts(seed)) for seed in (1, 2, 3)] == [1, 0, 0]


@pytest.mark.parametrize("edge", HANOI_EDGES)
async def test_what_waits_for_the_day_begins_with_it(place: Place, edge: str) -> None:
    hall = place.hall(EDGES[edge] - timedelta(seconds=2), windows=(QuietHours(start="00:00", until="20:00"),))
    hall.desk.plan(broadcast("b-1", EDGES[edge] - timedelta(seconds=1), hall.voice(1)))
    assert await hall.outcome("b-1") == (Outcome.PLAYED, None)
    assert hall.starts(1) == [pytest.approx(2000)]


async def test_a_node_cut_off_lives_over_the_leap_day_and_falls_silent_when_72_hours_have_passed(place: Place) -> None:
    """Not on the same day of the month: 27 February and three days are the first of March, in a leap year."""
    begun_at = datetime(2028, 2, 27, 10, tzinfo=UTC)
    hall = place.hall(begun_at)
    leap_day, before_the_end, after_it = (begun_at + timedelta(hours=hours) for hours in (48, 71, 73))
    voice = hall.voice(1)
    hall.desk.plan(
        *(
            broadcast(name, start_at, voice)
            for name, start_at in (("b-leap", leap_day), ("b-last", before_the_end), ("b-late", after_it))
        ),
        lease=timedelta(hours=72),
    )
    assert leap_day.astimezone(UTC).strftime("%d.%m.") == "29.02."
    for start_at in (leap_day, before_the_end, after_it):
        hall.sleep(seconds=(start_at - hall.desk.clock.now()).total_seconds() - 1)
        await hall.pass_ms(2500)
    await hall.outcome("b-late", within_ms=15_000)
    assert hall.desk.outcomes() == {
        "b-leap": (Outcome.PLAYED, None),
        "b-last": (Outcome.PLAYED, None),
        "b-late": (Outcome.MISSED, "lease_ended"),
    }


async def test_another_zone_moves_the_night_at_once(place: Place) -> None:
    """A commune's law may change, or a setting was wrong: what may sound sounds, what may not falls silent."""
    night = (QuietHours(start="12:30", until="14:00"),)
    hall = place.hall(NOON, quiet_hours=night)
    hall.desk.plan(
        broadcast("b-waits", NOON, hall.voice(1), late=timedelta(hours=1)),
        broadcast("b-long", NOON + timedelta(minutes=31), hall.voice(2, 3000)),
        lease=timedelta(days=1),
    )
    assert await hall.outcome("b-waits") == (Outcome.PLAYED, None)
    hall.sleep(minutes=31)
    hall.desk.settle(quiet_hours=night, zone="Asia/Tokyo")
    await hall.pass_ms(1500)
    assert any(hall.output.pcm)
    hall.desk.settle(quiet_hours=night)
    heard = len(hall.output.pcm)
    assert await hall.outcome("b-long") == (Outcome.INTERRUPTED, "quiet_hours")
    assert not any(hall.output.pcm[heard + 960 :])


@pytest.mark.parametrize(
    ("slept_ms", "outcome"),
    [
        (2000, (Outcome.PLAYED, None)),
        (5100, (Outcome.PLAYED, None)),
        (6500, (Outcome.MISSED, "late")),
        (3_600_000, (Outcome.EXPIRED, "late")),
    ],
)
async def test_a_machine_that_slept_through_the_start_begins_late_or_never(
    place: Place, slept_ms: int, outcome: tuple[Outcome, str | None]
) -> None:
    """Due at 1 s, at the latest at 6 s; the machine sleeps from 0.4 s on, before the start is decided."""
    hall = place.hall(NOON)
    hall.desk.plan(due("b-1", 1000, hall.voice(1), late=at(5000)))
    await hall.pass_ms(400)
    hall.sleep(milliseconds=slept_ms)
    assert await hall.outcome("b-1") == outcome
    late = [begin - 1000 for begin in hall.starts(1)]
    assert all(0 <= one <= 5000 for one in late)
    assert len(late) == (outcome[0] is Outcome.PLAYED)


async def test_a_machine_that_slept_after_the_decision_does_not_play_late(place: Place) -> None:
    """The sound is placed and its instant has passed by more than a second: it is lost, and said to be."""
    hall = place.hall(NOON)
    hall.desk.plan(due("b-1", 1000, hall.voice(1), late=at(5000)))
    await hall.pass_ms(900)
    hall.sleep(seconds=8)
    assert await hall.outcome("b-1") == (Outcome.INTERRUPTED, "late")
    assert not any(hall.output.pcm)


@pytest.mark.parametrize("level", [Level.NORMAL, Level.EMERGENCY])
async def test_a_machine_that_slept_in_the_middle_of_a_sound_does_not_go_on_with_it(place: Place, level: Level) -> None:
    """Routine joins its neighbours at the next slot; an emergency says the item once more from its begin."""
    hall = place.hall(NOON)
    hall.desk.urgent(due("b-1", 1000, hall.voice(1, 3000), hall.voice(2), level=level, late=at(60_000)))
    await hall.pass_ms(1500)
    assert any(hall.output.pcm)
    hall.sleep(milliseconds=1200)
    await hall.pass_ms(100)
    assert not any(hall.output.pcm)
    emergency = level is Level.EMERGENCY
    assert await hall.outcome("b-1") == ((Outcome.PLAYED, None) if emergency else (Outcome.INTERRUPTED, "late"))
    assert len(hall.starts(1, 3000)) == emergency
    again = [begin + 3000 for begin in hall.starts(1, 3000)]
    assert hall.starts(2) == [pytest.approx(again[0] if emergency else 4000)]
