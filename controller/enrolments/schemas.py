"""Enrolments as operators see them. What nodes send and get is in ``edge_agent.protocol.enrolment``."""

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class WaitingOut(BaseModel):
    """A new node that waits for a person. Its claim code is on the node, not here."""

    model_config = ConfigDict(frozen=True)

    id: str
    software: str
    output: str
    """``card`` or ``virtual``."""
    fingerprint: str
    """Of its key; the node shows the same beside its code."""
    origin: str
    created_at: AwareDatetime
    expires_at: AwareDatetime


class AdoptIn(BaseModel):
    """Whom to adopt, and where it stands."""

    model_config = ConfigDict(extra="forbid")

    claim_code: Annotated[str, Field(max_length=40)]
    """As the node shows it; case, spaces and dashes do not matter."""
    area_id: str
    name: str
