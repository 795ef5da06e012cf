"""Entries of the audit in words: when, who, what, to what. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controller.audit.schemas import AuditOut
from controller.people.rights import Act
from web.formats import Formats
from web.listing import Column, Filter
from web.views.spans import span_filter

COLUMNS = (
    Column("at", "activity.at"),
    Column("who", "activity.who", sort=False),
    Column("what", "activity.what", sort=False),
)
HEADS = ("at", "who", "what", "about", "subject", "detail", "origin", "seq")
"""Columns of the table to take along."""
_OTHERS: Mapping[str, str] = {
    "people": "sign_in sign_out locked change_password set_phone factor_set factor_shown factor_reset "
    "new_recovery_codes make_token revoke_token end_session end_sessions forget_device",
    "approvals": "withdraw paper expire void",
    "broadcasts": "leave_out not_signed",
    "schedules": "roll",
    "holds": "found",
    "emergencies": "send cancel expired sent failed",
    "nodes": "log_came",
    "renewals": "given",
    "rollouts": "stopped done",
    "keys": "turned",
    "centre": "restored",
    "exports": "take",
}
"""Actions of the audit that are no ``Act``; one that is newer than these pages is shown by its code."""
ACTIONS = tuple(
    dict.fromkeys([*map(str, Act), *(f"{kind}.{act}" for kind, acts in _OTHERS.items() for act in acts.split())])
)
KINDS = tuple(dict.fromkeys(action.partition(".")[0] for action in ACTIONS))
"""What comes before the dot."""
_PAGES = {
    **{each: f"/{each}/{{}}" for each in ("broadcasts", "nodes", "emergencies", "approvals", "schedules", "people")},
    **{each: f"/{each}/{{}}" for each in ("bulletins", "programmes")},
    "areas": "/places/{}",
    "rollouts": "/updates/{}",
}
"""Resources that have a page of their own."""
_NAMES = ("title", "name", "login", "version", "scope_name")
"""In the detail: what something is called."""


@dataclass(frozen=True)
class Deed:
    """One entry."""

    id: int
    at: str
    who: str
    person_id: str
    origin: str
    what: str
    about: str
    """What it was done to, by name; empty: only its id is known."""
    href: str
    """Its page; empty: there is none."""


def filters(people: Sequence[tuple[str, str]], form: Formats) -> tuple[Filter, ...]:
    """Say by what the list is narrowed."""
    text = form.text
    return (
        span_filter(form),
        Filter("person", "activity.who", tuple(people)),
        Filter("kind", "activity.kind", tuple((each, text.word("activity_kind", each)) for each in KINDS)),
        Filter("action", "activity.what", tuple((str(each), action_said(each, form)) for each in ACTIONS)),
    )


def action_said(action: str, form: Formats) -> str:
    """Say an action."""
    return form.text.word("activity_act", action.replace(".", "_"))


def deed(entry: AuditOut, places: Mapping[str, str], form: Formats, *, people: bool = False) -> Deed:
    """Show an entry; ``places``: names by scope, of what is in sight; ``people``: whether accounts may be opened."""
    resource, _, key = entry.subject.partition("/")
    page = _PAGES.get(resource, "")
    # A place that was removed has no page any more; everything else keeps its own.
    opens = {"areas": entry.subject in places, "people": people}.get(resource, True)
    return Deed(
        id=entry.seq,
        at=form.text(
            "activity.second", second=form.second(entry.at), day=form.day(entry.at.astimezone(form.zone).date())
        ),
        who=entry.person_name or form.text("activity.nobody"),
        person_id=entry.person_id or "",
        origin=entry.origin,
        what=action_said(entry.action, form),
        about=about(entry.subject, entry.detail, places),
        href=page.format(key) if page and opens and key.isalnum() else "",
    )


def about(subject: str, detail: Mapping[str, Any], places: Mapping[str, str]) -> str:
    """Name what something was done to, as far as the entry or what is in sight tells."""
    scope = detail.get("scope")
    named = next((detail[name] for name in _NAMES if isinstance(detail.get(name), str) and detail[name]), "")
    return named or places.get(subject, "") or (places.get(scope, "") if isinstance(scope, str) else "")


def exported(entry: AuditOut, places: Mapping[str, str], form: Formats) -> list[str]:
    """Give an entry as a line of a table."""
    at, said = entry.at.astimezone(form.zone), deed(entry, places, form)
    detail = "; ".join(f"{key}={value}" for key, value in entry.detail.items())
    return [
        f"{at:%Y-%m-%d %H:%M:%S}",
        said.who,
        said.what,
        said.about,
        entry.subject,
        detail,
        entry.origin,
        str(entry.seq),
    ]
