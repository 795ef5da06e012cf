"""Errors of emergencies."""

from controller.errors import ConflictError, ForbiddenError, NotFoundError


class SamePersonError(ForbiddenError):
    """Whoever proposed an emergency cannot confirm it: it takes a second person, or a broken glass."""

    code = "same_person"


class NotOpenError(ConflictError):
    """The emergency is not at this step any more. ``state`` says where it is."""

    code = "emergency_state"


class AlreadyProposedError(ConflictError):
    """The same waits or sounds in a place of it. ``emergency_id``, ``title`` and ``state`` say which; or ``again``."""

    code = "already_proposed"


def not_open(state: str) -> NotOpenError:
    """Say at which step it is instead."""
    return NotOpenError(f"this emergency is {state}", state=state)


def no_emergency(emergency_id: str) -> NotFoundError:
    """Say that there is none in sight."""
    return NotFoundError("there is no such emergency", resource="emergencies", id=emergency_id[:64])
