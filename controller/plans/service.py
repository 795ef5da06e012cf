"""Marks signed documents as out of date, in the transaction that changes what they tell."""

from sqlalchemy import case
from sqlalchemy.dialects import postgresql, sqlite

from controller.clock import Clock
from controller.db import Transaction
from controller.events import Event, Topic

from .models import Document

WORDS = ("hold", "urgent", "plan", "settings")
"""Words of the retained documents, in the order in which they are signed: settings name plan versions."""


class Documents:
    """What services tell when they changed something that nodes must know."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def touch(self, tx: Transaction, scope: str, word: str) -> None:
        """Have the document of ``scope`` and ``word`` built, signed and published after this transaction.

        Raises:
            ValueError: no such document.
        """
        if word not in WORDS or (word == "settings" and not scope.startswith("nodes/")):
            raise ValueError(f"there is no document {word!r} for {scope!r}")
        await mark(tx, [(scope, word)], self._clock)


async def mark(tx: Transaction, wanted: list[tuple[str, str]], clock: Clock) -> None:
    """Mark documents, by scope and word; those already marked keep their time."""
    if not wanted:
        return
    insert = postgresql.insert if tx.session.get_bind().dialect.name == "postgresql" else sqlite.insert
    now = clock()
    new = insert(Document).values([{"scope": scope, "word": word, "dirty_since": now} for scope, word in wanted])
    # Writing also where the mark stands already: the row's lock makes a dispatcher on another connection wait, so that
    # it cannot clear the mark without having seen this change.
    # A mark in the future is one that could not be built; what was changed may have mended it.
    earliest = case((Document.dirty_since <= now, Document.dirty_since), else_=new.excluded.dirty_since)
    await tx.session.execute(
        new.on_conflict_do_update(index_elements=["scope", "word"], set_={"dirty_since": earliest})
    )
    for scope in {scope for scope, _ in wanted}:
        tx.tell(Event(Topic.DOCUMENTS, scope))
