"""What one would have said at once, in words: what was chosen, what it would do, what is still missing. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from controller.broadcasts.schemas import NodeRef
from controller.emergencies.rules import MOST_REPEATS
from controller.emergencies.schemas import EmergencyPreview, HoldRef, MessageOut
from controller.emergencies.states import SignalState
from web.formats import Formats
from web.forms import Form, number_of
from web.problems import Problems
from web.views.emergencies import signal_said
from web.views.scope_map import ScopeMap, scope_map
from web.words import Mark

DRILLS = ("marked", "silent")


@dataclass(frozen=True)
class Draft:
    """What was chosen, as it was chosen."""

    key: str = ""
    """Makes sending twice be once."""
    message: str = ""
    recording: str = ""
    title: str = ""
    targets: tuple[str, ...] = ()
    times: str = "3"
    drill: str = ""
    release: tuple[str, ...] = ()
    again: bool = False
    text: str = ""
    """What a machine is to read aloud: it becomes the recording."""
    voice: str = "vi"


@dataclass(frozen=True)
class Choice:
    """A ready message to choose."""

    id: str
    title: str
    said: str
    words: tuple[str, ...]
    sounds: bool
    kind: str
    place: str


@dataclass(frozen=True)
class Release:
    """A hold in the way."""

    id: str
    said: str
    may: bool
    chosen: bool


@dataclass(frozen=True)
class Preview:
    """What it would do, or what is still missing."""

    missing: str = ""
    count: str = ""
    sentence: str = ""
    warnings: tuple[Mark, ...] = ()
    holds: tuple[Release, ...] = ()
    sounds: str = ""
    """What is said, in order, if it is more than one recording."""
    lacks: str = ""
    """What could not be said at once when it is over."""
    map: ScopeMap | None = None


def read_draft(typed: Form) -> Draft:
    """Take what was chosen."""
    return Draft(
        key=typed.key(),
        message=typed.one("message"),
        recording=typed.one("recording"),
        title=typed.one("title").strip(),
        targets=tuple(typed.many("target")),
        times=typed.one("times").strip() or "3",
        drill=_drill(typed),
        release=tuple(typed.many("release")),
        again=typed.one("again") == "yes",
        text=typed.one("text"),
        voice=typed.one("voice") or "vi",
    )


def _drill(typed: Form) -> str:
    """Say which drill it is. What comes from the form of a drill is one, whatever else got lost on the way."""
    drill = typed.one("drill")
    if drill in DRILLS:
        return drill
    return DRILLS[0] if typed.one("is_drill") else ""


def missing(draft: Draft, form: Formats) -> Problems:
    """Name all that was left out at once."""
    text = form.text
    unread, said = draft.text.strip() and not draft.recording, draft.message or draft.recording
    what = "emergency.message_unread" if unread else "" if said else "emergency.message_empty"
    lacks = {
        "message": text(what) if what else "",
        "title": text("wrong.title_empty") if draft.recording and not draft.message and not draft.title else "",
        "targets": "" if draft.targets else text("wrong.targets"),
        "times": "" if number_of(draft.times, most=MOST_REPEATS) else text("wrong.number", most=MOST_REPEATS),
    }
    return {field: words for field, words in lacks.items() if words}


def wanted(draft: Draft, targets: Sequence[str]) -> dict[str, Any]:
    """Give what the service is to be asked for."""
    return {
        "message_id": draft.message or None,
        "recordings": (draft.recording,) if draft.recording else (),
        "title": None if draft.message else draft.title or None,  # a ready message is called by its own
        "targets": tuple(targets),
        "drill": draft.drill or None,
        "repeats": number_of(draft.times, most=MOST_REPEATS) or 1,
        "release_holds": () if draft.drill else draft.release,  # a drill lifts no STOP
        "again": draft.again,
    }


def choice(message: MessageOut, form: Formats) -> Choice:
    """Show a ready message."""
    text = form.text
    languages = [text.word("spoken", voice.language) for voice in message.voices if voice.recording_id]
    said = text("emergency.message_said", place=message.area_name, languages=", ".join(languages))
    return Choice(
        message.id,
        message.title,
        said if message.sounds else text("emergency.message_silent"),
        tuple(voice.text for voice in message.voices if voice.text),
        message.sounds,
        str(message.kind),
        message.area_name,
    )


def preview(found: EmergencyPreview, times: int, form: Formats) -> Preview:
    """Say what it would do ``times`` over: the count of nodes first, then who would not hear it."""
    text, run = form.text, found.broadcast
    languages = ", ".join(text.word("spoken", each) for each in found.languages)
    names = form.names(run.area_names)
    key = "emergency.sentence_signal" if found.signal is SignalState.FIRST else "emergency.sentence"
    sentence = text(key, length=form.length(run.length_ms), languages=languages, names=names)
    warnings = [
        Mark("unknown", "care", text("emergency.offline", names=_names(found.offline, form), count=len(found.offline)))
    ] * bool(found.offline)
    if signal := signal_said(found.signal, form):
        warnings.append(Mark("unknown", "care", signal))
    if found.held:
        said = text("emergency.held", names=_names(found.held, form), count=len(found.held))
        warnings.append(Mark("square", "stop", said))
    if found.unreporting_count:
        warnings.append(Mark("empty", "unsure", text("emergency.unreporting", count=found.unreporting_count)))
    warnings += [
        Mark("triangle", "care", f"{_names(each.nodes, form)}: {text.word('reason', each.reason)}")
        for each in run.forecasts
        if each.outcome != "played" and each.reason and each.reason != "held"
    ]
    holds = tuple(_release(each, form, is_drill=found.drill is not None) for each in found.holds)
    return Preview(
        count=text("count.nodes", count=run.node_count + run.unreporting_count),
        sentence=f"{text('emergency.said_times', count=times)} {sentence}",
        sounds=_sounds(found, form),
        warnings=tuple(warnings),
        holds=holds,
        map=scope_map(found.spots, run.node_count + run.unreporting_count),
        lacks=" ".join(text(f"messages.none_{kind}") for kind in found.missing_messages),
    )


def _names(nodes: Iterable[NodeRef], form: Formats) -> str:
    return form.names([node.name for node in nodes])


def _sounds(found: EmergencyPreview, form: Formats) -> str:
    """Name what is said if it is more than one recording: a ready message and an own one both sound."""
    spoken = [each for each in found.sounds if not each.is_signal]
    if len(spoken) < 2:
        return ""
    names = [f"{each.title} ({form.text.word('spoken', each.language)})" for each in spoken]
    return form.text("emergency.will_sound", names=", ".join(names))


def _release(hold: HoldRef, form: Formats, *, is_drill: bool) -> Release:
    may = hold.may_release and not is_drill
    key = "emergency.drill_releases_none" if is_drill else "emergency.release" if may else "emergency.may_not_release"
    said = form.text(key, place=hold.scope_name, since=form.since(hold.ordered_at), count=hold.node_count)
    return Release(hold.hold_id, said, may, hold.is_released)
