"""Makes up what may happen to a node. Every choice is a pick among few, so that things often meet at one instant.

Who picks is left open: hypothesis, which finds the shortest scenario that fails, or a seeded random, which tries many.
"""

from collections.abc import Sequence
from random import Random
from typing import Protocol, TypeVar

from hypothesis import strategies as st

from edge_agent.protocol.content import Approval, Broadcast, Item, Voice, content_hash
from edge_agent.protocol.documents import NightCap, QuietHours, Settings
from edge_agent.protocol.states import ClockState, Drill, Level, StartMode
from tests.edge_agent.protocol.factories import COMMUNE, HAMLET, NODE, after, settings, sha
from tests.edge_agent.protocol.walks import (
    ClockBecomes,
    Crashes,
    Event,
    Fetches,
    Holds,
    Lists,
    Loses,
    Releases,
    Scenario,
    Stops,
    Withdraws,
)

_T = TypeVar("_T")

GRID = 30
"""Seconds between the instants at which things are set to happen."""

EVENING = 3600
"""Seconds within which all is set to happen."""

SCOPES = (HAMLET, COMMUNE, NODE)
FILES = tuple(sha(f"file-{index}") for index in range(6))
TIMES = range(0, EVENING + 1, GRID)
SOON = (0, 0, GRID, 2 * GRID, 4 * GRID)
"""Seconds after something else: most of what goes wrong goes wrong then."""


class Pick(Protocol):
    """Chooses one of the options."""

    def __call__(self, options: Sequence[_T], /) -> _T:
        """Choose; the first is the plainest."""
        ...


def _hours(start: str, until: str) -> QuietHours:
    return QuietHours(start=start, until=until)


def _settings(pick: Pick) -> Settings:
    nights = (_hours("21:40", "05:00"),)
    breaks = (_hours("21:20", "21:30"),)
    night = NightCap(window=QuietHours(start="21:30", until="06:00"), cap_mb=-1500)
    evening_only, by_halves = (_hours("20:00", "21:45"),), (_hours("20:30", "21:20"), _hours("21:20", "22:10"))
    with_gap, over_midnight = (_hours("20:00", "21:15"), _hours("21:17", "23:00")), (_hours("21:10", "05:00"),)
    return settings(
        quiet_hours=pick([(), nights, breaks, nights + breaks]),
        windows=pick([(), (), (), (), evening_only, by_halves, with_gap, over_midnight]),
        night_cap=pick([None, night]),
        volume_mb=pick([0, 600, -600]),
        trim_mb=pick([0, 300]),
        cap_mb=pick([0, -300, 1200]),
        languages=pick([("vi",), ("hmn", "vi"), ("tyz",)]),
        plays_per_hour=pick([30, 30, 30, 30, 2, 1]),
        max_broadcast_ms=pick([3_600_000, 3_600_000, 3_600_000, 300_000]),
        max_emergency_ms=pick([1_800_000, 1_800_000, 1_800_000, 300_000]),
    )


def _slots(pick: Pick) -> tuple[Item, ...]:
    found: list[Item] = []
    offset_ms = 0
    for _ in range(pick([1, 2, 3])):
        voices = tuple(
            Voice(
                language=language,
                sha256=pick(FILES),
                bytes=1000,
                length_ms=pick([30, 60, 90, 240]) * 1000,
                gain_mb=pick([0, 200]),
            )
            for language in pick([("vi",), ("vi",), ("vi", "hmn")])
        )
        item = Item(offset_ms=offset_ms, voices=voices, choice=pick([0, 0, 1]) if found else 0)
        found.append(item)
        offset_ms += item.slot_ms + pick([0, 0, 60]) * 1000
    return tuple(found)


def _approvals(
    pick: Pick, items: tuple[Item, ...], drill: Drill | None, scope: str, start: int, end: int
) -> tuple[Approval, ...]:
    """Mostly one that covers it; else none, or one of another audio, place or time, or of a drill for the real."""
    flaw = pick([*[""] * 36, "none", "audio", "drill", "place", "early", "late"])
    if flaw == "none":
        return ()
    if flaw == "drill":
        drill = None if drill else Drill.MARKED
    return (
        Approval(
            approval_id="yes",
            content_sha256=sha("other") if flaw == "audio" else content_hash(items, drill),
            scopes=("areas/elsewhere",) if flaw == "place" else (scope,),
            not_before_at=after(start + (GRID if flaw == "early" else 0)),
            not_after_at=after(end - (GRID if flaw == "late" else 0)),
        ),
    )


