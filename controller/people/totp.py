"""Codes of the second factor (RFC 6238) and those that stand for a lost telephone. Pure; rows are for ``factors``."""

import hmac
import secrets
from datetime import datetime

import pyotp

STEP_S = 30
"""One code's time (RFC 6238, section 5.2)."""
WINDOW = 1
"""Steps before and after that are taken too: telephones go wrong, people type slowly (the same section)."""

RECOVERY_CODES = 10
_GROUPS, _IN_A_GROUP = 4, 4
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without those that look alike on paper. Sixteen of them are 79 bits: their plain hash cannot be searched."""


def new_secret() -> str:
    """Make a secret: 160 bits, base32."""
    return pyotp.random_base32()


def uri(secret: str, login: str) -> str:
    """Give what an authenticator takes, by link or by picture."""
    return pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name="Loa")


def code_at(secret: str, at: datetime) -> str:
    """Give the code of an instant."""
    return pyotp.TOTP(secret).at(at)


def step_of(secret: str, code: str, now: datetime, last_step: int | None) -> int | None:
    """Give the time step that a code belongs to; None: it is wrong, too old, or no later than ``last_step``."""
    typed = "".join(code.split())
    if not (typed.isascii() and typed.isdecimal()):
        return None
    current, found = int(now.timestamp()) // STEP_S, None
    codes = pyotp.TOTP(secret)
    for step in range(current - WINDOW, current + WINDOW + 1):
        same = hmac.compare_digest(codes.generate_otp(step), typed)
        if same and (last_step is None or step > last_step):
            found = step
    return found


def new_recovery_codes() -> tuple[str, ...]:
    """Make codes to be kept on paper."""
    return tuple(
        "-".join("".join(secrets.choice(_LETTERS) for _ in range(_IN_A_GROUP)) for _ in range(_GROUPS))
        for _ in range(RECOVERY_CODES)
    )


def plain_recovery_code(typed: str) -> str | None:
    """Bring what was typed into the form that was shown; None: no recovery code looks like that."""
    letters = "".join(letter for letter in typed.casefold() if letter not in "- \u00a0")
    if len(letters) != _GROUPS * _IN_A_GROUP or not set(letters) <= set(_LETTERS):
        return None
    return "-".join(letters[at : at + _IN_A_GROUP] for at in range(0, len(letters), _IN_A_GROUP))
