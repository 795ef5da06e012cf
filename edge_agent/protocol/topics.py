"""Topics under ``loa/v1/``: built and taken apart here and nowhere else."""

import re
from enum import StrEnum
from typing import NamedTuple

from .errors import BadTopicError

ROOT = "loa/v1"


class Word(StrEnum):
    """Last part of a topic: what kind of message stands there."""

    HOLD = "hold"
    URGENT = "urgent"
    PLAN = "plan"
    SETTINGS = "settings"
    COMMAND = "command"
    PRESENCE = "presence"
    HEALTH = "health"
    RECEIPTS = "receipts"
    RECEIPTS_ACK = "receipts/ack"
    TIME_ASK = "time/ask"
    TIME_ANSWER = "time/answer"


AREA_WORDS = frozenset({Word.HOLD, Word.URGENT, Word.PLAN})
"""Words that stand under an area too; all stand under a node."""

NODE_WRITES = frozenset({Word.PRESENCE, Word.HEALTH, Word.RECEIPTS, Word.TIME_ASK})
"""What a node may write, under its own name. Everything else is the centre's."""


class Topic(NamedTuple):
    """A topic taken apart."""

    scope: str
    word: Word

    def __str__(self) -> str:
        """Give the topic as it stands on the wire."""
        return f"{ROOT}/{self.scope}/{self.word}"


_TOPIC = re.compile(
    rf"{ROOT}/(?P<scope>(?:areas|nodes)/[a-z0-9][a-z0-9-]{{0,63}})/(?P<word>{'|'.join(Word)})\Z",
)


def area(area_id: str) -> str:
    """Scope of an area, as used in topics and as audience."""
    return f"areas/{area_id}"


def node(node_id: str) -> str:
    """Scope of a node, as used in topics and as audience."""
    return f"nodes/{node_id}"


def parse(topic: str) -> Topic:
    """Take a topic apart.

    Raises:
        BadTopicError: not ours, or an unknown word.
    """
    found = _TOPIC.match(topic)
    if found is None:
        raise BadTopicError(f"unknown topic {topic[:120]!r}")
    scope, word = found["scope"], Word(found["word"])
    if scope.startswith("areas/") and word not in AREA_WORDS:
        raise BadTopicError(f"{word} does not stand under an area")
    return Topic(scope, word)
