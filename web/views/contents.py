"""What a broadcast says: its parts in their order, each to be read and heard, and where it comes from. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from controller.broadcasts.schemas import SaidOut
from web.formats import Formats
from web.views.recordings import Recording


@dataclass(frozen=True)
class Voice:
    """A part in one language."""

    player: Recording | None
    """None: the recording was withdrawn, and is served to nobody."""
    title: str
    href: str
    """The bulletin out of which it is; empty: none, or none that this person sees."""
    said: str
    words: str
    """What is said; empty: not known."""


@dataclass(frozen=True)
class Part:
    """What is heard from one moment on: every node plays one of its voices, or several in turn."""

    at: str
    """Since the start of the broadcast: ``0:15``."""
    voices: tuple[Voice, ...]


def parts(found: Iterable[SaidOut], form: Formats) -> list[Part]:
    """Show what a broadcast says."""
    slots = [tuple(each) for _, each in groupby(found, key=lambda each: each.position)]
    return [Part(form.mark(slot[0].offset_ms), tuple(_voice(each, form) for each in slot)) for slot in slots]


def _voice(each: SaidOut, form: Formats) -> Voice:
    text, mark = form.text, form.mark(each.length_ms)
    title = text("emergency.signal") if each.is_signal else each.title
    ready = Recording(each.recording_id, title, "ready", url=each.media_url or "", mark=mark, length_ms=each.length_ms)
    said = (
        "" if each.is_signal else text.word("spoken", each.language),
        form.length(each.length_ms),
        text("speech.mark") if each.is_machine else "",
        "" if each.media_url else text("broadcast.withdrawn"),
    )
    href = f"/bulletins/{each.bulletin_id}" if each.bulletin_id else ""
    return Voice(ready if each.media_url else None, title, href, " · ".join(filter(None, said)), each.words)
