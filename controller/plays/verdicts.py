"""Rules with their verdicts: from what the centre knows, from what a node said, from what is foreseen. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from edge_agent.protocol import content
from edge_agent.protocol.documents import QuietHours, Settings
from edge_agent.protocol.rules import Rule, RuleName, Verdict
from edge_agent.protocol.states import Level, Outcome, Reason

from .why_schemas import ByOut, CentreRule, DeviceRule, WhyRuleOut

Name = CentreRule | RuleName | DeviceRule
Values = Mapping[Name, dict[str, Any]]
"""What words need, rule by rule."""
ORDER: tuple[Name, ...] = (*CentreRule, *RuleName, *DeviceRule)

RULE_OF: Mapping[Reason, Name] = {
    Reason.WITHDRAWN: RuleName.LISTED,
    Reason.STOPPED: RuleName.NOT_STOPPED,
    Reason.CLOCK_UNTRUSTED: RuleName.CLOCK,
    Reason.NOT_YET: RuleName.STARTED,
    Reason.ALREADY_BEGUN: RuleName.NOT_BEGUN,
    Reason.LATEST_END: RuleName.NOT_OVER,
    Reason.NOT_APPROVED: RuleName.APPROVED,
    Reason.TOO_LONG: RuleName.LENGTH,
    Reason.HELD: RuleName.NOT_HELD,
    Reason.LEASE_ENDED: RuleName.LEASE,
    Reason.OUTSIDE_WINDOW: RuleName.WINDOWS,
    Reason.QUIET_HOURS: RuleName.QUIET_HOURS,
    Reason.PLAYS_PER_HOUR: RuleName.PLAYS_PER_HOUR,
    Reason.NO_FILE: RuleName.FILE,
    Reason.CORRUPT_FILE: RuleName.FILE,
    Reason.NO_SPACE: RuleName.FILE,
    Reason.LATE: RuleName.IN_TIME,
    Reason.OFF: RuleName.IN_TIME,
    Reason.BUSY: RuleName.IN_TIME,
    Reason.PREEMPTED: RuleName.NODE_FREE,
    Reason.POWER: DeviceRule.DEVICE,
    Reason.OUTPUT_LOST: DeviceRule.DEVICE,
    Reason.SHUTDOWN: DeviceRule.DEVICE,
    Reason.LOCAL_STOP: DeviceRule.DEVICE,
}
"""The rule behind each reason with which a play ends, as the timeline gives it; a node alone knows its device."""
BY_THE_CENTRE = frozenset({Reason.STOPPED, Reason.WITHDRAWN})
"""What a node says when it was told by the centre: the centre knows by whom."""


def ended(outcome: Outcome, reason: Reason | None) -> Name | None:
    """Give the rule that ended a play by the node's own word; None when it was played to its end."""
    if outcome is Outcome.PLAYED:
        return None
    if outcome is Outcome.EXPIRED:
        return RuleName.NOT_OVER
    return RULE_OF[reason] if reason is not None else DeviceRule.DEVICE


def stopped_at(
    blocker: Name | None, values: Values, *, reason: Reason | None = None, by: ByOut | None = None
) -> tuple[WhyRuleOut, ...]:
    """Give all rules, where those before ``blocker`` have passed and those behind it were not reached."""
    found: list[WhyRuleOut] = []
    verdict = Verdict.PASSED
    for name in ORDER:
        if name is blocker:
            found.append(_rule(name, Verdict.BLOCKS, values, reason, by))
            verdict = Verdict.NOT_REACHED
        else:
            found.append(_rule(name, verdict, values))
    return tuple(found)


def asked_of_node(rules: Sequence[Rule], values: Values, by: ByOut | None, *, begun: bool) -> tuple[WhyRuleOut, ...]:
    """Give the rules as the timeline finds them; those of the centre have passed. ``begun``: it sounds already."""
    node = [_rule(each.name, each.verdict, values, each.reason, by if each.reason else None) for each in rules]
    centre = [_rule(name, Verdict.PASSED, values) for name in CentreRule]
    last = Verdict.PASSED if begun and blocker_of(node) is None else Verdict.NOT_REACHED
    return (*centre, *node, _rule(DeviceRule.DEVICE, last, values))


def unasked(values: Values) -> tuple[WhyRuleOut, ...]:
    """Give the rules where the centre's have passed, and nobody knows what the node found."""
    return tuple(
        _rule(name, Verdict.PASSED if isinstance(name, CentreRule) else Verdict.NOT_REACHED, values) for name in ORDER
    )


def blocker_of(rules: Iterable[WhyRuleOut]) -> Name | None:
    """Give the first rule that blocks."""
    return next((each.name for each in rules if each.verdict is Verdict.BLOCKS), None)


def values_of(wire: content.Broadcast, settings: Settings) -> dict[Name, dict[str, Any]]:
    """Give what words need to tell of the rules of one broadcast at one node."""
    emergency = wire.level is Level.EMERGENCY
    most_ms = settings.max_emergency_ms if emergency else settings.max_broadcast_ms
    return {
        RuleName.STARTED: {"start_at": wire.start_at},
        RuleName.IN_TIME: {"latest_start_at": wire.latest_start_at},
        RuleName.NOT_OVER: {"latest_end_at": wire.latest_end_at},
        RuleName.LENGTH: {"length_ms": wire.length_ms, "most_ms": most_ms},
        RuleName.WINDOWS: {"hours": _hours(settings.windows)},
        RuleName.QUIET_HOURS: {"hours": _hours(settings.quiet_hours)},
        RuleName.PLAYS_PER_HOUR: {"most": settings.plays_per_hour},
    }


def _hours(windows: Iterable[QuietHours]) -> list[str]:
    return [f"{each.start}–{each.until}" for each in windows]


def _rule(
    name: Name,
    verdict: Verdict,
    values: Values,
    reason: Reason | None = None,
    by: ByOut | None = None,
) -> WhyRuleOut:
    return WhyRuleOut(name=name, verdict=verdict, reason=reason, by=by, values=values.get(name, {}))
