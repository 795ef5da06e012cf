"""Sections 7 to 9: what stands in each document, and what its fields say of each other."""

import base64
from typing import Any

from .basics import Json, require
from .fields import (
    COUNT,
    DATE,
    ID,
    LANGUAGE,
    MILLIBEL,
    MILLIS,
    POSITIVE,
    SCOPE,
    SHA256,
    TIME,
    Check,
    is_boolean,
    is_instant,
    is_zone,
    many,
    nullable,
    number,
    record,
    text,
)

VOICE = record(
    language=LANGUAGE, sha256=SHA256, bytes=number(1, 67108864), length_ms=number(1, 14400000), gain_mb=(MILLIBEL, 0)
)
APPROVAL = record(
    approval_id=ID,
    content_sha256=SHA256,
    scopes=many(1, 4096, SCOPE),
    not_before_at=is_instant,
    not_after_at=is_instant,
)
BROADCAST_FIELDS = record(
    broadcast_id=ID,
    level=text("normal|priority|emergency"),
    start_at=is_instant,
    latest_start_at=is_instant,
    latest_end_at=is_instant,
    order=(number(-1000000, 1000000), 0),
    start=(text("soft|hard"), "soft"),
    resumes=(is_boolean, True),
    drill=(nullable(text("marked|silent")), None),
    run=(nullable(ID), None),
    approvals=(many(0, 16, APPROVAL), []),
    items=many(1, 500, record(offset_ms=MILLIS, choice=(number(0, 15), 0), voices=many(1, 16, VOICE))),
)


def slots_end_ms(broadcast: Json) -> int:
    last = broadcast["items"][-1]
    return int(last["offset_ms"] + max(voice["length_ms"] for voice in last["voices"]))


def is_broadcast(value: Any) -> Json:
    """Check what the fields of a broadcast say of each other, too."""
    found: Json = BROADCAST_FIELDS(value)
    free_ms = found["items"][0]["choice"]
    require(free_ms == 0)
    for item in found["items"]:
        require(item["offset_ms"] >= free_ms if free_ms else item["offset_ms"] == 0)
        free_ms = item["offset_ms"] + max(voice["length_ms"] for voice in item["voices"])
    require(found["start_at"] <= found["latest_start_at"] <= found["latest_end_at"])
    require(found["start_at"] + free_ms * 1000 <= found["latest_end_at"])
    return found


def is_inline(value: Any) -> dict[str, bytes]:
    require(isinstance(value, dict))
    found = {
        SHA256(name): base64.b64decode(text("[A-Za-z0-9+/=]*")(data), validate=True) for name, data in value.items()
    }
    require(sum(map(len, found.values())) <= 16384)
    return found


PLAN_BODY = record(scope=SCOPE, broadcasts=many(0, 5000, is_broadcast))
QUIET = record(start=TIME, until=TIME)
KEY = record(kid=text("[0-9a-f]{16}"), use=text("dispatch|policy"), x=text("[A-Za-z0-9_-]{43}"))
CLAIMS = {"aud": SCOPE, "epoch": POSITIVE, "version": POSITIVE, "iat": DATE, "nbf": DATE, "exp": DATE}
DOCUMENTS: dict[str, Check] = {
    "hold": record(
        **CLAIMS,
        active=(many(0, 64, record(hold_id=ID, ordered_at=is_instant)), []),
        released=(many(0, 256, ID), []),
    ),
    "urgent": record(
        **CLAIMS,
        broadcasts=(many(0, 64, is_broadcast), []),
        stops=(many(0, 256, record(broadcast_id=ID, stopped_at=is_instant)), []),
        inline=(is_inline, {}),
    ),
    "plan": record(**CLAIMS, covers_until=is_instant, lease_until=is_instant, body_sha256=SHA256, body_bytes=COUNT),
    "settings": record(
        **CLAIMS,
        areas=(many(0, 16, record(area_id=ID, plan_from_version=(POSITIVE, 1))), []),
        zone=(is_zone, "Asia/Ho_Chi_Minh"),
        quiet_hours=(many(0, 8, QUIET), []),
        windows=(many(0, 8, QUIET), []),
        volume_mb=(MILLIBEL, 0),
        trim_mb=(MILLIBEL, 0),
        cap_mb=(MILLIBEL, 0),
        night_cap=(nullable(record(window=QUIET, cap_mb=MILLIBEL)), None),
        languages=(many(1, 16, LANGUAGE), ["vi"]),
        max_broadcast_ms=(MILLIS, 3600000),
        max_emergency_ms=(MILLIS, 1800000),
        plays_per_hour=(number(0, 1000), 30),
        clock_hold_ms=(number(0, 2592000000), 259200000),
        health_interval_ms=(number(1000, 600000), 30000),
        trusted_keys=many(2, 16, KEY),
        pinned=(many(0, 256, VOICE), []),
        revoked_keys=(many(0, 64, text("[0-9a-f]{16}")), []),
    ),
    "command": record(
        **CLAIMS,
        command_id=ID,
        action=text("identify|self_test|send_log|restart|update|reference"),
        sha256=(nullable(SHA256), None),
    ),
    "receipts/ack": record(**CLAIMS, store_id=ID, stored_through_seq=COUNT, send_from_seq=(nullable(POSITIVE), None)),
    "time/answer": record(**CLAIMS, nonce=text("[0-9a-f]{32}"), time_at=is_instant),
}
RETAINED = ("settings", "hold", "urgent", "plan")
