"""What would happen at each node if a draft were sent, by the very function that nodes play by (promise P10)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from controller.plans.build import NodeFacts, Stamp, build_settings
from controller.policies.rules import EffectivePolicy
from controller.policies.schemas import Window
from edge_agent.protocol.content import Approval, Broadcast
from edge_agent.protocol.documents import QuietHours, Settings, TrustedKey
from edge_agent.protocol.listings import Listing
from edge_agent.protocol.quiet import in_window
from edge_agent.protocol.states import Outcome, Reason
from edge_agent.protocol.timeline import Conclusion, Progress, Step, View, project

from .drafts import Draft
from .on_air import OnAir, progress_of

DRAFT_ID = "z-draft"
"""Stands for a broadcast that has no id yet. It sorts after all hexadecimal ids."""


PLAYS_PER_HOUR: int = next(each.default for each in msgspec.structs.fields(Settings) if each.name == "plays_per_hour")
"""As ``build_settings`` leaves it. Nodes with fewer plays within an hour need not be told apart by when they began."""


class Guards(NamedTuple):
    """The settings that decide: alike for most nodes of a commune."""

    zone: str
    quiet_hours: tuple[Window, ...]
    windows: tuple[Window, ...]
    languages: tuple[str, ...]


@dataclass(frozen=True)
class Surroundings:
    """What else a node has to do and to obey."""

    guards: Guards
    broadcasts: frozenset[str] = frozenset()
    """Ids of other broadcasts that it has not done with."""
    on_air: tuple[OnAir, ...] = ()
    """What has begun there and is not over."""
    begun: tuple[datetime, ...] = ()
    """When the plays of the last hour began that are over; empty while too few to matter."""
    held: bool = False


class Cut(NamedTuple):
    """Another broadcast that gives way."""

    broadcast_id: str
    at: datetime
    lost_ms: int
    """Of the item that sounds; 0 when it has just ended."""
    resumes_at: datetime | None
    """When its next item begins; None when it does not come back."""


class Forecast(NamedTuple):
    """What will happen."""

    outcome: Outcome
    reason: Reason | None
    begins_at: datetime | None
    quiet_window: QuietHours | None
    """The window that is in the way, with reason ``quiet_hours``."""
    crossed: frozenset[str]
    """Other broadcasts that sound or wait while this one could sound."""
    cuts: tuple[Cut, ...] = ()
    """Those of them that had begun, and give way to it."""


def guards_of(policy: EffectivePolicy) -> Guards:
    """Give what holds in an area as something that nodes can be grouped by."""
    return Guards(policy.zone, policy.quiet_hours, policy.windows, policy.languages)


def draft_broadcast(draft: Draft) -> Broadcast:
    """Write a draft as nodes would get it, approved by whoever is about to send it."""
    window = draft.window
    approval = Approval(
        approval_id=DRAFT_ID,
        content_sha256=draft.content_sha256,
        scopes=draft.targets.scopes,
        not_before_at=window.start_at,
        not_after_at=window.latest_end_at,
    )
    return Broadcast(
        broadcast_id=DRAFT_ID,
        level=draft.level,
        start_at=window.start_at,
        latest_start_at=window.latest_start_at,
        latest_end_at=window.latest_end_at,
        start=draft.start_mode,
        drill=draft.drill,
        run=draft.run_id,
        approvals=(approval,),
        items=draft.items,
    )


def group(nodes: Mapping[str, Surroundings]) -> dict[Surroundings, list[str]]:
    """Put nodes together that will do the same."""
    found: dict[Surroundings, list[str]] = defaultdict(list)
    for node_id, around in nodes.items():
        found[around].append(node_id)
    return dict(found)


def forecast(
    draft: Broadcast,
    around: Surroundings,
    others: Mapping[str, Broadcast],
    *,
    now: datetime,
    trusted_keys: tuple[TrustedKey, ...],
) -> Forecast:
    """Say what will happen to a draft at nodes in these surroundings."""
    listed = [draft, *(others[key] for key in sorted(around.broadcasts) if key in others)]
    view = View(
        listings={each.broadcast_id: listing_of(each) for each in listed},
        settings=settings_of(around.guards, trusted_keys, now),
        holds=frozenset({"hold"} if around.held else ()),
        progress=_progress(around, others),
    )
    found = _Found(draft)
    until_at = max(each.broadcast.latest_end_at for each in view.listings.values()) + timedelta(seconds=1)
    for step in project(view, now, until_at):
        found.take(step)
        if found.is_settled:
            break
    reason = found.end.reason if found.end else None
    return Forecast(
        outcome=found.end.outcome if found.end else Outcome.UNKNOWN,
        reason=reason,
        begins_at=found.begins_at,
        quiet_window=_window_in_the_way(view.settings, draft) if reason is Reason.QUIET_HOURS else None,
        crossed=frozenset(found.crossed),
        cuts=tuple(found.cuts.values()),
    )


class _Found:
    """What a walk through time has shown of a draft so far."""

    def __init__(self, draft: Broadcast) -> None:
        self._draft = draft
        self.begins_at: datetime | None = None
        self.end: Conclusion | None = None
        self.crossed: set[str] = set()
        self.cuts: dict[str, Cut] = {}
        self._gone: set[str] = set()
        """Of the cut ones, those that are back, or over."""

    @property
    def is_settled(self) -> bool:
        """Whether nothing more can be learnt: the draft is over, and what gave way to it has come back."""
        return self.end is not None and self._gone >= self.cuts.keys()

    def take(self, step: Step) -> None:
        """Note what a step shows."""
        self._gone |= {each.broadcast_id for each in step.conclusions}
        if step.sound is not None and step.sound.broadcast_id == DRAFT_ID:
            if self.begins_at is None:
                self.begins_at = step.at
                self._note_cuts(step)
        elif step.sound is not None and self.end is None and step.sound.ends_at > self._draft.start_at:
            self.crossed.add(step.sound.broadcast_id)
        if step.sound is not None and step.sound.broadcast_id in self.cuts.keys() - self._gone:
            key = step.sound.broadcast_id
            self.cuts[key] = self.cuts[key]._replace(resumes_at=step.at)
            self._gone.add(key)
        self.end = self.end or next((each for each in step.conclusions if each.broadcast_id == DRAFT_ID), None)

    def _note_cuts(self, step: Step) -> None:
        for key, progress in step.changes.items():
            if key != DRAFT_ID and (progress.suspended or progress.outcome is Outcome.INTERRUPTED):
                cut = step.cut if step.cut is not None and step.cut.broadcast_id == key else None
                lost_ms = 0 if cut is None else (cut.ends_at - step.at) // timedelta(milliseconds=1)
                self.cuts[key] = Cut(key, step.at, lost_ms, None)


def refusal(found: Iterable[Forecast]) -> Forecast | None:
    """Give the reason why no node at all would play, if all of them would refuse."""
    forecasts = list(found)
    if forecasts and all(each.outcome is Outcome.REFUSED for each in forecasts):
        return forecasts[0]
    return None


def listing_of(broadcast: Broadcast) -> Listing:
    """List a broadcast in all that it is approved for."""
    scopes = frozenset(scope for approval in broadcast.approvals for scope in approval.scopes)
    return Listing(broadcast=broadcast, scopes=scopes)


def _progress(around: Surroundings, others: Mapping[str, Broadcast]) -> dict[str, Progress]:
    over = {
        f"{DRAFT_ID}-{number}": Progress(began_at=began_at, outcome=Outcome.PLAYED)
        for number, began_at in enumerate(around.begun)
    }
    return over | progress_of(around.on_air, others, around.guards.languages)


def settings_of(guards: Guards, trusted_keys: tuple[TrustedKey, ...], now: datetime) -> Settings:
    """Write guards as a node gets them."""
    local = EffectivePolicy(guards.zone, guards.quiet_hours, guards.languages, guards.windows)
    stamp = Stamp("nodes/preview", epoch=1, version=1, now=now)
    return build_settings(stamp, NodeFacts(), (), local, trusted_keys)


def _window_in_the_way(settings: Settings, draft: Broadcast) -> QuietHours | None:
    last = draft.latest_start_at + timedelta(milliseconds=draft.length_ms)
    for window in settings.quiet_hours:
        if any(in_window(window, settings.zone, at) for at in (draft.start_at, draft.latest_start_at, last)):
            return window
    return settings.quiet_hours[0] if settings.quiet_hours else None
