"""Whatever bytes come, reading ends in a message or in an error of this protocol, never in another exception."""

import contextlib
import hashlib
import json
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_agent.protocol import topics
from edge_agent.protocol.content import unpack_body
from edge_agent.protocol.documents import Hold
from edge_agent.protocol.errors import MalformedError, ProtocolError
from edge_agent.protocol.fields import Wire, decode
from edge_agent.protocol.signing import TrustStore, open_document
from tests.edge_agent.protocol.factories import HAMLET
from tests.edge_agent.protocol.samples import BY_NAME, DISPATCH, SAMPLES, TRUSTED

QUICK = settings(
    derandomize=True, database=None, deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)
TOKEN = DISPATCH.sign(BY_NAME["Hold"])  # type: ignore[arg-type]  # a Signed


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Give the way to every value inside."""
    found = [path]
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inside:
        found += places(one, (*path, key))
    return found


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """Give ``value`` with another value at that place."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = put(value[path[0]], path[1:], new)
    return copy


@QUICK
@given(st.sampled_from(SAMPLES), VALUES, st.data())
def test_a_message_with_one_value_exchanged_is_read_or_malformed(sample: Wire, new: Any, data: st.DataObject) -> None:
    """And what is read can be written and read again: no message survives only once."""
    plain = json.loads(msgspec.json.encode(sample))
    hostile = put(plain, data.draw(st.sampled_from(places(plain))), new)

    with contextlib.suppress(MalformedError):
        read = decode(json.dumps(hostile).encode(), type(sample))
        assert decode(msgspec.json.encode(read), type(sample)) == read


@QUICK
@given(st.binary(max_size=200), st.sampled_from(SAMPLES))
def test_any_bytes_are_read_or_malformed(raw: bytes, sample: Wire) -> None:
    with contextlib.suppress(MalformedError):
        decode(raw, type(sample))
    with contextlib.suppress(MalformedError):
        unpack_body(raw, sha256=hashlib.sha256(raw).hexdigest(), scope=HAMLET)


@QUICK
@given(st.integers(0, len(TOKEN) - 2), st.integers(0, 40), st.binary(max_size=40))
def test_a_token_with_any_piece_exchanged_is_refused(at: int, length: int, piece: bytes) -> None:
    """The very last character is left alone: some of its bits say nothing."""
    hostile = TOKEN[:at] + piece + TOKEN[min(at + length, len(TOKEN) - 1) :]
    if hostile == TOKEN:
        return
    try:
        open_document(hostile, Hold, audience=HAMLET, trust=TrustStore(TRUSTED))
    except ProtocolError:
        return
    raise AssertionError(hostile)


@QUICK
@given(st.text(max_size=80) | st.from_regex(r"loa/v1/[a-z/0-9]{0,60}"))
def test_any_topic_is_ours_or_refused(topic: str) -> None:
    with contextlib.suppress(ProtocolError):
        assert str(topics.parse(topic)) == topic
