"""Documents as the centre signs them: numbered in sequence, each by the right key. No broker, no store."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.protocol.content import Approval, Broadcast, Item, PlanBody, Voice, content_hash, pack_body
from edge_agent.protocol.documents import (
    Hold,
    HoldOrder,
    Membership,
    Plan,
    Settings,
    Signed,
    Stop,
    TimeAnswer,
    TrustedKey,
    Urgent,
)
from edge_agent.protocol.signing import SigningKey
from edge_agent.protocol.states import KeyUse, Level

SCOPE = "areas/thon-1"
"""Where things are ordered unless a test says otherwise."""


class Keys:
    """The centre's keys."""

    def __init__(self) -> None:
        self.dispatch = SigningKey(Ed25519PrivateKey.generate())
        self.policy = SigningKey(Ed25519PrivateKey.generate())

    @property
    def trusted(self) -> tuple[TrustedKey, ...]:
        return self.dispatch.trusted_as(KeyUse.DISPATCH), self.policy.trusted_as(KeyUse.POLICY)

    def sign(self, document: Signed) -> bytes:
        return (self.policy if document.key_use is KeyUse.POLICY else self.dispatch).sign(document)


class Orders:
    """Makes what a centre orders. ``now`` is the centre's clock; every document is valid for a day."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self.epoch = 1
        self.bodies: dict[str, bytes] = {}
        """Packed, by hash."""
        self._versions: dict[tuple[str, str], int] = {}

    def claims(self, kind: type[Signed], scope: str, **changes: Any) -> dict[str, Any]:
        key = (scope, kind.word.value)
        self._versions[key] = self._versions.get(key, 0) + 1
        now_s = int(self._now().timestamp())
        claims = {"aud": scope, "epoch": self.epoch, "version": self._versions[key]}
        return {**claims, "iat": now_s, "nbf": now_s - 60, "exp": now_s + 86_400, **changes}

    def follow(self, other: "Orders") -> None:
        """Go on where another left off."""
        self.bodies, self._versions = other.bodies, other._versions

    def settings(self, scope: str, keys: Keys, **fields: Any) -> Settings:
        claims = self.claims(Settings, scope, **fields.pop("claims", {}))
        areas = fields.pop("areas", (Membership(area_id=SCOPE.removeprefix("areas/")),))
        return Settings(**claims, areas=areas, **{"trusted_keys": keys.trusted, **fields})

    def plan(
        self, *broadcasts: Broadcast, scope: str = SCOPE, lease: timedelta = timedelta(days=3), **changes: Any
    ) -> Plan:
        body = pack_body(PlanBody(scope=scope, broadcasts=broadcasts))
        self.bodies[body.sha256] = body.packed
        now = self._now()
        return Plan(
            **self.claims(Plan, scope, **changes),
            covers_until=now + timedelta(days=7),
            lease_until=now + lease,
            body_sha256=body.sha256,
            body_bytes=len(body.packed),
        )

    def urgent(self, *broadcasts: Broadcast, scope: str = SCOPE, stops: tuple[str, ...] = (), **fields: Any) -> Urgent:
        claims = self.claims(Urgent, scope, **fields.pop("claims", {}))
        stopped = tuple(Stop(broadcast_id=name, stopped_at=self._now()) for name in stops)
        return Urgent(**claims, broadcasts=broadcasts, stops=stopped, **fields)

    def hold(self, *active: str, released: tuple[str, ...] = (), scope: str = SCOPE, **changes: Any) -> Hold:
        orders = tuple(HoldOrder(hold_id=name, ordered_at=self._now()) for name in active)
        return Hold(**self.claims(Hold, scope, **changes), active=orders, released=released)

    def time(self, scope: str, nonce: str, time_at: datetime) -> TimeAnswer:
        return TimeAnswer(**self.claims(TimeAnswer, scope), nonce=nonce, time_at=time_at)


def broadcast(
    broadcast_id: str,
    start_at: datetime,
    *voices: Voice,
    level: Level = Level.NORMAL,
    scopes: tuple[str, ...] = (SCOPE,),
    late: timedelta = timedelta(seconds=10),
    approved: bool = True,
    **fields: Any,
) -> Broadcast:
    """Put together a broadcast with one item for each voice, one after the other, or of ``items``."""
    items: list[Item] = list(fields.pop("items", ()))
    for voice in voices:
        items.append(Item(offset_ms=items[-1].offset_ms + items[-1].slot_ms if items else 0, voices=(voice,)))
    offset_ms = items[-1].offset_ms + items[-1].slot_ms
    latest_end_at = start_at + late + timedelta(milliseconds=offset_ms + 5000)
    approval = Approval(
        approval_id="approval-1",
        content_sha256=content_hash(items, fields.get("drill")),
        scopes=scopes,
        not_before_at=start_at,
        not_after_at=latest_end_at,
    )
    return Broadcast(
        broadcast_id=broadcast_id,
        level=level,
        start_at=start_at,
        latest_start_at=start_at + late,
        latest_end_at=latest_end_at,
        approvals=(approval,) if approved else (),
        items=tuple(items),
        **fields,
    )


def soon(seconds: float) -> datetime:
    """Give an instant from now."""
    return datetime.now(UTC) + timedelta(seconds=seconds)
