"""Policies as areas say them, and as the API shows them."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from controller.errors import InvalidError
from controller.names import clean_name
from controller.validation import NO_BOOL
from edge_agent.protocol.states import Outcome, Reason

TimeOfDay = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


def _shown(text: str) -> str:
    try:
        return clean_name(text)
    except InvalidError as error:
        raise ValueError(error.message) from None


Category = Annotated[str, Field(min_length=1, max_length=40), AfterValidator(_shown)]
MINUTES_OF_A_DAY = 1440


class Window(BaseModel):
    """Wall-clock window in the area's zone; over midnight when ``until`` is before ``start``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: TimeOfDay
    until: TimeOfDay

    @model_validator(mode="after")
    def _is_not_empty(self) -> Self:
        if self.start == self.until:
            raise ValueError("start and until are the same; leave the window out instead")
        return self

    def __str__(self) -> str:
        """Give it as people read it."""
        return f"{self.start}–{self.until}"


class Night(Window):
    """Lower ceiling of the volume within a window. Emergencies pass it."""

    cap_mb: Annotated[int, Field(ge=-9600, le=0), NO_BOOL]
    """Hundredths of a decibel; 0: no ceiling of its own."""


class SelfApproval(BaseModel):
    """What an author may approve alone. No category, or 0 a day: nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    categories: Annotated[tuple[Category, ...], Field(max_length=50)]
    minutes: Annotated[int, Field(ge=1, le=MINUTES_OF_A_DAY), NO_BOOL]
    """Of one broadcast, at most."""
    a_day: Annotated[int, Field(ge=0, le=100), NO_BOOL]
    """Uses by one person on one local day, at most."""
    level: Literal["normal", "priority"] = "normal"
    """Up to here; ``priority`` interrupts what sounds."""


class SecondPerson(BaseModel):
    """What takes the yes of somebody other than the author."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    category: Category = "*"
    """``*``: every category, and what has none."""
    level: Literal["normal", "priority", "*"] = "*"


CategoryCode = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


class CategoryName(BaseModel):
    """One category of bulletins, by which rules tell things apart."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: CategoryCode
    name: Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_shown)]
    """As people read it."""


class PolicyRules(BaseModel):
    """What one area says itself; what is None it has from above. Times are wall clock in the area's zone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    windows: Annotated[tuple[Window, ...], Field(max_length=8)] | None = None
    """Routine sounds only within one of them; empty: at any hour that is not quiet. The node guards it itself."""
    earliest: TimeOfDay | None = None
    """No routine between midnight and this hour."""
    sessions_a_day: Annotated[int, Field(ge=0, le=100), NO_BOOL] | None = None
    minutes_a_session: Annotated[int, Field(ge=1, le=MINUTES_OF_A_DAY), NO_BOOL] | None = None
    minutes_a_day: Annotated[int, Field(ge=1, le=MINUTES_OF_A_DAY), NO_BOOL] | None = None
    night: Night | None = None
    lease_hours: Annotated[int, Field(ge=12, le=720), NO_BOOL] | None = None
    """How long a node that is cut off goes on playing its plan. Leases are renewed every 6 h: half a day at least."""
    download_kbit_s: Annotated[int, Field(ge=32, le=100_000), NO_BOOL] | None = None
    """Ceiling of what a node fetches ahead of time, and of its updates; what is urgent knows none."""
    self_approval: SelfApproval | None = None
    second_person: Annotated[tuple[SecondPerson, ...], Field(max_length=50)] | None = None
    """Empty: nothing takes a second person."""
    categories: Annotated[tuple[CategoryName, ...], Field(min_length=1, max_length=50)] | None = None
    """What bulletins there are about; others are refused. Said nowhere: any word is taken."""

    @model_validator(mode="after")
    def _names_each_category_once(self) -> Self:
        codes = [each.code for each in self.categories or ()]
        if len(set(codes)) < len(codes):
            raise ValueError("categories: each code once")
        return self

    @classmethod
    def stored(cls, said: dict[str, Any]) -> Self:
        """Read what a row keeps; rules that this version does not know are left out."""
        return cls.model_validate({name: value for name, value in said.items() if name in cls.model_fields})

    def said(self) -> Iterator[tuple[str, Any]]:
        """Give the rules that are not left to the areas above."""
        for name in type(self).model_fields:
            if (value := getattr(self, name)) is not None:
                yield name, value


