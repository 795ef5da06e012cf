"""The centre's signing keys as a list: which signs, which is coming, which is leaving, and until when. Pure.

Private halves are files of their own and not known here.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from controller.errors import LoaError
from edge_agent.protocol.documents import TrustedKey
from edge_agent.protocol.states import KeyUse

LIFE = timedelta(days=730)
"""Of a key; it goes on signing after its end, and people are told long before."""
PATIENCE = timedelta(days=14)
"""So long a rotation waits for nodes that do not say that they hold the new key."""
WARN_DAYS = (90, 30, 7)
"""Before the end of a key people are told so early, each time anew."""
NAMED = 5
"""Nodes named in a sentence."""
MAX_REVOKED = 64
"""As many as fit into settings."""


class RotationError(LoaError):
    """The keys cannot be changed in this way now."""

    code = "rotation"


class Step(StrEnum):
    """How far a key is."""

    COMING = "coming"
    """Nodes are told to trust it; nothing is signed with it."""
    SIGNING = "signing"
    LEAVING = "leaving"
    """Still trusted. Of policy: still signs for those who do not hold the new one."""


class RingKey(msgspec.Struct, frozen=True, kw_only=True):
    """One key."""

    use: KeyUse
    kid: str
    x: str
    """Public half, as in ``TrustedKey.x``."""
    file: str
    """Name of the file of the private half; empty for an update key, whose private half is elsewhere."""
    step: Step
    made_at: datetime
    ends_at: datetime
    since_at: datetime
    """When it came to this step."""

    @property
    def trusted(self) -> TrustedKey:
        """The public half, for nodes."""
        return TrustedKey(kid=self.kid, use=self.use, x=self.x)


class Ring(msgspec.Struct, frozen=True, kw_only=True):
    """All keys of the centre that nodes are to trust, and those that they never are again."""

    keys: tuple[RingKey, ...]
    revoked: tuple[str, ...] = ()
    """Names of keys that others may have."""
    changed_at: datetime | None = None
    """None: it is as it was made."""
    asleep: tuple[str, ...] = ()
    """Nodes that do not hold the policy key of now, whose predecessor is destroyed: the settings that bring it to them
    are signed already, and stay good only until the next one is replaced, too."""

    def of(self, use: KeyUse, step: Step) -> RingKey | None:
        """Give the key of a use at a step."""
        return next((key for key in self.keys if key.use is use and key.step is step), None)

    def signing(self, use: KeyUse) -> RingKey:
        """Give the key that signs; there is always one."""
        return next(key for key in self.keys if key.use is use and key.step is Step.SIGNING)

    @property
    def trusted(self) -> tuple[TrustedKey, ...]:
        """Public halves, for nodes."""
        return tuple(key.trusted for key in self.keys)

    def for_holder(self, use: KeyUse, held: Collection[str]) -> RingKey:
        """Give the key to sign with for a node that says that it holds ``held``.

        A policy key that is leaving signs for whoever does not hold its successor: only what they can check can bring
        it to them.
        """
        signing, leaving = self.signing(use), self.of(use, Step.LEAVING)
        if use is not KeyUse.POLICY or leaving is None or signing.kid in held:
            return signing
        return leaving


def begin(ring: Ring, new: RingKey, *, stolen: bool = False, leave_behind: bool = False) -> Ring:
    """Start to replace the key of a use.

    ``stolen``: others may have the old one; it is trusted no more at once, and what it signed is void.
    ``leave_behind``: of policy; nodes that sleep through it and the one before have to be adopted anew.

    Raises:
        RotationError: one is under way or nodes sleep through the last one, or it is the policy key that was stolen.
    """
    use, old = new.use, ring.signing(new.use)
    if use is KeyUse.POLICY and leave_behind:
        ring = replace(drop(ring, use, new.since_at), asleep=())
    if stolen and use is KeyUse.POLICY:
        raise RotationError(
            "who has the policy key says itself which keys nodes trust: no message mends that; adopt the nodes anew"
        )
    if not stolen and len([key for key in ring.keys if key.use is use]) > 1:
        raise RotationError(f"a new {use} key is on its way already; see: loa keys list")
    if use is KeyUse.POLICY and ring.asleep:
        raise RotationError(
            f"{len(ring.asleep)} nodes slept through the last change of this key, among them "
            f"{', '.join(ring.asleep[:NAMED])}; after another one they could not come back. Wake them, remove them, or "
            "say --leave-behind and adopt them anew"
        )
    if stolen:
        gone = [key for key in ring.keys if key.use is use]
        kept = tuple(key for key in ring.keys if key.use is not use)
        revoked = (*ring.revoked, *(key.kid for key in gone))[-MAX_REVOKED:]
        return Ring(keys=(*kept, replace(new, step=Step.SIGNING)), revoked=revoked, changed_at=new.since_at)
    if use is KeyUse.DISPATCH:
        return replace(ring, keys=(*ring.keys, replace(new, step=Step.COMING)), changed_at=new.since_at)
    left = replace(old, step=Step.LEAVING, since_at=new.since_at)
    others = (left if key is old else key for key in ring.keys)
    return replace(ring, keys=(*others, replace(new, step=Step.SIGNING)), changed_at=new.since_at)


def trust_update(ring: Ring, key: TrustedKey, now: datetime) -> Ring:
    """Let nodes believe a key that signs software; the one before it is believed until it is dropped.

    Raises:
        RotationError: it is not an update key, is known or revoked, or two are believed already.
    """
    if key.use is not KeyUse.UPDATE:
        raise RotationError(f"key {key.kid} is for {key.use}, not for updates; see: loa keys make-update-key")
    if key.kid in ring.revoked or any(each.kid == key.kid for each in ring.keys):
        raise RotationError(f"update key {key.kid} is known already; see: loa keys list")
    before = [each for each in ring.keys if each.use is KeyUse.UPDATE]
    if len(before) > 1:
        raise RotationError("two update keys are believed already; drop one first: loa keys drop-update-key")
    others = (replace(each, step=Step.LEAVING, since_at=now) if each in before else each for each in ring.keys)
    new = RingKey(
        use=key.use, kid=key.kid, x=key.x, file="", step=Step.SIGNING, made_at=now, since_at=now, ends_at=now + LIFE
    )
    return replace(ring, keys=(*others, new), changed_at=now)


def drop_update(ring: Ring, kid: str, now: datetime, *, stolen: bool = False) -> Ring:
    """Believe an update key no more. ``stolen``: and never again.

    Raises:
        RotationError: there is no such update key.
    """
    if not any(key.kid == kid and key.use is KeyUse.UPDATE for key in ring.keys):
        raise RotationError(f"there is no update key {kid[:20]!r}; see: loa keys list")
    kept = tuple(key for key in ring.keys if key.kid != kid)
    revoked = (*ring.revoked, kid)[-MAX_REVOKED:] if stolen else ring.revoked
    return Ring(keys=kept, revoked=revoked, changed_at=now)


def switch(ring: Ring, use: KeyUse, now: datetime) -> Ring:
    """Let the key that is coming sign, and the other one leave."""
    turns = {Step.COMING: Step.SIGNING, Step.SIGNING: Step.LEAVING}
    return replace(
        ring,
        keys=tuple(
            replace(key, step=turns[key.step], since_at=now) if key.use is use and key.step in turns else key
            for key in ring.keys
        ),
        changed_at=now,
    )


def drop(ring: Ring, use: KeyUse, now: datetime, lagging: Iterable[str] = ()) -> Ring:
    """Trust the key no more that is leaving. What it signed stays in force until something newer comes."""
    kept = tuple(key for key in ring.keys if key.use is not use or key.step is not Step.LEAVING)
    asleep = tuple(lagging) if use is KeyUse.POLICY else ring.asleep
    return replace(ring, keys=kept, changed_at=now, asleep=asleep)


def may_turn(since_at: datetime, lagging: Collection[str], now: datetime) -> bool:
    """Say whether a rotation goes on: everybody holds the new key, or was waited for long enough."""
    return not lagging or now - since_at >= PATIENCE


def warning(ends_at: datetime, now: datetime) -> int | None:
    """Say which of ``WARN_DAYS`` has come, the nearest; None: there is time."""
    left = ends_at - now
    return min((days for days in WARN_DAYS if left <= timedelta(days=days)), default=None)


def ends(keys: Iterable[RingKey]) -> dict[str, datetime]:
    """Say when the keys end that sign, by use: those that leave end by leaving."""
    return {f"{key.use}_key": key.ends_at for key in keys if key.step is not Step.LEAVING}
