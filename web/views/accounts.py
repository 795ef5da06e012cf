"""People who sign in: who works where, and how their accounts are. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from controller.areas.schemas import AreaOut
from controller.people.rights import Role
from controller.people.schemas import LeavingOut, LossOut, PersonOut, TokenOut
from web.formats import Formats
from web.listing import Column, Filter
from web.views.places import choices
from web.words import Mark

ROLES = tuple(str(role) for role in Role)
STATES = ("open", "closed", "without_factor", "without_phone")
COLUMNS = (
    Column("name", "people.name"),
    Column("login", "sign_in.login"),
    Column("grants", "people.grants", sort=False),
    Column("state", "people.state", sort=False),
)
HEADS = ("people.name", "sign_in.login", "settings.phone", "people.grants", "people.state")
"""Columns of the table to take along, by the key of their words."""


@dataclass(frozen=True)
class GrantLine:
    """What somebody may do, and where."""

    id: str
    said: str
    removable: bool


@dataclass(frozen=True)
class Account:
    """Somebody who signs in."""

    id: str
    login: str
    name: str
    mark: Mark
    grants: tuple[GrantLine, ...]
    phone: str
    """Empty: not told."""
    closed: bool
    has_factor: bool


def account(person: PersonOut, places: Mapping[str, str], form: Formats) -> Account:
    """Show an account; ``places`` are names of areas in sight."""
    text = form.text

    def said(role: str, area_id: str | None) -> str:
        return text("people.grant", role=text.word("role", role), place=_place(area_id, places, form))

    return Account(
        id=person.id,
        login=person.login,
        name=person.name,
        mark=_mark(person, form),
        grants=tuple(
            GrantLine(each.id, said(each.role, each.area_id), each.area_id is None or each.area_id in places)
            for each in person.grants
        ),
        phone=person.phone or "",
        closed=person.disabled_at is not None,
        has_factor=person.second_factor,
    )


def losses(found: LeavingOut, person: PersonOut, places: Mapping[str, str], form: Formats) -> dict[str, list[str]]:
    """Say of each role, by the id of its grant, what goes with it."""
    by_id = {each.grant_id: each for each in found.roles}
    last = len(person.grants) == 1
    return {
        each.id: list(
            _loss(by_id[each.id], each.role, _place(each.area_id, places, form), person.name, form, last=last)
        )
        for each in person.grants
        if each.id in by_id
    }


def _loss(found: LossOut, role: str, place: str, name: str, form: Formats, *, last: bool) -> Iterator[str]:
    text = form.text
    yield text(f"people.loses_{role if role in ROLES else 'other'}", name=name, place=place)
    if found.keeps:
        yield text("people.keeps")
    elif found.others is not None:
        yield text("people.others" if found.others else "people.no_others", count=found.others)
    if found.waiting:
        yield text("people.waits_for_nobody", count=found.waiting)
    if last:
        yield text("people.loses_last", name=name)


def closing(found: LeavingOut, person: PersonOut, keys: Sequence[TokenOut], form: Formats) -> list[str]:
    """Say what closing an account does besides."""
    text = form.text
    counted = sum(each.revoked_at is None and each.expires_at > form.now for each in keys)
    lines = [text("people.said_close", name=person.name)]
    if counted:
        lines.append(text("people.closes_keys", count=counted))
    if any(each.others == 0 for each in found.roles):
        lines.append(text("people.closes_alone"))
    if found.closing_waiting:
        lines.append(text("people.waits_for_nobody", count=found.closing_waiting))
    return lines


def _place(area_id: str | None, places: Mapping[str, str], form: Formats) -> str:
    return form.text("people.everywhere") if area_id is None else places.get(area_id, form.text("people.elsewhere"))


def filters(areas: Sequence[AreaOut], form: Formats) -> tuple[Filter, ...]:
    """Say by what accounts are narrowed."""
    text = form.text
    return (
        Filter("role", "people.role", tuple((each, text(f"role.{each}")) for each in ROLES)),
        Filter("area", "people.where", tuple(choices(areas))),
        Filter("state", "people.state", tuple((each, text(f"people.is_{each}")) for each in STATES)),
    )


def exported(person: PersonOut, places: Mapping[str, str], form: Formats) -> list[str]:
    """Give an account as a line of a table."""
    shown = account(person, places, form)
    return [shown.name, shown.login, shown.phone, "; ".join(each.said for each in shown.grants), shown.mark.word]


def _mark(person: PersonOut, form: Formats) -> Mark:
    text = form.text
    if person.disabled_at is not None:
        return Mark("cut", "unsure", text("people.closed", since=form.since(person.disabled_at)))
    if person.second_factor:
        return Mark("ready", "good", text("people.with_factor"))
    return Mark("empty", "unsure", text("people.without_factor"))
