"""What the release of a hold sets off: what it kept from beginning and may still begin. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from controller.areas.schemas import AreaOut
from controller.broadcasts.schemas import BroadcastOut
from controller.holds.schemas import HoldOut
from controller.nodes.schemas import NodeOut
from web.formats import Formats
from web.views.runs import title_of

NOT_BEGUN = ("planned", "received", "cached", "armed")
"""States of plays that may still begin."""
GIVEN = frozenset({"sending", "ready", "on_air", "awaiting_reports"})
"""Phases of what nodes were told to play."""


def starts_at_release(
    holds: Iterable[HoldOut],
    runs: Sequence[BroadcastOut],
    areas: Iterable[AreaOut],
    nodes: Iterable[NodeOut],
    form: Formats,
) -> dict[str, str]:
    """Name, hold by hold, what begins at once when it is released; a hold that keeps back nothing is left out."""
    waiting = [run for run in runs if _may_begin(run, form)]
    if not waiting:
        return {}
    above = _above(areas, nodes)
    found = {
        hold.id: [title_of(run, form) for run in waiting if any(_meet(hold.scope, t.scope, above) for t in run.targets)]
        for hold in holds
    }
    return {hold_id: form.names(titles) for hold_id, titles in found.items() if titles}


def kept_silent(
    holds: Iterable[HoldOut], runs: Iterable[BroadcastOut], areas: Iterable[AreaOut], nodes: Iterable[NodeOut]
) -> frozenset[str]:
    """Name the runs that are heard nowhere as long as these holds stand: each of their places lies in one."""
    held = {hold.scope for hold in holds}
    above = _above(areas, nodes) if held else {}
    silent = (run for run in runs if held and run.targets)
    return frozenset(run.id for run in silent if all(held & {*_upwards(t.scope, above)} for t in run.targets))


def _above(areas: Iterable[AreaOut], nodes: Iterable[NodeOut]) -> dict[str, str]:
    """Tell in what each place and node lies."""
    above = {area.scope: f"areas/{area.parent_id}" for area in areas if area.parent_id}
    return above | {node.scope: f"areas/{node.area_id}" for node in nodes}


def _may_begin(run: BroadcastOut, form: Formats) -> bool:
    due = run.phase in GIVEN and run.start_at <= form.now <= run.latest_start_at
    return due and any(run.counts.get(state) for state in NOT_BEGUN)


def _meet(one: str, other: str, above: Mapping[str, str]) -> bool:
    """Tell whether two scopes share a place: one lies in the other."""
    return one in _upwards(other, above) or other in _upwards(one, above)


def _upwards(scope: str, above: Mapping[str, str]) -> Collection[str]:
    found = [scope]
    while found[-1] in above:
        found.append(above[found[-1]])
    return found
