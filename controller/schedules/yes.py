"""The yes on which a broadcast of a schedule rests: whoever wrote the schedule gave it."""

from collections.abc import Sequence
from datetime import datetime

from controller.approvals.models import Approval
from controller.broadcasts.models import Broadcast
from controller.db import Transaction
from controller.ids import new_id


async def settle(
    tx: Transaction, broadcast: Broadcast, content_sha256: str, scopes: Sequence[str], *, now: datetime
) -> None:
    """Write the approval of a broadcast."""
    tx.session.add(
        Approval(
            id=new_id(),
            subject=f"broadcasts/{broadcast.id}",
            person_id=broadcast.created_by,
            content_sha256=content_sha256,
            scopes=list(scopes),
            not_before_at=broadcast.start_at,
            not_after_at=broadcast.latest_end_at,
            given_at=now,
        )
    )
    await tx.session.flush()
