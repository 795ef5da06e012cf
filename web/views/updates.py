"""Releases and rollouts in words. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controller.updates.schemas import ReleaseOut, RolloutNodeOut, RolloutOut
from controller.updates.states import TROUBLE, UNDER_WAY, RolloutState, State
from web.formats import Formats
from web.listing import Column, Filter
from web.words import Mark

COLUMNS = (
    Column("created", "updates.begun"),
    Column("release", "updates.release"),
    Column("where", "updates.where", sort=False),
    Column("state", "updates.state", sort=False),
)
NODE_COLUMNS = (Column("need", "updates.how"), Column("name", "nodes.name"))
NODE_HEADS = ("updates.how", "nodes.name", "run_plays.why")
"""Columns of the table to take along."""
RELEASE_COLUMNS = (
    Column("release", "updates.release"),
    Column("board", "updates.board"),
    Column("size", "updates.size", sort=False),
    Column("added", "updates.added"),
    Column("until", "updates.until", sort=False),
)
RELEASE_SORTS: Mapping[str, Callable[[ReleaseOut], Any]] = {
    "release": lambda each: (each.release, each.board),
    "board": lambda each: (each.board, each.release),
    "added": lambda each: (each.added_at, each.release),
}
RELEASE_VALUES: Mapping[str, Callable[[ReleaseOut], str]] = {"board": lambda each: each.board}
HEADS = ("begun", "release", "where", "state", "good", "trouble_head", "total")
_MARKS = {
    RolloutState.RUNNING: ("dot", "live"),
    RolloutState.PAUSED: ("part", "care"),
    RolloutState.STOPPED: ("triangle", "care"),
    RolloutState.DONE: ("ready", "good"),
}
_ORDER = (*sorted(TROUBLE), *sorted(UNDER_WAY), State.PLANNED, State.GOOD, State.SKIPPED)
"""What needs a hand first."""


@dataclass(frozen=True)
class Rollout:
    """A release on its way."""

    id: str
    title: str
    where: str
    begun: str
    mark: Mark
    said: str
    """How far it is, in one sentence."""
    counts: tuple[tuple[str, int], ...]
    may_pause: bool
    may_resume: bool
    may_stop: bool


@dataclass(frozen=True)
class NodeRow:
    """How far a node is."""

    id: str
    name: str
    mark: Mark
    why: str


@dataclass(frozen=True)
class ReleaseRow:
    """A release in the list of all."""

    id: str
    cells: Sequence[str]
    """One for each column."""


@dataclass(frozen=True)
class Release:
    """A release that nodes may be told to take."""

    id: str
    title: str
    said: str


def filters(form: Formats) -> tuple[Filter, ...]:
    """Say by what rollouts are narrowed."""
    return (Filter("state", "updates.state", tuple((str(s), form.text(f"updates.is_{s}")) for s in RolloutState)),)


def node_filters(form: Formats) -> tuple[Filter, ...]:
    """Say by what the nodes of one are narrowed."""
    return (Filter("state", "updates.how", tuple((str(s), form.text(f"updates.node_{s}")) for s in State)),)


def rollout(found: RolloutOut, places: Mapping[str, str], form: Formats, *, may_start: bool, may_halt: bool) -> Rollout:
    """Show a rollout; ``places`` are names by scope, of what is in sight."""
    text, state = form.text, found.state
    names = [places[scope] for scope in found.targets if scope in places]
    where = form.names(names) if names else text("people.elsewhere")
    good, trouble = found.counts.get(State.GOOD, 0), sum(found.counts.get(each, 0) for each in TROUBLE)
    word = text(f"updates.is_{state}")
    if found.reason is not None:
        word = f"{word}: {text(f'updates.stopped_{found.reason}')}"
    said = text("updates.said", good=good, count=sum(found.counts.values()), wave=found.wave, waves=len(found.waves))
    return Rollout(
        found.id,
        text("updates.title", version=found.version, release=found.release),
        where,
        form.long(found.created_at),
        Mark(*_MARKS[state], word),
        f"{said} {text('updates.trouble', count=trouble)}" if trouble else said,
        tuple((text(f"updates.node_{each}"), found.counts[each]) for each in _ORDER if found.counts.get(each)),
        may_halt and state is RolloutState.RUNNING,
        may_start and state is RolloutState.PAUSED,
        may_halt and state in {RolloutState.RUNNING, RolloutState.PAUSED},
    )


def node_row(found: RolloutNodeOut, form: Formats) -> NodeRow:
    """Show how far a node is."""
    tone, icon = ("unsure", "part")
    if found.state in TROUBLE:
        tone, icon = ("care", "triangle")
    elif found.state is State.GOOD:
        tone, icon = ("good", "ready")
    elif found.state in {State.PLANNED, State.SKIPPED}:
        icon = "empty"
    waits = found.state in {State.PLANNED, State.TOLD}
    why = "" if found.able or not waits else form.text("updates.unable")
    if found.reason:
        why = f"{why} {found.reason}".strip()
    return NodeRow(found.node_id, found.node_name, Mark(icon, tone, form.text(f"updates.node_{found.state}")), why)


def node_exported(found: RolloutNodeOut, form: Formats) -> list[str]:
    """Give a node's part as a line of a table."""
    row = node_row(found, form)
    return [row.mark.word, row.name, row.why]


def need(found: RolloutNodeOut) -> int:
    """Say how early in a list it stands: what needs a hand first."""
    return _ORDER.index(found.state)


def release_filters(found: Iterable[ReleaseOut]) -> tuple[Filter, ...]:
    """Say by what releases are narrowed: the boards that there are."""
    boards = sorted({each.board for each in found})
    return (Filter("board", "updates.board", tuple((each, each) for each in boards)),)


def release_cells(found: ReleaseOut, form: Formats) -> list[str]:
    """Give a release as a line of its list."""
    title = form.text("updates.title", version=found.version, release=found.release)
    until = form.written(found.expires_at.astimezone(form.zone).date())
    return [title, found.board, form.size(found.bytes), form.long(found.added_at), until]


def release_exported(found: ReleaseOut, form: Formats) -> list[str]:
    """Give a release as a line of a table."""
    added, until = (f"{at.astimezone(form.zone):%Y-%m-%d %H:%M}" for at in (found.added_at, found.expires_at))
    return [*release_cells(found, form)[:3], added, until]


def release(found: ReleaseOut, form: Formats) -> Release:
    """Show a release."""
    until = form.written(found.expires_at.astimezone(form.zone).date())
    added = form.long(found.added_at)
    by = found.added_by_name or form.text("activity.nobody")
    said = form.text(
        "updates.release_said",
        board=found.board,
        size=form.size(found.bytes),
        added=added,
        by=by,
        until=until,
    )
    return Release(found.id, form.text("updates.title", version=found.version, release=found.release), said)


def exported(found: RolloutOut, places: Mapping[str, str], form: Formats) -> list[str]:
    """Give a rollout as a line of a table."""
    shown, at = rollout(found, places, form, may_start=False, may_halt=False), found.created_at.astimezone(form.zone)
    trouble = sum(found.counts.get(each, 0) for each in TROUBLE)
    good, total = found.counts.get(State.GOOD, 0), sum(found.counts.values())
    return [f"{at:%Y-%m-%d %H:%M}", shown.title, shown.where, shown.mark.word, str(good), str(trouble), str(total)]
