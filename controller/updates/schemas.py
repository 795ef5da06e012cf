"""Releases and rollouts as the API takes and shows them."""

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from controller.nodes.rules import NodeStatus

from .states import RolloutState, State, Stopped
from .waves import ERROR_PERCENT, MAX_WAVES, SOAK, WAVES

MAX_NUMBER = 2**53 - 1


class ReleaseOut(BaseModel):
    """A bundle that nodes may be told to take."""

    model_config = ConfigDict(frozen=True)

    id: str
    release: int
    """Rises with every release; the bundles of all boards share it."""
    version: str
    board: str
    python: str
    bytes: int
    sha256: str
    key_id: str
    """Of the update key that signed it."""
    signed_at: AwareDatetime
    expires_at: AwareDatetime
    """From then on no node begins with it."""
    added_at: AwareDatetime
    added_by_name: str | None
    """None: by command at the machine of the centre."""


class RolloutIn(BaseModel):
    """A release is to go to nodes."""

    model_config = ConfigDict(extra="forbid")

    release: Annotated[int, Field(ge=1, le=MAX_NUMBER)]
    targets: Annotated[tuple[Annotated[str, Field(max_length=80)], ...], Field(max_length=4096)]
    """As of a broadcast: ``areas/{id}``, ``nodes/{id}``."""
    waves: Annotated[tuple[Annotated[str, Field(max_length=6)], ...], Field(max_length=MAX_WAVES)] = WAVES
    """How many are told at the end of each: a number, or a share with ``%``; the last is ``100%``."""
    soak_s: Annotated[int, Field(ge=0, le=30 * 86_400)] = int(SOAK.total_seconds())
    """Between the end of a wave and the next."""
    error_percent: Annotated[int, Field(ge=0, le=50)] = ERROR_PERCENT
    """So much of a wave may go wrong before it stops; of the first wave nothing."""


class ForecastNodeOut(BaseModel):
    """A node that would get the release."""

    model_config = ConfigDict(frozen=True)

    node_id: str
    node_name: str
    area_id: str
    status: NodeStatus
    able: bool
    """It takes updates, and there is a bundle for it."""


class ForecastOut(BaseModel):
    """What a rollout would do. Which nodes are told first is drawn when it begins, among those that are there."""

    model_config = ConfigDict(frozen=True)

    release: int
    version: str
    total: int
    """Nodes that would get it."""
    told: tuple[int, ...]
    """How many of them are told at the end of each wave."""
    already: int
    """Nodes there that run it, or a later one: they are left out."""
    reporting_nothing: int
    """Clusters there without an agent: they are left out."""
    away: int
    """Of ``total``: able, but not heard from now. They are told when they come."""
    unable: int
    """Of ``total``: they take no updates, or there is no bundle for them."""
    nodes: tuple[ForecastNodeOut, ...]


class RolloutNodeOut(BaseModel):
    """How far one node is."""

    model_config = ConfigDict(frozen=True)

    node_id: str
    node_name: str
    area_id: str
    state: State
    reason: str | None
    """The node's own, or why it is left out."""
    wave: int | None
    """In which it was told, from 1; None while it was not."""
    status: NodeStatus
    able: bool
    """It takes updates, and there is a bundle for it."""
    state_at: AwareDatetime
    sent_at: AwareDatetime | None
    """When it was last told."""
    unbelieved: str | None
    """What it claimed and could not be; that had no effect."""


class RolloutOut(BaseModel):
    """A release on its way."""

    model_config = ConfigDict(frozen=True)

    id: str
    release: int
    version: str
    targets: tuple[str, ...]
    area_id: str | None
    state: RolloutState
    reason: Stopped | None
    """Why it stopped."""
    waves: tuple[str, ...]
    wave: int
    """In which it is, from 1."""
    wave_since_at: AwareDatetime
    soak_s: int
    error_percent: int
    total: int
    """Nodes that were to get it when it began, in sight or not."""
    counts: dict[State, int]
    """Nodes in sight, by state."""
    unbelieved: int
    """Nodes that claimed what could not be."""
    created_by_name: str | None
    created_at: AwareDatetime
    ended_at: AwareDatetime | None


class RolloutWithNodes(RolloutOut):
    """A rollout and the nodes in sight."""

    away: int
    """Of those that are not done: not heard from now. They are told when they come."""
    unable: int
    """Of those that are not done: they take no updates, or there is no bundle for them."""
    nodes: tuple[RolloutNodeOut, ...]
