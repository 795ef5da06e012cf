"""The number of a node is the same on both ends, and tells neighbours apart."""

import re
from pathlib import Path

from edge_agent.protocol.calling import call_number

PAGE = (Path(__file__).parents[3] / "docs/protocol.md").read_text(encoding="utf-8")


def test_the_number_is_the_one_of_the_protocols_page() -> None:
    found = re.search(r"\(`(n-7f3a)`: (\d{6})\)", PAGE)
    assert found is not None
    assert call_number(found[1]) == found[2]


def test_the_nodes_of_a_commune_have_numbers_of_their_own() -> None:
    numbers = [call_number(f"{node:032x}") for node in range(120)]
    assert len(set(numbers)) == 120
    assert all(re.fullmatch(r"\d{6}", number) for number in numbers)
