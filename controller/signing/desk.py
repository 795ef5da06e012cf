"""Where documents are signed: the check before the key. In this process; ``remote`` is the same in another."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from controller.wire.keys import Keys
from edge_agent.protocol.content import Broadcast, unpack_body
from edge_agent.protocol.documents import Plan, Signed, Urgent
from edge_agent.protocol.errors import ProtocolError

from .facts import read_facts
from .rules import Facts, RefusedError, review


class Desk(Protocol):
    """Signs what it agrees with."""

    async def facts(
        self, session: AsyncSession, document: Signed, body: bytes | None, now: datetime
    ) -> dict[str, Facts]:
        """Read what ``sign`` has to know of a document's broadcasts; empty where it knows by itself."""
        ...

    async def sign(self, document: Signed, kid: str, *, body: bytes | None, facts: dict[str, Facts]) -> bytes:
        """Sign a document; ``body``: the packed one of a plan.

        Raises:
            RefusedError: a broadcast in it has no yes that covers it.
            BusyError: who signs does not answer.
            ValueError: the document cannot be signed at all.
        """
        ...


class OwnDesk:
    """Signs with keys in this process, by the rows: it catches the mistakes of others here, not their malice."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    async def facts(
        self, session: AsyncSession, document: Signed, body: bytes | None, now: datetime
    ) -> dict[str, Facts]:
        """Read the rows."""
        listed = listed_in(document, body)
        return await read_facts(session, [each.broadcast_id for each in listed], now) if listed else {}

    async def sign(self, document: Signed, kid: str, *, body: bytes | None, facts: dict[str, Facts]) -> bytes:
        """Sign a document that the yeses cover.

        Raises:
            RefusedError: a broadcast in it has no yes that covers it.
            ValueError: the body is not the plan's, or the document is too large.
        """
        if refused := review(document.aud, listed_in(document, body), facts):
            raise RefusedError(document.aud, refused)
        return self._keys.named(kid).sign(document)


def listed_in(document: Signed, body: bytes | None) -> Sequence[Broadcast]:
    """Give what a document lets sound, as a node would read it.

    Raises:
        ValueError: a plan without the body that it names.
    """
    if isinstance(document, Urgent):
        return document.broadcasts
    if not isinstance(document, Plan):
        return ()
    if body is None:
        raise ValueError(f"plan of {document.aud}: without its body it says nothing that could be checked")
    try:
        return unpack_body(body, sha256=document.body_sha256, scope=document.aud).broadcasts
    except ProtocolError as error:
        raise ValueError(f"plan of {document.aud}: {error}") from error
