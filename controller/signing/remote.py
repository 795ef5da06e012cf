"""The centre's side of a signer that stands apart: the same desk and the same keys, without private halves.

It waits for the answer, a millisecond: nothing is published that is not signed. A signer that does not answer is an
error after ``PATIENCE_S``, and what was to be signed stays marked.
"""

import socket
import threading
from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from controller.errors import BusyError
from controller.people.proof import CodeError
from edge_agent.protocol.documents import Signed, TrustedKey
from edge_agent.protocol.states import KeyUse

from .frames import (
    LENGTH,
    MAX_FRAME_BYTES,
    Answer,
    Approve,
    Awake,
    Done,
    Failed,
    Refused,
    Request,
    RingIs,
    Sign,
    Token,
    Turn,
    WantRing,
    answers,
    framed,
)
from .ring import Ring
from .rules import Facts, Refusal, RefusedError

PATIENCE_S = 2.0


class _Named(NamedTuple):
    """A key of which only the public half is here."""

    kid: str


class Wire:
    """The connection; made when it is needed, and once more when it broke."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._socket: socket.socket | None = None
        self._turn = threading.Lock()

    def ask(self, request: Request) -> Answer:
        """Ask and wait.

        Raises:
            BusyError: the signer does not answer.
        """
        with self._turn:
            for again in (True, False):
                try:
                    return self._ask(framed(request))
                except (OSError, msgspec.DecodeError) as error:
                    self.close()
                    if not again:
                        raise BusyError(f"the signer at {self._path} does not answer ({error})") from error
        raise AssertionError

    def close(self) -> None:
        """Let go of the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _ask(self, frame: bytes) -> Answer:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.settimeout(PATIENCE_S)
            self._socket.connect(self._path)
        self._socket.sendall(frame)
        (size,) = LENGTH.unpack(self._read(LENGTH.size))
        if size > MAX_FRAME_BYTES:
            raise OSError(f"answer of {size} bytes")
        return answers.decode(self._read(size))

    def _read(self, size: int) -> bytes:
        assert self._socket is not None  # noqa: S101  _ask opened it
        parts: list[bytes] = []
        while size:
            part = self._socket.recv(min(size, 65_536))
            if not part:
                raise OSError("closed")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


class RemoteDesk:
    """Has it signed apart."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def facts(
        self,
        session: AsyncSession,  # noqa: ARG002  a Desk's
        document: Signed,  # noqa: ARG002  a Desk's
        body: bytes | None,  # noqa: ARG002  a Desk's
        now: datetime,  # noqa: ARG002  a Desk's
    ) -> dict[str, Facts]:
        """Give nothing: the signer believes no row."""
        return {}

    def sign(self, document: Signed, kid: str, *, body: bytes | None, facts: dict[str, Facts]) -> bytes:  # noqa: ARG002
        """Have it signed.

        Raises:
            RefusedError: a broadcast in it has no yes that the signer knows.
            BusyError: the signer does not answer.
            ValueError: the document cannot be signed at all.
        """
        answer = self._wire.ask(Sign(document.word, msgspec.json.encode(document), kid, body))
        match answer:
            case Token(token):
                return token
            case Refused(refused):
                raise RefusedError(document.aud, {name: Refusal(why) for name, why in refused.items()})
            case Failed(message=message):
                raise ValueError(f"the signer: {message}")
        raise ValueError(f"the signer answered {type(answer).__name__}")

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
        """Hand on somebody's yes with its code.

        Raises:
            CodeError: the signer does not believe it.
            BusyError: the signer does not answer.
        """
        answer = self._wire.ask(Approve(person_id, code, content_sha256, tuple(scopes), *window, glass))
        match answer:
            case Done():
                return
            case Failed(code=CodeError.code, message=message, problem=problem):
                raise CodeError(message, problem)
        raise BusyError("the signer did not take the yes")


class RemoteKeys:
    """Which keys there are, as the signer says."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.ring, self.epoch = self._asked(WantRing())

    @property
    def dispatch(self) -> _Named:
        """Signs what is to sound, and answers."""
        return self.named(self.ring.signing(KeyUse.DISPATCH).kid)

    @property
    def policy(self) -> _Named:
        """Signs settings."""
        return self.named(self.ring.signing(KeyUse.POLICY).kid)

    @property
    def trusted(self) -> tuple[TrustedKey, ...]:
        """Public halves, for nodes."""
        return self.ring.trusted

    def named(self, kid: str) -> _Named:
        """Give the name of a key."""
        return _Named(kid)

    def refresh(self) -> bool:
        """Ask again; say whether the ring is another."""
        before = self.ring
        self.ring, _ = self._asked(WantRing())
        return self.ring != before

    def turn(self, use: KeyUse, now: datetime, lagging: Collection[str] = ()) -> None:  # noqa: ARG002  its own clock
        """Have a rotation go on."""
        self.ring, _ = self._asked(Turn(use, tuple(lagging)))

    def awake(self, asleep: Collection[str]) -> None:
        """Have it know which nodes still sleep."""
        self.ring, _ = self._asked(Awake(tuple(asleep)))

    def _asked(self, request: Request) -> tuple[Ring, int]:
        answer = self._wire.ask(request)
        if not isinstance(answer, RingIs):
            raise BusyError("the signer does not say which keys there are")
        return answer.ring, answer.epoch
