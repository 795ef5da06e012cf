"""Broadcasts: a line in today's list, and one broadcast node by node."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from controller.broadcasts.schemas import BroadcastOut
from controller.holds.schemas import HoldOut
from controller.nodes.schemas import NodeOut
from controller.plays.schemas import PlayOut
from web.formats import Formats
from web.words import FAILED, Mark, doubt_said, held_said, node_mark, play_mark, play_why, quiet, run_mark, why_in_words


@dataclass(frozen=True)
class TodayLine:
    """A broadcast in today's list."""

    id: str
    hour: str
    title: str
    said: str
    mark: Mark
    why: str
    """Why it was returned, which nodes did not play and why, or say nothing; empty when all did."""


@dataclass(frozen=True)
class Cancel:
    """What cancelling would do."""

    offer: str
    what_happens: str
    yes: str


@dataclass(frozen=True)
class Run:
    """One broadcast as a whole."""

    id: str
    title: str
    said: str
    mark: Mark
    lines: tuple[str, ...]
    share: int | None
    """How far it is in hundredths; None when there is no way to go."""
    cancel: Cancel | None
    approval_id: str = ""
    """Of the request for a yes; empty: none was needed."""


@dataclass(frozen=True)
class PlayLine:
    """One node's part."""

    node_id: str
    name: str
    place: str
    code: str
    """The outcome, else the state, as the wire says it."""
    mark: Mark
    why: str


@dataclass(frozen=True)
class Group:
    """Plays that stand alike."""

    id: str
    title: str
    plays: tuple[PlayLine, ...]


_GROUPS = {
    "failed": FAILED - {"interrupted"},
    "cut": {"interrupted"},
    "waiting": {"unknown", "cancel_unconfirmed"},
    "playing": {"playing"},
    "open": {"planned", "received", "cached", "armed"},
    "played": {"played"},
    "cancelled": {"cancelled"},
}
"""What needs an eye comes first."""


def code_of(play: PlayOut) -> str:
    """Tell the outcome, or the state while there is none."""
    return str(play.outcome or play.state)


def title_of(run: BroadcastOut, form: Formats) -> str:
    """Give the title, and before it what the run is when it is no routine: nobody takes a drill for the real thing."""
    if run.drill is not None:
        return f"{form.text('emergency.drill_silent' if run.drill == 'silent' else 'emergency.drill')}: {run.title}"
    return f"{form.text('message_kind.alert')}: {run.title}" if run.level == "emergency" else run.title


def today_line(run: BroadcastOut, plays: Sequence[PlayOut], form: Formats) -> TodayLine:
    """Show a broadcast in today's list; its plays are only needed when some failed or said nothing."""
    return TodayLine(
        id=run.id,
        hour=form.hour(run.start_at),
        title=title_of(run, form),
        said=form.text("today.run_said", length=form.length(run.length_ms), targets=_targets(run, form)),
        mark=run_mark(run, form.text),
        why=" ".join((*doubt_said(run.unconfirmed, form), *_returned(run, form), why_in_words(plays, form))).strip(),
    )


def one_run(run: BroadcastOut, plays: Sequence[PlayOut], nodes: Mapping[str, NodeOut], form: Formats) -> Run:
    """Show a broadcast as a whole."""
    said = form.text(
        "broadcast.said_now" if run.urgent else "broadcast.said_later",
        start=form.when(run.start_at),
        length=form.length(run.length_ms),
        targets=_targets(run, form),
        by=run.created_by,
    )
    return Run(
        id=run.id,
        title=title_of(run, form),
        said=said,
        mark=run_mark(run, form.text),
        lines=(
            *held_said(run.held_by, form),
            *doubt_said(run.unconfirmed, form),
            *_returned(run, form),
            *_time_lines(run, form),
            *_offline(plays, nodes, form),
            *_unreporting(run, form),
        ),
        share=_share(run, form.now),
        cancel=_cancel(run, plays, form),
        approval_id=run.approval.id if run.approval else "",
    )


def may_be_made_up(run: BroadcastOut) -> bool:
    """Tell whether to offer a replay: once, of routine that somebody missed. The service knows the rest."""
    missed = sum(run.counts.get(name, 0) for name in ("missed", "expired", "interrupted", "unknown"))
    routine = run.level != "emergency" and run.drill is None and run.replays_id is None
    return run.phase == "over" and bool(missed) and routine


