"""Who asks, as a token tells it: the person, and what the session still has to show. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from controller.errors import ForbiddenError, PasswordDueError, SecondFactorError

from .models import Grant, Person
from .rights import Act, may
from .schemas import Needs, PersonOut

WEIGHTY = (Act.APPROVALS_GIVE, Act.PEOPLE_CHANGE)
"""Whoever may do one of these (approvers and administrators) always shows a second factor."""


@dataclass(frozen=True)
class Identity:
    """Whom a token belongs to."""

    person: PersonOut
    session_id: str | None
    """None: a machine's key."""
    since: datetime
    """When the person signed in, or the key was made."""
    shown: bool
    """Whether this session showed a second factor."""
    weighty: bool = False
    """Whether the person approves or administers: no browser then stands for the code."""
    needs: Needs | None = None
    acts: frozenset[str] | None = None
    """Of a machine's key: what it may do at most."""

    def full(self) -> "Identity":
        """Give this identity if it may act.

        Raises:
            SecondFactorError: the password alone is not enough for this person.
            PasswordDueError: somebody else chose the password.
        """
        if self.needs is Needs.CHOOSE:
            raise PasswordDueError("choose a password of your own first: POST /api/v1/people/me/password")
        if self.needs is not None:
            raise SecondFactorError(
                "show your code: POST /api/v1/sessions/factor"
                if self.needs is Needs.CODE
                else "set a second factor up: POST /api/v1/people/me/factor",
                problem=str(self.needs),
            )
        return self

    def in_person(self) -> "Identity":
        """Give this identity if a person asks: a machine's key changes no account, its own maker's included.

        Raises:
            ForbiddenError: a machine asks.
        """
        if self.session_id is None:
            raise ForbiddenError("a machine's key changes no account; sign in for this", problem="machine")
        return self


def must_show(grants: Iterable[Grant]) -> bool:
    """Say whether somebody needs a second factor for what he may do."""
    return any(may(grant.role, act) for grant in grants for act in WEIGHTY)


def in_grace(person: Person, now: datetime) -> bool:
    """Say whether the first administrator may still go without."""
    return person.totp_secret is None and person.grace_until is not None and now < person.grace_until


def needs(person: Person, grants: Iterable[Grant], *, shown: bool, now: datetime) -> Needs | None:
    """Say what a session has to show before it may do anything else."""
    if person.totp_secret is not None and not shown:
        return Needs.CODE
    if person.password_due:  # before a factor is set up: whoever chose the password could otherwise do it
        return Needs.CHOOSE
    return Needs.SET_UP if not shown and must_show(grants) and not in_grace(person, now) else None
