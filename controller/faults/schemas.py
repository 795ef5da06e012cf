"""Faults as the API takes and shows them."""

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from .rules import FaultState


class FaultEntryOut(BaseModel):
    """Something that is, or was, wrong with a node."""

    model_config = ConfigDict(frozen=True)

    id: str
    node_id: str
    node_name: str
    area_id: str
    code: str
    """As in a node's health report; besides ``offline``: it is not heard from."""
    detail: str
    """The node's words when it last began."""
    state: FaultState
    since_at: AwareDatetime
    """When the centre first knew."""
    began_at: AwareDatetime
    """When it last began."""
    times: int
    """How often it began: within 10 minutes of its end it is the same fault."""
    cleared_at: AwareDatetime | None
    """None while it stands."""
    acknowledged_at: AwareDatetime | None
    acknowledged_by: str | None
    """Id of the person."""
    acknowledged_by_name: str | None
    note: str


class AcknowledgeIn(BaseModel):
    """What whoever looks after a fault says about it."""

    model_config = ConfigDict(extra="forbid")

    note: Annotated[str, Field(max_length=500)] = ""
