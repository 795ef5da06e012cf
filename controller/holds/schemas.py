"""Holds as the API takes and shows them."""

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from controller.nodes.rules import NodeStatus


class NotYetOut(BaseModel):
    """A node that has not confirmed."""

    model_config = ConfigDict(frozen=True)

    node_id: str
    name: str
    status: NodeStatus


class HoldOut(BaseModel):
    """Silence ordered on an area or node, until a person releases it."""

    model_config = ConfigDict(frozen=True)

    id: str
    wire_id: str
    """What nodes call it in their ``holds``: its id. One that was found may stand once for each commune whose nodes
    obey it, under the same name."""
    scope: str
    scope_name: str
    ordered_at: AwareDatetime
    ordered_by: str
    """Name of the person; empty: nobody known any more."""
    found: bool = False
    """No row knew of it: it was ordered after the copy from which the rows were put back, and nodes obey it still.
    ``ordered_at`` is then when it was found, ``scope`` the smallest around those of one commune who obey it, and its
    nodes are these alone."""
    released_at: AwareDatetime | None
    may_release: bool
    """Whether who asks has the right to its release."""
    node_count: int
    """Nodes that will say whether they obey."""
    unreporting_count: int = 0
    """Wired and FM clusters besides: no order reaches them."""
    confirmed_count: int
    """Nodes that say they obey: silent under an active hold, free after its release."""
    not_yet: tuple[NotYetOut, ...]


class HeldByOut(BaseModel):
    """A hold that keeps nodes silent of those that somebody speaks to; nothing passes it, no emergency either."""

    model_config = ConfigDict(frozen=True)

    hold_id: str
    scope: str
    scope_name: str
    ordered_at: AwareDatetime
    """Since when."""
    node_count: int
    """Nodes among those spoken to that it silences."""


class HoldIn(BaseModel):
    """Whom to silence."""

    model_config = ConfigDict(extra="forbid")

    scopes: Annotated[list[str], Field(min_length=1, max_length=4096)]
    """``areas/{id}`` and ``nodes/{id}``."""
