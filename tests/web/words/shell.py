"""Words of the frame and of what pages share, whose keys are codes."""

from collections.abc import Iterable

from web.i18n import LOCALES

FAMILIES: dict[str, Iterable[str]] = {
    "language": LOCALES,
    "weekday": [str(day) for day in range(1, 8)],
    "weekday_short": [str(day) for day in range(1, 8)],
    "problem": [
        "home",
        *(kind + end for kind in ("not_found", "forbidden", "broken", "too_many") for end in ("", "_said")),
        *("not_done", "sent_before", "see_it"),
    ],
}
