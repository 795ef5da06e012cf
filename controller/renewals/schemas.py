"""Renewals as operators see them. What nodes send and get is in ``edge_agent.protocol.renewal``."""

from pydantic import AwareDatetime, BaseModel, ConfigDict


class RenewalOut(BaseModel):
    """A node whose certificate has ended and that asks for another with its old key."""

    model_config = ConfigDict(frozen=True)

    id: str
    node_id: str
    node_name: str
    area_id: str
    last_heard_at: AwareDatetime | None
    expired_at: AwareDatetime
    """When its certificate ended."""
    fingerprint: str
    """Of the new key: the node says the same in its log."""
    origin: str
    """The address that it asks from."""
    created_at: AwareDatetime
    asked_at: AwareDatetime
    """The last time."""


class AnswerIn(BaseModel):
    """Whether it is still the one on the pole."""

    model_config = ConfigDict(extra="forbid")

    confirmed: bool
