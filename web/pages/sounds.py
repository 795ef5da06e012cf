"""Recordings on a page: the card of one, and what the box needs in which one is made, uploaded or chosen."""

import asyncio
from typing import Any

from controller.errors import NotFoundError
from controller.paging import Wanted
from web.site import Visit
from web.views import existing as views
from web.views.recordings import Recording, card
from web.views.voices import Voices

RECENT = 12
"""Recordings that a search shows: the newest of them."""
MOST_OF_A_KIND = 6
"""Bulletins, and programmes, besides."""
DEFAULT_LANGUAGES = ("vi",)
"""Where no place asks for any."""
UPLOAD_PROBLEMS = (
    "too_large",
    "no_space",
    "not_signed_in",
    "forbidden",
    "too_many_attempts",
    "upload_quota",
    "too_slow",
    "busy",
    "invalid",
    "invalid_body_empty",
    "invalid_body_length",
    "network",
    "other",
)
RECORD_WORDS = (
    "insecure",
    "cannot",
    "denied",
    "no_microphone",
    "broke_off",
    "too_long",
    "on",
    "off",
    "again",
)
"""What record.js says."""
READY_WITHIN_S = 8.0
"""Whoever presses Send while the last second of a recording is processed waits so long for it, and presses once."""
LOOK_FIRST_S, LOOK_LAST_S = 0.1, 1.0
"""Between two looks at it: often at first, as most are ready at once; each look asks the database."""


async def recording_card(visit: Visit, recording_id: str) -> Recording | None:
    """Show a recording with its waveform; None: there is none for this person."""
    recordings = visit.services.recordings
    try:
        found = await recordings.get(visit.actor, recording_id)
        peaks = (await recordings.waveform(visit.actor, recording_id)).peaks if found.state == "ready" else ()
    except NotFoundError:
        return None
    return card(found, peaks, visit.form)


async def until_ready(visit: Visit, recording_id: str) -> None:
    """Wait until a recording is processed, or long enough."""
    loop, pause = asyncio.get_running_loop(), LOOK_FIRST_S
    deadline = loop.time() + READY_WITHIN_S
    while recording_id and loop.time() < deadline:
        try:
            found = await visit.services.recordings.get(visit.actor, recording_id)
        except NotFoundError:
            return
        if found.state != "processing" or found.reason == "tool_missing":
            return
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, LOOK_LAST_S)


def record_words(visit: Visit) -> list[tuple[str, str]]:
    """Give what ``_recorder.html`` says, by code."""
    return [(code, visit.text(f"record_said.{code}", at="{at}")) for code in RECORD_WORDS]


async def existing(visit: Visit, query: str = "", *, into: str = "", written: bool = False) -> dict[str, Any]:
    """Give what ``_existing.html`` shows: of what holds the words of ``query``, the newest.

    ``into``: the language that a recording is for, empty for the first; ``written``: bulletins and programmes too.
    """
    services, actor = visit.services, visit.actor
    query = " ".join(query[:200].split())

    def wanted(most: int, **having: str) -> Wanted:
        return Wanted(query, limit=most, down=True, having=having)

    recordings = await services.library.find(actor, wanted(RECENT, state="ready"))
    groups = [views.recordings(recordings, into, visit.form)]
    if written:
        await visit.read_kinds()
        approved = await services.bulletins.find(actor, wanted(MOST_OF_A_KIND, state="approved"))
        programmes = await services.programmes.find(actor, wanted(MOST_OF_A_KIND, kind="programme"))
        groups += [views.bulletins(approved, visit.form), views.programmes(programmes, visit.form)]
    return {"groups": [each for each in groups if each.lines], "into": into, "written": written}


async def sound_context(visit: Visit, chosen: str, *, written: bool = False) -> dict[str, Any]:
    """Give what ``_upload.html`` shows; ``chosen``: the recording that was chosen before, if any."""
    return upload_context(visit) | {
        "existing": await existing(visit, written=written),
        "recording": await recording_card(visit, chosen) if chosen else None,
    }


def upload_context(visit: Visit) -> dict[str, Any]:
    """Give what ``_bring.html`` shows."""
    form, config = visit.form, visit.services.config
    size = form.size(config.max_upload_bytes)
    return {
        "most_bytes": config.max_upload_bytes,
        "most_ms": config.max_recording_minutes * 60_000,
        "upload_problems": [(code, form.text(f"upload_problem.{code}", size=size)) for code in UPLOAD_PROBLEMS],
    }


async def voices_context(visit: Visit, voices: Voices, *, most_words: int) -> dict[str, Any]:
    """Give what ``_voices.html`` shows: each language with its words, its recording, and those to choose from."""
    shown = await sound_context(visit, voices.recording)
    further = dict(voices.recordings[1:])
    return shown | {
        "languages": {language: visit.text.word("spoken", language) for language, _ in voices.texts},
        "texts": dict(voices.texts),
        "recordings": further,
        "cards": {language: await recording_card(visit, chosen) for language, chosen in further.items() if chosen},
        "choosing": {language: await existing(visit, into=language) for language in further},
        "record_words": record_words(visit),
        "most_words": most_words,
    }
