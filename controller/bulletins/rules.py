"""What becomes of a bulletin, what makes two the same and how versions differ. Pure."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from controller.errors import ConflictError

from .states import BulletinState


class Step(StrEnum):
    """What is done with a bulletin as a whole."""

    EDIT = "edit"
    SUBMIT = "submit"
    APPROVE = "approve"
    RETURN = "return"
    ARCHIVE = "archive"


_AFTER: Mapping[tuple[BulletinState, Step], BulletinState] = {
    (BulletinState.DRAFT, Step.EDIT): BulletinState.DRAFT,
    (BulletinState.SUBMITTED, Step.EDIT): BulletinState.DRAFT,
    (BulletinState.RETURNED, Step.EDIT): BulletinState.DRAFT,
    (BulletinState.APPROVED, Step.EDIT): BulletinState.DRAFT,
    (BulletinState.DRAFT, Step.SUBMIT): BulletinState.SUBMITTED,
    (BulletinState.RETURNED, Step.SUBMIT): BulletinState.SUBMITTED,
    (BulletinState.SUBMITTED, Step.APPROVE): BulletinState.APPROVED,
    (BulletinState.SUBMITTED, Step.RETURN): BulletinState.RETURNED,
    (BulletinState.APPROVED, Step.RETURN): BulletinState.RETURNED,
    (BulletinState.DRAFT, Step.ARCHIVE): BulletinState.ARCHIVED,
    (BulletinState.SUBMITTED, Step.ARCHIVE): BulletinState.ARCHIVED,
    (BulletinState.RETURNED, Step.ARCHIVE): BulletinState.ARCHIVED,
    (BulletinState.APPROVED, Step.ARCHIVE): BulletinState.ARCHIVED,
}


def advance(state: BulletinState, step: Step) -> BulletinState:
    """Give the state after a step.

    Raises:
        ConflictError: the step is not for a bulletin in this state.
    """
    after = _AFTER.get((state, step))
    if after is None:
        raise ConflictError(f"a bulletin that is {state} cannot take the step {step}", problem="state", state=state)
    return after


class Words(NamedTuple):
    """One language of a version."""

    language: str
    text: str | None
    source_sha256: str | None
    """Of the recording as it was uploaded; None when there is only text."""


def content_sha256(title: str, voices: Iterable[Words]) -> str:
    """Hash what a version says: its title, and words and sound of each language in their order."""
    said = [title, *([*each] for each in voices)]
    return hashlib.sha256(json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


class Difference(NamedTuple):
    """One field that two versions have differently."""

    field: str
    """``title``…, or ``voices.vi.text``, ``voices.vi.recording_id``, ``voices.order``."""
    before: Any
    after: Any


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Compare two versions, given as field → value, field by field."""
    fields = dict.fromkeys([*before, *after])
    return tuple(
        Difference(field, before.get(field), after.get(field))
        for field in fields
        if before.get(field) != after.get(field)
    )
