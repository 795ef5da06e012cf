"""Dates of schedules of which no broadcast came to be: that it stays silent, why, and what to do. Pure."""

from collections.abc import Sequence

from controller.policies.errors import PolicyBreachError
from controller.programmes.layout import NotAirableError
from controller.schedules.schemas import UnairedOut
from controller.schedules.states import NOT_PLANNED
from web.formats import Formats
from web.words import Mark


def mark_of(each: UnairedOut, form: Formats) -> Mark:
    """Show that it does not sound, or did not."""
    return Mark("triangle", "care", form.text("unaired.will_not" if each.start_at > form.now else "unaired.did_not"))


def why_said(each: UnairedOut, form: Formats) -> str:
    """Say why in a sentence."""
    if each.problem == NotAirableError.code and each.cause:
        return form.text.word("why_not", each.cause, title=each.item or "")
    if each.problem == PolicyBreachError.code and each.rules:
        return form.text("unaired.against", rules=form.names([form.text.word("rule", rule) for rule in each.rules]))
    return form.text.word("unaired_why", each.problem)


def to_do(each: UnairedOut, form: Formats) -> str:
    """Say what can be done about it."""
    if each.problem == NOT_PLANNED:
        return form.text("unaired.goes_on")
    return form.text("unaired.mend" if each.start_at > form.now else "unaired.mend_next")


def href_of(each: UnairedOut) -> str:
    """Give the page on which it is mended; empty: not in sight."""
    return f"/schedules/{each.schedule_id}" if each.schedule_id else ""


def places_of(each: UnairedOut, form: Formats) -> str:
    """Name where it was to be heard."""
    return form.names([target.name for target in each.targets])


def soonest_said(found: Sequence[UnairedOut], form: Formats) -> str:
    """Say of the first that it stays silent, when and why, and how many others do."""
    first = found[0]
    said = form.text("strip.unaired", title=first.title, when=form.when(first.start_at), why=why_said(first, form))
    return f"{said} {form.text('strip.more_unaired', count=len(found) - 1)}" if len(found) > 1 else said
