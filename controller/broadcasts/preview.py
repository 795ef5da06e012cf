"""Puts forecasts into the words of the API. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta

from controller.approvals.needs import Need
from controller.errors import ConflictError, InvalidError
from controller.holds.over import Over
from controller.nodes.rules import NodeKind
from edge_agent.protocol.states import Outcome, Reason

from .drafts import Draft
from .forecast import Cut, Forecast, refusal
from .policed import Verdict
from .schemas import ConflictOut, CutOut, ForecastOut, NodeRef, PreviewOut, TargetOut

Forecasts = list[tuple[Forecast, list[str]]]
"""What will happen, and the ids of the nodes at which it will."""


class QuietHoursError(InvalidError):
    """It would sound in quiet hours everywhere: no node would play it. ``hours`` says which."""

    code = "quiet_hours"


class RefusedByAllError(InvalidError):
    """No node would play it; ``reason`` says why."""

    code = "refused_by_all"


def describe(
    draft: Draft,
    found: Forecasts,
    titles: Mapping[str, str],
    verdict: Verdict,
    *,
    need: Need,
    online_count: int,
    full: ConflictError | None,
    conflicts: tuple[ConflictOut, ...] = (),
    held_by: Iterable[Over] = (),
) -> PreviewOut:
    """Say what sending a draft would do. ``titles`` are those of the broadcasts that it meets, ``need`` whose yes."""
    targets, window = draft.targets, draft.window
    names = {node.id: node.name for node in targets.nodes}
    stands = {node.area_id for node in targets.nodes}
    reporting = {node.id for node in targets.nodes if node.kind == NodeKind.AGENT}
    played = [(each.begins_at, reporting.intersection(ids)) for each, ids in found if each.outcome is Outcome.PLAYED]
    begins = [at for at, ids in played for _ in ids]
    refused = refusal(each for each, _ in found)
    error = verdict.refusal or (refusal_error(refused) if refused else full)
    by_size = sorted(found, key=lambda pair: -len(pair[1]))
    return PreviewOut(
        title=draft.title,
        start_at=window.start_at,
        ends_at=window.start_at + timedelta(milliseconds=draft.length_ms),
        latest_start_at=window.latest_start_at,
        latest_end_at=window.latest_end_at,
        length_ms=draft.length_ms,
        targets=tuple(TargetOut(scope=scope, name=targets.name(scope)) for scope in targets.scopes),
        area_names=tuple(place.name for place in targets.tree.walk() if place.id in stands),
        node_count=len(reporting),
        unreporting_count=len(targets.nodes) - len(reporting),
        online_count=online_count,
        played_count=len(begins),
        late_count=sum(at is not None and at > window.start_at for at in begins),
        forecasts=tuple(_out(each, ids, names) for each, ids in by_size),
        yields=tuple(sorted(titles.values())),
        cuts=_cuts(found, titles),
        refusal=error.code if error else None,
        refusal_fields=error.fields if error else {},
        breaches=verdict.breaches,
        unusual=verdict.unusual,
        conflicts=conflicts,
        approval=need,
        held_by=tuple(each.shown for each in held_by),
    )


def refusal_error(found: Forecast) -> InvalidError:
    """Write the error with which a broadcast that nobody would play is refused."""
    if found.reason is Reason.QUIET_HOURS:
        hours = _hours(found)
        return QuietHoursError(
            f"quiet hours {hours}: no node would play this; choose another time", field="start_at", hours=hours
        )
    return RefusedByAllError(f"no node would play this: {found.reason}", reason=str(found.reason))


def _out(found: Forecast, node_ids: list[str], names: Mapping[str, str]) -> ForecastOut:
    nodes = sorted((NodeRef(node_id=key, name=names[key]) for key in node_ids), key=lambda node: node.name)
    return ForecastOut(
        outcome=found.outcome,
        reason=found.reason,
        begins_at=found.begins_at,
        quiet_hours=_hours(found),
        nodes=tuple(nodes),
    )


def _cuts(found: Forecasts, titles: Mapping[str, str]) -> tuple[CutOut, ...]:
    where: Counter[Cut] = Counter()
    for each, node_ids in found:
        where.update(dict.fromkeys(each.cuts, len(node_ids)))
    return tuple(
        CutOut(**cut._asdict(), title=titles.get(cut.broadcast_id, ""), node_count=count)
        for cut, count in where.most_common()
    )


def _hours(found: Forecast) -> str | None:
    window = found.quiet_window
    return f"{window.start}–{window.until}" if window else None
