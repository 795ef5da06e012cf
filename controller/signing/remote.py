"""The centre's side of a signer that stands apart: the same desk and the same keys, without private halves.

Nothing waits for the answer but what asked: the socket has threads of its own. A signer that does not answer is an
error after ``PATIENCE_S``; from then on it is one at once, until it was found to answer (``watch``). That is so for
each lane by itself, and for that of STOP never: whatever became of a plan, it is tried. What was to be signed stays
marked.
"""

import asyncio
import functools
import socket
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from controller.errors import BusyError
from controller.people.proof import Agreed, CodeError, Loosened
from edge_agent.protocol.documents import Hold, Signed, TrustedKey, Urgent
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
    Void,
    WantRing,
    answers,
    framed,
)
from .ring import Ring
from .rules import Facts, Refusal, RefusedError

PATIENCE_S = 2.0
"""For what is small; a hold takes some milliseconds."""
PATIENCE_PER_MB_S = 4.0
"""More, for each megabyte of a plan's body: 1,344 broadcasts are 0.5 MB and take 0.5 s on a busy machine."""
MOST_PATIENCE_S = 12.0
"""Whoever asks may be within a transaction."""
GIVEN_UP_S = 30.0
"""So long nothing is asked in a lane that found no answer, unless ``watch`` finds sooner that there is one."""


class _Named(NamedTuple):
    """A key of which only the public half is here."""

    kid: str


class Lane:
    """A connection and the thread that waits at it; made when it is needed, and once more when it broke."""

    def __init__(self, path: str, name: str) -> None:
        self._path = path
        self._socket: socket.socket | None = None
        self._turn = threading.Lock()
        self.given_up_until = 0.0
        """By the steady clock: so long nothing is asked here."""
        self.thread = ThreadPoolExecutor(1, thread_name_prefix=f"signer-{name}")

    def ask(self, request: Request) -> Answer:
        """Ask and wait.

        Raises:
            BusyError: the signer does not answer.
        """
        patience_s = _patience_s(request)
        with self._turn:
            for fresh in (self._socket is None, True):
                try:
                    return self._ask(framed(request), patience_s)
                except (OSError, msgspec.DecodeError) as error:
                    self._drop()
                    if fresh or isinstance(error, TimeoutError):
                        raise BusyError(f"the signer at {self._path} does not answer ({error})") from error
        raise AssertionError

    def close(self) -> None:
        """Let go of the connection, and of the thread when it is done."""
        self.thread.shutdown(wait=False, cancel_futures=True)
        if self._turn.acquire(timeout=PATIENCE_S):
            self._drop()
            self._turn.release()

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _ask(self, frame: bytes, patience_s: float) -> Answer:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.settimeout(PATIENCE_S)
            self._socket.connect(self._path)
        self._socket.settimeout(patience_s)
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


def _patience_s(request: Request) -> float:
    """Give how long a request is waited for at most, by its size."""
    if not isinstance(request, Sign) or request.body is None:
        return PATIENCE_S
    unpacked = int.from_bytes(request.body[-4:], "little")  # gzip's ISIZE (RFC 1952)
    return min(PATIENCE_S + PATIENCE_PER_MB_S * unpacked / 1_000_000, MOST_PATIENCE_S)


class Wire:
    """The way to the signer: lanes for STOP and emergencies, for plans, for all else, and to find out if it answers."""

    def __init__(self, path: Path, steady: Callable[[], float] = time.monotonic) -> None:
        self._path, self._steady = str(path), steady
        names = ("stop", "plans", "rest", "probe")
        self._first, self._plans, self._rest, self._probe = (Lane(self._path, name) for name in names)

    def ask(self, request: Request, *, first: bool = False) -> Answer:
        """Ask and wait; not in the event loop.

        Raises:
            BusyError: the signer does not answer, or did not a moment ago.
        """
        lane = self._lane(request, first=first)
        if lane is not self._first and self._steady() < lane.given_up_until:
            raise BusyError(f"the signer at {self._path} did not answer a moment ago")
        return self._asked(lane, request)

    async def asked(self, request: Request, *, first: bool = False) -> Answer:
        """Ask, and let others work meanwhile. ``first``: before whatever else is asked.

        Raises:
            BusyError: the signer does not answer, or did not a moment ago.
        """
        thread = self._lane(request, first=first).thread
        ask = functools.partial(self.ask, request, first=first)
        return await asyncio.get_running_loop().run_in_executor(thread, ask)

    async def probe(self) -> None:
        """Find out whether it answers, also when nothing else is asked because it did not.

        Raises:
            BusyError: it does not.
        """
        ask = functools.partial(self._asked, self._probe, WantRing())
        try:
            await asyncio.get_running_loop().run_in_executor(self._probe.thread, ask)
        except BusyError:
            self._rest.given_up_until = self._plans.given_up_until = self._probe.given_up_until
            raise
        self._rest.given_up_until = self._plans.given_up_until = 0.0

    def close(self) -> None:
        """Let go of the connections."""
        for lane in (self._first, self._plans, self._rest, self._probe):
            lane.close()

    def _lane(self, request: Request, *, first: bool) -> Lane:
        if first:
            return self._first
        return self._plans if isinstance(request, Sign) and request.body is not None else self._rest

    def _asked(self, lane: Lane, request: Request) -> Answer:
        try:
            answer = lane.ask(request)
        except BusyError:
            lane.given_up_until = self._steady() + GIVEN_UP_S
            raise
        lane.given_up_until = 0.0
        return answer


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

    async def sign(  # a Desk's
        self,
        document: Signed,
        kid: str,
        *,
        body: bytes | None,
        facts: dict[str, Facts],  # noqa: ARG002  a Desk's
    ) -> bytes:
        """Have it signed.

        Raises:
            RefusedError: a broadcast in it has no yes that the signer knows.
            BusyError: the signer does not answer.
            ValueError: the document cannot be signed at all.
        """
        request = Sign(document.word, msgspec.json.encode(document), kid, body)
        answer = await self._wire.asked(request, first=isinstance(document, Hold | Urgent))
        match answer:
            case Token(token):
                return token
            case Refused(refused):
                raise RefusedError(document.aud, {name: Refusal(why) for name, why in refused.items()})
            case Failed(message=message):
                raise ValueError(f"the signer: {message}")
        raise ValueError(f"the signer answered {type(answer).__name__}")

    async def approve(self, person_id: str, code: str, agreed: Agreed | Loosened) -> None:
        """Hand on somebody's yes with its code.

        Raises:
            CodeError: the signer does not believe it.
            BusyError: the signer does not answer.
        """
        answer = await self._wire.asked(Approve(person_id, code, agreed))
        match answer:
            case Done():
                return
            case Failed(code=CodeError.code, message=message, problem=problem):
                raise CodeError(message, problem)
        raise BusyError("the signer did not take the yes")

    async def void(self, name: str, before_at: datetime, content_sha256: str | None = None) -> None:
        """Take yeses back that were given before: those to a content, or all of that name.

        Raises:
            BusyError: the signer does not answer.
        """
        if not isinstance(await self._wire.asked(Void(name, before_at, content_sha256)), Done):
            raise BusyError("the signer did not take the yes back")


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
