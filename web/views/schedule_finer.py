"""The finer fields of a schedule: what was typed, what is wrong with it, what is wanted by it. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from controller.names import is_zone
from controller.schedules.schemas import ScheduleOut
from web.formats import Formats
from web.forms import Form, hour_of
from web.problems import Problems
from web.views.hours import hour_wrong

FIELDS = frozenset({"ends", "start_mode", "late", "position", "filler", "overrun", "zone"})
START_MODES = ("soft", "hard")
OVERRUNS = ("refuse", "drop", "finish")
COLUMNS = (
    *("start_mode", "late_ms", "ends_at_local", "back_timed"),
    *("overrun", "filler_recording_id", "position"),
)
"""Fields of a schedule that these say."""
MINUTE_MS = 60_000
MOST_LATE_MS = 60 * MINUTE_MS
MOST_POSITION = 1_000_000
VIETNAMESE = frozenset({"Asia/Ho_Chi_Minh", "Asia/Saigon"})
_MINUTES = re.compile(r"(\d{1,2})(?:[.,](\d{1,3}))?\Z")
_POSITION = re.compile(r"[+-]?\d{1,7}\Z")


@dataclass(frozen=True)
class Finer:
    """What was typed, as it was typed; at first what holds where nobody says otherwise."""

    ends: str = ""
    """Hour of the fixed end; empty: none."""
    start_mode: str = "soft"
    late: str = "5"
    """Minutes, as people write them."""
    back_timed: bool = False
    filler: str = ""
    """Id of a recording; empty: none."""
    overrun: str = "refuse"
    position: str = "0"
    zone: str = ""
    """By whose hours it airs; empty: by those of the place."""


def read(typed: Form) -> Finer | None:
    """Take what was typed; None: the form did not show these fields."""
    if not typed.one("finer_shown"):
        return None
    mode, overrun = typed.one("start_mode"), typed.one("overrun")
    return Finer(
        ends=typed.one("ends").strip(),
        start_mode=mode if mode in START_MODES else START_MODES[0],
        late=typed.one("late").strip(),
        back_timed=typed.one("back_timed") == "yes",
        filler=typed.one("filler"),
        overrun=overrun if overrun in OVERRUNS else OVERRUNS[0],
        position=typed.one("position").strip().replace("−", "-"),
        zone=typed.one("zone")[:64],
    )


def finer_of(known: ScheduleOut, form: Formats) -> Finer:
    """Give the fields as a schedule has them."""
    return Finer(
        ends=_written_end(known),
        start_mode=str(known.start_mode),
        late=_written_late(known.late_ms, form),
        back_timed=known.back_timed,
        filler=known.filler_recording_id or "",
        overrun=str(known.overrun),
        position=str(known.position),
        zone="" if known.zone == str(form.zone) else known.zone,
    )


def _written_end(known: ScheduleOut) -> str:
    return known.ends_at_local[:5] if known.ends_at_local else ""


def _written_late(ms: int, form: Formats) -> str:
    said = f"{ms / MINUTE_MS:.2f}".rstrip("0").rstrip(".")
    return said.replace(".", ",") if form.text.locale == "vi" else said


def wrong(finer: Finer | None, form: Formats) -> Problems:
    """Name all that cannot be understood."""
    if finer is None:
        return {}
    text = form.text
    found = {
        "ends": "" if not finer.ends or hour_of(finer.ends) else hour_wrong(finer.ends, form),
        "late": "" if _late_ms(finer.late) is not None else text("wrong.late"),
        "position": "" if _position(finer.position) is not None else text("wrong.position"),
    }
    return {field: said for field, said in found.items() if said}


def wanted(finer: Finer, form: Formats, known: ScheduleOut | None) -> dict[str, Any]:
    """Give what the service is to be asked for; of ``known``, what nobody touched stays to the second.

    Nothing may be ``wrong``.
    """
    end = hour_of(finer.ends) if finer.ends else None
    ends_at = "{:02}:{:02}".format(*end) if end else None
    late_ms = _late_ms(finer.late)
    if known is not None and finer.ends == _written_end(known):
        ends_at = known.ends_at_local
    if known is not None and finer.late == _written_late(known.late_ms, form):
        late_ms = known.late_ms
    kept_zone = None if known is None else str(form.zone)
    return {
        "zone": finer.zone or kept_zone,
        "ends_at_local": ends_at,
        "start_mode": finer.start_mode,
        "late_ms": late_ms,
        "back_timed": finer.back_timed,
        "filler_recording_id": finer.filler or None,
        "overrun": finer.overrun,
        "position": _position(finer.position),
    }


def _late_ms(typed: str) -> int | None:
    found = _MINUTES.match(typed)
    if found is None:
        return None
    ms = round(float(f"{found[1]}.{found[2] or 0}") * 60) * 1000
    return ms if ms <= MOST_LATE_MS else None


def _position(typed: str) -> int | None:
    found = int(typed) if typed.isascii() and _POSITION.match(typed) else None
    return found if found is not None and abs(found) <= MOST_POSITION else None


def said(known: ScheduleOut, filler: str, form: Formats) -> Sequence[str]:
    """Say what a schedule has otherwise than others; ``filler``: the title of what fills its time up."""
    text, usual = form.text, Finer()
    lines: dict[str, bool] = {
        text("schedules.priority"): known.level == "priority",
        text.word("start_mode", known.start_mode): known.start_mode != usual.start_mode,
        text("finer.late_said", length=_late_said(known.late_ms, form)): known.late_ms != _late_ms(usual.late),
        text("finer.ends_said", hour=_written_end(known)): known.ends_at_local is not None,
        text("finer.back_timed"): known.back_timed,
        text("finer.filler_said", title=filler): known.filler_recording_id is not None,
        text.word("overrun", known.overrun): known.ends_at_local is not None and known.overrun != usual.overrun,
        text("finer.position_said", number=known.position): known.position != 0,
    }
    below = [text("finer.zone_below", **zones)] if (zones := zones_named(known.zone, form)) else []
    return [*(line for line, is_so in lines.items() if is_so), *below]


def back_said(finer: Finer | None, form: Formats) -> str:
    """Say that hours are the earliest of what is reckoned back from its end; empty: it is not."""
    end = hour_of(finer.ends) if finer is not None and finer.back_timed else None
    return form.text("finer.back_said", hour="{:02}:{:02}".format(*end)) if end else ""


def notes(finer: Finer | None, form: Formats) -> tuple[str, ...]:
    """Say what the dates of a preview leave out: they are by the rule, and by the hours of this place."""
    said = [back] if (back := back_said(finer, form)) else []
    if finer is not None and is_zone(finer.zone):
        said.append(form.text("finer.zone_note", **zones_named(finer.zone, form)))
    return tuple(said)


def zones_named(zone: str, form: Formats) -> dict[str, str]:
    """Name a schedule's zone, and that of the page's hours; nothing where they are one."""
    here = str(form.zone)
    return {} if zone == here else {"zone": zone_name(zone, form), "here": zone_name(here, form)}


def zone_name(zone: str, form: Formats) -> str:
    """Name a time zone by its city, with what it is ahead of UTC by now."""
    city = form.text("finer.zone_vn") if zone in VIETNAMESE else zone.rpartition("/")[2].replace("_", " ")
    if not is_zone(zone):
        return city
    minutes = (form.now.astimezone(ZoneInfo(zone)).utcoffset() or timedelta()) // timedelta(minutes=1)
    hours, rest = divmod(abs(minutes), 60)
    return f"{city} (UTC{'-' if minutes < 0 else '+'}{hours}{f':{rest:02}' if rest else ''})"


def zone_choices(used: Iterable[str], chosen: str, form: Formats) -> list[tuple[str, str]]:
    """List the zones by which places here keep time, with that of the schedule; none where all keep the same."""
    here = str(form.zone)
    others = sorted({*used, *([chosen] if chosen else [])} - {here})
    if not others:
        return []
    default = form.text("finer.zone_here", zone=zone_name(here, form))
    return [("", default), *((each, zone_name(each, form)) for each in others)]


def _late_said(ms: int, form: Formats) -> str:
    return form.length(ms) if ms else form.text("length.minutes", count=0)


def options(form: Formats) -> dict[str, list[tuple[str, str]]]:
    """List what can be chosen, by field."""
    fields = {"start_mode": START_MODES, "overrun": OVERRUNS}
    return {field: [(code, form.text.word(field, code)) for code in codes] for field, codes in fields.items()}
