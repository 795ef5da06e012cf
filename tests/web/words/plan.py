"""Words of schedules, whose keys are codes."""

from collections.abc import Iterable
from typing import get_args

from controller.policies.schemas import Rule
from controller.schedules.rrules import RANGES
from controller.schedules.states import Overrun
from edge_agent.protocol.states import StartMode

FAMILIES: dict[str, Iterable[str]] = {
    "rule": get_args(Rule),
    "rule_part": [*RANGES, "BYDAY", "other"],
    "overrun": [*Overrun, "other"],
    "start_mode": [*StartMode, "other"],
}
