"""What a state looks like: shape, colour and word together, for plays, broadcasts and nodes. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from controller.broadcasts.schemas import BroadcastOut
from controller.holds.schemas import HeldByOut
from controller.nodes.schemas import NodeOut
from controller.plays.schemas import PlayOut, UnconfirmedOut
from web.formats import Formats
from web.i18n import Catalogue


@dataclass(frozen=True)
class Mark:
    """A state as people see it. The word alone is enough."""

    icon: str
    """A symbol of ``icons.svg``."""
    tone: str
    """``good``, ``live``, ``care``, ``stop`` or ``unsure``: a class of ``parts.css``."""
    word: str
    pulse: bool = False
    simulated: bool = False


_STEPS = {"planned": "empty", "received": "part", "cached": "ready", "armed": "ready"}
_GRADES = {0: ("unknown", "unsure"), 1: ("tick", "good"), 2: ("ticks", "good"), 3: ("ear", "good")}
_ENDS = {
    "interrupted": ("triangle", "care"),
    "missed": ("triangle", "care"),
    "refused": ("triangle", "care"),
    "expired": ("triangle", "care"),
    "cancelled": ("cut", "unsure"),
    "unknown": ("unknown", "unsure"),
    "cancel_unconfirmed": ("unknown", "unsure"),
}
_NOT_GIVEN = {
    "awaiting_approval": ("part", "care"),
    "returned": ("triangle", "care"),
    "withdrawn": ("triangle", "care"),
    "not_approved": ("triangle", "care"),
    "replaced": ("cut", "unsure"),
    "taken_out": ("cut", "unsure"),
}
"""Phases of what no node was told to play."""
WORTH_TELLING = timedelta(seconds=1)
"""A start later than this is told."""
FAILED = frozenset({"interrupted", "missed", "refused", "expired"})
"""Outcomes that need a person's eye."""
NOT_WELL = FAILED | {"unknown"}
"""No report is no success."""


EMERGENCY = "emergency"
"""The level that the API calls so."""
VERIFIED = 2
"""The least grade of evidence at which an emergency counts as heard."""


def evidence_mark(grade: int, text: Catalogue, *, simulated: bool, level: str) -> Mark:
    """Show what is known of a sound that ended whole. Of an emergency nothing that no real sensor confirms is good.

    The one place that decides it: whoever shows what became of a play, or of many, asks here.
    """
    known = text(f"grade.e{grade}")
    if level != EMERGENCY or (grade >= VERIFIED and not simulated):
        return Mark(*_GRADES[grade], known, simulated=simulated)
    return Mark("unknown", "unsure", text("phase.unverified", grade=known) if grade else known, simulated=simulated)


def in_words(mark: Mark, text: Catalogue) -> str:
    """Say a mark where there is neither shape nor colour: in tables to take along, and inside sentences."""
    return f"{mark.word} ({text('grade.simulated')})" if mark.simulated else mark.word


def play_mark(play: PlayOut, level: str, text: Catalogue, *, awaits: bool = False) -> Mark:
    """Show one node's part in a broadcast of this level; ``awaits``: nobody said yes to it yet, so no node was told."""
    if not play.reports:
        return Mark("unknown", "unsure", text("node.unreporting"))
    if play.outcome is None:
        if awaits:
            return Mark(_STEPS["planned"], "unsure", text("play.awaits"))
        if play.reached == "playing":
            return Mark("dot", "live", text("state.playing"), pulse=True, simulated=play.simulated)
        icon = _STEPS[play.reached]
        return Mark(icon, "good" if icon == "ready" else "unsure", text(f"state.{play.reached}"))
    if play.outcome == "played":
        return evidence_mark(play.grade or 0, text, simulated=play.simulated, level=level)
    icon, tone = _ENDS[play.outcome]
    return Mark(icon, tone, text(f"outcome.{play.outcome}"))


def reason_said(reason: str, text: Catalogue, *, cut: bool = False) -> str:
    """Say a reason; ``cut``: of what began and did not sound whole.

    There a node says of a device that could not keep up what it says of one that is gone (docs/protocol.md, evidence).
    """
    return text("reason_cut.output_lost") if cut and reason == "output_lost" else text.word("reason", reason)


def play_why(play: PlayOut, form: Formats) -> str:
    """Say why a play did not end well, or what was measured when it did; empty when there is nothing to add."""
    text = form.text
    if play.outcome == "played":
        if play.started_at is None:
            return ""
        at, late = form.second(play.started_at), timedelta(milliseconds=play.start_error_ms or 0)
        return (
            text("play.began_late", at=at, late=form.about(late))
            if late >= WORTH_TELLING
            else text("play.began", at=at)
        )
    said = [reason_said(play.reason, text, cut=play.outcome == "interrupted")] if play.reason else []
    if play.played_ms and play.requested_ms:
        said.append(text("play.partly", played=form.length(play.played_ms), asked=form.length(play.requested_ms)))
    if play.may_play_at is not None:
        said += doubt_said(UnconfirmedOut(node_count=1, may_play_at=play.may_play_at), form)
    elif play.outcome in {"unknown", "cancel_unconfirmed"} and play.reports:
        said.append(text(f"play.{play.outcome}"))
    return " ".join(said)


def held_said(holds: Iterable[HeldByOut], form: Formats) -> list[str]:
    """Say where silence stands, since when, and how many nodes it keeps from sounding."""
    return [
        form.text("say.held", place=hold.scope_name, since=form.since(hold.ordered_at), count=hold.node_count)
        for hold in holds
    ]


