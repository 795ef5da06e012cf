"""How a person proves a yes to a signer that stands apart: by a code that the centre hands on and cannot make."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from controller.errors import InvalidError

HEADER = "Loa-Approval-Code"
"""Of a request to the API; pages have a field of their form."""
FIELD = "approval_code"
MAX_CODE = 32


class CodeError(InvalidError):
    """The signer does not believe a yes. ``problem`` says why: needed, wrong, locked, not_enrolled, span."""

    code = "approval_code"

    def __init__(self, message: str, problem: str = "wrong") -> None:
        super().__init__(message, field=FIELD, problem=problem)


class Witness(Protocol):
    """Checks and keeps yeses, out of the centre's reach: ``signing.remote.RemoteDesk``."""

    def approve(
        self,
        person_id: str,
        code: str,
        *,
        content_sha256: str,
        scopes: Sequence[str],
        window: tuple[datetime, datetime],
        glass: bool = False,
    ) -> None:
        """Take somebody's yes.

        Raises:
            CodeError: it is not believed.
            BusyError: the signer does not answer.
        """
        ...


@dataclass(frozen=True)
class Proof:
    """What whoever acts typed, if anything, and who checks it. A code is good for one yes."""

    witness: Witness
    code: str = ""

    async def give(
        self,
        person_id: str,
        content_sha256: str,
        scopes: Sequence[str],
        window: tuple[datetime, datetime],
        *,
        glass: bool = False,
    ) -> None:
        """Have a yes kept; right before the commit, so that what fails before burns no code.

        Raises:
            CodeError: nothing was typed, or it is not believed.
            BusyError: the signer does not answer.
        """
        if not self.code:
            raise CodeError("type the code that your approval entry shows", "needed")
        code = "".join(self.code.split())[:MAX_CODE]
        await asyncio.to_thread(
            self.witness.approve,
            person_id,
            code,
            content_sha256=content_sha256,
            scopes=scopes,
            window=window,
            glass=glass,
        )
