"""Decoded sound, about two seconds ahead of the output: filled by a thread of its own, emptied by the output's."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator

log = logging.getLogger(__name__)

AHEAD_BYTES = 2 * 48_000 * 2
"""Two seconds of s16 mono at 48 kHz: outlasts any pause of the decoder's thread."""

Blocks = Callable[[], Iterator[bytes | bytearray | memoryview]]


class SpoiledError(Exception):
    """The bytes to decode are not the recording; nothing of it may sound."""


class Feed:
    """A bounded pipe of sound. ``take_into`` and ``skip`` never wait."""

    def __init__(self, blocks: Blocks, *, name: str) -> None:
        self._blocks = blocks
        self._ring: deque[memoryview] = deque()
        self._held = 0
        self._room = threading.Condition()
        self._closed = False
        self.ended = False
        """The decoder has nothing more to give."""
        self.spoiled = False
        self.primed = threading.Event()
        """Set with the first block, and at the end."""
        self._thread = threading.Thread(target=self._work, name=f"decode-{name}", daemon=True)

    def start(self) -> None:
        """Begin to decode."""
        self._thread.start()

    @property
    def empty(self) -> bool:
        """Whether nothing lies ready."""
        return self._held == 0

    def take_into(self, target: memoryview) -> int:
        """Copy as many bytes as lie ready; gives how many."""
        done = 0
        with self._room:
            while self._ring and done < len(target):
                head = self._ring[0]
                count = min(len(head), len(target) - done)
                target[done : done + count] = head[:count]
                self._pop(count)
                done += count
            self._room.notify()
        return done

    def skip(self, count: int) -> int:
        """Throw away up to ``count`` bytes; gives how many."""
        done = 0
        with self._room:
            while self._ring and done < count:
                step = min(len(self._ring[0]), count - done)
                self._pop(step)
                done += step
            self._room.notify()
        return done

    def close(self) -> None:
        """Let the decoder go; nothing more is taken."""
        with self._room:
            self._closed = True
            self._ring.clear()
            self._held = 0
            self._room.notify()

    def join(self, timeout_s: float) -> None:
        """Wait for the thread, bounded."""
        self._thread.join(timeout_s)

    def _pop(self, count: int) -> None:
        head = self._ring[0]
        if count == len(head):
            self._ring.popleft()
        else:
            self._ring[0] = head[count:]
        self._held -= count

    def _work(self) -> None:
        try:
            for block in self._blocks():
                if not self._put(memoryview(block).cast("B")):
                    break
        except SpoiledError as error:
            log.error("nothing sounds: %s", error)  # noqa: TRY400 - the cause is said, the way there does not matter
            self.spoiled = True
        finally:
            self.ended = True
            self.primed.set()

    def _put(self, block: memoryview) -> bool:
        with self._room:
            self._room.wait_for(lambda: self._closed or self._held < AHEAD_BYTES)
            if self._closed:
                return False
            self._ring.append(block)
            self._held += len(block)
        self.primed.set()
        return True