def doubt_said(doubt: UnconfirmedOut | None, form: Formats) -> list[str]:
    """Say that what was taken back may be heard all the same: nobody can confirm it."""
    if doubt is None:
        return []
    return [form.text("play.may_play", count=doubt.node_count, at=form.when(doubt.may_play_at))]


def node_mark(node: NodeOut, form: Formats) -> Mark:
    """Show whether a node is heard from, what silences it or what it plays."""
    text = form.text
    if node.status == "online":
        return _online_mark(node, text)
    if node.status == "unreporting":
        return Mark("empty", "unsure", text("node.unreporting"))
    if node.status == "never_seen" or node.status_since is None:
        return Mark("unknown", "unsure", text("node.never_seen"))
    since = form.since(node.status_since)
    if node.status == "late":
        return Mark("part", "care", text("node.late", since=since))
    return Mark("triangle", "care", text("node.offline", since=since))


def _online_mark(node: NodeOut, text: Catalogue) -> Mark:
    if node.now_playing:
        return Mark("dot", "live", text("node.playing"), pulse=True, simulated=node.simulated_output)
    if node.holds:
        return Mark("square", "stop", text("node.held"))
    if node.faults or node.clock_state == "untrusted":
        return Mark("triangle", "care", text("node.fault"))
    return Mark("on", "good", text("node.online"))


def standing_faults(node: NodeOut) -> list[tuple[str, datetime | None]]:
    """Name what is wrong with a node, by its own word, and since when if it says so."""
    found: list[tuple[str, datetime | None]] = [(each.code, each.since_at) for each in node.faults]
    if node.clock_state == "untrusted" and not any(code.startswith("clock") for code, _ in found):
        found.append(("clock_untrusted", None))
    return found


def faults(node: NodeOut, form: Formats) -> list[Mark]:
    """Show what is wrong with a node, and what to do about it."""
    found = []
    for code, since_at in standing_faults(node):
        icon, tone = ("part", "unsure") if code in node.looked_after else ("triangle", "care")
        found.append(Mark(icon, tone, _fault(code, since_at, form)))
    return found


def _fault(code: str, since_at: datetime | None, form: Formats) -> str:
    fault = form.text.word("fault", code)
    return form.text("node.fault_since", fault=fault, since=form.since(since_at)) if since_at else fault


def run_mark(run: BroadcastOut, text: Catalogue, doubtful: int = 0) -> Mark:
    """Show a broadcast as a whole. Green only when every node gave evidence, and then by the weakest of them.

    ``doubtful``: nodes that have it and may stay silent all the same, where that is known. An emergency is green only
    when each of its nodes was verified by a real sensor.
    """
    if run.phase == "cancelled":
        return Mark("cut", "unsure", text("phase.cancelled"))
    if run.phase in _NOT_GIVEN:
        icon, tone = _NOT_GIVEN[run.phase]
        return Mark(icon, tone, text(f"phase.{run.phase}"))
    if run.unreporting_count and not run.node_count:
        return Mark("empty", "unsure", text("count.unreporting", count=run.unreporting_count))
    return _over_mark(run, text) if run.phase == "over" else _coming_mark(run, text, doubtful)


def _coming_mark(run: BroadcastOut, text: Catalogue, doubtful: int) -> Mark:
    if run.phase == "on_air":
        sounding = run.counts.get("playing", 0)
        word = text("phase.on_air", sounding=sounding, count=run.node_count)
        return Mark("dot", "live", word, pulse=True, simulated=run.simulated or _is_simulated(run))
    if run.phase == "awaiting_reports":
        reported = sum(run.counts.get(outcome, 0) for outcome in ("played", *_ENDS))
        word = text("phase.awaiting_reports", reported=reported, count=run.node_count)
        return Mark("part", "unsure", word, simulated=_is_simulated(run))
    if failed := sum(run.counts.get(name, 0) for name in FAILED):  # where it is over: the others have yet to begin
        return Mark("triangle", "care", text("phase.silent", failed=failed, count=run.node_count))
    if run.phase == "ready" and doubtful:
        ready = max(0, run.node_count - doubtful)
        return Mark("part", "unsure", text("phase.ready_partly", ready=ready, count=run.node_count))
    if run.phase == "ready":
        return Mark("ready", "good", text("phase.ready", count=run.node_count))
    return Mark("part", "unsure", text("phase.sending", ready=run.ready_count, count=run.node_count))


def _over_mark(run: BroadcastOut, text: Catalogue) -> Mark:
    played, failed = run.counts.get("played", 0), sum(run.counts.get(name, 0) for name in FAILED)
    simulated = _is_simulated(run)
    values = {"played": played, "count": run.node_count}
    if failed:
        word = text("phase.partly", **values) if played else _none_whole(run, text)
        return Mark("triangle", "care", word, simulated=simulated)
    if played < run.node_count:
        return Mark("unknown", "unsure", text("phase.unclear", **values), simulated=simulated)
    grade = min((int(name[1]) for name in run.grades), default=0)
    mark = evidence_mark(grade, text, simulated=simulated, level=run.level)
    return replace(mark, word=text("phase.heard", grade=mark.word, **values))


def _is_simulated(run: BroadcastOut) -> bool:
    """Tell whether what is known of some node rests on a virtual output or a simulated microphone."""
    return any(name.endswith("_simulated") for name in run.grades)


def _none_whole(run: BroadcastOut, text: Catalogue) -> str:
    """Say that nothing sounded only when nothing did."""
    cut = run.counts.get("interrupted", 0)
    return text("phase.cut", cut=cut, count=run.node_count) if cut else text("phase.none")


def quiet(mark: Mark) -> Mark:
    """Show the same without its pulse, for lists in which many would move."""
    return replace(mark, pulse=False)
