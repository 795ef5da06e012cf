"""A bulletin that an area offers to those below: until when, and which of them placed it. Pure."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.areas.schemas import AreaOut
from controller.bulletins.schemas import BulletinOut
from controller.programmes.schemas import ProgrammeRow
from controller.schedules.schemas import AiringOut
from web.formats import Formats
from web.words import Mark

MOST_PROGRAMMES = 20
"""In which something can be placed at once."""


@dataclass(frozen=True)
class Places:
    """Areas below that stand alike."""

    mark: Mark
    names: tuple[str, ...]


@dataclass(frozen=True)
class Handed:
    """How an offer stands."""

    effect: tuple[str, ...]
    """What offering it does."""
    said: str
    """Since when and until when; empty: it is not on offer."""
    places: tuple[Places, ...]
    until: str
    """As it is typed."""


@dataclass(frozen=True)
class FromAbove:
    """A bulletin that came from above."""

    id: str
    title: str
    said: str
    mark: Mark | None
    """That it is asked for, and stands nowhere yet."""


@dataclass(frozen=True)
class Taker:
    """A programme in which it can be placed."""

    id: str
    title: str


def below(known: BulletinOut, areas: Sequence[AreaOut]) -> list[AreaOut]:
    """Give the areas below that make programmes of their own: not the hamlets."""
    chains = _chains(areas)
    return [area for area in areas if area.kind != "hamlet" and known.area_id in chains[area.id][1:]]


def _chains(areas: Sequence[AreaOut]) -> dict[str, tuple[str, ...]]:
    """Give each area with those above it, itself first."""
    parents = {area.id: area.parent_id for area in areas}

    def chain(area_id: str | None) -> tuple[str, ...]:
        return (area_id, *chain(parents.get(area_id))) if area_id else ()

    return {area.id: chain(area.id) for area in areas}


def handed(
    known: BulletinOut, areas: Sequence[AreaOut], owed: Collection[str], airings: Iterable[AiringOut], form: Formats
) -> Handed:
    """Show an offer, or what one would do. ``owed``: areas that owe it; ``airings``: schedules that air it."""
    places = below(known, areas)
    text, priority = form.text, known.level == "priority"
    effect = [text("handing.effect", count=len(places))]
    effect += [text("handing.effect_priority")] if priority else []
    if known.offered_at is None:
        return Handed(tuple(effect), "", (), "")
    since, until = form.since(known.offered_at), known.offered_until
    last = (until - timedelta(minutes=1)).astimezone(form.zone).date() if until else None
    if last is None or until is None:
        said = text("handing.since", when=since)
    elif until <= form.now:
        said = text("handing.over", day=form.day(last))
    else:
        said = text("handing.since_until", when=since, day=form.day(last))
    shown = (
        Places(Mark(*_MARKS[key], text(f"handing.{key}", count=len(names))), tuple(names))
        for key, names in _stands(places, _chains(areas), owed, airings, form).items()
        if names
    )
    return Handed(tuple(effect), said, tuple(shown), form.written(last) if last else "")


_MARKS = {
    "owed": ("triangle", "care"),
    "placed": ("tick", "good"),
    "open": ("empty", "unsure"),
    "between": ("part", "unsure"),
}


def _stands(
    places: Sequence[AreaOut],
    chains: Mapping[str, tuple[str, ...]],
    owed: Collection[str],
    airings: Iterable[AiringOut],
    form: Formats,
) -> Mapping[str, list[str]]:
    """Name the places by how they stand.

    What airs in a hamlet is its commune's. One between that does nothing of its own is told by the communes below it.
    """
    listed = {area.id for area in places}
    airing = {next((each for each in chains.get(one.area_id, ()) if each in listed), "") for one in airings}
    lowest = listed - {above for area in places for above in chains[area.id][1:]}
    below_each = defaultdict[str, list[bool]](list)
    for area_id in lowest:
        for above in chains[area_id][1:]:
            below_each[above].append(area_id in airing)
    found: dict[str, list[str]] = {key: [] for key in _MARKS}
    for area in places:
        have = below_each[area.id]
        key = "owed" if area.id in owed else "placed" if area.id in airing else "between" if have else "open"
        name = form.text("handing.of_those", place=area.name, count=sum(have), total=len(have))
        found[key].append(name if key == "between" else area.name)
    return found


def from_above(known: BulletinOut, owed: Collection[str], form: Formats) -> FromAbove:
    """Show one in the list of what came from above."""
    said = form.text("handing.from", place=known.area_name, kind=form.kind(known.category, known.area_id))
    mark = Mark("triangle", "care", form.text("handing.asked_for")) if known.id in owed else None
    return FromAbove(known.id, known.title, said, mark)


def may_hold(known: BulletinOut, area_id: str, areas: Sequence[AreaOut], now: datetime) -> bool:
    """Say whether programmes of an area may hold it: its own, and while it is on offer those below."""
    if area_id == known.area_id:
        return True
    on_offer = known.offered_at is not None and (known.offered_until is None or known.offered_until > now)
    chain = _chains(areas).get(area_id, ())
    return on_offer and bool(chain) and (known.from_above or known.area_id in chain)


def takers(known: BulletinOut, rows: Iterable[ProgrammeRow], areas: Sequence[AreaOut], now: datetime) -> list[Taker]:
    """Give the programmes in ``areas`` that may hold it; where they are of several places, each with its own."""
    names = {area.id: area.name for area in areas}
    here = [row for row in rows if row.area_id in names and may_hold(known, row.area_id, areas, now)]
    alone = len({row.area_id for row in here}) == 1
    return [Taker(row.id, row.title if alone else f"{row.title} · {names[row.area_id]}") for row in here]
