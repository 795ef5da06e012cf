"""Instants, durations and names in words. Pure: the zone, the language and the present are given."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo

from web.i18n import Catalogue

NEAR = timedelta(hours=2)
"""Within this, a time is told as a distance from now."""
FAR_DAYS = 182
"""A date farther from today than this, or in another year, is said with its year."""
NAMES_TOLD = 3
"""More names than this are counted."""
_NAME = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*(?: +[^\W_]+(?:['’-][^\W_]+)*)*")
"""Words with nothing between them: what stands behind a bracket, a comma or a dash is an office, or a note."""


def called(name: str) -> str:
    """Give what somebody is called by: the last word of a Vietnamese name."""
    found = _NAME.search(name)
    return (found[0] if found else name).split()[-1]


@dataclass(frozen=True)
class Formats:
    """Says times as people here say them: 24 hours, dd/mm, weekdays in words."""

    text: Catalogue
    zone: tzinfo
    now: datetime
    """The centre's present, aware."""
    kinds: Mapping[str | None, Mapping[str, str]] = field(default_factory=dict, compare=False)
    """What places call kinds of bulletins: code and name by area, by None all names. Read for pages that show any."""
    kinds_of: str | None = field(default=None, compare=False)
    """The area whose names are meant where none is named."""

    def today(self) -> date:
        """Tell the date at this place."""
        return self.now.astimezone(self.zone).date()

    def kind(self, code: str, area_id: str | None = None) -> str:
        """Name a kind of bulletins as its place does; one that nobody in sight knows any more, by its code."""
        names = (self.kinds.get(each, {}).get(code) for each in (area_id or self.kinds_of, None))
        return next(filter(None, names), "") or self.text.word("category", code)

    def hour(self, at: datetime) -> str:
        """Say ``17:03``."""
        return at.astimezone(self.zone).strftime("%H:%M")

    def second(self, at: datetime) -> str:
        """Say ``17:03:24``."""
        return at.astimezone(self.zone).strftime("%H:%M:%S")

    def second_of(self, at: datetime) -> str:
        """Say an instant to the second: ``17:03:24`` if it was today, else with its day."""
        day = at.astimezone(self.zone).date()
        said = self.second(at)
        return said if day == self.today() else self.text("time.on", hour=said, day=self.day(day))

    def day(self, day: date) -> str:
        """Say ``Thứ Hai 24/11``."""
        return f"{self.text(f'weekday.{day.isoweekday()}')} {self._date(day)}"

    def of_day(self, at: datetime) -> str:
        """Say ``24/11``: of which day an instant is."""
        return self._date(at.astimezone(self.zone).date())

    def short_day(self, day: date) -> str:
        """Say ``T2 24/11``, where there is no room for more."""
        return f"{self.text(f'weekday_short.{day.isoweekday()}')} {self._date(day)}"

    def _date(self, day: date) -> str:
        today = self.today()
        is_near = day.year == today.year and abs((day - today).days) <= FAR_DAYS
        return f"{day:%d/%m}" if is_near else self.written(day)

    def written(self, day: date) -> str:
        """Write ``24/11/2031``, as ``forms.day_of`` reads it."""
        return f"{day:%d/%m/%Y}"

    def when(self, at: datetime) -> str:
        """Say an instant: the hour if it is today, else with its day."""
        day = at.astimezone(self.zone).date()
        if day == self.today():
            return self.hour(at)
        if day - self.today() == timedelta(days=1):
            return self.text("time.tomorrow", hour=self.hour(at))
        return self.text("time.on", hour=self.hour(at), day=self.day(day))

    def long(self, at: datetime) -> str:
        """Say an instant with its day, whatever day it is: for lists of days."""
        return self.text("time.on", hour=self.hour(at), day=self.day(at.astimezone(self.zone).date()))

    def since(self, at: datetime) -> str:
        """Say since when: the hour if it was today, else with its date."""
        day = at.astimezone(self.zone).date()
        return self.hour(at) if day == self.today() else self.text("time.on", hour=self.hour(at), day=self._date(day))

    def left(self, at: datetime) -> str:
        """Say how long until ``at``; the hour when that is far."""
        gap = at - self.now
        if gap <= timedelta():
            return self.text("time.ending")
        return self.text("time.left", length=self.about(gap)) if gap <= NEAR else self.when(at)

    def about(self, gap: timedelta) -> str:
        """Say a duration as people do: seconds below a minute, then whole minutes, then hours and minutes."""
        seconds = round(gap.total_seconds())
        if seconds < 60:
            return self.text("length.seconds", count=seconds)
        minutes = round(seconds / 60)
        hours, rest = divmod(minutes, 60)
        if not hours:
            return self.text("length.minutes", count=minutes)
        whole = self.text("length.hours", count=hours)
        return f"{whole} {self.text('length.minutes', count=rest)}" if rest else whole

    def length(self, ms: int) -> str:
        """Say the length of audio to the second: ``1 phút 5 giây``."""
        minutes, seconds = divmod(max(1, round(ms / 1000)), 60)
        parts = [self.text("length.minutes", count=minutes)] if minutes else []
        return " ".join([*parts, self.text("length.seconds", count=seconds)] if seconds or not parts else parts)

    def mark(self, ms: int) -> str:
        """Write a position in audio: ``0:24``."""
        minutes, seconds = divmod(round(ms / 1000), 60)
        return f"{minutes}:{seconds:02}"

    def names(self, names: Sequence[str], told: int = NAMES_TOLD, *, count: int = 0) -> str:
        """Say some names, the rest as a number; ``count``: of all, when ``names`` are only the first of them.

        Names that hold a comma are told apart by a semicolon.
        """
        count = max(count, len(names))
        shown = names if count <= told + 1 else names[:told]
        said = ("; " if any("," in name for name in shown) else ", ").join(shown)
        return said if shown is names else self.text("names.more", names=said, count=count - len(shown))

    def size(self, count: int) -> str:
        """Say a number of bytes in MB or GB."""
        return f"{count / 2**30:.1f} GB" if count >= 2**30 else f"{max(1, round(count / 2**20))} MB"

    def at(self, day: date, hour: int, minute: int) -> datetime:
        """Turn wall-clock time at this place into an instant."""
        return datetime(day.year, day.month, day.day, hour, minute, tzinfo=self.zone).astimezone(UTC)
