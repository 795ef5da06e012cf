"""A person's yes as a row: written with what it binds, void when that is edited. Decides nothing."""

from collections.abc import Collection
from datetime import datetime
from functools import partial
from typing import NamedTuple

from sqlalchemy import update

from controller.db import Transaction
from controller.ids import new_id
from controller.people.proof import Agreed, Proof, Runs
from edge_agent.protocol.states import Level

from .models import Approval
from .shown import Shown


class Yes(NamedTuple):
    """Who agrees, and how it came to it."""

    person_id: str
    by_author: bool = False
    """Where a second person is asked for, the author used the bounds that the policy leaves; listed to the leader."""
    request_id: str | None = None
    """None: nobody was asked; the act itself is the yes."""
    proof: Proof | None = None
    """Where the signer stands apart: it is given now, and has to be proven. None: it is a copy of one that was."""


class Bound(NamedTuple):
    """What a yes is to. An edit of any of it is something else."""

    content_sha256: str
    scopes: tuple[str, ...]
    not_before_at: datetime
    not_after_at: datetime


async def write(
    tx: Transaction, subject: str, bound: Bound, yeses: Collection[Yes], *, now: datetime, shown: Shown | None = None
) -> None:
    """Write yeses to a subject, ``broadcasts/{id}`` or ``schedules/{id}``; ``shown``: what they agree to, in words.

    What has to be proven is not proven by that: see ``prove``.
    """
    tx.session.add_all(
        Approval(
            id=new_id(),
            request_id=yes.request_id,
            subject=subject,
            person_id=yes.person_id,
            content_sha256=bound.content_sha256,
            scopes=list(bound.scopes),
            not_before_at=bound.not_before_at,
            not_after_at=bound.not_after_at,
            by_author=yes.by_author,
            shown=None if shown is None else dict(shown),
            given_at=now,
        )
        for yes in yeses
    )
    await tx.session.flush()


def prove(
    tx: Transaction,
    yes: Yes,
    name: str,
    bound: Bound,
    level: Level,
    *,
    runs: Runs | None = None,
    first_at: datetime | None = None,
    glass: bool = False,
) -> None:
    """Have the signer apart check a yes, as the last thing before the commit; here it is only a row.

    ``name``: the subject, by which it is taken back. ``runs``: of a schedule; without, it is to be heard once.
    ``first_at``: nothing sounds by it before, whatever ``bound`` allows. ``glass``: given alone to an emergency.
    """
    if yes.proof is None:
        return
    agreed = Agreed(
        name=name,
        content_sha256=bound.content_sha256,
        scopes=bound.scopes,
        level=level,
        not_before_at=max(first_at or bound.not_before_at, bound.not_before_at),
        not_after_at=bound.not_after_at,
        runs=runs,
        glass=glass,
    )
    tx.lastly(partial(yes.proof.give, yes.person_id, agreed))


async def void(tx: Transaction, subject: str, *, now: datetime, contents: Collection[str] | None = None) -> int:
    """Let the yeses to a subject count no more, or those to some contents alone; gives how many."""
    standing = (Approval.subject == subject) & Approval.voided_at.is_(None)
    if contents is not None:
        standing &= Approval.content_sha256.in_(contents)
    query = update(Approval).where(standing).values(voided_at=now).returning(Approval.id)
    return len((await tx.session.scalars(query)).all())
