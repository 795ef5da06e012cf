"""What is approved, and the plan body: the same bytes for the same plan, and no way to smuggle in another."""

import gzip
import hashlib
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from edge_agent.protocol.content import (
    MAX_BODY_BYTES,
    Approval,
    Broadcast,
    Item,
    PlanBody,
    content_hash,
    pack_body,
    still_listed,
    unpack_body,
)
from edge_agent.protocol.errors import MalformedError
from edge_agent.protocol.states import Drill
from tests.edge_agent.protocol.factories import COMMUNE, HAMLET, NODE, after, broadcast, items, sha, voice

BODY = PlanBody(scope=HAMLET, broadcasts=(broadcast("b1", lengths=(5, 10)), broadcast("b2")))


def unpacked(packed: bytes, scope: str = HAMLET) -> PlanBody:
    return unpack_body(packed, sha256=hashlib.sha256(packed).hexdigest(), scope=scope)


def test_a_body_comes_back_as_it_was_packed() -> None:
    packed = pack_body(BODY)

    assert unpack_body(packed.packed, sha256=packed.sha256, scope=HAMLET) == BODY


def test_the_same_plan_has_the_same_bytes() -> None:
    """A re-signed manifest names the same body, and no node fetches it again."""
    again = PlanBody(scope=HAMLET, broadcasts=(broadcast("b1", lengths=(5, 10)), broadcast("b2")))

    assert pack_body(again) == pack_body(BODY)


def test_a_body_under_another_hash_is_refused() -> None:
    with pytest.raises(MalformedError, match="hash"):
        unpack_body(pack_body(BODY).packed, sha256=sha("other"), scope=HAMLET)


def test_a_body_for_another_place_is_refused() -> None:
    with pytest.raises(MalformedError, match="made for"):
        unpacked(pack_body(BODY).packed, scope=COMMUNE)


def test_a_body_that_unpacks_to_gigabytes_is_refused_at_the_limit() -> None:
    bomb = gzip.compress(b" " * (16 * MAX_BODY_BYTES))
    assert len(bomb) < 100_000

    with pytest.raises(MalformedError, match="more than"):
        unpacked(bomb)


def test_a_body_of_exactly_the_limit_is_read() -> None:
    raw = msgspec.json.encode(BODY)

    assert unpacked(gzip.compress(raw.ljust(MAX_BODY_BYTES))) == BODY
    with pytest.raises(MalformedError):
        unpacked(gzip.compress(raw.ljust(MAX_BODY_BYTES + 1)))


PACKED = pack_body(BODY).packed


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        PACKED[:10],
        PACKED[:-8],
        PACKED[:-1],
        PACKED + b"\x00",
        PACKED + PACKED,
        msgspec.json.encode(BODY),
        gzip.compress(b""),
        gzip.compress(b"[]"),
        gzip.compress(b"\xff\xfe"),
        gzip.compress(msgspec.json.encode(BODY) + b"{}"),
        gzip.compress(b'{"scope":"areas/hamlet","broadcasts":[{}]}'),
        gzip.compress(b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        PACKED[:-6] + b"\x00\x00" + PACKED[-4:],
    ],
    ids=[
        "nothing",
        "a header",
        "no checksum",
        "cut short",
        "a byte more",
        "twice",
        "not packed",
        "empty",
        "a list",
        "not UTF-8",
        "two values",
        "no broadcast",
        "deep",
        "wrong checksum",
    ],
)
def test_what_is_not_one_whole_packed_body_is_malformed(packed: bytes) -> None:
    with pytest.raises(MalformedError):
        unpacked(packed)


def approved(here: tuple[str, ...], **changes: Any) -> bool:
    """Ask whether a broadcast with one approval, so changed, is approved ``here``."""
    plain = broadcast("b1", lengths=(5, 10), scopes=(HAMLET, COMMUNE))
    approval = msgspec.structs.replace(plain.approvals[0], **changes)
    return msgspec.structs.replace(plain, approvals=(approval,)).approved_for(frozenset(here))


SECOND = timedelta(seconds=1)
START, END = broadcast("b1", lengths=(5, 10)).start_at, broadcast("b1", lengths=(5, 10)).latest_end_at


@pytest.mark.parametrize(
    ("here", "changes", "verdict"),
    [
        ((HAMLET,), {}, True),
        ((HAMLET, NODE), {}, True),
        ((NODE,), {}, False),
        ((), {}, False),
        (("areas/hamle",), {}, False),
        ((HAMLET,), {"scopes": ("nodes/hamlet",)}, False),
        ((HAMLET,), {"content_sha256": sha("other")}, False),
        ((HAMLET,), {"not_before_at": START + SECOND}, False),
        ((HAMLET,), {"not_before_at": START - SECOND}, True),
        ((HAMLET,), {"not_after_at": END - SECOND}, False),
        ((HAMLET,), {"not_after_at": END + SECOND}, True),
    ],
)
def test_an_approval_covers_this_audio_this_place_and_the_whole_window(
    *, here: tuple[str, ...], changes: dict[str, Any], verdict: bool
) -> None:
    assert approved(here, **changes) is verdict


