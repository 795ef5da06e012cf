"""What holds in an area: its own rules and those from above, joined along the tree. Pure; plain data."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, Protocol

from edge_agent.protocol.states import Level

from .schemas import CategoryName, Night, PolicyRules, SecondPerson, SelfApproval, Window

DEFAULT_ZONE = "Asia/Ho_Chi_Minh"
DEFAULT_QUIET_HOURS = (Window(start="22:00", until="05:00"),)
"""For a root that sets none: nobody wakes a commune by forgetting a field."""
DEFAULT_LANGUAGES = ("vi",)

USUAL_CATEGORIES = ("notice", "news", "weather", "warning", "health", "farming", "security", "culture")
"""Where nobody says what bulletins are about, these are offered."""

OF_THE_AREA = ("zone", "quiet_hours", "languages")
"""Rules that stand in the area's own row."""
RULES = (*OF_THE_AREA, *PolicyRules.model_fields)


class Says(Protocol):
    """An area, as far as its policy goes (``areas.rules.Place``)."""

    @property
    def id(self) -> str:
        """Id of the area."""

    @property
    def zone(self) -> str | None:
        """IANA zone."""

    @property
    def quiet_hours(self) -> Sequence[Mapping[str, Any]] | None:
        """As the row keeps them."""

    @property
    def languages(self) -> Sequence[str] | None:
        """In the order in which they are to be heard."""

    @property
    def rules(self) -> Mapping[str, Any] | None:
        """``PolicyRules`` as JSON."""

    @property
    def locked(self) -> Sequence[str]:
        """Rules that areas below may not override."""


@dataclass(frozen=True)
class EffectivePolicy:
    """What holds in a place, from itself or from above. Two places with the same values are equal."""

    zone: str = DEFAULT_ZONE
    quiet_hours: tuple[Window, ...] = DEFAULT_QUIET_HOURS
    languages: tuple[str, ...] = DEFAULT_LANGUAGES
    windows: tuple[Window, ...] = ()
    earliest: str | None = None
    sessions_a_day: int | None = None
    minutes_a_session: int | None = None
    minutes_a_day: int | None = None
    night: Night | None = None
    lease_hours: int | None = None
    download_kbit_s: int | None = None
    self_approval: SelfApproval | None = None
    second_person: tuple[SecondPerson, ...] | None = None
    """None: nobody said anything."""
    categories: tuple[CategoryName, ...] | None = None
    """None: nobody said anything, any word is taken."""
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Rule → id of the area that says it; without those that nobody says."""
    locks: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Rule → id of the highest area that locks it."""

    def knows_category(self, code: str) -> bool:
        """Say whether a bulletin there may be about this."""
        return self.categories is None or code in {each.code for each in self.categories}

    def takes_second_person(self, category: str | None, level: Level) -> bool | None:
        """Say whether somebody other than the author must agree; None when the policy is silent.

        What has no category could be about anything: every rule is about it.
        """
        if self.second_person is None:
            return None
        rules = (each for each in self.second_person if each.level in {"*", level})
        return any(category is None or each.category in {"*", category} for each in rules)

    def may_approve_alone(self, category: str | None, level: Level, length_ms: int, used_today: int) -> bool:
        """Say whether an author may approve this alone, who did so ``used_today`` times since local midnight."""
        alone = self.self_approval
        return (
            alone is not None
            and category in alone.categories
            and level in {Level.NORMAL, Level(alone.level)}
            and length_ms <= alone.minutes * 60_000
            and used_today < alone.a_day
        )


DEFAULT = EffectivePolicy()


def effective(chain: Iterable[Says]) -> EffectivePolicy:
    """Join a chain of places, nearest first."""
    return reduce(derive, reversed(tuple(chain)), DEFAULT)


def derive(above: EffectivePolicy, place: Says) -> EffectivePolicy:
    """Give what holds in a place whose parent has ``above``. What is locked above stays as it is there."""
    said = {rule: value for rule, value in _said(place).items() if rule not in above.locks}
    locks = dict.fromkeys(place.locked, place.id) | dict(above.locks)
    if not said and locks == above.locks:
        return above
    origins = dict(above.origins) | dict.fromkeys(said, place.id)
    return replace(above, **said, origins=origins, locks=locks)


def _said(place: Says) -> dict[str, Any]:
    said = dict(PolicyRules.stored(dict(place.rules)).said()) if place.rules else {}
    if place.zone is not None:
        said["zone"] = place.zone
    if place.quiet_hours is not None:
        said["quiet_hours"] = tuple(Window(**window) for window in place.quiet_hours)
    if place.languages:
        said["languages"] = tuple(place.languages)
    return said
