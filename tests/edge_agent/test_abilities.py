"""What a node says that it can do."""

from pathlib import Path

import pytest

from edge_agent.abilities import keeps_time


@pytest.mark.parametrize(("shown", "keeps"), [("1795341700\n", True), ("86400\n", False), ("", False), (None, False)])
def test_a_clock_keeps_time_when_it_shows_a_time_that_can_be(tmp_path: Path, shown: str | None, *, keeps: bool) -> None:
    if shown is not None:
        (tmp_path / "since_epoch").write_text(shown)
    assert keeps_time(tmp_path) is keeps