def test_two_approvals_that_cover_half_each_cover_nothing() -> None:
    plain = broadcast("b1")
    right = plain.approvals[0]
    place = msgspec.structs.replace(right, content_sha256=sha("other"))
    audio = msgspec.structs.replace(right, scopes=("areas/other",))

    def asked(*approvals: Approval) -> bool:
        return msgspec.structs.replace(plain, approvals=approvals).approved_for(frozenset([HAMLET]))

    assert not asked(place, audio)
    assert asked(place, right, audio)
    assert not asked()


def test_whatever_changes_the_sound_changes_the_content_hash() -> None:
    first, second = items("b", (5, 10))
    said = first.voices[0]
    other = voice("b-0", 5, language="hmn")
    changed = [
        (first,),
        (second,),
        (first, msgspec.structs.replace(second, offset_ms=5001)),
        *(
            (Item(offset_ms=0, voices=(msgspec.structs.replace(said, **change),)), second)
            for change in ({"sha256": sha("x")}, {"language": "en"}, {"gain_mb": 1}, {"length_ms": 4999})
        ),
        (Item(offset_ms=0, voices=(said, other)), second),
        (Item(offset_ms=0, voices=(other, said)), second),
        (first, msgspec.structs.replace(second, choice=1)),
    ]

    hashes = {content_hash(those) for those in [(first, second), *changed]}
    hashes |= {content_hash((first, second), drill) for drill in Drill}

    assert len(hashes) == 1 + len(changed) + len(Drill)


def test_the_content_hash_is_that_of_the_written_rule() -> None:
    slot = Item(offset_ms=0, voices=(voice("a", 1), voice("b", 2, language="hmn", gain_mb=-50)))
    written = f"0\t0\tvi\t{sha('a')}\t1000\t0\n0\t0\thmn\t{sha('b')}\t2000\t-50\n"

    assert content_hash([slot]) == hashlib.sha256(written.encode()).hexdigest()


@pytest.mark.parametrize(
    ("wished", "chosen"),
    [(("vi",), "vi"), (("hmn",), "hmn"), (("tyz", "hmn", "vi"), "hmn"), (("tyz",), "vi"), ((), "vi")],
)
def test_the_first_wished_language_that_there_is_sounds(wished: tuple[str, ...], chosen: str) -> None:
    slot = Item(offset_ms=0, voices=(voice("a", 1), voice("b", 2, language="hmn")))

    found = slot.voice_for(wished)

    assert found is not None
    assert found.language == chosen
    assert slot.slot_ms == 2000


@pytest.mark.parametrize(
    ("wished", "heard"),
    [
        (("vi", "hmn"), ["vi", "hmn", None]),
        (("hmn", "vi", "tyz"), ["hmn", "vi", None]),
        (("tyz", "hmn"), ["hmn", None, None]),
        (("hmn", "hmn"), ["hmn", None, None]),
        (("tyz",), ["vi", None, None]),
    ],
)
def test_slots_of_one_bulletin_sound_each_language_once_in_the_order_wished(
    wished: tuple[str, ...], heard: list[str | None]
) -> None:
    voices = (voice("a", 1), voice("b", 2, language="hmn"))
    slots = [Item(offset_ms=2000 * choice, choice=choice, voices=voices) for choice in range(3)]

    found = [slot.voice_for(wished) for slot in slots]

    assert [voice and voice.language for voice in found] == heard


def test_a_broadcast_begins_with_a_slot_that_every_node_sounds() -> None:
    slot = Item(offset_ms=0, choice=1, voices=(voice("a", 1), voice("b", 2, language="hmn")))

    with pytest.raises(ValueError, match="choice must be 0"):
        broadcast("b", items=(slot,))


def test_a_yes_to_a_drill_is_none_to_the_real_thing() -> None:
    drill = broadcast("b", drill=Drill.SILENT)
    real, marked = (msgspec.structs.replace(drill, drill=kind) for kind in (None, Drill.MARKED))

    assert [one.approved_for(frozenset({HAMLET})) for one in (drill, real, marked)] == [True, False, False]


def test_a_broadcast_stays_listed_until_its_latest_end() -> None:
    def names(now: float) -> list[str]:
        return [one.broadcast_id for one in still_listed(found, after(now))]

    found: list[Broadcast] = [broadcast("a", until=400), broadcast("b", until=500)]

    assert names(399) == ["a", "b"]
    assert names(400) == ["b"]
    assert names(500) == []
