"""One broadcast: as a whole, and node by node. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from controller.broadcasts.schemas import AskedOut, BroadcastOut
from controller.holds.schemas import HoldOut
from controller.nodes.schemas import NodeOut
from controller.plays.schemas import PlayGroupsOut, PlayOut
from web.formats import Formats
from web.words import EMERGENCY, FAILED, Mark, doubt_said, held_said, node_mark, play_mark, play_why, quiet, run_mark


@dataclass(frozen=True)
class Cancel:
    """What cancelling would do."""

    offer: str
    what_happens: str
    yes: str
    is_undo: bool
    """Nothing of it was heard yet: one tap takes it back."""


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
    later_id: str = ""
    """Of the version in its place; empty: none is, or is in sight."""


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

    @property
    def id(self) -> str:
        """Tell it from the others of its list."""
        return self.node_id


@dataclass(frozen=True)
class Group:
    """Plays that stand alike."""

    id: str
    title: str
    plays: tuple[PlayLine, ...]
    """The first ``MOST_SHOWN`` of them."""
    count: int


WITHOUT_YES = frozenset({"awaiting_approval", "returned", "withdrawn"})
"""Phases of what nobody said yes to, and is not over: no node was told of it."""
GROUPS = {
    "failed": FAILED - {"interrupted"},
    "cut": {"interrupted"},
    "waiting": {"unknown", "cancel_unconfirmed"},
    "playing": {"playing"},
    "open": {"planned", "received", "cached", "armed"},
    "played": {"played"},
    "cancelled": {"cancelled"},
}
"""What needs an eye comes first."""
MOST_SHOWN = 30
"""Plays of a group on the page of a broadcast; all of them stand in a list that can be searched."""


def code_of(play: PlayOut) -> str:
    """Tell the outcome, or the state while there is none."""
    return str(play.outcome or play.state)


def kind_of(run: BroadcastOut, form: Formats) -> str:
    """Say what a run is when it is no routine: nobody takes a drill for the real thing; empty: it is routine."""
    if run.drill is not None:
        return form.text("emergency.drill_silent" if run.drill == "silent" else "emergency.drill")
    return form.text("message_kind.alert") if run.level == EMERGENCY else ""


def title_of(run: BroadcastOut, form: Formats) -> str:
    """Give the title, and before it what the run is when it is no routine."""
    kind = kind_of(run, form)
    return f"{kind}: {run.title}" if kind else run.title


def mended_at(run: BroadcastOut) -> str:
    """Give the page on which something is done about what was returned: of a date, its schedule's."""
    return f"/schedules/{run.schedule_id}" if run.schedule_id else f"/broadcasts/{run.id}"


def one_run(run: BroadcastOut, form: Formats, waiting: Sequence[str] = ()) -> Run:
    """Show a broadcast as a whole; ``waiting``: names of nodes out of reach that have not done their part."""
    said = form.text(
        "broadcast.said_now" if run.urgent else "broadcast.said_later",
        start=form.when(run.start_at),
        length=form.length(run.length_ms),
        targets=targets_of(run, form),
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
            *refused_said(run, form),
            *_time_lines(run, form),
            *_offline(waiting, form),
            *_unreporting(run, form),
        ),
        share=_share(run, form.now),
        cancel=_cancel(run, form),
        approval_id=run.approval.id if run.approval else "",
        later_id=run.replaced_by or "",
    )


def may_be_made_up(run: BroadcastOut) -> bool:
    """Tell whether to offer a replay: once, of routine that somebody missed. The service knows the rest."""
    missed = sum(run.counts.get(name, 0) for name in ("missed", "expired", "interrupted", "unknown"))
    routine = run.level != EMERGENCY and run.drill is None and run.replays_id is None
    return run.phase == "over" and bool(missed) and routine


def groups(
    found: PlayGroupsOut,
    level: str,
    nodes: Mapping[str, NodeOut],
    form: Formats,
    holds: Sequence[HoldOut] = (),
    *,
    awaits: bool = False,
) -> list[Group]:
    """Put plays that stand alike together, those that need an eye first; ``holds`` are those that stand.

    ``awaits``: nobody said yes to the broadcast yet.
    """
    places = {hold.wire_id: hold.scope_name for hold in holds}
    shown = []
    for name, codes in GROUPS.items():
        those = [play for play in found.first if code_of(play) in codes][:MOST_SHOWN]
        lines = tuple(_play_line(play, level, nodes.get(play.node_id), form, places, awaits=awaits) for play in those)
        count = sum(found.counts.get(code, 0) for code in codes)
        shown.append(Group(name, form.text(f"broadcast.group_{name}"), lines, count))
    return [group for group in shown if group.plays]