def groups(
    plays: Sequence[PlayOut], nodes: Mapping[str, NodeOut], form: Formats, holds: Sequence[HoldOut] = ()
) -> list[Group]:
    """Put plays that stand alike together, those that need an eye first; ``holds`` are those that stand."""
    places = {hold.wire_id: hold.scope_name for hold in holds}
    lines = [(code_of(play), _play_line(play, nodes.get(play.node_id), form, places)) for play in plays]
    found = (
        Group(name, form.text(f"broadcast.group_{name}"), tuple(line for code, line in lines if code in codes))
        for name, codes in _GROUPS.items()
    )
    return [group for group in found if group.plays]


def _play_line(play: PlayOut, node: NodeOut | None, form: Formats, places: Mapping[str, str]) -> PlayLine:
    why = play_why(play, form)
    if not why and play.outcome is None and node is not None and node.status != "online":
        why = node_mark(node, form).word
    held = [places[hold_id] for hold_id in node.holds if hold_id in places] if node and play.outcome is None else []
    if held:  # also of a node that is lost: it keeps silent until it hears of the release
        why = f"{why} {form.text('play.held', place=form.names(held))}".strip()
    mark = quiet(play_mark(play, form.text))
    return PlayLine(
        play.node_id, play.node_name, play.area_path[-1] if play.area_path else "", code_of(play), mark, why
    )


def _targets(run: BroadcastOut, form: Formats) -> str:
    return form.names([target.name for target in run.targets])


def _time_lines(run: BroadcastOut, form: Formats) -> list[str]:
    text = form.text
    if run.cancelled_at is not None:
        return [text("broadcast.cancelled_at", at=form.when(run.cancelled_at))]
    if run.phase == "returned":
        return []  # as it is, nothing will begin
    if run.phase in {"over", "awaiting_reports"}:
        return [text("broadcast.ended", at=form.when(run.ends_at))]
    if run.phase == "on_air":
        gap = run.ends_at - form.now
        return [text("broadcast.left", length=form.about(gap))] if gap.total_seconds() > 0 else []
    begins = text("broadcast.begins", when=form.when(run.start_at)) if run.start_at > form.now else ""
    return [line for line in (begins, text("broadcast.latest", until=form.when(run.latest_start_at))) if line]


def _returned(run: BroadcastOut, form: Formats) -> list[str]:
    """Say why the one who was asked said no."""
    reason = run.approval.returned_reason if run.approval else None
    return [form.text("approvals.reason_said", reason=reason)] if reason else []


def _offline(plays: Sequence[PlayOut], nodes: Mapping[str, NodeOut], form: Formats) -> list[str]:
    names = [
        play.node_name
        for play in plays
        if play.outcome is None and play.node_id in nodes and nodes[play.node_id].status in {"offline", "never_seen"}
    ]
    return [form.text("broadcast.offline", names=form.names(names), count=len(names))] if names else []


def _unreporting(run: BroadcastOut, form: Formats) -> list[str]:
    """Count apart the clusters that no number of nodes speaks of."""
    count = run.unreporting_count
    return [form.text("emergency.unreporting", count=count)] if count and run.phase != "cancelled" else []


def _share(run: BroadcastOut, now: datetime) -> int | None:
    if run.phase == "sending" and run.node_count:
        return round(100 * run.ready_count / run.node_count)
    if run.phase == "on_air" and run.length_ms:
        return max(0, min(100, round(100 * (now - run.start_at).total_seconds() * 1000 / run.length_ms)))
    return None


def _cancel(run: BroadcastOut, plays: Sequence[PlayOut], form: Formats) -> Cancel | None:
    if run.phase not in {"awaiting_approval", "returned", "sending", "ready", "on_air", "awaiting_reports"}:
        return None
    count = sum(play.outcome is None and play.reports for play in plays)
    kind = "cancel_running" if run.phase == "on_air" else "cancel"
    return Cancel(
        offer=form.text(f"broadcast.{kind}"),
        what_happens=form.text(f"broadcast.{kind}_said", count=count) if count else form.text("broadcast.cancel_mute"),
        yes=form.text(f"broadcast.{kind}_yes"),
    )
