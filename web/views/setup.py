"""Bắt đầu: how far a centre is from its first broadcast, and what was typed as a list of hamlets. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from controller.errors import InvalidError
from controller.names import clean_name, on_a_terminal

MOST_HAMLETS = 100
"""At once; a commune has some dozens."""
FEWEST_HEADS = 2
"""Cells of a line that may be the head of a table."""
MOST_QUOTED = 60
"""Letters of a line that is refused, or left out: enough to find it."""

State = Literal["done", "now", "later"]


@dataclass(frozen=True)
class Steps:
    """Where each step stands. The second person may come at any time."""

    places: State
    person: State
    node: State
    say: State

    @property
    def left(self) -> int:
        """Count what is still to be done before the first broadcast was said."""
        return sum(state != "done" for state in (self.places, self.node, self.say))


def steps(*, places: bool, person: bool, node: bool, said: bool) -> Steps:
    """Tell which step is done, which is the one to do now, and which come later."""
    done = {"places": places, "node": node, "say": said}
    now = next((name for name, is_done in done.items() if not is_done), "")
    state: dict[str, State] = {name: "done" if done[name] else "now" if name == now else "later" for name in done}
    return Steps(person="done" if person else "now" if places else "later", **state)


@dataclass(frozen=True)
class Pasted:
    """A list of hamlets, as it was understood."""

    names: tuple[str, ...]
    """Each once."""
    lines: int
    """How many there were with anything in them."""
    head: str
    """What was taken for the head of a table, and for no name; empty: nothing."""
    is_guess: bool
    """Whether a person should see the names first: lines were left out, or not the first words of each are its name."""


def pasted(typed: str) -> Pasted:
    """Read names, one a line; what people copy before them (numbers, dashes) is left out.

    Of a line out of a table only the cell with the name counts: how many live there is no part of a place's name.

    Raises:
        InvalidError: a line is no name (it is quoted), or there are too many.
    """
    lines = [(number, line) for number, line in enumerate(typed.splitlines(), 1) if line.strip()]
    table = [[cell.strip() for cell in line.split("\t")] for _, line in lines]  # tables are pasted with tabs
    head = table[0] if _has_head(table) else []
    rows = [_without_number(cells) for cells in table[bool(head) :]]
    said, names = _named(rows), dict[str, str]()
    for (number, _), cell in zip(lines[bool(head) :], said, strict=True):
        name = _name_of(cell, number)
        names.setdefault(name.casefold(), name)
    if len(names) > MOST_HAMLETS:
        raise InvalidError("hamlets: too many at once", field="hamlets", problem="too_many", most=MOST_HAMLETS)
    is_guess = len(names) < len(lines) or said != [row[0] for row in rows]
    return Pasted(tuple(names.values()), len(lines), _quoted(" · ".join(filter(None, head))) if head else "", is_guess)


def _has_head(table: Sequence[Sequence[str]]) -> bool:
    """Tell whether the first line has words where all others have numbers, and no number itself."""
    head = table[0] if table else ()
    if sum(map(bool, head)) < FEWEST_HEADS or any(cell[:1].isdigit() for cell in head):
        return False
    below = [[row[at] for row in table[1:] if row[at : at + 1] not in ([], [""])] for at in range(len(head))]
    return any(
        said and cells and all(cell[0].isdigit() for cell in cells) for said, cells in zip(head, below, strict=True)
    )


def _named(rows: Sequence[Sequence[str]]) -> list[str]:
    """Give the name on each line: its first words, or where those are the same on several, what tells them apart."""
    first = [row[0] for row in rows]
    for column in range(1, min(map(len, rows), default=0)):
        cells = [row[column] for row in rows]
        if _different(cells) <= _different(first):
            continue
        if not any(cell[0].isdigit() for cell in cells):
            return cells
        if _different(first) == 1 and all(cell.isdecimal() for cell in cells):
            return [f"{row[0]} {row[column]}" for row in rows]
    return first


def _different(cells: Iterable[str]) -> int:
    return len({cell.casefold() for cell in cells})


def _name_of(line: str, number: int) -> str:
    try:
        return clean_name(_bare(line), field="hamlets")
    except InvalidError as error:
        raise InvalidError(str(error), **error.fields | {"line": number, "quoted": _quoted(line)}) from error


def _quoted(line: str) -> str:
    seen = on_a_terminal(line.strip())
    return seen if len(seen) <= MOST_QUOTED else f"{seen[:MOST_QUOTED]}…"


def _without_number(cells: Iterable[str]) -> list[str]:
    """Give what stands in a table's row after the row's number; a number alone is all that there is."""
    said = [cell for cell in cells if cell]
    begin = next((at for at, cell in enumerate(said) if not (cell.isdecimal() or _is_mark(cell))), 0)
    return said[begin:]


def _bare(line: str) -> str:
    """Take away how a list is written: "1. ", "2) ", "- ", "• "."""
    text = line.strip()
    head, _, rest = text.partition(" ")
    return rest if _is_mark(head) and rest.strip() else text


def _is_mark(head: str) -> bool:
    return head in {"-", "–", "•", "*", "+"} or (head[:-1].isdecimal() and head[-1] in ".)")
