"""Alarms as the API shows them."""

from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict

OVER = "over"
"""In ``detail`` of an alarm that the centre closed itself: what it told of was so no more."""


class AlarmOut(BaseModel):
    """Something that administrators of an area and above must know."""

    model_config = ConfigDict(frozen=True)

    id: str
    kind: str
    """``people.locked``, ``emergencies.break_glass``, ``holds.lasting``, ``schedules.not_airable``…"""
    area_id: str | None
    """Where; None: for those who may look after everything."""
    subject: str
    """What it is about: ``people/{id}``."""
    detail: dict[str, Any]
    raised_at: AwareDatetime
    acknowledged_at: AwareDatetime | None
    """When somebody did, or it was over by itself (``detail.over``); None: it waits."""
    acknowledged_by: str | None
    """Id of the person."""
    acknowledged_by_name: str | None
    may_acknowledge: bool
    """False for who is told only because a hold from elsewhere silences a node that they look after."""
