"""Words of a broadcast and of what becomes of it, whose keys are codes."""

from collections.abc import Iterable

from controller.plays.verdicts import ORDER
from controller.plays.why_schemas import NoteCode
from edge_agent.protocol.states import Grade, Outcome, PlayState, Reason

FAMILIES: dict[str, Iterable[str]] = {
    "state": PlayState,
    "grade": [*(f"e{grade}" for grade in Grade), "simulated"],
    "outcome": set(Outcome) - {Outcome.PLAYED},
    "reason": [*Reason, "other"],
    "why_rule": ORDER,
    "why_note": NoteCode,
}
