"""What an emergency sounds like, how long people may think, and how its nodes stand afterwards. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Protocol

import msgspec

from controller.broadcasts.rules import END_MARGIN, Slot, Window
from controller.errors import InvalidError
from controller.nodes.rules import HEARD, NodeStatus
from controller.people.rights import Act
from controller.plays.schemas import PlayOut
from controller.programmes.layout import MOST_SLOTS, NotAirableError, Part, lay_out_parts
from edge_agent.protocol.content import Item
from edge_agent.protocol.documents import Settings
from edge_agent.protocol.states import Grade, Outcome, PlayState, Reason

from .states import EmergencyState, SignalState

CANCEL_WINDOW = timedelta(seconds=30)
"""Between breaking the glass and the sound (DESIGN section 7)."""
LATEST_FIRING = timedelta(minutes=10)
"""What the centre slept through for longer is not sent by itself any more: somebody has acted otherwise by then."""
LATEST_SENDING = LATEST_FIRING + timedelta(minutes=2)
"""After its decision, lead and all: so far a yes reaches that is given before it is sent."""
SIGNER_LATER = timedelta(seconds=1)
"""A signer apart counts the cancel window from when it had the code, which is after we began to count."""
PROPOSAL_LASTS = timedelta(hours=1)
SAME_AGAIN_WITHIN = timedelta(minutes=1)
"""The same from the same person within this is one tap that came twice: it leads to the first proposal."""
FOLLOWS_WITHIN = timedelta(days=7)
"""A storm is over some days after its warning; later, an all-clear is a new emergency."""
LATEST_START_AFTER = timedelta(minutes=30)
"""Whoever comes back within half an hour still says it (promise P3)."""
GAP_MS = 500
PAUSE_MS = 2_000
"""Between two times, when nobody says how often."""
MOST_REPEATS = 20
LONGEST_MS: int = next(each.default for each in msgspec.structs.fields(Settings) if each.name == "max_emergency_ms")
"""Nodes refuse what is longer."""
LONGEST_SIGNAL_MS = 2_000
"""As long as the signal is still being made this much is kept for it: its two notes take 1.6 s (``audio.tune``)."""


class Standing(StrEnum):
    """How a node stands to an emergency. In the order in which people have to look after them."""

    MISSED = "missed"
    """Not heard there."""
    INTERRUPTED = "interrupted"
    """It began there, and something cut it: a part was heard."""
    UNREACHABLE = "unreachable"
    """Nobody knows: the node is not heard from."""
    WAITING = "waiting"
    SOUNDING = "sounding"
    UNVERIFIED = "unverified"
    """The node says that it played; no sensor heard it, or a simulated one."""
    VERIFIED = "verified"
    """With evidence of grade E2 or better."""
    ENDED = "ended"
    """It sounded there until people ended it: by an all-clear, a correction, or because they cancelled it."""
    CANCELLED = "cancelled"
    """They ended it before it began there."""
    UNREPORTING = "unreporting"
    """A wired or FM cluster: nobody will ever know."""


def compose(
    parts: Sequence[Part],
    languages: Collection[tuple[str, ...]],
    *,
    repeats: int,
    every_ms: int | None,
    framed_by: Part | None = None,
    signal: Part | None = None,
) -> tuple[Slot, ...]:
    """Lay one time out, every language in its turn, and repeat it.

    ``every_ms``: from one beginning to the next; what takes longer follows itself at once. ``framed_by``: heard before
    every time, and once more after the last. ``signal``: heard before every time, within the frame; where that is too
    long, before all of it, or not at all: nothing is refused for its signal.

    Raises:
        InvalidError: it would be longer than nodes take.
    """
    frame = [framed_by] if framed_by is not None else []
    if signal is not None and (slots := _times([signal, *parts], languages, repeats, every_ms, frame)):
        return slots
    slots = _times(parts, languages, repeats, every_ms, frame)
    if not slots:
        raise _too_long()
    return slots if signal is None or frame else led_by(signal, slots)


def _times(
    parts: Sequence[Part],
    languages: Collection[tuple[str, ...]],
    repeats: int,
    every_ms: int | None,
    frame: Sequence[Part],
) -> tuple[Slot, ...]:
    """Lay all times out; none where that is longer than nodes take."""
    try:
        once = lay_out_parts([*frame, *parts], languages, gap_ms=GAP_MS)
        after = lay_out_parts(frame, languages, gap_ms=GAP_MS).slots if frame else ()
    except NotAirableError:
        return ()
    step = max(every_ms or once.length_ms + PAUSE_MS, once.length_ms + GAP_MS)
    over = step * (repeats - 1) + once.length_ms + GAP_MS
    ends_ms = over + length_of(after) if after else step * (repeats - 1) + length_of(once.slots)
    if ends_ms > LONGEST_MS or repeats * len(once.slots) + len(after) > MOST_SLOTS:
        return ()  # before they are shifted: the wire has no room for what begins a day later
    times = [(step * time, slot) for time in range(repeats) for slot in once.slots] + [(over, slot) for slot in after]
    return tuple(Slot(_shifted(slot.item, by_ms), slot.recording_ids) for by_ms, slot in times)


def led_by(signal: Part, slots: Sequence[Slot]) -> tuple[Slot, ...]:
    """Put the signal before all of it, once; what would then be longer than nodes take stays as it is."""
    (first,) = lay_out_parts([signal], ()).slots
    if not has_room(slots, first.item.slot_ms):
        return tuple(slots)
    later = (slot._replace(item=_shifted(slot.item, first.item.slot_ms + GAP_MS)) for slot in slots)
    return (Slot(first.item, first.recording_ids), *later)


def has_room(slots: Sequence[Slot], signal_ms: int = LONGEST_SIGNAL_MS) -> bool:
    """Say whether nodes take the signal before all of it: what is said before it is made is true afterwards."""
    led_ms = max(signal_ms, LONGEST_SIGNAL_MS) + GAP_MS + length_of(slots)
    return led_ms <= LONGEST_MS and len(slots) < MOST_SLOTS


def signal_state(slots: Sequence[Slot], signals: Collection[str], *, may_come: bool) -> SignalState:
    """Say whether one of ``signals``, recordings by id, goes before what is no drill.

    ``may_come``: it is still being made, and nothing keeps it out once it is there.
    """
    if any(each in signals for slot in slots for each in slot.recording_ids):
        return SignalState.FIRST
    if not has_room(slots):
        return SignalState.LEFT_OUT
    return SignalState.COMING if may_come else SignalState.NONE


def _shifted(item: Item, by_ms: int) -> Item:
    return msgspec.structs.replace(item, offset_ms=item.offset_ms + by_ms)


def _too_long() -> InvalidError:
    most = LONGEST_MS // 60_000
    words = f"it would take longer than {most} minutes, or have more than {MOST_SLOTS} slots; repeat it less often"
    return InvalidError(words, field="repeats", problem="too_long", most=most)


def frozen(slots: Iterable[Slot], words: Mapping[str, str] = MappingProxyType({})) -> list[dict[str, Any]]:
    """Write slots as a row keeps them; ``words``: what recordings say, each put where it is first heard."""
    kept, left = list[dict[str, Any]](), dict(words)
    for slot in slots:
        said = {each: left.pop(each) for each in slot.recording_ids if each in left}
        row = {"item": msgspec.to_builtins(slot.item), "recording_ids": list(slot.recording_ids)}
        kept.append(row | ({"words": said} if said else {}))
    return kept


def words_in(kept: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Read from a row what its recordings say, as far as that is written down."""
    return {recording_id: text for each in kept for recording_id, text in each.get("words", {}).items()}


