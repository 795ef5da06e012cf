"""What schedules and calendars may be: the words of their rows, of the API and of the pages."""

from enum import StrEnum

NOT_AIRABLE = "schedules.not_airable"
"""Kind of the alarm about a date that comes soon and cannot be aired as it is."""
NOT_PLANNED = "not_planned"
"""Problem of a date that passed before anybody planned it."""


class Overrun(StrEnum):
    """What happens when a session is longer than its time."""

    REFUSE = "refuse"
    """It is refused before it is saved."""
    DROP = "drop"
    """Items that do not fit before the end are left out, the last first."""
    FINISH = "finish"
    """The item under way at the end is finished, later ones are left out."""


class DateChange(StrEnum):
    """What became of a single date of a series."""

    CANCELLED = "cancelled"
    MOVED = "moved"
    KEPT = "kept"
    """At its time in spite of the calendars that were known as it was said, maybe with another programme."""


class OnCalendarDay(StrEnum):
    """What a calendar does to the schedules that follow it."""

    SUSPEND = "suspend"
    REPLACE = "replace"
