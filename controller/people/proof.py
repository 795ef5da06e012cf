"""How a person proves a yes to a signer that stands apart: by a code that the centre hands on and cannot make."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Protocol

import msgspec
from msgspec import Meta

from controller.errors import InvalidError
from edge_agent.protocol.documents import QuietHours
from edge_agent.protocol.states import Level

HEADER = "Loa-Approval-Code"
"""Of a request to the API; pages have a field of their form."""
FIELD = "approval_code"
MAX_CODE = 32
MAX_RUNS = 100_000
MAX_TIMES = 500

Scope = Annotated[str, Meta(max_length=80)]
Zone = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_+/-]{1,64}\Z")]


class CodeError(InvalidError):
    """The signer does not believe a yes. ``problem`` says why: needed, wrong, locked, not_enrolled, place, span."""

    code = "approval_code"

    def __init__(self, message: str, problem: str = "wrong") -> None:
        super().__init__(message, field=FIELD, problem=problem)


class Runs(msgspec.Struct, frozen=True, kw_only=True):
    """Of a yes to a schedule: when it may sound, besides its window."""

    zone: Zone
    times: Annotated[tuple[Annotated[str, Meta(max_length=32)], ...], Meta(min_length=1, max_length=MAX_TIMES)]
    """When it starts by the wall clock there: ``HH:MM:SS`` of any day, or with its date where that one is otherwise."""
    lasts_ms: Annotated[int, Meta(ge=1, le=3 * 86_400_000)]
    """From its start to its latest end, at most."""
    count: Annotated[int, Meta(ge=1, le=MAX_RUNS)]
    """So many times, at most."""


class Agreed(msgspec.Struct, frozen=True, kw_only=True, tag="agreed"):
    """To what somebody says yes."""

    name: Annotated[str, Meta(max_length=80)]
    """What it is about, ``schedules/{id}``: by it the yes is taken back, and by nothing else of it believed."""
    content_sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    """``content_hash``: a drill is another content than the real thing."""
    scopes: Annotated[tuple[Scope, ...], Meta(min_length=1, max_length=4096)]
    level: Level
    not_before_at: Annotated[datetime, Meta(tz=True)]
    not_after_at: Annotated[datetime, Meta(tz=True)]
    runs: Runs | None = None
    """None: it is to be heard once."""
    glass: bool = False
    """Given alone to an emergency."""


class Loosened(msgspec.Struct, frozen=True, kw_only=True, tag="loosened"):
    """Quiet hours that leave out some of the usual ones, of a place and all below it."""

    scope: Scope
    zone: Zone
    quiet_hours: Annotated[tuple[QuietHours, ...], Meta(max_length=8)]


class Witness(Protocol):
    """Checks and keeps yeses, out of the centre's reach: ``signing.remote.RemoteDesk``."""

    async def approve(self, person_id: str, code: str, agreed: Agreed | Loosened) -> None:
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

    async def give(self, person_id: str, agreed: Agreed | Loosened) -> None:
        """Have a yes kept; right before the commit, so that what fails before burns no code.

        Raises:
            CodeError: nothing was typed, or it is not believed.
            BusyError: the signer does not answer.
        """
        if not self.code:
            raise CodeError("type the code that your approval entry shows", "needed")
        await self.witness.approve(person_id, "".join(self.code.split())[:MAX_CODE], agreed)
