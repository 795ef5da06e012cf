"""A person's own sessions, remembered browsers and machines' keys, in words. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from controller.people.rights import Act, may
from controller.people.schemas import DeviceOut, PersonOut, SessionOut, TokenOut
from controller.people.tokens import TAKE_A_PERSON
from web.formats import Formats
from web.views.accounts import account
from web.views.browsers import browser_of
from web.words import Mark

KEY_DAYS = (30, 90, 365)
"""How long a machine's key may count."""


@dataclass(frozen=True)
class Line:
    """A session or a browser that is remembered."""

    id: str
    name: str
    said: str
    is_this: bool = False


@dataclass(frozen=True)
class Key:
    """A machine's key."""

    id: str
    name: str
    mark: Mark
    said: str
    acts: str
    is_open: bool


def session_line(session: SessionOut, form: Formats) -> Line:
    """Show a session."""
    said = form.text("settings.session_said", since=form.since(session.created_at), origin=session.origin)
    return Line(session.id, browser_of(session.agent, form.text), said, session.current)


def device_line(device: DeviceOut, form: Formats) -> Line:
    """Show a browser that is remembered."""
    until = form.written(device.expires_at.astimezone(form.zone).date())
    said = form.text("settings.device_said", since=form.since(device.created_at), until=until)
    return Line(device.id, browser_of(device.name, form.text), said)


def key_line(key: TokenOut, form: Formats) -> Key:
    """Show a machine's key."""
    text, until = form.text, form.written(key.expires_at.astimezone(form.zone).date())
    is_open = key.revoked_at is None and key.expires_at > form.now
    used = (
        text("settings.key_used", when=form.since(key.last_used_at))
        if key.last_used_at
        else text("settings.key_unused")
    )
    return Key(
        key.id,
        key.name,
        _key_mark(key, form, until),
        text("settings.key_said", since=form.since(key.created_at), used=used),
        form.names([may_said(act, form) for act in key.acts], 6) if key.acts else text("settings.key_reads"),
        is_open,
    )


def _key_mark(key: TokenOut, form: Formats, until: str) -> Mark:
    if key.revoked_at is not None:
        return Mark("cut", "unsure", form.text("settings.key_revoked", when=form.since(key.revoked_at)))
    if key.expires_at <= form.now:
        return Mark("cut", "unsure", form.text("settings.key_over", until=until))
    return Mark("ready", "good", form.text("settings.key_until", until=until))


def may_said(act: str, form: Formats) -> str:
    """Say what a machine's key may do: not as what was done, which the log says."""
    return form.text.word("key_act", act.replace(".", "_"))


def key_acts(person: PersonOut, form: Formats) -> list[tuple[str, str]]:
    """Offer what a machine's key may be allowed: no more than its maker may, and nothing that takes a person."""
    mine = [act for act in Act if any(may(grant.role, act) for grant in person.grants)]
    return [(str(act), may_said(str(act), form)) for act in mine if act not in TAKE_A_PERSON]


def roles_said(person: PersonOut, places: Sequence[tuple[str, str]], form: Formats) -> list[str]:
    """Say what somebody may do, and where; ``places``: id and name of what is in sight."""
    return [each.said for each in account(person, dict(places), form).grants]
