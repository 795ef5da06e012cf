"""Says why a broadcast sounds on a node or does not: the rules in order, the first that blocks marked.

It has no opinion of its own: the timeline is asked, and notes down what it finds.
"""

from datetime import datetime
from typing import NamedTuple

import msgspec

from .moment import View
from .rules import Rule, RuleName, Trace, Verdict
from .states import Reason
from .timeline import step, walk

__all__ = ["Rule", "RuleName", "Verdict", "Why", "blocker_of", "explain", "foresee"]


class Why(NamedTuple):
    """The rules at the instant that decides."""

    at: datetime
    rules: tuple[Rule, ...]


def explain(view: View, broadcast_id: str, at: datetime) -> tuple[Rule, ...]:
    """Give every rule for one broadcast, as ``step`` finds it at this instant: passed, blocks, or not reached.

    Nothing blocks what sounds. ``view`` is what is known at ``at``; for an instant to come ask ``foresee``.
    """
    trace = Trace(broadcast_id)
    if broadcast_id in view.listings:
        step(view, at, trace)
    else:
        trace.blocks(RuleName.LISTED, Reason.WITHDRAWN)
    return trace.rules()


def foresee(view: View, broadcast_id: str, from_at: datetime, until_at: datetime) -> Why:
    """Walk on, as the preview does, to the instant at which it begins, or ends without having begun.

    If neither comes before ``until_at``, the last instant looked at is explained.
    """
    at, seen = from_at, view
    for near, found in walk(view, from_at, until_at) if broadcast_id in view.listings else ():
        at, seen = found.at, near
        progress = found.changes.get(broadcast_id)
        if progress is not None and (progress.began_at is not None or progress.outcome is not None):
            break
    listings = {key: view.listings[key] for key in {*seen.listings, broadcast_id} if key in view.listings}
    return Why(at, explain(msgspec.structs.replace(seen, listings=listings), broadcast_id, at))


def blocker_of(rules: tuple[Rule, ...]) -> Rule | None:
    """Give the first rule that blocks; None when it sounds."""
    return next((rule for rule in rules if rule.verdict is Verdict.BLOCKS), None)
