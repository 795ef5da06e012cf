"""Where something is aired, in words, for who is about to change it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from controller.schedules.schemas import AiringOut
from web.formats import Formats


@dataclass(frozen=True)
class Airing:
    """A schedule that airs it."""

    href: str
    said: str
    """Its title, its next date, and how many there are in the coming 30 days."""


def airing_lines(found: Sequence[AiringOut], form: Formats) -> list[Airing]:
    """Name the schedules, the soonest first."""
    return [
        Airing(
            f"/schedules/{each.schedule_id}",
            form.text("airings.line", title=each.title, when=form.when(each.next_at), count=each.times),
        )
        for each in found
    ]
