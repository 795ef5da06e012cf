"""What a cut makes of a play, as a function: an emergency's item sounds once more at most, however often it is cut."""

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.cuts import cut_short
from edge_agent.ledger import Play
from edge_agent.protocol.content import Voice
from edge_agent.protocol.states import Level, Reason
from edge_agent.protocol.timeline import Progress, Sound
from tests.edge_agent.fakes import NOON
from tests.edge_agent.protocol.factories import broadcast as make_broadcast

ITEMS, LENGTH = 4, timedelta(seconds=10)


def sound(item: int) -> Sound:
    voice = Voice(language="vi", sha256=f"{item:064d}", bytes=1, length_ms=10_000)
    begins_at = NOON + item * LENGTH
    return Sound(broadcast_id="b-1", item=item, voice=voice, begins_at=begins_at, ends_at=begins_at + LENGTH, gain_mb=0)


@pytest.mark.fault("F25")
@given(st.lists(st.tuples(st.integers(1, ITEMS), st.booleans()), max_size=30))
def test_no_item_of_an_emergency_begins_a_third_time(lives: list[tuple[int, bool]]) -> None:
    """Each life begins some items, the last of them perhaps only placed when the power goes; none is ever weighed."""
    progress, begun = Progress(began_at=NOON, anchor_at=NOON), [0] * ITEMS
    broadcast = make_broadcast("b-1", level=Level.EMERGENCY)
    for count, ended in lives:
        for _ in range(count):
            if progress.outcome is not None or progress.next_item >= ITEMS:
                break
            begun[progress.next_item] += 1
            progress = msgspec.structs.replace(
                progress, next_item=progress.next_item + 1, sounding=sound(progress.next_item)
            )
        if ended:
            progress = msgspec.structs.replace(progress, sounding=None)
        play = Play(broadcast_id="b-1", latest_end_at=NOON + timedelta(hours=1), progress=progress, broadcast=broadcast)
        progress = cut_short(play, Reason.POWER, NOON + timedelta(minutes=5))
    assert max(begun) <= 2
