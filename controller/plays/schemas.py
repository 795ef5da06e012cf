"""Plays as the API shows them."""

from pydantic import AwareDatetime, BaseModel, ConfigDict

from edge_agent.protocol.states import Level, Outcome, PlayState, Reason


class PlayOut(BaseModel):
    """One node's part in one broadcast: on its way it has a ``state``, at its end an ``outcome``, and never both."""

    model_config = ConfigDict(frozen=True)

    broadcast_id: str
    node_id: str
    node_name: str
    reports: bool = True
    """False for a node without an agent: nobody will ever know."""
    area_path: tuple[str, ...]
    state: PlayState | None
    """What it does now; None when it is over. A play with an outcome neither waits nor plays."""
    reached: PlayState
    """How far it came, also when it is over: one that was heard came to ``playing``."""
    outcome: Outcome | None
    """None while it is not over."""
    reason: Reason | None
    interrupted_by: str | None
    """Broadcast or hold that cut it."""
    grade: int | None
    """Grade of evidence, 0 to 3."""
    simulated: bool
    """The grade rests on a virtual output or a simulated microphone; while it sounds: at no real output."""
    started_at: AwareDatetime | None
    """By the node's clock."""
    start_error_ms: float | None
    requested_ms: int | None
    played_ms: int | None
    underruns: int | None
    updated_at: AwareDatetime
    may_play_at: AwareDatetime | None = None
    """It was taken back, which this node cannot confirm: it is out of reach, has it, and will play it then unless it
    reconnects before."""


class PlayedNotOut(BaseModel):
    """Nodes at which a broadcast did not sound as it should, all for the same reason; or that said nothing of it."""

    model_config = ConfigDict(frozen=True)

    outcome: Outcome
    reason: Reason | None
    count: int
    first: tuple[tuple[str, str], ...]
    """Ids and names of the first of them, by name."""


class PlayGroupsOut(BaseModel):
    """The plays of one broadcast at the nodes in sight, by what became of them."""

    model_config = ConfigDict(frozen=True)

    counts: dict[str, int]
    """By outcome, the open ones by state; nodes that report nothing among them."""
    first: tuple[PlayOut, ...]
    """The first of each of these, area by area."""
    waiting: tuple[str, ...]
    """Names of the nodes that were asked about and have not done their part."""


class MayPlayOut(BaseModel):
    """A broadcast that was taken back, which a node out of reach will sound all the same unless it reconnects."""

    model_config = ConfigDict(frozen=True)

    broadcast_id: str
    title: str
    level: Level
    may_play_at: AwareDatetime


class UnconfirmedOut(BaseModel):
    """What was cancelled, moved or replaced, and may be heard all the same: nobody can confirm that it is not."""

    model_config = ConfigDict(frozen=True)

    node_count: int
    """Nodes in sight that have it and are out of reach."""
    may_play_at: AwareDatetime
    """When the first of it is heard, unless its nodes reconnect before."""
