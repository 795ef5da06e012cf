"""Everything that comes from the broker passes here: topic, signature, audience, version, window. Drops are counted."""

import logging
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from edge_agent.clock import NS, Clock
from edge_agent.faults import Fault, FaultBook
from edge_agent.keeper import Keeper
from edge_agent.protocol import topics
from edge_agent.protocol.documents import BY_WORD, Command, Hold, ReceiptsAck, Settings, Signed, TimeAnswer
from edge_agent.protocol.errors import ProtocolError, StaleError, UnknownKeyError, WrongAudienceError
from edge_agent.protocol.signing import check_window, open_document
from edge_agent.protocol.states import ClockState
from edge_agent.protocol.topics import Topic, Word
from edge_agent.protocol.versions import Version, check_newer

log = logging.getLogger(__name__)

HARMLESS = frozenset({"stale", "expired", "not_yet_valid"})
"""Drops that reordering and delay cause by themselves; all others mean that somebody sends what they should not."""
QUIET_NS = 60 * NS
"""A minute without a bad message ends the fault (promise P6); the centre remembers that it stood."""
MAX_PENDING = 66
"""Documents that wait for the time: the plans and urgents of a node and of twice 16 areas."""
MAX_PENDING_COMMANDS = 16
"""Commands that wait for the time; each tells a person's click, and is worth nothing after two minutes."""


MAX_STRANGE_BYTES = 2 * 1024 * 1024
"""Of documents by keys that are not known: settings that name them may come after those."""


class _Waiting(NamedTuple):
    """A document that waits for a time to judge it by."""

    version: Version
    topic: Topic
    token: bytes


class Inbox:
    """Checks what comes and hands it on."""

    def __init__(
        self,
        keeper: Keeper,
        clock: Clock,
        faults: FaultBook,
        *,
        on_ack: Callable[[ReceiptsAck], None],
        on_command: Callable[[Command], None],
    ) -> None:
        self._keeper, self._clock, self._faults = keeper, clock, faults
        self._on_ack, self._on_command = on_ack, on_command
        self._versions: dict[tuple[str, Word], Version] = {}
        """Of words that the keeper does not keep."""
        self._last: dict[str, bytes] = {}
        """Newest token taken from each topic: a retained message comes again with every connect."""
        self._pending: dict[tuple[Topic, str], _Waiting] = {}
        """By topic, the newest of each; commands by their id too, for none stands for another."""
        self._strange: dict[str, bytes] = {}
        """Topic → the last document that a key signed which is not known, or not yet."""
        self.on_time: Callable[[], None] = lambda: None
        """Called when the centre has told the time."""
        self.dropped: Counter[str] = Counter()
        self._bad_ns: int | None = None

    def take(self, topic: str, token: bytes) -> None:
        """Take one message; whatever is wrong with it ends here."""
        if self._last.get(topic) == token:
            return
        try:
            self._take(topics.parse(topic), token)
        except UnknownKeyError as error:
            self._drop(topic, error)
            self._set_aside(topic, token)
        except ProtocolError as error:
            self._drop(topic, error)

    def _set_aside(self, topic: str, token: bytes) -> None:
        """Keep it in case that its key becomes known; it counts for nothing until then."""
        self._strange.pop(topic, None)
        size = sum(map(len, self._strange.values())) + len(token)
        if len(self._strange) < MAX_PENDING and size <= MAX_STRANGE_BYTES:
            self._strange[topic] = token

    def _look_again(self) -> None:
        """The keys have changed: look at what came too early."""
        strange, self._strange = self._strange, {}
        for topic, token in strange.items():
            self.take(topic, token)

    def retry_pending(self) -> None:
        """Look again at what waited for a time to judge it by."""
        waiting, self._pending = self._pending, {}
        for one in sorted(waiting.values()):
            self.take(str(one.topic), one.token)

    def _take(self, topic: Topic, token: bytes) -> None:
        if topic.word not in BY_WORD or topic.scope not in self._keeper.scopes:
            # No fault: on its way when the node moved, it arrives from an area that is not listened to any more.
            self.dropped[WrongAudienceError.code] += 1
            return
        kind = BY_WORD[topic.word]
        document = open_document(token, kind, audience=topic.scope, trust=self._keeper.trust)
        if isinstance(document, TimeAnswer):
            if self._clock.take_answer(document):
                self.retry_pending()
                self.on_time()
            return
        version = check_newer(document, self._held(topic), floor_epoch=self._keeper.floor_epoch)
        if not self._is_timely(document):
            self._let_wait(topic, document, _Waiting(version, topic, token))
            return
        self._last[str(topic)] = token
        self._hand_on(topic, document, token, version)

    def _let_wait(self, topic: Topic, document: Signed, new: _Waiting) -> None:
        command_id = document.command_id if isinstance(document, Command) else ""
        old = self._pending.get((topic, command_id))
        alike = sum(bool(other_id) is bool(command_id) for _, other_id in self._pending)
        has_room = alike < (MAX_PENDING_COMMANDS if command_id else MAX_PENDING)
        if has_room if old is None else old.version < new.version:
            self._pending[topic, command_id] = new

    def _held(self, topic: Topic) -> Version | None:
        return self._keeper.version(*topic) or self._versions.get((topic.scope, topic.word))

    def _is_timely(self, document: Signed) -> bool:
        """Apply the window; False when there is no time yet to judge it by."""
        if isinstance(document, Hold):
            return True
        if self._clock.state is not ClockState.UNTRUSTED or self._clock.answered:
            check_window(document, self._clock.now())
            return True
        return isinstance(document, Settings | ReceiptsAck)

    def _hand_on(self, topic: Topic, document: Signed, token: bytes, version: Version) -> None:
        if isinstance(document, ReceiptsAck):
            self._versions[topic.scope, topic.word] = version
            self._on_ack(document)
        elif isinstance(document, Command):
            self._versions[topic.scope, topic.word] = version
            if self._keeper.is_new_command(document.command_id, self._clock.now()):
                self._on_command(document)
        else:
            before = self._keeper.trust.keys
            self._keeper.accept(topic.scope, document, token)
            if self._keeper.trust.keys != before:
                self._look_again()

    def _drop(self, topic: str, error: ProtocolError) -> None:
        self.dropped[error.code] += 1
        level = logging.INFO if isinstance(error, StaleError) else logging.WARNING
        log.log(level, "dropped a message on %s: %s", topic[:120], error)
        if error.code not in HARMLESS:
            self._faults.put(Fault.BAD_MESSAGE, f"{error.code} on {topic[:120]}: {error}")
            self._bad_ns = self._clock.monotonic_ns()

    def check(self) -> None:
        """End the fault when nothing bad has come for a while; to be called now and then."""
        if self._bad_ns is not None and self._clock.monotonic_ns() - self._bad_ns > QUIET_NS:
            self._bad_ns = None
            self._faults.clear(Fault.BAD_MESSAGE)

    def count_unsupported(self, what: str) -> None:
        """Count a command that this agent does not know."""
        self.dropped[what] += 1
