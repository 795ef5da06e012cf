"""Areas as the API takes and shows them."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .move_schemas import refuse_to_move

TimeOfDay = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{1,8})*$", max_length=35)]


class QuietWindow(BaseModel):
    """Wall-clock window; over midnight when ``until`` is before ``start``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: TimeOfDay
    until: TimeOfDay


class EffectiveOut(BaseModel):
    """What holds in an area, from itself or from above."""

    model_config = ConfigDict(frozen=True)

    zone: str
    quiet_hours: tuple[QuietWindow, ...]
    languages: tuple[str, ...]


class AreaOut(BaseModel):
    """A place in the tree of places."""

    model_config = ConfigDict(frozen=True)

    id: str
    parent_id: str | None
    kind: str
    name: str
    depth: int
    """0 for a root."""
    path: tuple[str, ...]
    """Names from the root down to this area."""
    in_sight: bool = True
    """False for an area above one's own, of which no more than the name and the rules is seen."""
    node_count: int
    """Nodes here and below, of those in sight: the ones that a broadcast to this area reaches."""
    zone: str | None
    """None: the parent's; the same for the two below."""
    quiet_hours: tuple[QuietWindow, ...] | None
    languages: tuple[str, ...] | None
    effective: EffectiveOut

    @property
    def scope(self) -> str:
        """Name of this area as a target."""
        return f"areas/{self.id}"


class AreaIn(BaseModel):
    """A new area."""

    model_config = ConfigDict(extra="forbid")

    name: str
    kind: Annotated[str, Field(max_length=40)] = "hamlet"
    """province, district, commune, hamlet… or the deployment's own word."""
    parent_id: str | None = None
    zone: str | None = None
    quiet_hours: Annotated[list[QuietWindow], Field(max_length=8)] | None = None
    languages: Annotated[list[Language], Field(min_length=1, max_length=16)] | None = None


class AreaChange(BaseModel):
    """What is to change; fields left out stay, null means "as the parent"."""

    model_config = ConfigDict(extra="forbid")

    name: str = ""
    kind: Annotated[str, Field(max_length=40)] = ""
    zone: str | None = None
    quiet_hours: Annotated[list[QuietWindow], Field(max_length=8)] | None = None
    languages: Annotated[list[Language], Field(min_length=1, max_length=16)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _stays_where_it_lies(cls, given: Any) -> Any:
        return refuse_to_move(given, "parent_id")
