"""What bulletins may be: the words of their rows, of the API and of the pages."""

from enum import StrEnum


class BulletinState(StrEnum):
    """How far a bulletin is. Only what is approved may be placed in a programme that is to be aired."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    RETURNED = "returned"
    ARCHIVED = "archived"
