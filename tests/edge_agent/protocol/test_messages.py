"""Every message: round trip through JSON, and nonsense refused both where it is built and where it is read."""

import json
from copy import deepcopy
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, get_args

import msgspec
import pytest

from edge_agent.protocol import reports
from edge_agent.protocol.documents import BY_WORD, DOCUMENTS, MAX_INLINE_BYTES, Hold, Settings, Urgent
from edge_agent.protocol.errors import MalformedError
from edge_agent.protocol.fields import Wire, decode
from edge_agent.protocol.reports import PlayEvent
from edge_agent.protocol.states import Grade, KeyUse, Outcome, PlayState
from edge_agent.protocol.topics import Word
from tests.edge_agent.protocol.factories import T0, broadcast, items, sha
from tests.edge_agent.protocol.samples import BY_NAME, SAMPLES

MAPS = {"inline": 1, "dropped": 1, "held": 2}
"""Fields that are maps, and how deep: there an unknown key is data."""

each_sample = pytest.mark.parametrize("sample", SAMPLES, ids=[type(sample).__name__ for sample in SAMPLES])


def plain(sample: Wire) -> Any:
    return json.loads(msgspec.json.encode(sample))


@each_sample
def test_a_message_comes_back_as_it_went(sample: Wire) -> None:
    assert decode(msgspec.json.encode(sample), type(sample)) == sample


@each_sample
def test_only_what_differs_from_its_default_is_sent(sample: Wire) -> None:
    """The samples differ everywhere, so every field is on the wire; the smallest message has only the rest."""
    sent = plain(sample)
    needed = {field.encode_name for field in msgspec.structs.fields(sample) if field.required}
    tag = {"state"} if isinstance(sample, get_args(reports.Presence)) else set()

    least = {name: value for name, value in sent.items() if name in needed | tag}

    assert set(sent) == {*sample.__struct_encode_fields__, *tag}
    assert plain(decode(json.dumps(least).encode(), type(sample))) == least


@each_sample
def test_fields_of_a_newer_peer_are_ignored_at_every_depth(sample: Wire) -> None:
    def grown(value: Any, map_depth: int = 0) -> Any:
        if isinstance(value, list):
            return [grown(one) for one in value]
        if not isinstance(value, dict):
            return value
        if map_depth:
            return {name: grown(one, map_depth - 1) for name, one in value.items()}
        found = {name: grown(one, MAPS.get(name, 0)) for name, one in value.items()}
        return {"zz_new": {"deep": [1, None, "x"]}, **found, "zz_more": 2.5}

    assert decode(json.dumps(grown(plain(sample))).encode(), type(sample)) == sample


@each_sample
def test_what_is_not_json_or_not_an_object_is_malformed(sample: Wire) -> None:
    good = msgspec.json.encode(sample)
    for bad in (
        b"",
        b" ",
        good[:-1],
        good + b"{}",
        good + b"\x00",
        b"[" + good + b"]",
        b"null",
        b'"x"',
        b"\xef\xbb\xbf" + good,
    ):
        with pytest.raises(MalformedError):
            decode(bad, type(sample))


@each_sample
def test_every_field_refuses_every_wrong_type(sample: Wire) -> None:
    wrong = [{"a": 1}, [[]], "\u0000", -(10**30), 10**400, True, 1e308]
    for name in plain(sample):
        refused = 0
        for value in wrong:
            try:
                decode(json.dumps({**plain(sample), name: value}).encode(), type(sample))
            except MalformedError:
                refused += 1
        assert refused >= len(wrong) - 1, name  # one of them may be of the right type


@each_sample
def test_a_missing_field_is_malformed(sample: Wire) -> None:
    for field in msgspec.structs.fields(sample):
        if field.required:
            left = {name: value for name, value in plain(sample).items() if name != field.encode_name}
            with pytest.raises(MalformedError):
                decode(json.dumps(left).encode(), type(sample))


@pytest.mark.parametrize("raw", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"0x10", b"01", b"+1", b"1.0", b"1e0"])
def test_numbers_that_json_does_not_know_are_malformed(raw: bytes) -> None:
    good = msgspec.json.encode(BY_NAME["Plan"])
    assert b'"body_bytes":42' in good

    with pytest.raises(MalformedError):
        decode(good.replace(b'"body_bytes":42', b'"body_bytes":' + raw), type(BY_NAME["Plan"]))


