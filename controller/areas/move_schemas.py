"""Moves of areas and nodes as the API takes and shows them."""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

MAX_MOVED = 4096


def refuse_to_move(given: Any, field: str) -> Any:
    """Take what is to change of an area or node unless it says where that is to lie: a move says so, seen before."""
    if isinstance(given, dict) and field in given:
        raise PydanticCustomError("moves", f"{field}: moved with POST /areas/[into]/moves, seen before it is done")
    return given


class RemovalOut(BaseModel):
    """What is still in a place: it is removed when nothing is. Each is a count."""

    model_config = ConfigDict(frozen=True)

    areas: int
    """Below it."""
    nodes: int
    grants: int
    """Roles of people there."""
    coming: int
    """Schedules, broadcasts, requests, emergencies that are to be heard or decided."""
    holds: int
    kept: int
    """Bulletins, programmes, days off, ready messages that nobody archived or ended."""

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing is there."""
        return not any(self.model_dump().values())


class MoveIn(BaseModel):
    """What comes into an area. Communes that merge keep standing below the new one, with all that is theirs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    areas: Annotated[tuple[str, ...], Field(max_length=MAX_MOVED)] = ()
    """Ids; each comes with all that is below it."""
    nodes: Annotated[tuple[str, ...], Field(max_length=MAX_MOVED)] = ()
    """Ids."""


class MoveSeenIn(MoveIn):
    """A move whose preview was seen."""

    seen_sha256: Annotated[str, Field(max_length=64)]
    """From the preview: what would change must still be the same."""


class MovedOut(BaseModel):
    """An area or node that moves."""

    model_config = ConfigDict(frozen=True)

    scope: str
    name: str
    path_before: tuple[str, ...]
    """Names from the root down to where it stands."""
    path_after: tuple[str, ...]
    node_count: int


class RuleChangeOut(BaseModel):
    """A rule that becomes another one for some areas."""

    model_config = ConfigDict(frozen=True)

    rule: str
    """``quiet_hours``, ``languages``, ``windows``…"""
    before: Any
    after: Any
    areas: tuple[str, ...]
    """Names of the areas in which nodes stand that follow it."""
    node_count: int


class HeardChangeOut(BaseModel):
    """A broadcast, schedule or hold that reaches nodes which it did not reach, or no longer."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["broadcast", "schedule", "hold"]
    id: str
    title: str
    """Of a hold: where it was ordered."""
    at: AwareDatetime | None
    """Start of a broadcast, order of a hold; None for a schedule."""
    reaches: bool
    """True: it comes to these nodes. False: it goes."""
    stays: bool = False
    """A hold that these nodes obey, and go on obeying where it was not ordered, until it is released where it was."""
    node_count: int


class HandedOut(BaseModel):
    """What belongs to another area afterwards: to the lowest one above all that it is aimed at."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["schedule", "approval", "broadcast", "emergency"]
    """``approval``: a request that waits; ``emergency``: one that waits for a decision, or for its all-clear."""
    id: str
    title: str
    area_before: str | None
    """Name of the area whose people change, cancel and approve it now."""
    area_after: str


class GrantChangeOut(BaseModel):
    """Somebody who works above, and will or will not look after what moves."""

    model_config = ConfigDict(frozen=True)

    person_id: str
    name: str
    role: str
    area: str
    """Name of the area in which the role holds."""
    gains: bool
    areas: tuple[str, ...]
    """Names of what moves into or out of this person's hands."""


class MoveOut(BaseModel):
    """What a move changes. Ids, history, and the rights of those who work in what moves stay as they are."""

    model_config = ConfigDict(frozen=True)

    into: tuple[str, ...]
    """Names from the root down to the area into which it moves."""
    moved: tuple[MovedOut, ...]
    node_count: int
    """Nodes that stand elsewhere in the tree afterwards. They keep their plan until they hold the new one."""
    rules: tuple[RuleChangeOut, ...]
    heard: tuple[HeardChangeOut, ...]
    handed_over: tuple[HandedOut, ...]
    grants: tuple[GrantChangeOut, ...]
    sha256: str
    """Over all of this: who moves says which preview they saw."""
