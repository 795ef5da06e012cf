"""``docs/glossary.md`` has a Vietnamese word for everything that a node can say."""

import re
from enum import Enum
from pathlib import Path

import pytest

from edge_agent.protocol.rules import RuleName
from edge_agent.protocol.states import ClockState, Drill, Grade, Level, Outcome, PlayState, Reason

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")


def rows(title: str) -> dict[str, str]:
    """Give code word → page word of one table."""
    section = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    table = next(part for part in section if f"(`{title}`" in part.splitlines()[0])
    return dict(re.findall(r"^\| `(\w+)` \| ([^|]+?) \|", table, re.MULTILINE))


@pytest.mark.parametrize(
    "words", [Level, PlayState, Outcome, Reason, RuleName, Drill, ClockState, Grade], ids=lambda words: words.__name__
)
def test_every_word_has_one_row_and_no_row_is_left_over(words: type[Enum]) -> None:
    names = [word.name if words is Grade else word.value for word in words]

    found = rows(words.__name__)

    assert list(found) == names
    assert len(set(found.values())) == len(names)
