"""Passwords: Argon2id, away from the event loop, a few at a time because each takes 64 MiB."""

import asyncio
import unicodedata

from pwdlib import PasswordHash

from controller.errors import InvalidError

MIN_PASSWORD = 10
MAX_PASSWORD = 200
"""Longer ones only cost time to hash."""

_AT_ONCE = 2


class Passwords:
    """Makes and checks hashes."""

    def __init__(self, hasher: PasswordHash | None = None) -> None:
        self._hasher = hasher or PasswordHash.recommended()
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._nobody = self._hasher.hash("nobody has this password")

    async def make(self, password: str) -> str:
        """Hash a new password.

        Raises:
            InvalidError: too short or too long.
        """
        plain = fitting(password)
        async with self._turns:
            return await asyncio.to_thread(self._hasher.hash, plain)

    async def check(self, password: str, expected: str | None) -> bool:
        """Compare; takes as long for an unknown login (``expected`` None) as for a known one."""
        plain = unicodedata.normalize("NFC", password)[:MAX_PASSWORD]
        async with self._turns:
            fits = await asyncio.to_thread(self._hasher.verify, plain, expected or self._nobody)
        return fits and expected is not None


def fitting(password: str, field: str = "password") -> str:
    """Give what of a new password is hashed; ``field``: where it was typed.

    Raises:
        InvalidError: too short or too long.
    """
    plain = unicodedata.normalize("NFC", password)
    if not MIN_PASSWORD <= len(plain) <= MAX_PASSWORD:
        problem = "too_short" if len(plain) < MIN_PASSWORD else "too_long"
        raise InvalidError(
            f"{field}: {MIN_PASSWORD} to {MAX_PASSWORD} characters",
            field=field,
            problem=problem,
            least=MIN_PASSWORD,
            most=MAX_PASSWORD,
        )
    return plain
