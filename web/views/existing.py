"""What exists already and may be said: found by a few words, and the card of a bulletin or a programme. Pure."""

from dataclasses import dataclass

from controller.bulletins.schemas import BulletinOut
from controller.paging import Found
from controller.programmes.schemas import ProgrammeOut, ProgrammeRow
from controller.recordings.schemas import RecordingOut
from web.formats import Formats
from web.views.recordings import Recording, recent


@dataclass(frozen=True)
class Line:
    """Something that can be chosen."""

    href: str
    """Of its card."""
    title: str
    said: str


@dataclass(frozen=True)
class Group:
    """What there is of one kind: recordings, bulletins, programmes."""

    kind: str
    lines: tuple[Line, ...]
    more: int
    """How many others there are."""


@dataclass(frozen=True)
class Voice:
    """What is heard in one language, or one item of a programme."""

    said: str
    player: Recording | None = None
    """None: there is nothing to press."""


@dataclass(frozen=True)
class Said:
    """A bulletin or a programme as it would be said."""

    kind: str
    """``bulletin`` or ``programme``: the name of its field."""
    id: str
    title: str
    said: str
    voices: tuple[Voice, ...]
    why: str = ""
    """Why it cannot be said; empty: it can."""
    is_priority: bool = False

    @property
    def href(self) -> str:
        """Give the address of its own page."""
        return f"/{self.kind}s/{self.id}"


def recordings(found: Found[RecordingOut], into: str, form: Formats) -> Group:
    """List recordings; ``into``: the language that one is chosen for, empty for the first."""
    asked = f"?into={into}" if into else ""
    lines = [Line(f"/say/recordings/{each.id}{asked}", each.title, each.said) for each in recent(found.rows, form)]
    return Group("recordings", tuple(lines), found.total - len(found.rows))


def bulletins(found: Found[BulletinOut], form: Formats) -> Group:
    """List approved bulletins."""
    lines = [
        Line(f"/say/bulletins/{each.id}", each.title, form.kind(each.category, each.area_id)) for each in found.rows
    ]
    return Group("bulletins", tuple(lines), found.total - len(found.rows))


def programmes(found: Found[ProgrammeRow], form: Formats) -> Group:
    """List programmes."""
    lines = [
        Line(f"/say/programmes/{each.id}", each.title, form.text("programmes.count", count=each.item_count))
        for each in found.rows
    ]
    return Group("programmes", tuple(lines), found.total - len(found.rows))


def bulletin(known: BulletinOut, form: Formats) -> Said:
    """Show a bulletin in all its languages, or why it cannot be said."""
    text, voices = form.text, []
    for each in known.voices:
        name = text.word("spoken", each.language)
        if each.media_url and each.length_ms:
            mark, length = form.mark(each.length_ms), form.length(each.length_ms)
            player = Recording("", known.title, "ready", url=each.media_url, mark=mark, length_ms=each.length_ms)
            voices.append(Voice(f"{name} · {length}", player))
        else:
            voices.append(Voice(f"{name} · {text('say.no_sound')}"))
    why = ""
    if known.state != "approved":
        why = text.word("why_not", "archived" if known.state == "archived" else "not_approved", title=known.title)
    is_priority, said = known.level == "priority", [text("say.kind_bulletin"), form.kind(known.category, known.area_id)]
    if is_priority:  # it has that of its own, whatever is ticked beside it
        said.append(text.word("level", "priority"))
    return Said("bulletin", known.id, known.title, " · ".join(said), tuple(voices), why, is_priority)


def programme(known: ProgrammeOut, form: Formats) -> Said:
    """Show a programme with its items, or why it cannot be said."""
    text, items = form.text, []
    for each in known.items:
        length = form.length(each.length_ms) if each.length_ms is not None else ""
        items.append(Voice(" · ".join(filter(None, (each.title or text.word("item", each.kind), length)))))
    said = [text("say.kind_programme"), text("programmes.count", count=len(known.items))]
    if known.session_ms is not None:
        said.append(form.length(known.session_ms))
    return Said("programme", known.id, known.title, " · ".join(said), tuple(items), _why(known, form))


def _why(known: ProgrammeOut, form: Formats) -> str:
    text = form.text
    if known.archived_at is not None:
        return text.word("why_not", "archived", title=known.title)
    if known.is_template:
        return text("say.is_template", title=known.title)
    if known.session_ms is not None:
        return ""
    if known.why_not is None:
        return text.word("why_not", "empty", title=known.title)
    return text.word("why_not", known.why_not.problem, title=known.why_not.title)
