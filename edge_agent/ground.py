"""What a node stands on: its state directory, opened. Who it is, what it remembers, its clock, and what it is to do."""

import ssl
from datetime import datetime

import msgspec

from edge_agent import tls
from edge_agent.abilities import RTC, battery_agrees
from edge_agent.checks.storage import refusal
from edge_agent.clock import NS, Clock, Instruments, SystemInstruments, Trust
from edge_agent.config import Options, load_adoption, load_key, spare_media, spare_store, sweep
from edge_agent.faults import Fault, FaultBook
from edge_agent.identity import settle
from edge_agent.keeper import Keeper
from edge_agent.ledger import Ledger
from edge_agent.protocol.signing import SigningKey
from edge_agent.protocol.states import ClockState
from edge_agent.reset import Reset
from edge_agent.shelf import Shelf
from edge_agent.store import Store


class Ground:
    """Nothing of it runs by itself."""

    def __init__(self, options: Options, *, instruments: Instruments | None = None) -> None:
        self.options, state = options, options.state
        self.adoption = load_adoption(state)
        settle(state)
        for folder in (state.root, state.media):
            sweep(folder)
        self.key = SigningKey(load_key(state))
        self.store = store = Store.open(state.database, spare=spare_store())
        self.faults = FaultBook(self.now)
        saved, reads = store.meta("clock"), instruments or SystemInstruments()
        self.clock = clock = Clock(
            reads,
            self.faults,
            saved=None if saved is None or store.was_reset else msgspec.json.decode(saved, type=Trust),
            save=lambda trust: store.put_meta("clock", msgspec.json.encode(trust)),
            battery=lambda: battery_agrees(RTC, reads.wall_ns() / NS),
        )
        self.shelf = Shelf(state.media)
        store.on_unwritable = self._card_lost
        if store.unwritable is not None:
            self._card_lost()
        self._note_reset()
        store.keep_reserve()
        self.ledger = ledger = Ledger(store)
        self.keeper = Keeper(
            self.adoption.node_id,
            store,
            self.shelf,
            first_keys=self.adoption.trusted_keys,
            begun=ledger.begun,
            now=clock.surely,
        )

    def now(self) -> datetime:
        """Give the time by the node's own clock."""
        return self.clock.now()

    def knows_date(self) -> bool:
        """Say whether the clock is good enough for dates."""
        return self.clock.state is not ClockState.UNTRUSTED

    def is_over(self, broadcast_id: str) -> bool:
        """Say whether the play of a broadcast has its outcome."""
        play = self.ledger.plays.get(broadcast_id)
        return play is not None and play.progress.outcome is not None

    def tls(self, *, as_node: bool) -> ssl.SSLContext:
        """Make what the centre is trusted by; ``as_node`` shows it who asks."""
        return tls.context(self.options.state, check_dates=self.knows_date(), as_node=as_node)

    def _card_lost(self) -> None:
        """The store goes on in memory: say so at once, the look at the card comes each minute only."""
        self.faults.put(Fault.STORAGE_FAILING, refusal(self.store.unwritable or ""))
        self.shelf.go_aside(spare_media())

    def _note_reset(self) -> None:
        """Enrolment begins the store: one that nobody has begun replaces one that was damaged or is gone."""
        if self.store.is_begun:
            return
        with self.store.writing():
            Reset(self.store, self.clock).note()
            self.store.begin()
        what = "damaged" if self.store.was_reset else "gone"
        self.faults.put(Fault.STORE_RESET, f"the store was {what}: what had been begun is not known any more")
