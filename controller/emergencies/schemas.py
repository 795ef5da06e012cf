"""Emergencies and ready messages as the API takes and shows them."""

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from controller.areas.schemas import Language
from controller.broadcasts.schemas import NodeRef, PreviewOut, Scopes, TargetOut, Title
from controller.holds.schemas import HeldByOut
from controller.nodes.rules import NodeStatus
from controller.validation import NO_BOOL
from edge_agent.protocol.states import Drill, Outcome, PlayState, Reason

from .rules import MOST_REPEATS, Standing
from .states import EmergencyState, GlassReason, MessageKind, SignalState

MAX_TEXT = 4_000
"""Characters in one language: some five minutes of speech; an emergency is short."""
MAX_VOICES = 16
MAX_RECORDINGS = 10
MAX_REASON = 1_000

Version = Annotated[int, Field(ge=1, le=2**31 - 1), NO_BOOL]
RowId = Annotated[str, Field(max_length=64)]
Repeats = Annotated[int, Field(ge=1, le=MOST_REPEATS), NO_BOOL]
EveryMs = Annotated[int, Field(ge=1_000, le=1_800_000), NO_BOOL]


class MessageVoice(BaseModel):
    """A ready message in one language: words, a recording, or both. Only what has a recording is heard."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    language: Language
    text: Annotated[str, Field(max_length=MAX_TEXT)] = ""
    recording_id: RowId | None = None


MessageVoices = Annotated[tuple[MessageVoice, ...], Field(min_length=1, max_length=MAX_VOICES)]
"""In the order that counts where none of the languages is asked for: there the first is heard."""


class MessageIn(BaseModel):
    """A new ready message."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    area_id: RowId
    """Usable here and below."""
    kind: MessageKind = MessageKind.ALERT
    title: Title
    voices: MessageVoices


class MessageChange(BaseModel):
    """What a ready message is to say from now on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Version
    """The one that was seen. When there is a newer one, nothing changes."""
    title: Title
    voices: MessageVoices


class MessageOut(BaseModel):
    """A text with recordings that lies on the nodes before it is needed."""

    model_config = ConfigDict(frozen=True)

    id: str
    area_id: str
    area_name: str
    kind: MessageKind
    title: str
    voices: tuple[MessageVoice, ...]
    sounds: bool
    """Some voice of it has a recording that is ready: it can be sent."""
    missing_messages: tuple[MessageKind, ...]
    """Of an alert: with what it could not be ended by one click in its area, none being ready there or above."""
    version: int
    changed_at: AwareDatetime
    archived_at: AwareDatetime | None


class EmergencyIn(BaseModel):
    """What is to be heard at once, and where."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    message_id: RowId | None = None
    """A ready message; or recordings, or both: the message goes first."""
    recordings: Annotated[tuple[RowId, ...], Field(max_length=MAX_RECORDINGS)] = ()
    title: Title | None = None
    """None: that of the message."""
    targets: Scopes
    drill: Drill | None = None
    """None: the real thing."""
    repeats: Repeats = 3
    """How often it sounds in all."""
    repeat_every_ms: EveryMs | None = None
    """From one beginning to the next; None: one after the other."""
    release_holds: Annotated[tuple[RowId, ...], Field(max_length=64)] = ()
    """Holds that are released in the same act."""
    again: bool = False
    """Though the same is proposed or sounds there already."""


class BreakGlassIn(BaseModel):
    """Why nobody else can be asked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason_code: GlassReason | None = None
    """None: in words alone, as ``other``."""
    reason: Annotated[str, Field(max_length=MAX_REASON)] = ""
    """Its words. With another code than ``other`` they may be left out."""


class FollowIn(BaseModel):
    """How an emergency is ended; all of it may be left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    message_id: RowId | None = None
    """None: the nearest ready message of that kind, of the area or above it, if there is one alone."""
    repeats: Repeats = 2
    repeat_every_ms: EveryMs | None = None


class HoldRef(HeldByOut):
    """A hold that keeps nodes of an emergency silent."""

    may_release: bool
    """Whether who asks has the right."""
    is_released: bool
    """Whether it would be released in the same act."""


class Spot(NodeRef):
    """A node on a map."""

    latitude: float
    longitude: float
    heard_from: bool
    """It is in contact, and no hold keeps it silent."""


class SoundOut(BaseModel):
    """One recording that is heard."""

    model_config = ConfigDict(frozen=True)

    recording_id: str
    title: str
    language: str
    media_url: str
    length_ms: int
    times: int
    """How often it is heard in all, wherever its language is."""
    words: str
    """What a machine was told to read, else what its ready message said when this was proposed; empty: not known."""
    is_signal: bool
    """The signal that goes before every emergency: nobody speaks."""
    is_machine: bool
    """A machine speaks."""


