"""Words of schedules, whose keys are codes."""

from collections.abc import Iterable
from typing import get_args

from controller.policies.schemas import Rule
from controller.schedules.rrules import RANGES

FAMILIES: dict[str, Iterable[str]] = {
    "rule": get_args(Rule),
    "rule_part": [*RANGES, "BYDAY", "other"],
}
