"""Errors of the centre. No HTTP here: ``http_errors.py`` maps classes to statuses once.

Each has a stable ``code``; pages translate it, the API sends it with the fields. The English message is for logs and
for whoever calls the API.
"""

from typing import Any, ClassVar


class LoaError(Exception):
    """Root. ``fields`` are the values a translated message needs."""

    code: ClassVar[str] = "loa"

    def __init__(self, message: str, **fields: Any) -> None:
        super().__init__(message)
        self.message, self.fields = message, fields


class NotFoundError(LoaError):
    """No such thing, or not for this person: the two look the same from outside."""

    code = "not_found"


class InvalidError(LoaError):
    """The input is understood and wrong. ``field`` names where."""

    code = "invalid"
    others: tuple["InvalidError", ...] = ()
    """What else is wrong, at other fields: whoever typed all of it is told all at once."""


class ConflictError(LoaError):
    """True once, not now: already cancelled, already adopted, already released."""

    code = "conflict"


class NotSignedInError(LoaError):
    """No session, or one that ended."""

    code = "not_signed_in"


class SecondFactorError(NotSignedInError):
    """The password alone is not enough. ``problem`` says what to do: show a ``code``, or ``set_up`` the factor."""

    code = "second_factor"


class PasswordDueError(NotSignedInError):
    """Somebody else chose this password: choose one of your own first."""

    code = "password_due"


class ForbiddenError(LoaError):
    """Signed in, but this is another role's act."""

    code = "forbidden"


class TooManyAttemptsError(LoaError):
    """Asked too often; ``retry_after_s`` says when to come back."""

    code = "too_many_attempts"


class UploadQuotaError(TooManyAttemptsError):
    """More was uploaded within a day than one person may; ``retry_after_s`` says when there is room again."""

    code = "upload_quota"


class TooLargeError(LoaError):
    """More bytes than allowed."""

    code = "too_large"


class NoSpaceError(LoaError):
    """The disk keeps a reserve for what must not fail."""

    code = "no_space"


class GoneError(LoaError):
    """Withdrawn for good."""

    code = "gone"


class BusyError(LoaError):
    """The database or a queue is busy; nothing was changed."""

    code = "busy"
