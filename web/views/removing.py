"""What is still in a place that is to be removed, and where it is looked after. Pure."""

from typing import NamedTuple

from controller.areas.move_schemas import RemovalOut
from controller.areas.schemas import AreaOut
from web.formats import Formats

_WHERE = {
    "areas": "/places?under={}",
    "nodes": "/nodes?area={}",
    "grants": "/people?area={}",
    "coming": "/schedules",
    "holds": "/stop",
    "kept": "/bulletins",
}


class Hindrance(NamedTuple):
    """Something that is there."""

    said: str
    href: str


def hindrances(found: RemovalOut, area: AreaOut, form: Formats) -> list[Hindrance]:
    """Name what is in the way of removing a place."""
    counts = {kind: getattr(found, kind) for kind in _WHERE}
    return [
        Hindrance(form.text(f"removing.{kind}", count=count), _WHERE[kind].format(area.id))
        for kind, count in counts.items()
        if count
    ]
