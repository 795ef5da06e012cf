"""What moves where, and what changes by it. Pure: trees and plain rows come in."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from controller.errors import InvalidError
from controller.policies.rules import RULES

from .move_schemas import GrantChangeOut, HandedOut, HeardChangeOut, MovedOut, RuleChangeOut
from .rules import MAX_DEPTH, Tree

_ANYTHING: TypeAdapter[Any] = TypeAdapter(Any)


class Stands(NamedTuple):
    """A node and where it is."""

    id: str
    name: str
    area_id: str


class Said(NamedTuple):
    """A broadcast, schedule or hold with the scopes that it reaches."""

    kind: str
    id: str
    title: str
    at: Any
    scopes: frozenset[str]
    obeyed_by: frozenset[str] = frozenset()
    """Of a hold: nodes that say they obey it."""


class Owned(NamedTuple):
    """A schedule, request, broadcast or emergency, whose it is, and where it is aimed."""

    kind: str
    id: str
    title: str
    area_id: str | None
    scopes: frozenset[str]
    follows: bool = False
    """Made by a schedule, with which it goes."""


class Granted(NamedTuple):
    """A role that holds in an area."""

    person_id: str
    name: str
    role: str
    area_id: str


class Move:
    """One move, before and after."""

    def __init__(
        self, tree: Tree, nodes: Iterable[Stands], into: str, areas: Collection[str], alone: Collection[str]
    ) -> None:
        """``areas`` come with all below them; ``alone`` are nodes that move by themselves.

        Raises:
            InvalidError: it would lie inside itself, too deep, or beside its namesake; or nothing moves.
        """
        areas = [area_id for area_id in areas if not _inside(tree, area_id, areas)]
        self.areas = [area_id for area_id in areas if tree.places[area_id].parent_id != into]
        taken = frozenset().union(*(tree.below(area_id) for area_id in areas)) if areas else frozenset()
        everyone = list(nodes)
        self.alone = [
            node for node in everyone if node.id in set(alone) and node.area_id not in taken and node.area_id != into
        ]
        if not self.areas and not self.alone:
            raise InvalidError("areas, nodes: all of it stands there already", field="areas", problem="empty")
        for area_id in self.areas:
            _check(tree, area_id, into)
        self.into, self.before = into, tree
        places = (
            place._replace(parent_id=into) if place.id in set(self.areas) else place for place in tree.places.values()
        )
        self.after = Tree(places)
        for area_id in self.areas:
            self.after.check_name(area_id, into, tree.places[area_id].name, field="areas")
        below = frozenset().union(*(tree.below(area_id) for area_id in self.areas)) if self.areas else frozenset()
        self._areas_below = below
        self.nodes = [node for node in everyone if node.area_id in below] + self.alone
        """All nodes that stand elsewhere in the tree afterwards, each where it stands before."""
        self._moved_scopes = {f"areas/{area_id}" for area_id in below} | {f"nodes/{node.id}" for node in self.nodes}
        self._areas_after = {f"areas/{area_id}": area_id for area_id in tree.places} | {
            f"nodes/{node.id}": self.area_after(node) for node in everyone
        }

    def area_after(self, node: Stands) -> str:
        """Give the area of a node afterwards."""
        return self.into if node in self.alone else node.area_id

    def concerns(self, each: Owned) -> bool:
        """Say whether something belongs to what moves, or is aimed at it or at something in it."""
        return each.area_id in self._areas_below or not self._moved_scopes.isdisjoint(each.scopes)

    def handed_over(self, things: Iterable[Owned]) -> Iterator[tuple[Owned, str]]:
        """Give what belongs to another area afterwards: the lowest one above all that it is aimed at.

        What is aimed at places below no common area stays whose it was.
        """
        for each in things:
            if self._moved_scopes.isdisjoint(each.scopes):
                continue
            aimed = {self._areas_after.get(scope) for scope in each.scopes} - {None}
            area_id = self.after.meeting(filter(None, aimed))
            if area_id is not None and area_id != each.area_id:
                yield each, area_id

    def hands(self, things: Iterable[Owned]) -> Iterator[HandedOut]:
        """Name what comes into other hands; the dates of a schedule go with it, unnamed."""
        for each, area_id in self.handed_over(things):
            if not each.follows:
                was = self.before.places.get(each.area_id or "")
                yield HandedOut(
                    kind=each.kind,  # type: ignore[arg-type]  # one of four, by who calls
                    id=each.id,
                    title=each.title,
                    area_before=was.name if was is not None else None,
                    area_after=self.after.places[area_id].name,
                )

    def moved(self) -> Iterator[MovedOut]:
        """Name what moves."""
        for area_id in self.areas:
            yield MovedOut(
                scope=f"areas/{area_id}",
                name=self.before.places[area_id].name,
                path_before=self.before.path(area_id)[:-1],
                path_after=self.after.path(area_id)[:-1],
                node_count=sum(node.area_id in self.before.below(area_id) for node in self.nodes),
            )
        for node in self.alone:
            yield MovedOut(
                scope=f"nodes/{node.id}",
                name=node.name,
                path_before=self.before.path(node.area_id),
                path_after=self.after.path(self.into),
                node_count=1,
            )

    def rules(self) -> Iterator[RuleChangeOut]:
        """Name the rules that become others for nodes that move."""
        found: dict[str, tuple[Any, Any, list[Stands]]] = {}
        for node in self.nodes:
            was, will = self.before.effective(node.area_id), self.after.effective(self.area_after(node))
            for rule in RULES:
                before, after = (_ANYTHING.dump_python(getattr(each, rule, None), mode="json") for each in (was, will))
                if before != after:
                    found.setdefault(f"{rule} {before} {after}", (before, after, []))[2].append(node)
        for key, (before, after, nodes) in sorted(found.items()):
            stands = {node.area_id for node in nodes}
            yield RuleChangeOut(
                rule=key.partition(" ")[0],
                before=before,
                after=after,
                areas=tuple(place.name for place in self.before.walk() if place.id in stands),
                node_count=len(nodes),
            )

    def heard(self, said: Iterable[Said]) -> Iterator[HeardChangeOut]:
        """Say what comes to nodes that move, and what goes."""
        groups: dict[tuple[frozenset[str], frozenset[str]], list[Stands]] = defaultdict(list)
        for node in self.nodes:
            above = frozenset(self.before.scopes(node.id, node.area_id))
            groups[above, frozenset(self.after.scopes(node.id, self.area_after(node)))].append(node)
        for each in said:
            came = went = stay = 0
            for (before, after), nodes in groups.items():
                did, will = not each.scopes.isdisjoint(before), not each.scopes.isdisjoint(after)
                obey = sum(node.id in each.obeyed_by for node in nodes)
                came += (len(nodes) - obey) * (will and not did)
                went += (len(nodes) - obey) * (did and not will)
                stay += obey * (not will)
            for reaches, stays, count in ((True, False, came), (False, False, went), (True, True, stay)):
                if count:
                    yield HeardChangeOut(
                        kind=each.kind,  # type: ignore[arg-type]  # one of three, by who calls
                        id=each.id,
                        title=each.title,
                        at=each.at,
                        reaches=reaches,
                        stays=stays,
                        node_count=count,
                    )

    def grants(self, granted: Iterable[Granted]) -> Iterator[GrantChangeOut]:
        """Say who will look after what moves, and who will not."""
        moves = [(place.name, self._above(place)) for place in (self.before.places[each] for each in self.areas)]
        moves += [(node.name, self._around(node)) for node in self.alone]
        for grant in granted:
            for gains in (True, False):
                names = tuple(
                    name
                    for name, (before, after) in moves
                    if grant.area_id in (after - before if gains else before - after)
                )
                if names:
                    yield GrantChangeOut(
                        person_id=grant.person_id,
                        name=grant.name,
                        role=grant.role,
                        area=self.before.places[grant.area_id].name,
                        gains=gains,
                        areas=names,
                    )

    def touched(self) -> frozenset[str]:
        """Name the areas in which the right to move is needed: where it leaves, and where it comes to."""
        left = {self.before.places[area_id].parent_id for area_id in self.areas}
        return frozenset({self.into, *(node.area_id for node in self.alone), *filter(None, left)})

    @property
    def takes_a_root(self) -> bool:
        """Whether an uppermost area moves: nobody but who works everywhere is above it."""
        return any(self.before.places[area_id].parent_id is None for area_id in self.areas)

    def _above(self, place: Any) -> tuple[frozenset[str], frozenset[str]]:
        return _ids(self.before, place.id), _ids(self.after, place.id)

    def _around(self, node: Stands) -> tuple[frozenset[str], frozenset[str]]:
        return _ids(self.before, node.area_id), _ids(self.after, self.into)


def _ids(tree: Tree, area_id: str) -> frozenset[str]:
    return frozenset(place.id for place in tree.chain(area_id))


def _inside(tree: Tree, area_id: str, others: Collection[str]) -> bool:
    return any(place.id in others for place in tree.chain(area_id)[1:])


def _check(tree: Tree, area_id: str, into: str) -> None:
    if into in tree.below(area_id):
        raise InvalidError("areas: an area cannot lie inside itself", field="areas", problem="cycle")
    if len(tree.chain(into)) + tree.height(area_id) + 1 > MAX_DEPTH:
        raise InvalidError(f"areas: at most {MAX_DEPTH} levels", field="areas", problem="too_deep")


def moved_to(move: Move) -> Mapping[str, list[str | None]]:
    """Say for the audit from where to where each thing went, by scope."""
    found: dict[str, list[str | None]] = {
        f"areas/{area_id}": [move.before.places[area_id].parent_id, move.into] for area_id in move.areas
    }
    return found | {f"nodes/{node.id}": [node.area_id, move.into] for node in move.alone}