def _broadcast(pick: Pick, name: str, run: str | None, scope: str, start: int) -> Broadcast:
    items = _slots(pick)
    length = -(-(items[-1].offset_ms + items[-1].slot_ms) // 1000)
    late = pick([300, 30, 0, 1800])
    end = start + max(late, length) + pick([0, 60, 1800])
    drill = pick([None, None, None, None, Drill.MARKED, Drill.SILENT])
    return Broadcast(
        broadcast_id=name,
        level=pick([Level.NORMAL, Level.NORMAL, Level.PRIORITY, Level.EMERGENCY]),
        start_at=after(start),
        latest_start_at=after(start + late),
        latest_end_at=after(end),
        order=pick([0, 1, -1]),
        start=pick([StartMode.SOFT, StartMode.SOFT, StartMode.HARD]),
        resumes=pick([True, True, False]),
        drill=drill,
        run=run,
        approvals=_approvals(pick, items, drill, scope, start, end),
        items=items,
    )


def _listings(pick: Pick, name: str, run: str | None, start: int) -> list[Event]:
    """One broadcast: where and since when it is listed, perhaps changed, withdrawn or listed again later."""
    scope = pick(SCOPES)
    broadcast = _broadcast(pick, name, run, scope, start)
    urgent = pick([True, False] if broadcast.level is Level.EMERGENCY else [False] * 4 + [True])
    since = pick([*[0] * 9, *[start + pick(SOON)] * 3, start + EVENING])
    found = [Event(since, Lists(scope, urgent, broadcast))]
    second = start + pick(SOON)
    match pick(["", "", "", "", "twice", "changed", "withdrawn"]):
        case "twice":
            found.append(Event(second, Lists(pick(SCOPES), False, broadcast)))
        case "changed":
            found.append(Event(second, Lists(scope, urgent, _broadcast(pick, name, run, scope, start))))
        case "withdrawn":
            found.append(Event(second, Withdraws(name)))
    return found


def disturbance(pick: Pick, index: int, starts: list[int], names: list[str]) -> list[Event]:
    """Give what people, files, clocks and power do meanwhile."""
    second = pick(starts) + pick(SOON)
    later = second + pick([*SOON, *TIMES])
    match pick(["hold", "stop", "clock", "file", "crash", "crash"]):
        case "hold":
            return [Event(second, Holds(f"h{index}")), Event(later, Releases(f"h{index}"))]
        case "stop":
            return [Event(second, Stops(pick(names)))]
        case "clock":
            good = pick([ClockState.TRUSTED, ClockState.HELD])
            lost = ClockBecomes(ClockState.UNTRUSTED, answered=pick([True, False]))
            told = Event(later + pick(SOON), ClockBecomes(ClockState.UNTRUSTED))
            return [Event(second, lost), *pick([[], [told]]), Event(later + 5 * GRID, ClockBecomes(good))]
        case "file":
            file = pick(FILES)
            return [Event(second, Loses(file)), Event(later, Fetches(file))]
    # Off the grid: at the very end of a sound nobody can say whether it was cut.
    return [Event(second + (index + 1) / 10, Crashes(pick([1, 20, 45, 200, 2000])))]


def scenario(pick: Pick, *, disturbed: bool = True) -> Scenario:
    """Make up a node's evening: one to five broadcasts, and what happens to them."""
    names = [f"b{index}" for index in range(pick([1, 2, 3, 4, 5]))]
    starts: list[int] = []
    events: list[Event] = []
    for name in names:
        follows = pick([True, False]) if starts else False
        starts.append(pick(starts) + pick(SOON) if follows else pick(TIMES))
        run = pick([None, None, None, names[0]]) if name != names[0] else None
        events += _listings(pick, name, run, starts[-1])
    if disturbed:
        for index in range(pick([0, 1, 1, 2, 3])):
            events += disturbance(pick, index, starts, names)
        # Whatever happened, in the end the clock is good again: only then can all be concluded.
        events.append(Event(4 * EVENING, ClockBecomes(ClockState.TRUSTED)))
    lease = pick([7 * 86_400, 7 * 86_400, EVENING // 2])
    return Scenario(_settings(pick), tuple(events), after(lease))


@st.composite
def scenarios(draw: st.DrawFn, *, disturbed: bool = True) -> Scenario:
    """Let hypothesis pick."""
    return scenario(lambda options: draw(st.sampled_from(options)), disturbed=disturbed)


def evening(seed: int) -> Scenario:
    """Let chance pick; the same seed gives the same evening."""
    return scenario(Random(seed).choice)