@pytest.mark.parametrize(
    "hostile",
    [
        b'{"reason":"\xff\xfe"}',
        b'{"reason":"\\ud800"}',
        b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"x":' + b'{"x":' * 100_000,
        b'{"reason":' + b'"' + b"a" * 1_000_000,
    ],
    ids=["bad UTF-8", "half a surrogate", "deep lists", "deep objects", "no end"],
)
def test_hostile_json_is_malformed_and_nothing_worse(hostile: bytes) -> None:
    with pytest.raises(MalformedError):
        decode(hostile, reports.Leaving)


BAD_VALUES: list[tuple[str, str, Any]] = [
    *[
        ("Hold", "aud", bad)
        for bad in ("areas/", "areas/A", "nodes/n1/hold", "people/x", "areas/a\n", f"areas/{'x' * 65}")
    ],
    *[("Hold", "epoch", bad) for bad in (0, -1, 2**53)],
    *[("Hold", "version", bad) for bad in (0, 2**53)],
    *[("Hold", "nbf", bad) for bad in (-1, 253_402_300_800, 2_000_000_000)],
    *[("Hold", "exp", bad) for bad in (1, 253_402_300_800)],
    *[("Hold", "released", bad) for bad in (("H",), ("",), ("a b",), ("-a",), ("a" * 65,), ("a",) * 257)],
    *[
        ("Urgent", "inline", bad)
        for bad in ({"x": b""}, {sha("a").upper(): b""}, {sha("a"): b"x" * (MAX_INLINE_BYTES + 1)})
    ],
    ("Urgent", "inline", {sha("a"): b"x" * 9000, sha("b"): b"x" * 9000}),
    *[("Plan", "body_sha256", bad) for bad in ("", "a" * 63, "A" * 64, "g" * 64, "a" * 64 + "\n")],
    ("Plan", "body_bytes", -1),
    *[("Settings", "zone", bad) for bad in ("", "Asia/Hà Nội", "a" * 65, "../etc\n", "a b")],
    *[("Settings", "volume_mb", bad) for bad in (-6001, 1201)],
    *[("Settings", "cap_mb", bad) for bad in (-6001, 1201)],
    *[("Settings", "languages", bad) for bad in ((), ("VI",), ("v",), ("vi_VN",), ("vi-",), ("vi-" + "x" * 9,))],
    *[("Settings", "max_broadcast_ms", bad) for bad in (-1, 86_400_001)],
    *[("Settings", "plays_per_hour", bad) for bad in (-1, 1001)],
    *[("Settings", "download_kbit_s", bad) for bad in (7, 1_000_001)],
    *[("Settings", "clock_hold_ms", bad) for bad in (-1, 30 * 86_400_000 + 1)],
    *[("Settings", "health_interval_ms", bad) for bad in (999, 600_001)],
    *[("Settings", "revoked_keys", (bad,)) for bad in ("", "0" * 15, "G" * 16)],
    ("Settings", "revoked_keys", (BY_NAME["Settings"].trusted_keys[0].kid,)),  # type: ignore[attr-defined]  # a Settings
    ("Settings", "trusted_keys", BY_NAME["Settings"].trusted_keys[:1]),  # type: ignore[attr-defined]  # a Settings
    *[("TimeAnswer", "nonce", bad) for bad in ("", "0" * 31, "0" * 33, "G" * 32, "A" * 32)],
    ("ReceiptsAck", "stored_through_seq", -1),
    ("ReceiptsAck", "send_from_seq", 0),
    ("Broadcast", "items", ()),
    *[("Broadcast", "order", bad) for bad in (-1_000_001, 1_000_001)],
    ("Broadcast", "latest_start_at", T0 - timedelta(seconds=1)),
    ("Broadcast", "latest_end_at", T0 + timedelta(seconds=14)),
    ("Broadcast", "start_at", T0 + timedelta(hours=1)),
    ("Health", "uptime_ms", -1),
    ("Health", "temperature_c", 151),
    ("Health", "held", {"areas/A": {}}),
    ("Health", "dropped", {"Bad Code": 1}),
    ("Leaving", "reason", "Shut down"),
    ("Receipts", "events", ()),
    ("EnrolmentTicket", "poll_ms", 99),
    ("EnrolmentRequest", "csr_pem", "x" * 16_385),
]


@pytest.mark.parametrize(
    ("name", "field", "bad"), BAD_VALUES, ids=[f"{n}.{f}-{i}" for i, (n, f, _) in enumerate(BAD_VALUES)]
)
def test_what_is_out_of_range_can_neither_be_built_nor_read(name: str, field: str, bad: Any) -> None:
    sample = BY_NAME[name]
    hostile = {**plain(sample), field: json.loads(msgspec.json.encode(bad))}

    with pytest.raises(ValueError, match=name):
        msgspec.structs.replace(sample, **{field: bad})
    with pytest.raises(MalformedError):
        decode(json.dumps(hostile).encode(), type(sample))


@pytest.mark.parametrize(
    "instant",
    [
        "2026-11-22T14:00:00",
        "2026-11-22T14:00:00+07:00",
        "2026-11-22",
        "22/11/2026 14:00",
        "2026-02-30T00:00:00Z",
        "2026-11-22T24:00:00Z",
        "10000-01-01T00:00:00Z",
        "",
        1_795_334_400,
    ],
)
def test_an_instant_is_utc_or_nothing(instant: Any) -> None:
    hostile = {**plain(BY_NAME["TimeAnswer"]), "time_at": instant}

    with pytest.raises(MalformedError):
        decode(json.dumps(hostile).encode(), type(BY_NAME["TimeAnswer"]))


@pytest.mark.parametrize("built", [datetime(2026, 1, 1), datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=7)))])  # noqa: DTZ001 -- what must not be
def test_an_instant_of_another_zone_cannot_be_built(built: datetime) -> None:
    with pytest.raises(ValueError, match="time_at"):
        msgspec.structs.replace(BY_NAME["TimeAnswer"], time_at=built)


