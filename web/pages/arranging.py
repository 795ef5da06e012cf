"""What is to become of a programme: read from what was typed, and held back while it would harm what is on air."""

from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlencode

from controller.errors import InvalidError
from controller.programmes.schemas import MAX_ITEMS, ItemIn, OrderIn, ProgrammeChange, ProgrammeOut
from web.forms import MOST_VERSION, Form, number_of
from web.once import FIELD
from web.site import Visit
from web.views import programmes as views
from web.views.whatif import Looked, looked

LONGEST_SILENCE_S = 60
ASKED = "?change=yes"
RESENT_ANEW = frozenset({"version", "looked", "look", FIELD})
"""Fields of a change that waits that are not sent along with its second asking as they were."""


class Held(NamedTuple):
    """A change that waits until its effect was read."""

    looked: Looked
    typed: Sequence[tuple[str, str]]


def confirmed(visit: Visit) -> str:
    """Give what follows the address where somebody said that they mean to change what is on air; else nothing."""
    return ASKED if visit.request.query_params.get("change") == "yes" else ""


def brought(visit: Visit) -> str:
    """Give the id of the bulletin that somebody comes to put in, as the address says; empty: none."""
    return visit.request.query_params.get("bring", "")[:64]


def asking(visit: Visit, bulletin_id: str) -> str:
    """Give what follows the address of whatever is done here; ``bulletin_id``: that of which it is still asked."""
    said = {"change": "yes"} if confirmed(visit) else {}
    said |= {"bring": bulletin_id} if bulletin_id else {}
    return f"?{urlencode(said)}" if said else ""


async def held_back(visit: Visit, known: ProgrammeOut, wanted: ProgrammeChange | OrderIn, typed: Form) -> Held | None:
    """Say what a change of what is on air would harm, if whoever asks has not read that yet."""
    found = await visit.services.what_ifs.of_programme(visit.actor, known.id, wanted)
    waits = looked(typed, _said(known, wanted), found.changes, visit.form)
    return Held(waits, [pair for pair in typed.pairs() if pair[0] not in RESENT_ANEW]) if waits else None


def _said(known: ProgrammeOut, wanted: ProgrammeChange | OrderIn) -> object:
    """Give what is wanted so that it is the same only while it means the same: an order is one of these items."""
    said = wanted.model_dump(mode="json", exclude={"version"})
    items = [each.model_dump(mode="json") for each in views.items_in(known)] if isinstance(wanted, OrderIn) else []
    return [said, *items]


def _item(typed: Form) -> ItemIn:
    """Read the item that is to be added.

    Raises:
        InvalidError: nothing was chosen.
    """
    kind, chosen = typed.one("kind"), typed.one("chosen")[:64]
    if kind == "bulletin" and chosen:
        return ItemIn.model_validate({"kind": "bulletin", "bulletin_id": chosen})
    if kind in {"tune", "recording"} and chosen:
        return ItemIn.model_validate({"kind": kind, "recording_id": chosen})
    if kind == "slot" and chosen:
        return _slot(chosen)
    seconds = number_of(typed.one("seconds"), most=10 * LONGEST_SILENCE_S)
    if kind == "pause" and seconds:
        return ItemIn.model_validate({"kind": "pause", "pause_ms": seconds * 1000})
    raise InvalidError("nothing was chosen", field="items", problem="nothing_chosen")


def _slot(category: str) -> ItemIn:
    try:
        return ItemIn.model_validate({"kind": "slot", "category": category})
    except ValueError:
        raise InvalidError("nothing was chosen", field="items", problem="nothing_chosen") from None


def _ordered(typed: Form, count: int, position: int) -> Sequence[int]:
    """Say how the items are to stand: all of them as they were dragged, or one of them moved."""
    if said := typed.one("order"):
        numbers = [number_of(each, most=MAX_ITEMS) for each in said.split(",")[: MAX_ITEMS + 1]]
        return [-1 if each is None else each for each in numbers]
    to = {
        "up": position - 1,
        "down": position + 1,
        "to": (number_of(typed.one("to"), most=MAX_ITEMS) or 1) - 1,
    }[typed.one("act")]
    return views.moved(count, position, to)


def _in_place(items: list[ItemIn], typed: Form, new: ItemIn) -> list[ItemIn]:
    """Put a new item where it was dropped, else at the end.

    Raises:
        InvalidError: there are as many as there may be.
    """
    if len(items) >= MAX_ITEMS:
        raise InvalidError("too many items", field="items", problem="too_many", most=MAX_ITEMS)
    at = number_of(typed.one("at"), most=len(items))
    where = len(items) if at is None else at
    return [*items[:where], new, *items[where:]]


def change_of(known: ProgrammeOut, typed: Form) -> ProgrammeChange | OrderIn | None:
    """Give what is to be heard instead; None: something else was asked.

    Raises:
        InvalidError: it cannot be understood.
    """
    items = views.items_in(known)
    position = number_of(typed.one("position"), most=len(items)) or 0
    version = number_of(typed.one("version"), most=MOST_VERSION) or known.version
    match typed.one("act"):
        case "add":
            return ProgrammeChange(version=version, items=_in_place(items, typed, _item(typed)))
        case "remove":
            kept = [each for number, each in enumerate(items) if number != position]
            return ProgrammeChange(version=version, items=kept)
        case "silences":
            lead_in, gap = (1000 * (number_of(typed.one(each), LONGEST_SILENCE_S) or 0) for each in ("lead_in", "gap"))
            return ProgrammeChange(version=version, lead_in_ms=lead_in, gap_ms=gap)
        case "order" | "up" | "down" | "to":
            order = _ordered(typed, len(items), position)
            if sorted(order) != list(range(len(items))):
                raise InvalidError("order: name every position once", field="order", problem="order")
            return OrderIn(version=version, order=list(order))
        case _:
            return None
