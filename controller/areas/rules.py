"""The tree of places, as plain data: who is above and below whom, and what a place has from above."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from controller.errors import InvalidError
from controller.names import in_reading_order
from controller.policies.rules import DEFAULT, EffectivePolicy, derive

MAX_DEPTH = 15
"""A node's settings name at most 16 areas."""
COMMUNE = "commune"
"""Kind of the areas that neither see nor touch each other's things (promise P9)."""


class Place(NamedTuple):
    """One area, as its row says."""

    id: str
    parent_id: str | None
    kind: str
    name: str
    zone: str | None
    quiet_hours: list[dict[str, Any]] | None
    languages: list[str] | None
    rules: Mapping[str, Any] | None = None
    """Of its policy; None: it has none."""
    locked: Sequence[str] = ()
    """Rules that areas below may not override."""
    is_removed: bool = False
    """It stands in no list, and nothing comes into it; what was said there goes on naming it."""


class Tree:
    """All areas at one moment."""

    def __init__(self, places: Iterable[Place]) -> None:
        self.places = {place.id: place for place in places}
        self._children: dict[str | None, list[Place]] = defaultdict(list)
        self._effective: dict[str, EffectivePolicy] = {}
        for place in self.places.values():
            self._children[place.parent_id].append(place)
        for siblings in self._children.values():
            siblings.sort(key=lambda place: in_reading_order(place.name))

    def walk(self, parent_id: str | None = None) -> Iterator[Place]:
        """Give every place below ``parent_id``, parents first, siblings in reading order."""
        for place in self._children.get(parent_id, ()):
            yield place
            yield from self.walk(place.id)

    def chain(self, area_id: str) -> tuple[Place, ...]:
        """Give the place and all above it, upwards to the root."""
        found, at = [], self.places.get(area_id)
        while at is not None:
            found.append(at)
            at = self.places.get(at.parent_id) if at.parent_id else None
        return tuple(found)

    def stands(self, area_id: str) -> bool:
        """Say whether there is such a place, and it was not removed."""
        return area_id in self.places and not self.places[area_id].is_removed

    def check_name(self, area_id: str, parent_id: str | None, name: str, *, field: str = "name") -> None:
        """Refuse a name that one beside it has, in whatever case: nobody could choose between the two.

        Raises:
            InvalidError: it is taken.
        """
        beside = (each for each in self._children.get(parent_id, ()) if each.id != area_id and not each.is_removed)
        if any(each.name.casefold() == name.casefold() for each in beside):
            raise InvalidError(f"{field}: there is another {name!r} in that area", field=field, problem="taken")

    def below(self, area_id: str) -> frozenset[str]:
        """Give the ids of the place and all below it."""
        return frozenset([area_id, *(place.id for place in self.walk(area_id))])

    def everywhere(self) -> tuple[str, ...]:
        """Give the scopes of all roots: together they reach every node."""
        return tuple(f"areas/{place.id}" for place in self._children.get(None, ()) if not place.is_removed)

    def meeting(self, area_ids: Iterable[str]) -> str | None:
        """Give the lowest area at or above all of these; None when they have none in common, or there are none."""
        chains = [[place.id for place in self.chain(area_id)] for area_id in area_ids]
        shared = set(chains[0]).intersection(*chains[1:]) if chains else set()
        return next((area_id for area_id in (chains[0] if chains else ()) if area_id in shared), None)

    def commune(self, area_id: str) -> str:
        """Give the nearest commune at or above a place; the place itself where there is none."""
        return next((place.id for place in self.chain(area_id) if place.kind == COMMUNE), area_id)

    def path(self, area_id: str) -> tuple[str, ...]:
        """Give the names from the root down to the place."""
        return tuple(place.name for place in reversed(self.chain(area_id)))

    def height(self, area_id: str) -> int:
        """Give how many levels there are below the place."""
        return max((1 + self.height(child.id) for child in self._children.get(area_id, ())), default=0)

    def effective(self, area_id: str) -> EffectivePolicy:
        """Give what holds in the place: the nearest one upwards that may say something, else the default."""
        if area_id in self._effective:
            return self._effective[area_id]
        found = DEFAULT
        for place in reversed(self.chain(area_id)):
            if place.id not in self._effective:
                self._effective[place.id] = derive(found, place)
            found = self._effective[place.id]
        return found

    def with_said(self, area_id: str, **said: Any) -> "Tree":
        """Give the tree as it would be if an area said this: fields of ``Place``."""
        return Tree(place._replace(**said) if place.id == area_id else place for place in self.places.values())

    def scopes(self, node_id: str, area_id: str) -> tuple[str, ...]:
        """Give every scope that a node listens to: its own, then its areas upwards."""
        return (f"nodes/{node_id}", *(f"areas/{place.id}" for place in self.chain(area_id)))