def test_an_instant_keeps_its_microseconds() -> None:
    at = datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
    answer = msgspec.structs.replace(BY_NAME["TimeAnswer"], time_at=at)

    assert decode(msgspec.json.encode(answer), type(answer)) == answer


def test_slots_follow_one_another_from_the_start() -> None:
    first, second = items("b", (10, 5))
    for wrong in (
        (second,),
        (first, msgspec.structs.replace(second, offset_ms=9_999)),
        (first, first),
    ):
        with pytest.raises(ValueError, match="Broadcast"):
            broadcast("b", items=wrong)
    broadcast("b", items=(first, msgspec.structs.replace(second, offset_ms=60_000)))


def test_quiet_hours_of_no_length_cannot_be_said() -> None:
    quiet = BY_NAME["Settings"].quiet_hours[0]  # type: ignore[attr-defined]  # a Settings

    with pytest.raises(ValueError, match="same"):
        msgspec.structs.replace(quiet, until="22:00")
    for bad in ("24:00", "9:00", "09:60", "09:00:00", "٠٩:٠٠"):
        with pytest.raises(ValueError, match="start"):
            msgspec.structs.replace(quiet, start=bad)


EVENT = {"seq": 1, "at": T0, "broadcast_id": "b1"}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"state": PlayState.PLAYING, "outcome": Outcome.MISSED},
        {"outcome": Outcome.UNKNOWN},
        {"outcome": Outcome.CANCEL_UNCONFIRMED},
        {"outcome": Outcome.PLAYED},
        {"outcome": Outcome.PLAYED, "grade": Grade.E0},
        {"outcome": Outcome.MISSED, "item": 500},
        {"state": PlayState.ARMED, "seq": 0},
        {"state": PlayState.ARMED, "start_error_ms": float("nan")},
        {"outcome": Outcome.MISSED, "by": "B"},
    ],
)
def test_an_event_that_says_nothing_or_too_much_is_refused(fields: dict[str, Any]) -> None:
    """P4: above all, no ``played`` without evidence."""
    with pytest.raises(ValueError, match="PlayEvent"):
        PlayEvent(**{**EVENT, **fields})
    hostile = {**EVENT, **fields, "at": "2026-11-22T14:00:00Z"}
    with pytest.raises(MalformedError):
        decode(json.dumps(hostile).encode(), PlayEvent)


def test_a_nested_mistake_is_named_by_its_place() -> None:
    hostile = deepcopy(plain(BY_NAME["Receipts"]))
    hostile["events"][1]["seq"] = 0

    with pytest.raises(MalformedError, match=r"Receipts: .*events\[1\]\.seq"):
        decode(json.dumps(hostile).encode(), reports.Receipts)


def test_presence_is_told_apart_by_its_state() -> None:
    for kind in get_args(reports.Presence):
        sample = BY_NAME[kind.__name__]
        assert msgspec.json.decode(msgspec.json.encode(sample), type=reports.Presence) == sample


def test_each_document_of_the_centre_has_its_word_key_and_topic() -> None:
    kept = {Word.HOLD, Word.URGENT, Word.PLAN, Word.SETTINGS}

    assert set(BY_WORD.values()) == set(DOCUMENTS)
    for word, kind in BY_WORD.items():
        assert (kind.word, kind.qos, kind.retain) == (word, 1, word in kept)
        assert kind.key_use is (KeyUse.POLICY if kind is Settings else KeyUse.DISPATCH)


def test_the_largest_inline_audio_fits() -> None:
    full = msgspec.structs.replace(BY_NAME["Urgent"], inline={sha("a"): b"x" * MAX_INLINE_BYTES})

    assert decode(msgspec.json.encode(full), Urgent) == full


def test_a_value_of_the_wrong_type_cannot_be_built() -> None:
    for wrong in (True, 1.0, "1", None):
        with pytest.raises(ValueError, match=r"Hold\.epoch"):
            msgspec.structs.replace(BY_NAME["Hold"], epoch=wrong)
    assert isinstance(BY_NAME["Hold"], Hold)
