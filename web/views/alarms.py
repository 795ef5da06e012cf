"""Alarms: what is the matter, in words. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from controller.alarms.schemas import OVER, AlarmOut
from controller.areas.schemas import AreaOut
from web.formats import Formats
from web.i18n import Catalogue
from web.listing import Column, Filter
from web.views.places import choices
from web.words import Mark

COLUMNS = (
    Column("need", "alarms.what"),
    Column("since", "alarms.since"),
    Column("act", "faults.act", sort=False),
)
HEADS = ("alarms.what", "alarms.since")
"""Columns of the table to take along."""
STATES = ("waiting", "acknowledged")
_PAGES = {"broadcasts", "nodes", "people", "emergencies", "approvals", "schedules"}
"""Resources that have a page of their own."""
_GONE = {"nodes_revoked"}
"""What these alarms are about is no more."""


@dataclass(frozen=True)
class Line:
    """One alarm."""

    id: str
    mark: Mark
    said: str
    """Where, since when, and who looks after it."""
    href: str
    """Page of what it is about; empty: there is none."""
    waits: bool
    may_acknowledge: bool


def filters(areas: Sequence[AreaOut], text: Catalogue) -> tuple[Filter, ...]:
    """Say by what alarms are narrowed."""
    return (
        Filter("state", "alarms.state", tuple((each, text(f"alarms.is_{each}")) for each in STATES)),
        Filter("area", "nodes.place", tuple(choices(areas))),
    )


def line(alarm: AlarmOut, places: Mapping[str, str], form: Formats, *, cancelled: bool = False) -> Line:
    """Show an alarm; ``places`` are names of areas, ``cancelled``: the emergency that it tells of was not sent."""
    text, waits = form.text, alarm.acknowledged_at is None
    key = alarm.kind.replace(".", "_")
    words = {
        name: alarm.detail.get(name, "")
        for name in ("name", "login", "origin", "reason", "title", "place", "by", "date", "days", "count", "nodes")
    }
    if (code := alarm.detail.get("reason_code")) and words["reason"] == code:
        words["reason"] = text.word("glass_reason", code)  # a button was pressed, nothing typed
    ends_at = alarm.detail.get("ends_at")
    words["when"] = form.written(datetime.fromisoformat(ends_at).date()) if ends_at else ""
    if start_at := alarm.detail.get("start_at"):
        words["date"] = form.long(datetime.fromisoformat(start_at))  # with its year, where that is another
    words["why"] = text.word("date_problem", alarm.detail.get("problem", ""))
    word = text.word("alarm", key, **words)
    if alarm.detail.get("drill"):
        word = f"{text('emergency.drill')} · {word}"
    if cancelled:
        word = f"{word}. {text('emergency_state.cancelled')}"
    mark = Mark("triangle", "care", word) if waits else Mark("tick", "unsure", word)
    place = places.get(alarm.area_id or "") or alarm.detail.get("place") or text("alarms.everywhere")
    said = text("alarms.said", place=place, since=form.since(alarm.raised_at))
    if alarm.acknowledged_at is not None:
        by, when = alarm.acknowledged_by_name or "", form.since(alarm.acknowledged_at)
        is_over = bool(alarm.detail.get(OVER))
        said = f"{said} {text('alarms.over' if is_over else 'alarms.acknowledged', by=by, when=when)}"
    resource = alarm.subject.partition("/")[0]
    return Line(
        alarm.id,
        mark,
        said,
        f"/{alarm.subject}" if resource in _PAGES and key not in _GONE else "",
        waits,
        waits and alarm.may_acknowledge,
    )
