"""Days of lists that go back: today, the days before, the months before those. Pure."""

from datetime import date, timedelta

from web.formats import Formats
from web.listing import Asked, Filter

DAYS, MONTHS = 14, 13
"""So many single days, and months, are offered."""
_LASTLY = {"days_7": 7, "days_30": 30}


def span_filter(form: Formats) -> Filter:
    """Offer days and months, the nearest first."""
    today, text = form.today(), form.text
    days = [today - timedelta(days=back) for back in range(DAYS)]
    months = [_month(today, back) for back in range(MONTHS)]
    return Filter(
        "when",
        "span.when",
        (
            *((each.isoformat(), _day_said(each, form)) for each in days),
            *((key, text(f"span.{key}")) for key in _LASTLY),
            *((f"{each:%Y-%m}", text("span.month", month=f"{each:%m/%Y}")) for each in months),
        ),
    )


def _day_said(day: date, form: Formats) -> str:
    return f"{form.text('menu.today')} · {form.day(day)}" if day == form.today() else form.day(day)


def span_having(wanted: Asked, form: Formats) -> dict[str, str]:
    """Give a list's filters with the days as instants, as services take them."""
    having = dict(wanted.having)
    chosen = having.pop("when", "")
    if not chosen:
        return having
    begins, ends = _span(chosen, form.today())
    return having | {"from": form.at(begins, 0, 0).isoformat(), "until": form.at(ends, 0, 0).isoformat()}


def _span(chosen: str, today: date) -> tuple[date, date]:
    """Give the first day, and the first day after."""
    if chosen in _LASTLY:
        return today - timedelta(days=_LASTLY[chosen] - 1), today + timedelta(days=1)
    if len(chosen) == len("2031-11"):
        begins = date.fromisoformat(f"{chosen}-01")
        return begins, (begins + timedelta(days=32)).replace(day=1)
    day = date.fromisoformat(chosen)
    return day, day + timedelta(days=1)


def _month(today: date, back: int) -> date:
    month = today.year * 12 + today.month - 1 - back
    return date(month // 12, month % 12 + 1, 1)
