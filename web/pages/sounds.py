"""Recordings on a page: the card of one, and what the box needs in which one is uploaded or chosen."""

from typing import Any

from controller.errors import NotFoundError
from web.site import Visit
from web.views.recordings import Recording, card, recent

RECENT = 12
UPLOAD_PROBLEMS = (
    "too_large",
    "no_space",
    "not_signed_in",
    "forbidden",
    "too_many_attempts",
    "too_slow",
    "busy",
    "invalid",
    "invalid_body_empty",
    "invalid_body_length",
    "network",
    "other",
)


async def recording_card(visit: Visit, recording_id: str) -> Recording | None:
    """Show a recording with its waveform; None: there is none for this person."""
    recordings = visit.services.recordings
    try:
        found = await recordings.get(visit.actor, recording_id)
        peaks = (await recordings.waveform(visit.actor, recording_id)).peaks if found.state == "ready" else ()
    except NotFoundError:
        return None
    return card(found, peaks, visit.form)


async def sound_context(visit: Visit, chosen: str) -> dict[str, Any]:
    """Give what ``_upload.html`` shows; ``chosen``: the recording that was chosen before, if any."""
    form, config = visit.form, visit.services.config
    size = form.size(config.max_upload_bytes)
    return {
        "recent": recent(await visit.services.recordings.list(visit.actor, limit=RECENT), form),
        "recording": await recording_card(visit, chosen) if chosen else None,
        "most_bytes": config.max_upload_bytes,
        "most_ms": config.max_recording_minutes * 60_000,
        "upload_problems": [(code, form.text(f"upload_problem.{code}", size=size)) for code in UPLOAD_PROBLEMS],
    }
