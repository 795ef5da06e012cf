"""The player over a real store and real audio, with a stepped clock and an output that is taken from by hand."""

import functools
from datetime import timedelta
from typing import Any

from edge_agent.protocol.content import Broadcast, Voice
from edge_agent.protocol.states import Outcome
from tests.edge_agent.centre import broadcast, make_opus, pcm_of, voice_of
from tests.edge_agent.fakes import NOON, Desk, HandOutput, until


@functools.cache
def opus(seed: int, length_ms: int = 500) -> bytes:
    return make_opus(seed, length_ms)


class Hall:
    """A desk with something to listen to."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._listen()

    def _listen(self) -> None:
        self.output = HandOutput(self.desk.instruments)
        self.output.open(self.desk.stage.renderer.render, self.desk.stage.renderer.count_underrun, lambda _: None)

    def voice(self, seed: int, length_ms: int = 500) -> Voice:
        """Put a recording on the shelf."""
        data = opus(seed, length_ms)
        voice = voice_of(data)
        self.desk.shelf.put(voice.sha256, data)
        return voice

    async def pass_ms(self, ms: int) -> None:
        """Let time and sound pass, with the player's loop at work as in life."""
        for _ in range(ms // 10):
            self.desk.player.catch_up()
            await self._primed()
            self.output.consume(10)
            await until(lambda: True)

    def sleep(self, **time: float) -> None:
        """Let the machine sleep: no frame is asked for, and the clocks have gone on when it wakes. Hear anew."""
        self.output.close()
        self.desk.instruments.pass_(**time)
        self._listen()

    async def outcome(self, broadcast_id: str, *, within_ms: int = 6000) -> tuple[Outcome, str | None]:
        for _ in range(within_ms // 100):
            await self.pass_ms(100)
            if broadcast_id in self.desk.outcomes():
                return self.desk.outcomes()[broadcast_id]
        raise AssertionError(f"no outcome of {broadcast_id}: {self.desk.events()}")

    async def _primed(self) -> None:
        """Let the decoders come along: time passes faster here than they work."""
        for feed in [cue.feed for cue in (*self.desk.stage._cues, *self.desk.stage._own)]:
            await until(lambda feed=feed: feed.ended or feed._closed or feed._held >= 4 * 960)  # type: ignore[misc]

    def starts(self, seed: int, length_ms: int = 500) -> list[float]:
        """Give when a sound began, as milliseconds after the clock's first instant, which is noon; to the sample."""
        found, sound, at = [], pcm_of(opus(seed, length_ms)), -1
        while (at := self.output.pcm.find(sound, at + 1)) >= 0:
            found.append(self.output.begun_ns / 1e6 - 1_000_000 + at / 2 / 48)
        return found


def at(ms: float) -> timedelta:
    return timedelta(milliseconds=ms)


def due(name: str, ms: float, *voices: Voice, **fields: Any) -> Broadcast:
    return broadcast(name, NOON + at(ms), *voices, **fields)
