"""Who may write and hear what, read from the page that says so: section 3 of ``docs/protocol.md``."""

import re
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parents[2] / "docs" / "protocol.md"
ROOT = "loa/v1/"
_TOPIC = re.compile(r"`([a-z/{}]+)`")


class Row(NamedTuple):
    """A topic of the table, ``{area}`` or ``{node}`` in it."""

    pattern: str
    by_nodes: bool
    """Nodes write it and the centre hears it; otherwise the other way."""

    def of(self, place: str) -> str:
        """Give the topic of one area or node."""
        return ROOT + self.pattern.replace("{area}", place).replace("{node}", place)

    @property
    def about_areas(self) -> bool:
        """Whether an area stands in it."""
        return "{area}" in self.pattern


def rows() -> list[Row]:
    """Read the table."""
    section = PAGE.read_text().split("\n## 3. ")[1].split("\n## 4. ")[0]
    found = []
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 5 and cells[1] in {"to the node", "from the node"}:
            found += [Row(pattern, cells[1] == "from the node") for pattern in _TOPIC.findall(cells[0])]
    return found
