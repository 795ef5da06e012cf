"""What this node has done with every broadcast it knows: in memory to read, in the store before it counts."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import ClassVar

import msgspec

from edge_agent.evidence import Heard
from edge_agent.protocol.content import Broadcast
from edge_agent.protocol.listings import Listing
from edge_agent.protocol.reports import PlayEvent
from edge_agent.protocol.states import Drill, PlayState
from edge_agent.protocol.timeline import Progress
from edge_agent.store import Store

KEEP = timedelta(days=30)
"""How long what was done stays known, after a broadcast's latest end (as receipts, DESIGN section 4)."""


class Play(msgspec.Struct, frozen=True, kw_only=True):
    """One broadcast on this node."""

    broadcast_id: str
    latest_end_at: datetime
    progress: Progress = Progress()
    broadcast: Broadcast | None = None
    """As it was when begun; it does not change under way."""
    urgent: bool = False
    drill: Drill | None = None
    """As listed; once begun, as it was begun."""
    said: PlayState | None = None
    """Furthest step reported."""
    heard: tuple[Heard, ...] = ()
    """Evidence of the items that have ended."""
    reported: bool = False
    """The outcome stands among the receipts."""


def new_play(listing: Listing) -> Play:
    """Begin to keep what becomes of a broadcast."""
    broadcast = listing.broadcast
    return Play(broadcast_id=broadcast.broadcast_id, latest_end_at=broadcast.latest_end_at, drill=broadcast.drill)


class Ledger:
    """Plays by broadcast, and the events written about them."""

    _ENCODER: ClassVar = msgspec.json.Encoder()

    def __init__(self, store: Store) -> None:
        self._store = store
        self.plays: dict[str, Play] = {}
        self.begun_runs: dict[str, str] = {}
        """Run → the version of it that has begun."""
        for (blob,) in store.rows("SELECT play FROM plays"):
            play = msgspec.json.decode(blob, type=Play)
            self._remember(play)
        self.last_seq = store.rows("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'")[0][0]
        self.on_event: Callable[[], None] = lambda: None

    def put(self, play: Play) -> None:
        """Write a play, inside the caller's transaction or its own."""
        latest_end_s = int(play.latest_end_at.timestamp())
        with self._store.writing():
            insert = "INSERT OR REPLACE INTO plays VALUES (?, ?, ?)"
            self._store.run(insert, play.broadcast_id, latest_end_s, self._ENCODER.encode(play))
        self._remember(play)

    def write_event(self, at: datetime, broadcast_id: str, **fields: object) -> None:
        """Add an event with the next sequence number, inside the caller's transaction or its own."""
        play = self.plays.get(broadcast_id)
        fields["drill"] = play.drill if play is not None else None
        # The event checks its own fields when it is built.
        event = PlayEvent(seq=self.last_seq + 1, at=at, broadcast_id=broadcast_id, **fields)  # type: ignore[arg-type] # see above
        written_s = int(at.timestamp())
        with self._store.writing():
            self._store.run("INSERT INTO events VALUES (?, ?, ?)", event.seq, written_s, self._ENCODER.encode(event))
        self.last_seq = event.seq
        self.on_event()

    def advance(self, play: Play, state: PlayState, at: datetime, **fields: object) -> Play:
        """Report a step forward once, and keep the play; a step already behind it is not told again."""
        if play.reported or (play.said is not None and play.said.rank >= state.rank and state is not PlayState.PLAYING):
            return play
        with self._store.writing():
            self.write_event(at, play.broadcast_id, state=state, **fields)
            play = msgspec.structs.replace(play, said=state)
            self.put(play)
        return play

    def begun(self) -> list[tuple[Broadcast, bool]]:
        """Give the broadcasts under way, as they were begun, and whether they came by an urgent."""
        return [
            (play.broadcast, play.urgent)
            for play in self.plays.values()
            if play.broadcast is not None and play.progress.began_at and play.progress.outcome is None
        ]

    def forget(self, now: datetime, listed: set[str]) -> None:
        """Drop what is long over and listed nowhere."""
        over = [key for key, play in self.plays.items() if play.latest_end_at < now - KEEP and key not in listed]
        with self._store.writing():
            for key in over:
                self._store.run("DELETE FROM plays WHERE broadcast_id = ?", key)
                del self.plays[key]
        self.begun_runs = {run: key for run, key in self.begun_runs.items() if key in self.plays}

    def _remember(self, play: Play) -> None:
        self.plays[play.broadcast_id] = play
        if play.broadcast is not None:
            self.begun_runs.setdefault(play.broadcast.run_id, play.broadcast_id)
