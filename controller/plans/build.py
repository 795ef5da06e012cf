"""Rows → documents. Pure: what is to be said comes in, an unsigned document comes out; no clock, no database."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any, TypeVar

import msgspec

from controller.policies.rules import EffectivePolicy
from controller.policies.schemas import Night, Window
from edge_agent.protocol.content import Body, Broadcast, PlanBody, Voice, pack_body
from edge_agent.protocol.documents import (
    MAX_INLINE_BYTES,
    Hold,
    HoldOrder,
    Membership,
    NightCap,
    Plan,
    QuietHours,
    Settings,
    Signed,
    Stop,
    TrustedKey,
    Urgent,
)

SKEW = timedelta(seconds=60)
"""``nbf`` lies this far before the signing: a node's clock may trust itself and be a little behind."""
FOREVER = timedelta(days=3650)
"""For documents that only a newer one ends: holds, settings, an empty urgent."""
URGENT_MARGIN = timedelta(seconds=60)
"""An urgent is readable this long after the last of its windows; each broadcast keeps its own limits."""
RELEASE_KEPT = timedelta(hours=1)
"""A released hold is named at least this long, and until every node of the scope was heard without it."""
MAX_RELEASED = 256
MAX_URGENT = 64
MAX_STOPS = 256

CLOCK_HOLD = timedelta(hours=72)
CLOCK_HOLD_WITH_BATTERY = timedelta(days=7)
"""Promise P8."""


@dataclass(frozen=True)
class Stamp:
    """What every signed document carries."""

    scope: str
    epoch: int
    version: int
    now: datetime

    def claims(self, exp_at: datetime) -> dict[str, Any]:
        """Give the claims of a document that is readable until ``exp_at``."""
        issued, first = int(self.now.timestamp()), int((self.now - SKEW).timestamp())
        return {
            "aud": self.scope,
            "epoch": self.epoch,
            "version": self.version,
            "iat": issued,
            "nbf": first,
            "exp": ceil(exp_at.timestamp()),
        }


@dataclass(frozen=True)
class HoldFacts:
    """One hold of a scope."""

    hold_id: str
    """What nodes call it."""
    ordered_at: datetime
    released_at: datetime | None
    still_obeyed: bool
    """Some node of the scope has not been heard without it since the release."""


@dataclass(frozen=True)
class NodeFacts:
    """What is said for one node."""

    volume_mb: int = 0
    trim_mb: int = 0
    clock_battery: bool = False
    pinned: tuple[Voice, ...] = ()
    """What lies ready there for emergencies."""


def build_hold(stamp: Stamp, holds: Iterable[HoldFacts]) -> Hold:
    """Name the holds of a scope, and those that are over until nobody obeys them any more."""
    holds = sorted(holds, key=lambda hold: (hold.ordered_at, hold.hold_id))
    active = [HoldOrder(hold_id=hold.hold_id, ordered_at=hold.ordered_at) for hold in holds if not hold.released_at]
    released = [
        hold.hold_id
        for hold in holds
        if hold.released_at and (hold.still_obeyed or stamp.now - hold.released_at < RELEASE_KEPT)
    ]
    claims = stamp.claims(stamp.now + FOREVER)
    return Hold(**claims, active=tuple(active[:64]), released=tuple(released[-MAX_RELEASED:]))


def build_urgent(
    stamp: Stamp, broadcasts: Iterable[Broadcast], stops: Iterable[tuple[Stop, datetime]], inline: Mapping[str, bytes]
) -> Urgent:
    """List what is to sound now. ``stops`` come with the latest end of the broadcast that they end."""
    alive = [broadcast for broadcast in broadcasts if broadcast.latest_end_at > stamp.now]
    alive.sort(key=lambda broadcast: (-broadcast.level.rank, broadcast.start_at, broadcast.broadcast_id))
    alive = alive[:MAX_URGENT]
    standing = sorted((pair for pair in stops if pair[1] > stamp.now), key=lambda pair: pair[0].stopped_at)
    standing = standing[-MAX_STOPS:]
    ends = [broadcast.latest_end_at for broadcast in alive] + [end for _, end in standing]
    exp_at = max(ends) + URGENT_MARGIN if ends else stamp.now + FOREVER
    return Urgent(
        **stamp.claims(exp_at),
        broadcasts=tuple(alive),
        stops=tuple(stop for stop, _ in standing),
        inline=_fitting(alive, inline),
    )


