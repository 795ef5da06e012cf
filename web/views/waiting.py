"""What keeps the dates of a schedule silent for want of a yes: all of them, or some alone. Pure."""

from datetime import datetime

from controller.broadcasts.schemas import AskedOut
from controller.schedules.schemas import DatesAskedOut, ScheduleOut
from web.formats import Formats
from web.views.runs import withdrawn_said
from web.words import Mark


def _is_some(known: ScheduleOut, asked: DatesAskedOut) -> bool:
    """Tell whether other dates of it sound, or may, whatever becomes of those that are asked for."""
    if asked.start_at is None:
        return False
    return not asked.is_about(known.programme_id) or (known.next_at is not None and known.next_at < asked.start_at)


def waits_of(known: ScheduleOut, asked: DatesAskedOut, form: Formats) -> Mark:
    """Say what waits for a yes or was refused, or which of its dates; behind that what sounds earlier."""
    if asked.start_at is None or not _is_some(known, asked):
        return _waits(asked, known.next_at, form)
    mark, reason = _waits(asked, None, form), asked.returned_reason or ""
    said = form.text(f"schedules.one_{asked.state}", when=form.when(asked.start_at), said=mark.word, reason=reason)
    if known.next_at is not None and known.next_at < asked.start_at:
        said = f"{said} · {form.text('schedules.next', when=form.when(known.next_at))}"
    return Mark(mark.icon, mark.tone, said)


def _waits(asked: AskedOut, next_at: datetime | None, form: Formats) -> Mark:
    """Say that it sounds only with a yes, or not at all as it is."""
    word = form.text(f"approval_state.{asked.state}")
    if asked.returned_reason:
        word = f"{word}: {asked.returned_reason}"
    elif asked.state == "withdrawn":
        word = withdrawn_said(asked, form) or word
    elif next_at is not None:
        word = f"{word} · {form.text('schedules.next', when=form.when(next_at))}"
    return Mark("part" if asked.state == "open" else "triangle", "care", word)


def waits_mark(asked: AskedOut, form: Formats) -> Mark:
    """Say in a word how the request stands on which a date waits."""
    if asked.state == "withdrawn":
        return Mark("triangle", "care", form.text("phase.withdrawn"))
    return _waits(asked.model_copy(update={"returned_reason": None, "refused_at": None}), None, form)


def to_do(known: ScheduleOut, form: Formats) -> tuple[str, str]:
    """Say what is to be done about a refusal, and name the request; of what nobody refused, neither."""
    asked = known.approval
    if asked is None or asked.state == "open":
        return "", ""
    return form.text("schedules.to_do_date" if _is_some(known, asked) else "schedules.to_do"), asked.id
