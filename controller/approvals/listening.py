"""What a person has heard of a file, as the page's player told: spans are merged, and most of it is all of it."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.db import Transaction, in_pieces
from controller.people.models import Person

from .models import Listening

SLACK = timedelta(seconds=6)
"""A player tells every 5 s, the first time perhaps of what it played before."""
SITTING = timedelta(minutes=10)
"""Who was not heard of for longer than this begins anew: time that passed elsewhere is no listening."""

Span = tuple[int, int]
"""From and until, in ms from the start of the file."""

MS = timedelta(milliseconds=1)
WHOLE = 0.98
"""A player stops a moment before the end, and says where it is four times a second."""


def merged(spans: Iterable[Span], length_ms: int) -> list[Span]:
    """Join spans that meet; what lies outside the file counts nothing."""
    found: list[Span] = []
    for start, until in sorted((max(start, 0), min(until, length_ms)) for start, until in spans):
        if start >= until:
            continue
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], until))
        else:
            found.append((start, until))
    return found


def affordable(spans: Iterable[Span], heard: Iterable[Sequence[int]], length_ms: int, most_ms: int) -> list[Span]:
    """Give what spans add to what was heard, in order, as far as somebody had the time to hear it."""
    found: list[Span] = []
    known = [(start, until) for start, until in heard]
    for start, until in merged(spans, length_ms):
        at = start
        for gone, back in [*known, (until, until)]:
            new = min(gone, until) - at
            if new > 0 and most_ms > 0:
                found.append((at, at + min(new, most_ms)))
                most_ms -= min(new, most_ms)
            at = max(at, min(back, until))
    return found


def heard_ms(spans: Iterable[Sequence[int]]) -> int:
    """Give how much of a file merged spans are."""
    return sum(until - start for start, until in spans)


def is_whole(spans: Iterable[Sequence[int]], length_ms: int) -> bool:
    """Say whether that is all of it."""
    return heard_ms(spans) >= WHOLE * length_ms


async def note(
    tx: Transaction, person_id: str, sha256: str, spans: Iterable[Span], length_ms: int, *, now: datetime
) -> Listening:
    """Add what somebody heard to what they had heard of a file."""
    row = await _row(tx, person_id, sha256)
    row.heard = [list(span) for span in merged([*spans, *((start, until) for start, until in row.heard)], length_ms)]
    if row.whole_at is None and is_whole(row.heard, length_ms):
        row.whole_at = now
    await tx.session.flush()
    return row


async def note_told(
    tx: Transaction, person_id: str, sha256: str, spans: Iterable[Span], length_ms: int, *, now: datetime
) -> Listening:
    """Add what a player told: no more than fits into the time since it told before, of whatever file.

    Nobody hears two files at once, nor any faster than it sounds. What does not fit has to be heard, and told, again.
    """
    await tx.session.execute(select(Person.id).where(Person.id == person_id).with_for_update())
    last = await tx.session.scalar(select(func.max(Listening.until_at)).where(Listening.person_id == person_id))
    since = last if last is not None and last > now - SITTING else now
    row = await _row(tx, person_id, sha256)
    fits = affordable(spans, row.heard, length_ms, (now + SLACK - since) // MS)
    row.until_at = since + heard_ms(fits) * MS
    return await note(tx, person_id, sha256, fits, length_ms, now=now)


async def note_approved(tx: Transaction, person_id: str, files: Iterable[str], *, now: datetime) -> None:
    """Let files be new to somebody no more: they approved something with them."""
    for sha256 in files:
        (await _row(tx, person_id, sha256)).approved_at = now
    await tx.session.flush()


async def of_person(session: AsyncSession, person_id: str, files: Collection[str]) -> dict[str, Listening]:
    """Give what somebody has heard, by file."""
    found: dict[str, Listening] = {}
    for some in in_pieces(list(files)):
        query = select(Listening).where(Listening.person_id == person_id, Listening.sha256.in_(some))
        found |= {row.sha256: row for row in await session.scalars(query)}
    return found


async def unheard(session: AsyncSession, person_id: str, files: Collection[str]) -> list[str]:
    """Name the files that are new to somebody, or changed, since they last approved them, and not heard whole."""
    known = await of_person(session, person_id, files)
    return [each for each in files if each not in known or (known[each].approved_at or known[each].whole_at) is None]


async def _row(tx: Transaction, person_id: str, sha256: str) -> Listening:
    row = await tx.session.get(Listening, (person_id, sha256), with_for_update=True)
    if row is None:
        row = Listening(person_id=person_id, sha256=sha256, heard=[])
        tx.session.add(row)
    return row