def thawed(kept: Iterable[dict[str, object]]) -> tuple[Slot, ...]:
    """Read slots from a row."""
    return tuple(
        Slot(msgspec.convert(each["item"], Item), msgspec.convert(each["recording_ids"], tuple[str, ...]))
        for each in kept
    )


class Timed(Protocol):
    """Something that is heard at its time."""

    @property
    def item(self) -> Item:
        """Give it as nodes get it."""


def length_of(slots: Sequence[Timed]) -> int:
    """Give milliseconds from the start of the first slot to the end of the last; 0 for none."""
    return slots[-1].item.offset_ms + slots[-1].item.slot_ms if slots else 0


def is_stale(state: str, proposed_at: datetime, now: datetime) -> bool:
    """Say whether nobody said the second yes in time: what was proposed long ago is no decision any more."""
    return state == EmergencyState.PROPOSED and now - proposed_at > PROPOSAL_LASTS


def act_for(drill: object) -> Act:
    """Give the right that it takes to begin, end or take back: of the real thing, or of a drill."""
    return Act.EMERGENCIES_DRILL if drill else Act.EMERGENCIES_PROPOSE


def window_of(start_at: datetime, length_ms: int) -> Window:
    """Say when an emergency may sound that is sent for ``start_at``."""
    latest_start_at = start_at + LATEST_START_AFTER
    return Window(start_at, latest_start_at, latest_start_at + timedelta(milliseconds=length_ms) + END_MARGIN)


def standing_of(play: PlayOut, status: NodeStatus) -> Standing:
    """Say how a node stands, by what it said and whether it is heard from."""
    if not play.reports:
        return Standing.UNREPORTING
    match play.outcome:
        case Outcome.PLAYED:
            proven = play.grade is not None and play.grade >= Grade.E2 and not play.simulated
            return Standing.VERIFIED if proven else Standing.UNVERIFIED
        case Outcome.INTERRUPTED:
            return Standing.ENDED if play.reason is Reason.STOPPED else Standing.INTERRUPTED
        case None:
            return _open(play.reached, status)
        case other:
            return _UNHEARD.get(other, Standing.MISSED)


_UNHEARD = {
    Outcome.CANCELLED: Standing.CANCELLED,
    Outcome.UNKNOWN: Standing.UNREACHABLE,
    Outcome.CANCEL_UNCONFIRMED: Standing.UNREACHABLE,
}


def _open(state: PlayState, status: NodeStatus) -> Standing:
    if status not in HEARD:
        return Standing.UNREACHABLE
    return Standing.SOUNDING if state is PlayState.PLAYING else Standing.WAITING
