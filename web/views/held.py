"""Silence that is ordered, and releases that not every node has obeyed: who does, and who does not yet. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from controller.holds.schemas import HoldOut
from controller.names import in_reading_order
from controller.nodes.rules import HEARD
from web.formats import Formats
from web.words import Mark

MOST_WAITING = 30
"""Nodes that have not confirmed a hold, named on the page of STOP."""


class NotYet(NamedTuple):
    """A node that has not confirmed, and why it may take longer."""

    node_id: str
    name: str
    mark: Mark


@dataclass(frozen=True)
class HeldLine:
    """Silence ordered somewhere."""

    id: str
    mark: Mark
    silent: str
    """How many are: all that the strip has room for."""
    said: str
    waiting: str
    """Who has not answered; empty when all have."""
    not_yet: tuple[NotYet, ...]
    """The first ``MOST_WAITING`` of them, those that are in contact before those that are not."""
    not_yet_count: int
    not_yet_more: str
    """How many others have not; empty: none."""
    share: int
    """How many have, in hundredths."""
    mute: str
    """That some clusters take no orders; empty: there are none."""
    release_said: str
    not_yours: str
    """That its reader may not release it; empty: they may."""
    starts: str
    """What the release lets sound at once; empty: nothing."""


@dataclass(frozen=True)
class GoingLine:
    """A release that not every node has obeyed yet."""

    id: str
    said: str
    not_yet: tuple[NotYet, ...]
    more: str


def held_lines(holds: Sequence[HoldOut], form: Formats, starts: Mapping[str, str]) -> tuple[HeldLine, ...]:
    """Say where silence is ordered, who obeys, and what the release sets off."""
    return tuple(_held(hold, form, starts.get(hold.id, "")) for hold in holds)


def _held(hold: HoldOut, form: Formats, starts: str) -> HeldLine:
    text, names = form.text, [node.name for node in hold.not_yet]
    return HeldLine(
        id=hold.id,
        mark=Mark("square", "stop", text("hold.word", place=hold.scope_name)),
        silent=text("hold.silent", confirmed=hold.confirmed_count, count=hold.node_count),
        said=text(
            "hold.found" if hold.found else "hold.said",
            since=form.since(hold.ordered_at),
            by=hold.ordered_by,
            confirmed=hold.confirmed_count,
            count=hold.node_count,
        ),
        waiting=text("hold.waiting", names=form.names(names), count=len(names)) if names else "",
        not_yet=not_yet(hold, form),
        not_yet_count=len(names),
        not_yet_more=_more_nodes(len(names) - MOST_WAITING, form),
        share=round(100 * hold.confirmed_count / hold.node_count) if hold.node_count else 100,
        mute=text("stop.mute", count=hold.unreporting_count) if hold.unreporting_count else "",
        release_said=text("hold.release_said", place=hold.scope_name),
        not_yours="" if hold.may_release else text("hold.not_yours", place=hold.scope_name),
        starts=text("hold.release_starts", titles=starts) if starts else "",
    )


def not_yet(hold: HoldOut, form: Formats) -> tuple[NotYet, ...]:
    """Name who has not confirmed: who is in contact answers at once, or somebody has to go and look."""
    found = sorted(hold.not_yet, key=lambda node: (node.status not in HEARD, in_reading_order(node.name)))
    there = Mark("part", "care", form.text("stop.sent"))
    away = Mark("triangle", "care", form.text("stop.away"))
    return tuple(
        NotYet(node.node_id, node.name, there if node.status in HEARD else away) for node in found[:MOST_WAITING]
    )


def _more_nodes(count: int, form: Formats) -> str:
    return form.text("today.more_nodes", count=count) if count > 0 else ""


def letting_go(holds: Sequence[HoldOut], form: Formats) -> tuple[GoingLine, ...]:
    """Show releases that not every node has obeyed yet."""
    return tuple(
        GoingLine(
            id=hold.id,
            said=form.text(
                "stop.letting_go",
                place=hold.scope_name,
                at=form.since(hold.released_at or form.now),
                confirmed=hold.confirmed_count,
                count=hold.node_count,
            ),
            not_yet=not_yet(hold, form),
            more=_more_nodes(len(hold.not_yet) - MOST_WAITING, form),
        )
        for hold in holds
    )
