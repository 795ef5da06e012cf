"""What a signer that stands apart knows of areas, nodes and accounts: what its keeper looked at and took. Pure.

It is a copy, made when its keeper wants: what the rows say by then has no part in it. Names are for the keeper's eye.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from controller.errors import LoaError
from controller.names import on_a_terminal as plain

Id = Annotated[str, Meta(min_length=1, max_length=64)]
MAX_BYTES = 32 * 1024 * 1024
"""Of a file: a province is about 2 MB."""


class PlacesError(LoaError):
    """A list of places is none."""

    code = "places"


class KnownArea(msgspec.Struct, frozen=True):
    """One area."""

    id: Id
    name: str
    parent_id: Id | None = None


class KnownNode(msgspec.Struct, frozen=True):
    """One node, and where it stands."""

    id: Id
    name: str
    area_id: Id


class KnownPerson(msgspec.Struct, frozen=True):
    """One account."""

    id: Id
    login: str
    name: str


class Places(msgspec.Struct, frozen=True, dict=True):
    """All of it, as ``loa places`` writes it."""

    areas: tuple[KnownArea, ...] = ()
    nodes: tuple[KnownNode, ...] = ()
    people: tuple[KnownPerson, ...] = ()

    def chain(self, area_id: str) -> tuple[str, ...]:
        """Give an area and all above it, upwards; empty: it is not known."""
        found: list[str] = []
        above: str | None = area_id if area_id in self._areas else None
        while above is not None:
            found.append(above)
            above = self._areas[above].parent_id
        return tuple(found)

    def name(self, area_id: str) -> str:
        """Give what an area is called; its id if it is not known."""
        found = self._areas.get(area_id)
        return found.name if found is not None else area_id

    def area_of(self, node_id: str) -> str | None:
        """Give where a node stands; None: it is not known."""
        found = self._nodes.get(node_id)
        return found.area_id if found is not None else None

    def is_within(self, scope: str, areas: Iterable[str]) -> bool:
        """Say whether a scope is one of some areas, or lies in one."""
        word, _, name = scope.partition("/")
        area_id = name if word == "areas" else self.area_of(name) if word == "nodes" else None
        return area_id is not None and not set(areas).isdisjoint(self.chain(area_id))

    def area_named(self, wanted: str) -> KnownArea:
        """Give an area by its id, or by a name that only one has.

        Raises:
            PlacesError: there is none, or several.
        """
        found = [each for each in self.areas if wanted in {each.id, each.name}]
        if len(found) != 1:
            problem = "no area" if not found else f"{len(found)} areas"
            raise PlacesError(f"{problem} called {wanted!r} that the signer knows; see: loa signer places")
        return found[0]

    def person_named(self, wanted: str) -> KnownPerson | None:
        """Give an account by its id or login; None: it is not known.

        Raises:
            PlacesError: it is the id of one and the login of another.
        """
        found = [each for each in self.people if wanted in {each.id, each.login}]
        if len(found) > 1:
            raise PlacesError(f"{len(found)} accounts are called {wanted!r}; say which by its id")
        return found[0] if found else None

    def is_account(self, person_id: str) -> bool:
        """Say whether an account has this id, as far as accounts are known at all."""
        return not self.people or person_id in self._accounts

    @cached_property
    def _accounts(self) -> frozenset[str]:
        return frozenset(each.id for each in self.people)

    @cached_property
    def _areas(self) -> Mapping[str, KnownArea]:
        return {each.id: each for each in self.areas}

    @cached_property
    def _nodes(self) -> Mapping[str, KnownNode]:
        return {each.id: each for each in self.nodes}


def read_places(raw: bytes) -> Places:
    """Read what ``loa places`` wrote.

    Raises:
        PlacesError: it is none, or not a tree.
    """
    try:
        found = msgspec.json.decode(raw, type=Places)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PlacesError(f"no list of places as `loa places` writes it: {error}") from None
    for some in (found.areas, found.nodes, found.people):
        ids = [each.id for each in some]
        if len(set(ids)) < len(ids):
            raise PlacesError("the list names something twice")
    known = {each.id: each for each in found.areas}
    if any(each.area_id not in known for each in found.nodes) or any(
        each.parent_id is not None and each.parent_id not in known for each in found.areas
    ):
        raise PlacesError("the list names an area that is not in it")
    rooted: set[str] = set()
    for each in found.areas:
        path: list[str] = []
        above: str | None = each.id
        while above is not None and above not in rooted:
            if above in path or len(path) > len(known):
                raise PlacesError(f"area {above} lies in itself")
            path.append(above)
            above = known[above].parent_id
        rooted.update(path)
    return found


def described(places: Places) -> list[str]:
    """Give all of it in lines, what lies below further in: areas, nodes, then accounts."""
    inside: dict[str | None, list[KnownArea]] = {}
    for area in places.areas:
        inside.setdefault(area.parent_id, []).append(area)
    at: dict[str, list[KnownNode]] = {}
    for node in places.nodes:
        at.setdefault(node.area_id, []).append(node)
    lines: list[str] = []

    def walk(parent_id: str | None, depth: int) -> None:
        for area in sorted(inside.get(parent_id, ()), key=lambda each: each.name):
            lines.append(f"{'  ' * depth}{plain(area.name)}\tareas/{plain(area.id)}")
            lines.extend(
                f"{'  ' * depth}  · {plain(node.name)}\tnodes/{plain(node.id)}" for node in at.get(area.id, ())
            )
            walk(area.id, depth + 1)

    walk(None, 0)
    return lines + [f"{plain(each.login)}\t{plain(each.name)}\tpeople/{plain(each.id)}" for each in places.people]


def differences(before: Places, after: Places) -> list[str]:
    """Give in lines what is new, gone, or otherwise: ``+``, ``-``, ``~``."""
    lines: list[str] = []
    for old, new in zip(_things(before), _things(after), strict=True):
        lines += [f"- {key}\t{old[key].shown}" for key in old if key not in new]
        lines += [f"+ {key}\t{new[key].shown}" for key in new if key not in old]
        other = [key for key in new if key in old and old[key].itself != new[key].itself]
        lines += [f"~ {key}\t{old[key].shown} → {new[key].shown}" for key in other]
    return lines


class _Thing(NamedTuple):
    itself: object
    shown: str


def _things(places: Places) -> tuple[dict[str, _Thing], ...]:
    """Give areas, nodes and accounts, each by its scope: what would be a change of it, and how it is shown."""
    paths = {
        each.id: " / ".join(plain(places.name(above)) for above in reversed(places.chain(each.id)))
        for each in places.areas
    }
    nodes, people = places.nodes, places.people
    return (
        {f"areas/{plain(each.id)}": _Thing(each, paths[each.id]) for each in places.areas},
        {f"nodes/{plain(each.id)}": _Thing(each, f"{plain(each.name)} in {paths[each.area_id]}") for each in nodes},
        {f"people/{plain(each.id)}": _Thing(each, f"{plain(each.login)}, {plain(each.name)}") for each in people},
    )
