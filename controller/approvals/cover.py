"""Which yes covers what: the same content, all of its places, all of its time."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.db import in_pieces

from .models import Approval
from .yeses import Bound, Yes


def covers(yes: Bound, wanted: Bound) -> bool:
    """Say whether what was agreed to holds all of what is wanted."""
    return (
        yes.content_sha256 == wanted.content_sha256
        and set(yes.scopes) >= set(wanted.scopes)
        and yes.not_before_at <= wanted.not_before_at
        and wanted.not_after_at <= yes.not_after_at
    )


class Standing:
    """The yeses to some subjects that were not voided, read once."""

    def __init__(self, rows: Iterable[Approval]) -> None:
        self._by_subject: dict[str, list[Approval]] = defaultdict(list)
        for row in rows:
            self._by_subject[row.subject].append(row)

    @classmethod
    async def of(cls, session: AsyncSession, subjects: Sequence[str]) -> "Standing":
        """Read them."""
        found: list[Approval] = []
        for some in in_pieces(subjects):
            query = select(Approval).where(Approval.subject.in_(some), Approval.voided_at.is_(None))
            found += await session.scalars(query.order_by(Approval.given_at, Approval.id))
        return cls(found)

    def contents(self, subject: str) -> frozenset[str]:
        """Give the hashes of what was agreed to."""
        return frozenset(row.content_sha256 for row in self._by_subject.get(subject, ()))

    def covering(self, subject: str, wanted: Bound) -> tuple[Yes, ...]:
        """Give the yeses to a subject that cover what is wanted."""
        return tuple(
            Yes(row.person_id, row.by_author, row.request_id)
            for row in self._by_subject.get(subject, ())
            if covers(_bound(row), wanted)
        )


def _bound(row: Approval) -> Bound:
    return Bound(row.content_sha256, tuple(row.scopes), row.not_before_at, row.not_after_at)
