"""Why a play sounds or does not, as the API says it: codes and values, which pages put into words."""

from enum import StrEnum
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from edge_agent.protocol.rules import RuleName, Verdict
from edge_agent.protocol.states import Level, Outcome, PlayState, Reason


class CentreRule(StrEnum):
    """What must hold at the centre before a node is asked at all, in the order in which it is asked."""

    AIMED = "aimed"
    """The broadcast is aimed at the node."""
    CURRENT = "current"
    """No later version took its place."""
    NOT_CANCELLED = "not_cancelled"
    SIGNED_OFF = "signed_off"
    """It has the yes that it takes."""


class DeviceRule(StrEnum):
    """What no forecast knows, asked last."""

    DEVICE = "device"
    """The node ran, and its output worked, until the end."""


class NoteCode(StrEnum):
    """What makes an answer less certain. None of them keeps the node from sounding by itself."""

    REPORTS_NOTHING = "reports_nothing"
    """A wired or FM cluster: only its schedule is known."""
    NO_WORD = "no_word"
    """Its time is up, and the node has not said what it did."""
    CANCEL_UNCONFIRMED = "cancel_unconfirmed"
    """Cancelled, but the node may not have heard of it."""
    NEVER_SEEN = "never_seen"
    OFFLINE = "offline"
    """Not heard from; ``since_at``."""
    NOT_PUBLISHED = "not_published"
    """What nodes are told is being written anew."""
    OLDER_PLAN = "older_plan"
    """The node holds an older document than the newest; ``scope, word, held, newest``."""
    NOT_RECEIVED = "not_received"
    """The node has not said that it knows of the broadcast."""
    NO_SOUND_YET = "no_sound_yet"
    """Not all audio is on the node."""
    CLOCK_UNTRUSTED = "clock_untrusted"
    """The node said so last."""


class ByOut(BaseModel):
    """Who or what is behind a rule that blocks."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["broadcast", "hold", "person"]
    id: str
    name: str | None
    """Title of the broadcast, place of the hold, name of the person; None where it is not in sight."""


class WhyRuleOut(BaseModel):
    """One rule. ``values`` is what words need: ``start_at``, ``latest_start_at``, ``hours`` and the like."""

    model_config = ConfigDict(frozen=True)

    name: CentreRule | RuleName | DeviceRule
    verdict: Verdict
    reason: Reason | None = None
    """With ``blocks``, where the node has a word for it."""
    by: ByOut | None = None
    values: dict[str, Any] = {}


class WhyNoteOut(BaseModel):
    """Something that makes the answer less certain."""

    model_config = ConfigDict(frozen=True)

    code: NoteCode
    values: dict[str, Any] = {}


class SaidOut(BaseModel):
    """One thing that the node said of the play."""

    model_config = ConfigDict(frozen=True)

    at: AwareDatetime
    """By the node's clock."""
    state: PlayState | None
    outcome: Outcome | None
    reason: Reason | None


class WhyOut(BaseModel):
    """Why one node sounds, or does not, in one broadcast."""

    model_config = ConfigDict(frozen=True)

    node_id: str
    broadcast_id: str
    title: str
    is_past: bool
    """The node has said how it ended; else it is foreseen, by the function that the node plays by."""
    at: AwareDatetime
    """The instant that decides, or decided."""
    outcome: Outcome | None
    """As ``PlayOut.outcome``; None while it is not over."""
    level: Level
    grade: int | None
    """Grade of evidence, 0 to 3, of what it played."""
    simulated: bool
    """The grade rests on a virtual output or a simulated microphone."""
    reason: Reason | None
    blocker: CentreRule | RuleName | DeviceRule | None
    """First rule that blocks; None when nothing does: it sounds, or nobody knows."""
    rules: tuple[WhyRuleOut, ...]
    """In the order in which they are asked. None behind the one that blocks is reached."""
    notes: tuple[WhyNoteOut, ...]
    said: tuple[SaidOut, ...]
    """What the node reported, in its order."""