Rule = Literal[
    "zone",
    "quiet_hours",
    "languages",
    "windows",
    "earliest",
    "sessions_a_day",
    "minutes_a_session",
    "minutes_a_day",
    "night",
    "lease_hours",
    "download_kbit_s",
    "self_approval",
    "second_person",
    "categories",
]
"""Names of rules. The first three stand in the area itself (``PATCH /areas/{id}``); all may be locked."""


class CategoryOut(BaseModel):
    """A category that bulletins may have."""

    model_config = ConfigDict(frozen=True)

    code: str
    name: str | None
    """None: one of those that every centre knows; pages have words for it."""
    from_id: str | None
    """Area that names it; None: nobody does, it is one of the usual ones."""


class PolicyIn(BaseModel):
    """What an area is to say from now on, as a whole."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Annotated[int, Field(ge=0), NO_BOOL]
    """The version that was seen; 0 when the area said nothing yet."""
    rules: PolicyRules
    locked: Annotated[tuple[Rule, ...], Field(max_length=20)] = ()
    """Rules that areas below may not override."""


class RuleOut(BaseModel):
    """One rule as it holds in an area."""

    model_config = ConfigDict(frozen=True)

    rule: Rule
    value: Any
    """None: no limit."""
    from_id: str | None
    """Area that says it; None: nobody does, it is the default."""
    from_name: str | None
    locked_by_id: str | None
    """Area above or here that lets nobody below it change the rule."""
    locked_by_name: str | None


class PolicyOut(BaseModel):
    """What an area says, and what holds there."""

    model_config = ConfigDict(frozen=True)

    area_id: str
    version: int
    """To be sent with a change; 0 while the area says nothing."""
    rules: PolicyRules
    locked: tuple[Rule, ...]
    effective: tuple[RuleOut, ...]
    changed_at: AwareDatetime | None
    changed_by: str | None
    """Name of the person; None to those who see the policy from below."""


class BreachOut(BaseModel):
    """One rule that a broadcast would break."""

    model_config = ConfigDict(frozen=True)

    rule: Rule
    limit: str
    found: str
    at: AwareDatetime
    """Start of what breaks it."""
    area_ids: tuple[str, ...]
    area_names: tuple[str, ...]
    everywhere: bool
    """At all nodes that are meant. Where it is not, nodes themselves refuse what breaks ``windows, quiet_hours``."""


class UnusualOut(BaseModel):
    """Why an hour takes a second confirmation."""

    model_config = ConfigDict(frozen=True)

    reason: Literal["night", "no_habit"]
    """``no_habit``: nothing sounded there within an hour of that time in the last 30 days."""
    hour: TimeOfDay
    """By the wall clock there."""


class CheckOut(BaseModel):
    """What the policy says to a draft; nothing is saved."""

    model_config = ConfigDict(frozen=True)

    breaches: tuple[BreachOut, ...]
    unusual: UnusualOut | None


class EndOut(BaseModel):
    """How a play ends."""

    model_config = ConfigDict(frozen=True)

    outcome: Outcome
    reason: Reason | None
    late_ms: int | None = None
    """From its start to where it begins; None when it does not begin."""


class ChangeOut(BaseModel):
    """One broadcast to which a change of a policy or schedule makes a difference."""

    model_config = ConfigDict(frozen=True)

    title: str
    schedule_id: str | None
    start_at: AwareDatetime
    """As it is; of one that only the change would bring, as it would be."""
    moved_to_at: AwareDatetime | None
    """When it would start instead; None when that stays as it is."""
    is_past: bool
    """It would have made a difference."""
    before: EndOut | None
    """None: it is not there."""
    after: EndOut | None
    """None: it would not be there."""
    rules: tuple[Rule, ...]
    """Rules that it breaks only after the change."""
    unusual: UnusualOut | None
    """Why its new hour would take a second confirmation; None when it would not, or stays as it is."""
    left_out: tuple[str, ...] = ()
    """Titles of items for which there is no time before its fixed end after the change, and was before, or was none."""
    area_ids: tuple[str, ...]
    area_names: tuple[str, ...]
    node_count: int


class WhatIfOut(BaseModel):
    """What a change of a policy or schedule would change; nothing is saved."""

    model_config = ConfigDict(frozen=True)

    from_at: AwareDatetime
    until_at: AwareDatetime
    node_count: int
    """Nodes that were looked at."""
    broadcast_count: int
    changes: tuple[ChangeOut, ...]
    """By start."""
