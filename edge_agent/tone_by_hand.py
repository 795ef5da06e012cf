"""The self-test by hand: plays the glide without an agent, and listens. For who stands at the pole.

The hours and the volume are those of the node's settings, as for everything that sounds.
"""

import asyncio
import threading
from datetime import UTC, datetime, timedelta

import msgspec

from audio.glide import LENGTH_MS, glide
from edge_agent.amplifier.by_hand import powered
from edge_agent.clock import NS, Clock, Instruments, SystemInstruments, Trust
from edge_agent.config import Options, load_adoption
from edge_agent.ending import alone
from edge_agent.errors import ConfigError, InputLostError, OutputError
from edge_agent.evidence import RATE
from edge_agent.faults import FaultBook
from edge_agent.fittings import input_of, output_of
from edge_agent.heard import PieceHeard
from edge_agent.hearing import AFTER_NS, BEFORE_NS, KEEP_S
from edge_agent.inputs.virtual import air
from edge_agent.judge import ProcessJudge
from edge_agent.keeper import Keeper
from edge_agent.protocol.content import Voice
from edge_agent.protocol.guards import gain_at
from edge_agent.protocol.quiet import touches, within
from edge_agent.protocol.states import ClockState
from edge_agent.shelf import Shelf
from edge_agent.store import Store
from edge_agent.tape import Tape

WAIT_S = 6.0
"""An output that has not taken the tone by then does not work."""


_TONE = Voice(language="und", sha256="0" * 64, bytes=1, length_ms=LENGTH_MS)


def _allowed_gain(options: Options, instruments: Instruments | None = None) -> int:
    adoption, store = load_adoption(options.state), Store.open(options.state.database)
    try:
        now = _believed(store, instruments or SystemInstruments())
        keeper = Keeper(
            adoption.node_id,
            store,
            Shelf(options.state.media),
            first_keys=adoption.trusted_keys,
            begun=lambda: (),
            now=lambda: now,
        )
        settings = keeper.settings
        if settings is None:
            raise ConfigError("no settings have come yet: let the agent connect first")
        ends_at = now + timedelta(milliseconds=LENGTH_MS)
        if keeper.holds or touches(settings, now, ends_at) or not within(settings, now, ends_at):
            raise ConfigError("nothing may sound here now: quiet hours, outside of the windows, or held")
        return gain_at(settings, _TONE, now, emergency=False)
    finally:
        store.close()


def _believed(store: Store, instruments: Instruments) -> datetime:
    """Give the time, where the agent would believe it: by day is by a clock that is right."""
    saved = store.meta("clock")
    trust = None if saved is None else msgspec.json.decode(saved, type=Trust)
    clock = Clock(instruments, FaultBook(lambda: datetime.now(UTC)), saved=trust)
    if clock.state is ClockState.UNTRUSTED:
        raise ConfigError("the clock is not believed: let the agent connect first, it asks the centre for the time")
    return clock.now()


def hear_tone(options: Options) -> str:
    """Play the glide and listen to it; gives words for who typed it.

    Raises:
        OutputError, InputLostError: one of them does not work, or the tone was not heard.
        ConfigError: nothing may sound now, an agent runs, or the amplifier's pin has no such name.
        OSError: the amplifier cannot be switched.
    """
    with alone(options.state):
        return _hear(options, _allowed_gain(options))


def _hear(options: Options, gain_mb: int) -> str:
    heard_by = air()
    sent, captured = Tape(KEEP_S), Tape(KEEP_S)
    listener, output = input_of(options, heard_by), output_of(options, heard_by)
    player = _Glide(sent, gain_mb / 100)
    with powered(options):
        output.open(player.render, lambda _: None, lambda _: None)
        try:
            listener.open(captured.put, lambda _: None)
            try:
                player.begin()
                ended = player.over.wait(LENGTH_MS / 1000 + WAIT_S)
                threading.Event().wait((BEFORE_NS + 2 * AFTER_NS) / NS)  # the echo, and what buffers hold
            finally:
                listener.close()
        finally:
            output.close()
    if not ended:
        raise OutputError(f"{options.output}: it took no tone to its end")
    return _verdict(options, player.first_ns, sent, captured)


def _verdict(options: Options, first_ns: int, sent: Tape, captured: Tape) -> str:
    frames = LENGTH_MS * RATE // 1000
    extra = (BEFORE_NS + AFTER_NS) * RATE // NS
    pieces = sent.between(first_ns, frames), captured.between(first_ns - BEFORE_NS, frames + extra)
    judge = ProcessJudge()

    async def ask() -> PieceHeard | None:
        try:
            return await judge.piece(*pieces)
        finally:
            await judge.rest()

    found = asyncio.run(ask())
    if found is None:
        raise InputLostError("what judges does not answer: is numpy installed (extra `ears`)?")
    if found.verdict != "heard":
        raise InputLostError(f"the tone was not heard ({found.verdict}, {found.captured_dbfs:.0f} dBFS came in)")
    return f"{options.input_kind} hears the tone, {found.delay_ms - BEFORE_NS / 1e6:.0f} ms after it was due"


class _Glide:
    """Renders silence, and the glide when it is told."""

    def __init__(self, sent: Tape, gain_db: float) -> None:
        self._sent, self._gain_db = sent, gain_db
        self._left: list[bytes] | None = None
        self.first_ns = 0
        self.over = threading.Event()

    def begin(self) -> None:
        """From the next block on."""
        self._left = [b"".join(glide(self._gain_db))]

    def render(self, buffer: memoryview, at_ns: int) -> None:
        """Fill a block; comes from the output's thread."""
        buffer[:] = bytes(len(buffer))
        if self._left is None or self.over.is_set():
            return
        self.first_ns = self.first_ns or at_ns
        part, self._left = self._left[0][: len(buffer)], [self._left[0][len(buffer) :]]
        buffer[: len(part)] = part
        self._sent.put(bytes(buffer), at_ns)
        if not self._left[0]:
            self.over.set()
