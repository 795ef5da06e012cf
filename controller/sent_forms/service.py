"""A form that is sent twice is done once: who sends it again is told what became of it the first time."""

import asyncio
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from controller.clock import Clock
from controller.db import Database
from controller.errors import ConflictError

from .models import SentForm

KEPT = timedelta(days=1)
"""After that the same key is a new one. No page waits for an answer for so long."""
WAIT_S = 10.0
"""How long the second waits for the first; a page gives up after 20 s (``once.js``)."""
LOOK_S = 0.1


class SentBeforeError(ConflictError):
    """The same form was sent before, and there is no answer to repeat. ``sent_at``: when."""

    code = "sent_before"


class SentUnclearError(SentBeforeError):
    """It is still being done, or that broke off in the middle."""

    code = "sent_unclear"


class SentOtherwiseError(SentBeforeError):
    """It was done with other content, and led to ``answer``; what was changed since was not taken."""

    code = "sent_otherwise"


class SentShownError(SentBeforeError):
    """It was done, and its answer showed what is shown once."""

    code = "sent_shown"


@dataclass(frozen=True)
class Sending:
    """A form as it arrives."""

    person_id: str
    key: str
    """Made by chance for one act of one page; the same for each attempt at it."""
    content: bytes
    """What is asked, in one spelling."""

    @property
    def name(self) -> tuple[str, str]:
        """Give the key of the row."""
        return self.person_id, hashlib.sha256(self.key.encode()).hexdigest()

    @property
    def content_hmac(self) -> str:
        """Give what tells this content from another."""
        return hmac.digest(self.key.encode(), self.content, "sha256").hex()


class SentForms:
    """Remembers for a day what was sent, and what was answered."""

    def __init__(self, database: Database, clock: Clock, *, wait_s: float = WAIT_S) -> None:
        self._database, self._clock, self._wait_s = database, clock, wait_s

    async def begin(self, sending: Sending) -> str | None:
        """Note what is about to be done. None: it is to be done; else it was, and this is where its answer led.

        Waits up to 10 s for the same form that is being done at the same moment.

        Raises:
            SentUnclearError, SentOtherwiseError, SentShownError: it was sent before; nothing is to be done.
            BusyError: nothing was noted.
        """
        until = asyncio.get_running_loop().time() + self._wait_s
        while True:
            row = await self._known(sending)
            if row is None:
                if await self._note(sending):
                    return None
            elif row.answer is not None:
                return _repeated(row, sending)
            elif asyncio.get_running_loop().time() >= until:
                raise SentUnclearError("this form was sent before; what became of it is not known", sent_at=row.sent_at)
            else:
                await asyncio.sleep(LOOK_S)

    async def done(self, sending: Sending, answer: str = "") -> None:
        """Keep where the answer leads; empty: it shows what is shown once."""
        async with self._database.transaction() as tx:
            await tx.session.execute(update(SentForm).where(_is(sending)).values(answer=answer))

    async def refused(self, sending: Sending) -> None:
        """Forget it: nothing was done, and it may be mended and sent again."""
        async with self._database.transaction() as tx:
            await tx.session.execute(delete(SentForm).where(_is(sending)))

    async def _known(self, sending: Sending) -> SentForm | None:
        async with self._database.reading() as session:
            return await session.get(SentForm, sending.name)

    async def _note(self, sending: Sending) -> bool:
        """Write the row; False: another one was faster."""
        person_id, key_sha256 = sending.name
        async with self._database.transaction() as tx:
            insert = postgresql.insert if tx.session.get_bind().dialect.name == "postgresql" else sqlite.insert
            new = insert(SentForm).values(
                person_id=person_id,
                key_sha256=key_sha256,
                content_hmac=sending.content_hmac,
                sent_at=self._clock(),
            )
            noted = await tx.session.scalar(new.on_conflict_do_nothing().returning(SentForm.person_id))
        return noted is not None


def _is(sending: Sending) -> ColumnElement[bool]:
    person_id, key_sha256 = sending.name
    return and_(SentForm.person_id == person_id, SentForm.key_sha256 == key_sha256)


def _repeated(row: SentForm, sending: Sending) -> str:
    if not hmac.compare_digest(row.content_hmac, sending.content_hmac):
        said = "this form was sent before, with other content"
        raise SentOtherwiseError(said, sent_at=row.sent_at, answer=row.answer)
    if not row.answer:
        raise SentShownError("this form was sent before; its answer is not shown again", sent_at=row.sent_at)
    return row.answer


async def forget(session: AsyncSession, now: datetime) -> None:
    """Delete what nobody waits for any more."""
    await session.execute(delete(SentForm).where(SentForm.sent_at <= now - KEPT))
