"""What waits for a yes: the queue, and one request with all that would be heard. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from controller.approvals.schemas import AloneOut, ApprovalOut, ApprovalRow, FileOut
from web.formats import Formats
from web.views.changes import Changes, changes
from web.views.recordings import BARS, MIDDLE, Recording, wave_path
from web.words import Mark

_STATES = {
    "open": ("part", "unsure"),
    "approved": ("ready", "good"),
    "returned": ("triangle", "care"),
    "void": ("cut", "unsure"),
    "withdrawn": ("cut", "unsure"),
}


@dataclass(frozen=True)
class Line:
    """A request in the queue."""

    id: str
    title: str
    said: str
    mark: Mark


@dataclass(frozen=True)
class Row:
    """A request in the list of all."""

    id: str
    title: str
    start: str
    targets: str
    asked: str
    mark: Mark
    reason: str
    """Why it was returned; empty: it was not."""


@dataclass(frozen=True)
class File:
    """One file that would be heard."""

    player: Recording
    listening: str
    """Where the player tells what was heard; empty: nowhere."""
    news: Mark | None
    heard: Mark
    whole: bool


@dataclass(frozen=True)
class Request:
    """One request as a page shows it."""

    id: str
    title: str
    mark: Mark
    is_open: bool
    by: str
    measure: str
    asked: str
    about: str
    lines: tuple[str, ...]
    """What else there is to know."""
    changes: Changes
    href: str
    """Page of what it is about."""
    files: tuple[File, ...]
    refusal: str
    """Why this person's yes would not be taken; empty when it would."""
    may_listen_first: bool
    is_unusual: bool
    """The yes takes a tick: the hour has become an unusual one."""
    number: str
    scan: str


@dataclass(frozen=True)
class Alone:
    """Something that its author approved alone."""

    id: str
    title: str
    said: str
    broadcast_id: str


def line(row: ApprovalRow, form: Formats) -> Line:
    """Show a request in the queue."""
    said = form.text(
        "approvals.said",
        when=form.when(row.first_start_at),
        length=form.length(row.length_ms),
        targets=form.names([aim.name for aim in row.targets]),
        by=row.asked_by,
    )
    return Line(row.id, row.title, said, _mark(row, form))


def in_list(row: ApprovalRow, form: Formats) -> Row:
    """Show a request in the list of all, and in the table that is taken along."""
    return Row(
        id=row.id,
        title=row.title,
        start=form.long(row.first_start_at),
        targets=form.names([aim.name for aim in row.targets]),
        asked=form.text("approvals.asked_short", by=row.asked_by, when=form.long(row.asked_at)),
        mark=_mark(row, form),
        reason=row.returned_reason or "",
    )


def _mark(row: ApprovalRow, form: Formats) -> Mark:
    icon, tone = _STATES[row.state]
    level = "" if row.level == "normal" else f" · {form.text(f'level.{row.level}')}"
    since = f" · {form.since(row.decided_at)}" if row.state == "withdrawn" and row.decided_at else ""
    return Mark(icon, tone, form.text(f"approval_state.{row.state}") + since + level)


def one(row: ApprovalOut, waves: Mapping[str, Sequence[int]], form: Formats) -> Request:
    """Show a request; ``waves``: peaks of its files, as far as known, by recording."""
    text = form.text
    refused = next((key for key in (f"approvals.{row.refusal}", f"wrong.{row.refusal}") if text.has(key)), None)
    return Request(
        id=row.id,
        title=row.title,
        mark=_mark(row, form),
        is_open=row.state == "open",
        by=row.asked_by,
        measure=text("approvals.measure", length=form.length(row.length_ms), targets=_targets(row, form)),
        asked=text("approvals.asked", by=row.asked_by, when=form.since(row.asked_at)),
        about=_about(row, form),
        lines=tuple(_lines(row, form)),
        changes=changes(row, form),
        href=f"/{row.subject}",
        files=tuple(_file(each, waves.get(each.recording_id or "", ()), form) for each in row.files),
        refusal=text(refused or "wrong.forbidden") if row.refusal else "",
        may_listen_first=row.refusal in {None, "not_listened", "unusual_hour"},
        is_unusual=row.refusal == "unusual_hour",
        number=row.document_number or "",
        scan=f"/api/v1/approvals/{row.id}/scan" if row.scan_type else "",
    )


def _lines(row: ApprovalOut, form: Formats) -> list[str]:
    text = form.text
    said = [
        text("approvals.where", targets=form.names([aim.name for aim in row.targets], told=len(row.targets))),
        text("approvals.first", when=form.long(row.first_start_at)),
        text("approvals.window", start=form.long(row.not_before_at), until=form.long(row.not_after_at)),
    ]
    if row.decided_by and row.decided_at:
        key = "approvals.withdrawn_said" if row.state == "withdrawn" else "approvals.decided"
        said.append(text(key, by=row.decided_by, when=form.since(row.decided_at)))
    if row.returned_reason:
        said.append(text("approvals.reason_said", reason=row.returned_reason))
    return said


def _targets(row: ApprovalRow, form: Formats) -> str:
    return form.names([aim.name for aim in row.targets])


def _about(row: ApprovalRow, form: Formats) -> str:
    """Say what kinds of things it says; empty: nothing is known of that."""
    text, names = form.text, [form.kind(each) for each in row.categories]
    return text("approvals.about", names=form.names(names)) if names else ""


def _file(each: FileOut, peaks: Sequence[int], form: Formats) -> File:
    text = form.text
    player = Recording(
        id=each.recording_id or "",
        title=each.title,
        state="ready",
        url=each.media_url,
        length=form.length(each.length_ms),
        mark=form.mark(each.length_ms),
        length_ms=each.length_ms,
        wave=wave_path(peaks or [MIDDLE] * BARS),
        machine=Mark("dot", "unsure", text("speech.mark")) if each.is_machine else None,
        words=each.words or "",
    )
    news = None if each.news == "known" else Mark("dot", "live", text(f"approvals.{each.news}"))
    heard = (
        Mark("tick", "good", text("approvals.whole"))
        if each.whole
        else Mark("part", "unsure", text("approvals.partly", heard=form.mark(each.heard_ms), length=player.mark))
    )
    listening = f"/api/v1/recordings/{each.recording_id}/listening" if each.recording_id else ""
    return File(player, listening, news, heard, each.whole)


def alone(each: AloneOut, form: Formats) -> Alone:
    """Show something that its author approved alone."""
    category = form.kind(each.category, each.area_id) if each.category else ""
    said = form.text(
        "approvals.alone_said",
        by=each.person,
        when=form.since(each.given_at),
        length=form.length(each.length_ms),
        category=category,
    )
    return Alone(each.id, each.title, said.rstrip(" ·"), each.broadcast_id)
