"""A broadcast that was sent and has not begun, to be changed: as a draft, and what would be otherwise. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from controller.approvals.needs import Need
from controller.broadcasts.rules import END_MARGIN, LATEST_START_AFTER
from controller.broadcasts.schemas import BroadcastOut, PreviewOut
from controller.ids import new_id
from web.formats import Formats
from web.views.contents import Part
from web.views.runs import WITHOUT_YES
from web.views.say import Draft, start_of
from web.words import Mark

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Kept:
    """What it says, which stays unless something else is chosen."""

    title: str
    length: str
    parts: tuple[Part, ...]


def begun(known: BroadcastOut, whole: str, form: Formats) -> Draft:
    """Begin a change of it; ``whole``: the place that this person chooses as one, empty for none."""
    at = known.start_at.astimezone(form.zone)
    targets = tuple(each.scope for each in known.targets)
    return Draft(
        key=new_id(),
        title=known.title,
        targets=targets,
        whole=whole if targets == (whole,) else "",
        when="now" if known.urgent else "later",
        day=(form.today() if known.urgent else at.date()).isoformat(),
        hour="" if known.urgent else form.hour(at),
        category=known.category or "",
        level="priority" if known.level == "priority" else "normal",
        keeps=True,
        edits=known.id,
    )


def as_typed(draft: Draft, known: BroadcastOut) -> Draft:
    """Take what was typed as a change of it."""
    return replace(draft, edits=known.id, keeps=draft.keeps and not draft.content)


def days(given: list[tuple[str, str]], chosen: str, form: Formats) -> list[tuple[str, str]]:
    """Add the day that is chosen, where it lies further ahead than those that are offered."""
    if not chosen or any(value == chosen for value, _ in given):
        return given
    try:
        return [*given, (chosen, form.day(date.fromisoformat(chosen)))]
    except ValueError:
        return given


def times(draft: Draft, known: BroadcastOut, form: Formats) -> dict[str, datetime | None]:
    """Say when it is to be heard: at the minute that was typed, and as late at the latest as before.

    What it says begins as long after the full minute as it did: after the lead-in with which it was laid out.

    Raises:
        Unclear: day or hour cannot be understood, or lie in the past.
    """
    start_at = start_of(draft, form)
    if start_at is None or known.urgent:
        return {"start_at": start_at}
    if draft.keeps:
        start_at += timedelta(seconds=known.start_at.second, microseconds=known.start_at.microsecond)
    found: dict[str, datetime | None] = {"start_at": start_at}
    late = known.latest_start_at - known.start_at
    margin = known.latest_end_at - known.latest_start_at - timedelta(milliseconds=known.length_ms)
    if late != LATEST_START_AFTER and (draft.keeps or late >= _MINUTE):
        found["latest_start_at"] = start_at + late
    if margin != END_MARGIN and draft.keeps:
        found["latest_end_at"] = start_at + late + timedelta(milliseconds=known.length_ms) + margin
    return found


def effects(
    known: BroadcastOut, before: Mapping[str, str], silent: Collection[str], found: PreviewOut, form: Formats
) -> tuple[Mark, ...]:
    """Say what would be otherwise: when, where, and whose yes ends.

    ``before``: its nodes by id, with their names; ``silent``: those that are out of reach.
    """
    text = form.text
    after = {node.node_id: node.name for each in found.forecasts for node in each.nodes}
    lost = [name for node_id, name in before.items() if node_id not in after]
    gained = [name for node_id, name in after.items() if node_id not in before]
    said = []
    if not known.urgent and abs(found.start_at - known.start_at) >= _MINUTE:
        said.append(text("changing.moved", before=form.when(known.start_at), after=form.when(found.start_at)))
    if lost:
        said.append(text("changing.lost", count=len(lost), names=form.names(lost)))
    if gained:
        said.append(text("changing.gained", count=len(gained), names=form.names(gained)))
    if known.approval is not None:
        said.append(text("changing.yes_anew" if found.approval is Need.ANOTHER else "changing.yes_over"))
    away, told = len(set(before).intersection(silent)), known.phase not in WITHOUT_YES
    if told and found.approval is Need.ANOTHER:
        said.append(text("changing.withdrawn"))
    if told and away:
        said.append(text("changing.away", count=away))
    return tuple(Mark("part", "unsure", each) for each in said)
