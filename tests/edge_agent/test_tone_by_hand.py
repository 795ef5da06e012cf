"""The self-test by hand keeps the hours of the node, so it needs a clock that the node would believe."""

from pathlib import Path

import msgspec
import pytest

from edge_agent.clock import Trust
from edge_agent.errors import ConfigError
from edge_agent.store import Store
from edge_agent.tone_by_hand import _believed
from tests.edge_agent.fakes import NOON, SteppedInstruments


def test_no_tone_sounds_by_a_clock_that_nobody_vouches_for(tmp_path: Path) -> None:
    store, clocks = Store.open(tmp_path / "agent.db"), SteppedInstruments()
    with pytest.raises(ConfigError, match="not believed"):
        _believed(store, clocks)
    trust = Trust(clocks.boot_id, clocks.boottime_ns(), clocks.wall_ns() - clocks.boottime_ns())
    store.put_meta("clock", msgspec.json.encode(trust))
    assert abs((_believed(store, clocks) - NOON).total_seconds()) < 1, "an agent of this boot had asked"
    clocks.step(hours=6)
    with pytest.raises(ConfigError, match="not believed"):
        _believed(store, clocks)
    store.close()