def build_plan(
    stamp: Stamp, broadcasts: Iterable[Broadcast], *, covers_until: datetime, lease_until: datetime
) -> tuple[Plan, Body]:
    """List what a scope is to play until ``covers_until``."""
    listed = [each for each in broadcasts if each.latest_end_at > stamp.now and each.start_at < covers_until]
    listed.sort(key=lambda broadcast: (broadcast.start_at, broadcast.broadcast_id))
    body = pack_body(PlanBody(scope=stamp.scope, broadcasts=tuple(listed)))
    plan = Plan(
        **stamp.claims(lease_until),
        covers_until=covers_until,
        lease_until=lease_until,
        body_sha256=body.sha256,
        body_bytes=len(body.packed),
    )
    return plan, body


def build_settings(
    stamp: Stamp,
    node: NodeFacts,
    areas: Sequence[Membership],
    local: EffectivePolicy,
    trusted_keys: tuple[TrustedKey, ...],
    *,
    revoked_keys: tuple[str, ...] = (),
) -> Settings:
    """Write a node's last guard. ``areas`` run from its own up to the root; ``local`` is what holds there."""
    hold_for = CLOCK_HOLD_WITH_BATTERY if node.clock_battery else CLOCK_HOLD
    if local.lease_hours is not None:
        hold_for = timedelta(hours=local.lease_hours)
    return Settings(
        **stamp.claims(stamp.now + FOREVER),
        areas=tuple(areas),
        zone=local.zone,
        quiet_hours=_on_the_wire(local.quiet_hours),
        windows=_on_the_wire(local.windows),
        night_cap=_night_cap(local.night),
        volume_mb=node.volume_mb,
        trim_mb=node.trim_mb,
        languages=local.languages,
        clock_hold_ms=int(hold_for / timedelta(milliseconds=1)),
        trusted_keys=trusted_keys,
        revoked_keys=revoked_keys,
        pinned=node.pinned,
        download_kbit_s=local.download_kbit_s,
    )


def _on_the_wire(windows: Iterable[Window]) -> tuple[QuietHours, ...]:
    return tuple(QuietHours(start=window.start, until=window.until) for window in windows)


def _night_cap(night: Night | None) -> NightCap | None:
    if night is None:
        return None
    return NightCap(window=QuietHours(start=night.start, until=night.until), cap_mb=night.cap_mb)


_SignedT = TypeVar("_SignedT", bound=Signed)


def says_the_same(new: _SignedT, old: _SignedT) -> bool:
    """Tell whether two documents differ in their stamps only; a plan's horizon and the end of its lease count as stamp.

    The length of the lease does not: it is the area's to say.
    """
    fields: dict[str, Any] = {name: getattr(old, name) for name in ("epoch", "version", "iat", "nbf", "exp")}
    if isinstance(new, Plan) and isinstance(old, Plan):
        if _lease_s(new) != _lease_s(old):
            return False
        fields |= {"covers_until": old.covers_until, "lease_until": old.lease_until}
    # A different life of the centre must be said anew. A later end of readability alone need not: a plan is signed
    # anew by its age, the other documents outlive the hardware, or what they say.
    return new.epoch == old.epoch and msgspec.structs.replace(new, **fields) == old


def _lease_s(plan: Plan) -> int:
    return int(plan.lease_until.timestamp()) - plan.iat


def inline_wanted(broadcasts: Iterable[Broadcast]) -> list[str]:
    """Name the audio that fits inside an urgent, in the order in which it will be needed."""
    wanted: dict[str, int] = {}
    ordered = sorted(broadcasts, key=lambda each: (-each.level.rank, each.start_at, each.broadcast_id))
    for voice in (voice for broadcast in ordered for item in broadcast.items for voice in item.voices):
        if voice.sha256 not in wanted and sum(wanted.values()) + voice.bytes <= MAX_INLINE_BYTES:
            wanted[voice.sha256] = voice.bytes
    return list(wanted)


def _fitting(broadcasts: Iterable[Broadcast], inline: Mapping[str, bytes]) -> dict[str, bytes]:
    fitting: dict[str, bytes] = {}
    for sha256 in inline_wanted(broadcasts):
        audio = inline.get(sha256, b"")
        if audio and sum(map(len, fitting.values())) + len(audio) <= MAX_INLINE_BYTES:
            fitting[sha256] = audio
    return fitting
