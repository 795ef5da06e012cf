"""Messages of the centre in strange hands: a day of them recorded, then sent again in every wrong way to an inbox."""

import random
from pathlib import Path

import msgspec
import pytest

from edge_agent.protocol.content import Voice
from edge_agent.protocol.signing import MAX_TOKEN_BYTES
from edge_agent.protocol.topics import Topic, Word
from tests.edge_agent.centre import SCOPE, Keys, broadcast
from tests.edge_agent.fakes import NODE, NOON, Desk

VOICE = Voice(language="vi", sha256="a" * 64, bytes=1000, length_ms=4000)
HEARD = frozenset({SCOPE, f"nodes/{NODE}"})

Message = tuple[str, bytes]


class Recorder:
    """A node, and whoever notes what it is sent."""

    def __init__(self, root: Path) -> None:
        self.node = Desk(root)
        self.tape: list[Message] = []
        take = self.node.inbox.take

        def heard(topic: str, token: bytes) -> None:
            self.tape.append((topic, token))
            take(topic, token)

        self.node.inbox.take = heard  # type: ignore[method-assign]  # it listens in
        self._take = take

    def day(self) -> None:
        """Settings, an urgent, its stop, a hold and its release."""
        self.node.settle()
        self.node.urgent(broadcast("b-1", NOON, VOICE))
        self.node.urgent()
        self.node.hold("hold-1")
        self.node.hold(released=("hold-1",))
        self.node.hold("hold-2")

    def replay(self, tape: list[Message], node: Desk | None = None) -> None:
        take = self._take if node is None else node.inbox.take
        for topic, token in tape:
            take(topic, token)


def state(node: Desk) -> tuple[object, ...]:
    """Everything by which a node would speak or be silent."""
    listed = {key: sorted(one.scopes) for key, one in node.keeper.listings.items()}
    return listed, node.keeper.holds, node.keeper.stops, node.keeper.trust.keys, node.keeper.held()


@pytest.mark.parametrize("seed", range(8))
async def test_a_recorded_day_in_any_order_changes_nothing(tmp_path: Path, seed: int) -> None:
    seen = Recorder(tmp_path)
    seen.day()
    before, tape = state(seen.node), [*seen.tape, *seen.tape]
    random.Random(seed).shuffle(tape)
    seen.replay(tape)
    assert state(seen.node) == before
    seen.node.close()


async def test_a_recorded_day_changes_nothing_after_a_boot(tmp_path: Path) -> None:
    seen = Recorder(tmp_path)
    seen.day()
    before = state(seen.node)
    again = seen.node.again(reboot=True)
    seen.replay(seen.tape, again)
    assert state(again) == before
    again.close()


async def test_on_every_other_topic_the_day_is_dropped_and_counted(tmp_path: Path) -> None:
    """Misaddressed: of another scope or word, under topics that this node listens to."""
    seen = Recorder(tmp_path)
    seen.day()
    before, sent = state(seen.node), 0
    for topic, token in seen.tape:
        for scope in HEARD:
            for word in (Word.HOLD, Word.URGENT, Word.PLAN, Word.SETTINGS, Word.COMMAND):
                wrong = str(Topic(scope, word))
                if wrong != topic:
                    seen.replay([(wrong, token)])
                    sent += 1
    assert state(seen.node) == before
    assert seen.node.inbox.dropped.total() == sent
    assert set(seen.node.inbox.dropped) <= {"wrong_audience", "unknown_key", "bad_topic"}
    seen.node.close()


async def test_a_day_that_another_centre_signed_does_nothing(tmp_path: Path) -> None:
    seen, other = Recorder(tmp_path / "a"), Recorder(tmp_path / "b")
    other.node.settle()
    other.day()
    seen.node.settle()
    before = state(seen.node)
    seen.replay(other.tape)
    assert state(seen.node) == before
    assert set(seen.node.inbox.dropped) == {"unknown_key"}
    seen.node.close()
    other.node.close()


@pytest.mark.parametrize("seed", range(4))
async def test_a_day_with_a_byte_changed_in_each_message_does_nothing(tmp_path: Path, seed: int) -> None:
    seen, chance = Recorder(tmp_path), random.Random(seed)
    seen.day()
    before, bent = state(seen.node), []
    for topic, token in seen.tape:
        at = chance.randrange(len(token) - 2)  # the last letter of a signature holds bits that mean nothing
        bent.append((topic, token[:at] + (b"A" if token[at : at + 1] != b"A" else b"B") + token[at + 1 :]))
    seen.replay(bent)
    assert state(seen.node) == before
    assert seen.node.inbox.dropped.total() == len(bent)
    seen.node.close()


async def test_unsigned_and_oversized_messages_are_counted_and_nothing_more(tmp_path: Path) -> None:
    seen = Recorder(tmp_path)
    seen.day()
    before, topic = state(seen.node), str(Topic(SCOPE, Word.HOLD))
    unsigned = msgspec.json.encode(seen.node.orders.hold("hold-9"))
    for payload in (b"", unsigned, b"..", b"a.b.c", b"x" * (MAX_TOKEN_BYTES + 1), b"\0" * 100):
        seen.replay([(topic, payload)])
    assert state(seen.node) == before
    assert seen.node.inbox.dropped == {"malformed": 6}
    seen.node.close()


async def test_the_same_broadcast_with_other_audio_is_not_approved(tmp_path: Path) -> None:
    """By a dispatcher that lies: rightly signed, a newer version, the yes of before."""
    seen = Recorder(tmp_path)
    seen.node.settle()
    good = broadcast("b-1", NOON, VOICE)
    other = msgspec.structs.replace(VOICE, sha256="b" * 64)
    evil = msgspec.structs.replace(good, items=broadcast("b-1", NOON, other).items)
    assert good.approved_for(HEARD)
    assert not evil.approved_for(HEARD)
    seen.node.urgent(evil)
    assert seen.node.keeper.listings["b-1"].broadcast == evil, "it is listed, and refused when it is due"
    seen.node.close()


async def test_a_stop_that_a_thief_releases_stands(tmp_path: Path) -> None:
    seen = Recorder(tmp_path)
    seen.day()
    thief = Keys()
    forged = thief.dispatch.sign(seen.node.orders.hold(released=("hold-2",)))
    seen.replay([(str(Topic(SCOPE, Word.HOLD)), forged)])
    assert seen.node.keeper.holds == {"hold-2"}
    seen.node.close()