def awaits_yes(run: BroadcastOut) -> bool:
    """Tell whether nobody said yes to it yet: then no node was told of it."""
    return run.phase in WITHOUT_YES


def play_line(play: PlayOut, run: BroadcastOut, form: Formats) -> PlayLine:
    """Show one node's part in a broadcast, by what was reported alone."""
    return _play_line(play, run.level, None, form, {}, awaits=awaits_yes(run))


def _play_line(
    play: PlayOut,
    level: str,
    node: NodeOut | None,
    form: Formats,
    places: Mapping[str, str],
    *,
    awaits: bool,
) -> PlayLine:
    why = play_why(play, form)
    if not why and play.outcome is None and node is not None and node.status != "online":
        why = node_mark(node, form).word
    held = [places[hold_id] for hold_id in node.holds if hold_id in places] if node and play.outcome is None else []
    if held:  # also of a node that is lost: it keeps silent until it hears of the release
        why = f"{why} {form.text('play.held', place=form.names(held))}".strip()
    mark = quiet(play_mark(play, level, form.text, awaits=awaits))
    if mark.tone == "live" and node is not None and node.simulated_output:
        mark = replace(mark, simulated=True)
    return PlayLine(
        play.node_id, play.node_name, play.area_path[-1] if play.area_path else "", code_of(play), mark, why
    )


def targets_of(run: BroadcastOut, form: Formats) -> str:
    """Name where it is heard."""
    return form.names([target.name for target in run.targets])


def _time_lines(run: BroadcastOut, form: Formats) -> list[str]:
    text = form.text
    if run.cancelled_at is not None:
        return [text("broadcast.cancelled_at", at=form.when(run.cancelled_at))]
    if run.phase in {"returned", "withdrawn", "replaced", "taken_out", "not_approved"}:
        return []  # as it is, nothing will begin
    if run.phase in {"over", "awaiting_reports"}:
        return [text("broadcast.ended", at=form.when(run.ends_at))]
    if run.phase == "on_air":
        gap = run.ends_at - form.now
        return [text("broadcast.left", length=form.about(gap))] if gap.total_seconds() > 0 else []
    begins = text("broadcast.begins", when=form.when(run.start_at)) if run.start_at > form.now else ""
    return [line for line in (begins, text("broadcast.latest", until=form.when(run.latest_start_at))) if line]


def refused_said(run: BroadcastOut, form: Formats) -> list[str]:
    """Say why the one who was asked said no, or who took the request back."""
    asked = run.approval
    if asked is None:
        return []
    if asked.returned_reason:
        return [form.text("approvals.reason_said", reason=asked.returned_reason)]
    said = withdrawn_said(asked, form)
    return [said] if said else []


def withdrawn_said(asked: AskedOut, form: Formats) -> str:
    """Say who took a request back, and when; empty: nobody did."""
    if asked.state != "withdrawn" or asked.refused_at is None:
        return ""
    return form.text("approvals.withdrawn_said", by=asked.refused_by or "", when=form.when(asked.refused_at))


def _offline(names: Sequence[str], form: Formats) -> list[str]:
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


def _cancel(run: BroadcastOut, form: Formats) -> Cancel | None:
    if run.phase not in {*WITHOUT_YES, "sending", "ready", "on_air", "awaiting_reports"}:
        return None
    count = sum(run.counts.get(code, 0) for code in (*GROUPS["open"], *GROUPS["playing"]))
    kind = "cancel_running" if run.phase == "on_air" else "cancel"
    said = form.text(f"broadcast.{kind}_said", count=count) if count else form.text("broadcast.cancel_mute")
    return Cancel(
        offer=form.text(f"broadcast.{kind}"),
        what_happens=form.text("broadcast.cancel_unsent") if awaits_yes(run) else said,
        yes=form.text(f"broadcast.{kind}_yes"),
        is_undo=run.phase in {*WITHOUT_YES, "sending", "ready"},
    )
