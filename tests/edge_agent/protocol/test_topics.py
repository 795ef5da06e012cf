"""Topics: built and taken apart without loss; what is not ours is named, whatever it holds."""

import pytest

from edge_agent.protocol import topics
from edge_agent.protocol.errors import BadTopicError
from edge_agent.protocol.topics import AREA_WORDS, NODE_WRITES, Topic, Word


@pytest.mark.parametrize("word", Word)
@pytest.mark.parametrize("name", ["a", "0", "x" * 64, "thon-3-xa-mai-chau"])
def test_a_topic_comes_back_as_it_was_built(word: Word, name: str) -> None:
    built = [Topic(topics.node(name), word)]
    if word in AREA_WORDS:
        built.append(Topic(topics.area(name), word))

    for topic in built:
        assert topics.parse(str(topic)) == topic
        assert str(topic) == f"loa/v1/{topic.scope}/{word}"


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "loa/v1",
        "loa/v1/",
        "loa/v2/nodes/n1/hold",
        "Loa/v1/nodes/n1/hold",
        "/loa/v1/nodes/n1/hold",
        "loa/v1/nodes/n1/hold/",
        "loa/v1/nodes/n1/hold\n",
        "loa/v1/nodes/n1/hold\x00",
        "loa/v1/nodes//hold",
        "loa/v1/nodes/n1",
        "loa/v1/nodes/N1/hold",
        "loa/v1/nodes/-n1/hold",
        "loa/v1/nodes/+/hold",
        "loa/v1/nodes/#",
        "loa/v1/nodes/n1/#",
        "loa/v1/nodes/../hold",
        "loa/v1/nodes/n1/../n2/hold",
        "loa/v1/nodes/n\u0131/hold",
        "loa/v1/nodes/\u0661/hold",
        f"loa/v1/nodes/{'x' * 65}/hold",
        "loa/v1/people/n1/hold",
        "loa/v1/nodes/n1/receipts/ack/x",
        "loa/v1/nodes/n1/time",
        "loa/v1/nodes/n1/live",
        "loa/v1/areas/a/live/s1",
        "loa/v1/areas/a/settings",
        "loa/v1/areas/a/receipts",
        "$SYS/broker/uptime",
        "x" * 100_000,
    ],
)
def test_a_topic_that_is_not_ours_is_refused(topic: str) -> None:
    with pytest.raises(BadTopicError) as refused:
        topics.parse(topic)
    assert len(str(refused.value)) < 700


def test_a_node_writes_no_word_of_the_centre() -> None:
    assert {Word.PRESENCE, Word.HEALTH, Word.RECEIPTS, Word.TIME_ASK} == NODE_WRITES
    assert not NODE_WRITES & AREA_WORDS