class EmergencyPreview(BaseModel):
    """What would happen; nothing is saved."""

    model_config = ConfigDict(frozen=True)

    broadcast: PreviewOut
    """What nodes would do, by the function that they play by, once the holds that were named are released."""
    drill: Drill | None
    languages: tuple[str, ...]
    """In which it can be heard, the signal aside."""
    offline: tuple[NodeRef, ...]
    """Not heard from: they say it if they come back within half an hour."""
    holds: tuple[HoldRef, ...]
    held: tuple[NodeRef, ...]
    """Nodes that stay silent because of holds that are not released."""
    spots: tuple[Spot, ...]
    """Where on a map those nodes stand whose position is known."""
    unreporting_count: int
    """Wired and FM clusters: they say nothing of it, and nobody will know."""
    missing_messages: tuple[MessageKind, ...]
    """With what it could not be ended by one click: none is ready there or above."""
    signal: SignalState
    """Where it is ``first`` it is counted in ``broadcast``, else not."""
    sounds: tuple[SoundOut, ...]
    """All that would be heard, in the order in which each begins."""


class PersonRef(BaseModel):
    """Somebody by name."""

    model_config = ConfigDict(frozen=True)

    person_id: str
    name: str


class SecondOut(PersonRef):
    """Somebody who may say the second yes."""

    phone: str | None
    """Seen by who has to call: whoever may propose it there."""


class EmergencyOut(BaseModel):
    """An emergency, or a drill of one."""

    model_config = ConfigDict(frozen=True)

    id: str
    area_id: str
    kind: MessageKind
    title: str
    drill: Drill | None
    state: EmergencyState
    targets: tuple[TargetOut, ...]
    message_id: str | None
    length_ms: int
    proposed_by: PersonRef
    proposed_at: AwareDatetime
    confirmed_by: PersonRef | None
    confirmed_at: AwareDatetime | None
    break_glass_by: PersonRef | None
    reason_code: GlassReason | None
    """Of a broken glass; None: in words alone."""
    break_glass_reason: str | None
    """Its words; None: the code says it."""
    fires_at: AwareDatetime | None
    """With a broken glass: until then it can be cancelled."""
    sent_at: AwareDatetime | None
    broadcast_id: str | None
    follows_id: str | None
    ended_at: AwareDatetime | None
    ended_by: PersonRef | None
    """None: it ended by itself, or the centre could not send it."""
    problem: str | None
    """Why the centre did not send it: ``too_late``, ``not_confirmed``, or the code of an error."""
    holds: tuple[HoldRef, ...] = ()
    """Those that stand in its way now; until it is sent, with those that its second yes lifts. Lists leave them out."""
    is_repeat: bool = False
    """Of a proposal: nothing was added, this is what the same person proposed within the last minute."""


class NodeFollowUp(BaseModel):
    """How one node stands to an emergency."""

    model_config = ConfigDict(frozen=True)

    node_id: str
    node_name: str
    area_path: tuple[str, ...]
    status: NodeStatus
    standing: Standing
    state: PlayState | None
    """What it does now; None when it is over."""
    outcome: Outcome | None
    reason: Reason | None
    grade: int | None
    """Grade of evidence, 0 to 3; below 2 nobody has verified it."""
    simulated: bool
    started_at: AwareDatetime | None
    time_to_air_ms: int | None
    """From the decision to the sound, by the node's clock; None before it sounds.

    All of it: the way to the node, the lead that lets all begin together, and whatever the node waited for, such as
    another emergency that sounded there before this or a drill, a hold, or its own return. Plays do not tell those
    apart: they hold when something began, not until when it kept the node.
    """


class EndingOut(BaseModel):
    """A ready message with which an emergency can be ended."""

    model_config = ConfigDict(frozen=True)

    message_id: str
    kind: MessageKind
    title: str
    sounds: tuple[SoundOut, ...]
    """What it says, as often as it is said if nobody asks otherwise; the signal aside."""


class EmergencyFollowUp(EmergencyOut):
    """An emergency node by node: who missed it or is out of reach comes first."""

    sounds: tuple[SoundOut, ...] = ()
    """All that is heard, in the order in which each begins: what a yes is given to."""
    signal: SignalState
    """Where it is ``first`` it is among ``sounds``, else not."""
    standings: dict[Standing, int]
    nodes: tuple[NodeFollowUp, ...]
    not_followed: tuple[NodeRef, ...] = ()
    """Of an alert that was ended, and of its end: nodes that may have heard the alert and were not sent the end.

    They were moved to where whoever ended it may not speak; those who look after that place were told.
    """
    endings: tuple[EndingOut, ...] | None = None
    """With what who asks may end it now, the nearest first; None: it is not to be ended, or not by them."""
    seconds: tuple[SecondOut, ...] = ()
    """While it waits for a yes: who may say it in all its places, the nearest first. Empty to who may not propose."""
