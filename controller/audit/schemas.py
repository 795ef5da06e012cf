"""Audit entries as the API shows them."""

from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict


class AuditOut(BaseModel):
    """One act."""

    model_config = ConfigDict(frozen=True)

    seq: int
    at: AwareDatetime
    person_id: str | None
    person_name: str | None
    """None when the system or a node acted."""
    action: str
    subject: str
    detail: dict[str, Any]
    origin: str
    hash: str
