"""Words of recordings on their way in, whose keys are codes."""

from collections.abc import Iterable

from audio.errors import Reason as Rejection
from audio.errors import SoundWarning
from web.pages.sounds import RECORD_WORDS, UPLOAD_PROBLEMS

FAMILIES: dict[str, Iterable[str]] = {
    "rejected": [*Rejection, "other"],
    "warning": [*SoundWarning, "other"],
    "upload_problem": UPLOAD_PROBLEMS,
    "record_said": RECORD_WORDS,
}
