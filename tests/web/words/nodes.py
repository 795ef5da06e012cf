"""Words of nodes, whose keys are codes."""

from collections.abc import Iterable
from typing import get_args

from controller.faults.rules import OWN
from edge_agent.clock import Distrust
from edge_agent.faults import Fault
from edge_agent.protocol.states import ClockState
from edge_agent.radio import Signal

FAMILIES: dict[str, Iterable[str]] = {
    "clock": ClockState,
    "clock_why": [*get_args(Distrust), "other"],
    "link_kind": [*get_args(Signal.__annotations__["kind"]), "other"],
    "self_test": ["heard", "not_heard", "unsure", "not_listened", "refused", "failed"],
    "reference": ["none", "wanted", "taken", "same", "weaker", "different", "silent"],
    "fault": [*Fault, *OWN, "other"],
    "fault_short": [*Fault, *OWN, "other"],
    "leaving": ["other", "shutdown", "restart", "update"],
}
