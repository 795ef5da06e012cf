"""How much one person may upload within a day. What was withdrawn or refused counts: its bytes came all the same."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.errors import UploadQuotaError

from .models import Recording

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Quota:
    """Of one person, within any 24 hours."""

    uploads: int
    bytes: int

    async def check(self, session: AsyncSession, person_id: str | None, more_bytes: int, now: datetime) -> None:
        """See to it that one more file of this size fits.

        Raises:
            UploadQuotaError: it does not; the oldest of the day leaves room when it is a day old.
        """
        lately = (Recording.uploaded_by == person_id, Recording.created_at > now - DAY)
        query = select(func.count(), func.coalesce(func.sum(Recording.source_bytes), 0), func.min(Recording.created_at))
        number, size, oldest_at = (await session.execute(query.where(*lately))).one()
        if number < self.uploads and size + more_bytes <= self.bytes:
            return
        retry_after_s = max(1, round(((oldest_at or now) + DAY - now).total_seconds()))
        raise UploadQuotaError(
            f"one person may upload {self.uploads} files and {self.bytes} bytes a day",
            most=self.uploads,
            most_bytes=self.bytes,
            retry_after_s=retry_after_s,
        )
