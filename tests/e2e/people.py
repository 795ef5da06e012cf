"""People who work in a commune, as the API knows them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from controller.demo.commune import Commune
from controller.people import totp

_FIRST = "mật khẩu đầu tiên"
OWN = "mật khẩu của riêng tôi"
"""What all of them have chosen."""


@dataclass(frozen=True)
class Person:
    """Somebody who is signed in."""

    commune: Commune
    token: str
    id: str
    login: str

    async def call(self, method: str, path: str, **options: Any) -> Any:
        """Call the API as this person.

        Raises:
            ProgramFailedError: the API refused.
        """
        return await self.commune.call(method, path, headers={"Authorization": f"Bearer {self.token}"}, **options)


async def operator(commune: Commune, login: str) -> Person:
    """Add an operator of the commune, who signs in and chooses a password."""
    return await somebody(commune, login, "operator")


async def leader(commune: Commune, login: str, name: str | None = None) -> Person:
    """Add an approver of the commune, who signs in, chooses a password and sets up a second factor."""
    person = await somebody(commune, login, "approver", name=name)
    secret = (await person.call("POST", "/people/me/factor", json={"password": OWN}))["secret"]
    code = totp.code_at(secret, datetime.now(UTC))
    await person.call("POST", "/people/me/factor/confirmation", json={"code": code})
    return person


async def somebody(
    commune: Commune, login: str, role: str, *, name: str | None = None, area_id: str | None = None
) -> Person:
    """Add somebody with a role in the commune, or in one place of it, who signs in and chooses a password."""
    body = {"login": login, "name": name or login, "password": _FIRST, "role": role}
    added = await commune.call("POST", "/people", json={**body, "area_id": area_id or commune.areas["commune"]})
    opened = await commune.call("POST", "/sessions", json={"login": login, "password": _FIRST})
    person = Person(commune, opened["token"], added["id"], login)
    await person.call("POST", "/people/me/password", json={"old": _FIRST, "new": OWN})
    return person
