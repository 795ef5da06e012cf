"""Short ways to build what the wire carries, with valid defaults. Times are seconds after ``T0``."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from edge_agent.protocol.content import Approval, Broadcast, Item, Voice, content_hash
from edge_agent.protocol.documents import Settings, TrustedKey
from edge_agent.protocol.states import KeyUse, Level

T0 = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
"""21:00 in Hanoi, an hour before the quiet hours that most tests use."""

HAMLET, COMMUNE, NODE = "areas/hamlet", "areas/commune", "nodes/n1"

KEYS = (
    TrustedKey(kid="0" * 16, use=KeyUse.DISPATCH, x="A" * 43),
    TrustedKey(kid="1" * 16, use=KeyUse.POLICY, x="B" * 43),
)
CLAIMS = {"epoch": 1, "version": 1, "iat": 1, "nbf": 1, "exp": 2}


def after(seconds: float) -> datetime:
    """Give the instant that many seconds after ``T0``."""
    return T0 + timedelta(seconds=seconds)


def sha(name: str) -> str:
    """Give the hash of an audio file that does not exist."""
    return hashlib.sha256(name.encode()).hexdigest()


def settings(**fields: Any) -> Settings:
    """Build a node's settings."""
    return Settings(**{"aud": NODE, **CLAIMS, "trusted_keys": KEYS, **fields})


def voice(name: str, seconds: float, *, language: str = "vi", gain_mb: int = 0) -> Voice:
    """Build one voice of ``seconds`` length."""
    return Voice(language=language, sha256=sha(name), bytes=1000, length_ms=round(seconds * 1000), gain_mb=gain_mb)


def items(name: str, lengths: Iterable[float]) -> tuple[Item, ...]:
    """Build slots that follow one another without a gap, one voice each."""
    found, offset_ms = [], 0
    for index, seconds in enumerate(lengths):
        spoken = voice(f"{name}-{index}", seconds)
        found.append(Item(offset_ms=offset_ms, voices=(spoken,)))
        offset_ms += spoken.length_ms
    return tuple(found)


def broadcast(
    name: str,
    *,
    second: float = 0,
    lengths: Iterable[float] = (10,),
    late: float = 300,
    until: float | None = None,
    level: Level = Level.NORMAL,
    scopes: Iterable[str] = (HAMLET,),
    **fields: Any,
) -> Broadcast:
    """Build a broadcast, approved for ``scopes``; it may begin up to ``late`` seconds late."""
    said = fields.pop("items", None) or items(name, lengths)
    length = (said[-1].offset_ms + said[-1].slot_ms) / 1000
    end_at = after(second + late + length if until is None else until)
    approval = Approval(
        approval_id="yes",
        content_sha256=content_hash(said, fields.get("drill")),
        scopes=tuple(scopes),
        not_before_at=after(second),
        not_after_at=end_at,
    )
    return Broadcast(
        **{
            "broadcast_id": name,
            "level": level,
            "start_at": after(second),
            "latest_start_at": after(second + late),
            "latest_end_at": end_at,
            "approvals": (approval,),
            "items": said,
            **fields,
        }
    )
