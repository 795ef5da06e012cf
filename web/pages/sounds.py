"""Recordings on a page: the card of one, and what the box needs in which one is made, uploaded or chosen."""

import asyncio
from typing import Any

from controller.errors import NotFoundError
from web.site import Visit
from web.views.recordings import Recording, card, recent
from web.views.voices import Voices

RECENT = 12
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


async def voices_context(visit: Visit, voices: Voices, *, most_words: int) -> dict[str, Any]:
    """Give what ``_voices.html`` shows: each language with its words, and the recordings to choose from."""
    shown = await sound_context(visit, voices.recording)
    choices = [(each.id, f"{each.title} · {each.said}") for each in shown["recent"]]
    return shown | {
        "languages": {language: visit.text.word("spoken", language) for language, _ in voices.texts},
        "texts": dict(voices.texts),
        "recordings": dict(voices.recordings),
        "sounds": {language: await _with_chosen(visit, choices, chosen) for language, chosen in voices.recordings},
        "most_words": most_words,
    }


async def _with_chosen(visit: Visit, choices: list[tuple[str, str]], chosen: str) -> list[tuple[str, str]]:
    """Keep what was chosen long ago among the choices: saving must not lose it."""
    if not chosen or chosen in dict(choices):
        return choices
    found = await recording_card(visit, chosen)
    return [*choices, (chosen, found.title)] if found else choices
