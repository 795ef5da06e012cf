"""People who work in a commune, as the API knows them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from controller.demo.commune import Commune
from controller.people import totp

_FIRST, _OWN = "mật khẩu đầu tiên", "mật khẩu của riêng tôi"


@dataclass(frozen=True)
class Person:
    """Somebody who is signed in."""

    commune: Commune
    token: str

    async def call(self, method: str, path: str, **options: Any) -> Any:
        """Call the API as this person.

        Raises:
            ProgramFailedError: the API refused.
        """
        return await self.commune.call(method, path, headers={"Authorization": f"Bearer {self.token}"}, **options)


async def operator(commune: Commune, login: str) -> Person:
    """Add an operator of the commune, who signs in and chooses a password."""
    return await _somebody(commune, login, "operator")


async def leader(commune: Commune, login: str) -> Person:
    """Add an approver of the commune, who signs in, chooses a password and sets up a second factor."""
    person = await _somebody(commune, login, "approver")
    secret = (await person.call("POST", "/people/me/factor", json={"password": _OWN}))["secret"]
    code = totp.code_at(secret, datetime.now(UTC))
    await person.call("POST", "/people/me/factor/confirmation", json={"code": code})
    return person


async def _somebody(commune: Commune, login: str, role: str) -> Person:
    body = {"login": login, "name": login, "password": _FIRST, "role": role, "area_id": commune.areas["commune"]}
    await commune.call("POST", "/people", json=body)
    opened = await commune.call("POST", "/sessions", json={"login": login, "password": _FIRST})
    person = Person(commune, opened["token"])
    await person.call("POST", "/people/me/password", json={"old": _FIRST, "new": _OWN})
    return person
