"""Runs of the past as rows of a list. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from controller.areas.schemas import AreaOut
from controller.broadcasts.history import KINDS, RESULTS
from controller.broadcasts.schemas import BroadcastOut
from controller.schedules.schemas import UnairedOut
from web.formats import Formats
from web.listing import Column, Filter
from web.views import unaired
from web.views.places import choices
from web.views.runs import targets_of, title_of
from web.views.spans import span_filter
from web.words import Mark, in_words, quiet, run_mark

COLUMNS = (
    Column("start", "history.start"),
    Column("title", "history.what"),
    Column("where", "history.where", sort=False),
    Column("result", "history.result", sort=False),
)
HEADS = ("start", "length", "what", "kind", "category", "where", "by", "nodes", "played", "not_well", "result")
"""Columns of the table to take along."""
_NOT_WELL = ("interrupted", "missed", "refused", "expired", "unknown")


@dataclass(frozen=True)
class RunRow:
    """A run in the list, or a date of a schedule of which none came to be."""

    id: str
    href: str
    """Its page; empty: none that this person sees."""
    at: str
    title: str
    where: str
    by: str
    length: str
    mark: Mark
    why: str = ""
    """Of what was never made."""


def filters(areas: Sequence[AreaOut], form: Formats) -> tuple[Filter, ...]:
    """Say by what the list is narrowed."""
    text = form.text
    return (
        span_filter(form),
        Filter("area", "nodes.place", tuple(choices(areas))),
        Filter("result", "history.result", tuple((each, text(f"history.is_{each}")) for each in RESULTS)),
        Filter("kind", "history.kind", tuple((str(each), text(f"history.kind_{each}")) for each in KINDS)),
    )


def row(run: BroadcastOut | UnairedOut, form: Formats) -> RunRow:
    """Show a run, or what never became one."""
    if isinstance(run, UnairedOut):
        where, mark = unaired.places_of(run, form), unaired.mark_of(run, form)
        why, href = unaired.why_said(run, form), unaired.href_of(run)
        return RunRow(run.id, href, form.long(run.start_at), run.title, where, "", "", mark, why)
    return RunRow(
        id=run.id,
        href=f"/broadcasts/{run.id}",
        at=form.long(run.start_at),
        title=title_of(run, form),
        where=targets_of(run, form),
        by=run.created_by,
        length=form.length(run.length_ms),
        mark=quiet(run_mark(run, form.text)),
    )


def exported(run: BroadcastOut | UnairedOut, form: Formats) -> list[str]:
    """Give a run as a line of a table: days and hours as a spreadsheet sorts them."""
    text, start = form.text, run.start_at.astimezone(form.zone)
    if isinstance(run, UnairedOut):
        kind, where = text(f"history.kind_{run.level}"), "; ".join(target.name for target in run.targets)
        result = f"{unaired.mark_of(run, form).word}. {unaired.why_said(run, form)}"
        return [f"{start:%Y-%m-%d %H:%M:%S}", "", run.title, kind, "", where, "", "", "0", "", result]
    played, not_well = run.counts.get("played", 0), sum(run.counts.get(each, 0) for each in _NOT_WELL)
    kind = "drill" if run.drill else str(run.level)
    return [
        f"{start:%Y-%m-%d %H:%M:%S}",
        str(round(run.length_ms / 1000)),
        title_of(run, form),
        text(f"history.kind_{kind}"),
        form.kind(run.category, run.area_id) if run.category else "",
        "; ".join(target.name for target in run.targets),
        run.created_by,
        str(run.node_count),
        str(played),
        str(not_well),
        in_words(run_mark(run, text), text),
    ]
