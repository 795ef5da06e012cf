"""The topics of the help, in the order in which a newcomer meets them."""

from functools import cache
from pathlib import Path

from web.help.prose import Prose, read

HERE = Path(__file__).parent
ORDER = (
    *("setup", "sign-in", "today", "say", "schedules", "schedule-new", "schedules-copy", "schedules-import"),
    *("calendars", "node-day"),
    *("bulletins", "recordings", "cut", "programmes", "approvals", "broadcast", "history", "why", "stop"),
    *("emergencies", "messages", "nodes", "node", "health", "node-settings", "map", "faults", "updates"),
    *("places", "policies", "people", "alarms", "activity", "settings", "offline"),
)
"""Topics that are not named here come last, by name."""


@cache
def topics(locale: str) -> dict[str, Prose]:
    """Give the texts of a language by topic, in order."""
    found = {path.stem: read(path.read_text("utf-8")) for path in sorted((HERE / locale).glob("*.md"))}
    return {name: found[name] for name in (*ORDER, *sorted(found.keys() - set(ORDER))) if name in found}
