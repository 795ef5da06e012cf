"""Makes the parts of one node. Who hears of whose changes is said in ``wiring``."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

from edge_agent import pieces
from edge_agent.abilities import abilities
from edge_agent.checks.all import Watched, all_checks
from edge_agent.checks.cache import Cache
from edge_agent.checks.link_quality import LinkQuality
from edge_agent.checks.muted import Muted
from edge_agent.checks.round import Rounds
from edge_agent.checks.runner import Checks
from edge_agent.checks.signal import SignalStrength
from edge_agent.checks.storage import Storage
from edge_agent.checks.supply import Supply
from edge_agent.fetcher import Fetcher
from edge_agent.fittings import amplifier_of, button_of, input_of, output_of, silenced_by
from edge_agent.giving_way import GivingWay
from edge_agent.ground import Ground
from edge_agent.health import HealthReporter, Seen
from edge_agent.hearing import Ear
from edge_agent.inbox import Inbox
from edge_agent.inputs.virtual import air
from edge_agent.judge import ProcessJudge
from edge_agent.link import Link
from edge_agent.log_sending import LogSender
from edge_agent.logbook import Logbook
from edge_agent.outputs.base import Output
from edge_agent.outputs.virtual import unheard
from edge_agent.outputs.watch import OutputWatch
from edge_agent.own import OwnSound, Piece
from edge_agent.player import Player
from edge_agent.protocol.documents import Command, ReceiptsAck
from edge_agent.protocol.reports import Online
from edge_agent.protocol.topics import Word
from edge_agent.protocol.updates import UpdateReport
from edge_agent.radio import Modem, Wireless
from edge_agent.reference import Reference
from edge_agent.renewal import Renewer
from edge_agent.reporter import Reporter
from edge_agent.stage import Stage
from edge_agent.updates.making import updates_of
from edge_agent.voucher import Voucher


class Service(Protocol):
    """Something long-lived."""

    name: str
    ready: asyncio.Event

    async def run(self) -> None:
        """Work until cancelled."""


class Parts:
    """What runs on a ground, made in the order in which one needs the other."""

    def __init__(
        self,
        ground: Ground,
        *,
        on_ack: Callable[[ReceiptsAck], None],
        on_command: Callable[[Command], None],
        leave: Callable[[str], None],
    ) -> None:
        self._ground, options = ground, ground.options
        self._make_sound()
        self.inbox = Inbox(ground.keeper, ground.clock, ground.faults, on_ack=on_ack, on_command=on_command)
        self.link = self._new_link()
        self.fetcher = Fetcher(
            ground.keeper,
            ground.shelf,
            ground.faults,
            media_url=ground.adoption.media_url,
            tls=lambda: ground.tls(as_node=False),
            now=ground.now,
            bulk_bytes_per_s=None if options.bulk_kbit_s is None else max(1, options.bulk_kbit_s * 125),
        )
        self.logbook = Logbook(options.state.log)
        self.log_sender = LogSender(
            self.logbook,
            node_id=ground.adoption.node_id,
            media_url=ground.adoption.media_url,
            tls=lambda: ground.tls(as_node=True),
            yields=self.fetcher.has_urgent,
        )
        self.voucher = Voucher(ground.keeper, ground.shelf, self.player)
        self.reporter = Reporter(
            ground.adoption.node_id,
            ground.store,
            ground.ledger,
            ground.key,
            now=ground.now,
            send=lambda token: self.link.publish_bytes(Word.RECEIPTS, token, qos=1),
        )
        self.renewer = Renewer(
            options.state,
            ground.adoption,
            now=ground.now,
            knows_date=ground.knows_date,
            monotonic_s=lambda: ground.clock.monotonic_ns() / 1e9,
            linked=lambda: self.link.connected,
            is_near=self.is_near,
            tls=lambda: ground.tls(as_node=False),
        )
        self.updates = updates_of(
            ground, fetcher=self.fetcher, player=self.player, stage=self.stage, output=self.output, link=self.link
        )
        self._make_watches()
        self.giving_way = GivingWay(is_near=self.is_near, leave=lambda: leave("update"))

    @property
    def services(self) -> tuple[Service, ...]:
        """All that runs, in the order in which it is started: sound first, link last."""
        fitted: list[Service] = [one for one in (self.amplifier, self.button) if one is not None]
        return (
            *fitted,
            self.output,
            self.ear,
            self.player,
            self.voucher,
            self.reporter,
            self.fetcher,
            self.checks,
            self.health,
            self.renewer,
            self.log_sender,
            self.giving_way,
            *([self.updates] if self.updates is not None else []),
            self.link,
        )

    def is_near(self, within: timedelta) -> bool:
        """Say whether anything sounds, or is to within a time."""
        return self.stage.is_busy or bool(self.player.near(within))

    def _make_sound(self) -> None:
        """Make what sounds and what listens."""
        ground, options = self._ground, self._ground.options
        clock, store = ground.clock, ground.store
        judge, outside = ProcessJudge(), air() if options.input == "virtual" else None
        self.ear = Ear(
            None if options.input == "none" else lambda: input_of(options, outside),
            options.input_kind,
            judge,
            ground.faults,
            monotonic_ns=clock.monotonic_ns,
        )
        self.reference = Reference(store, judge, ground.faults, ground.now)
        self.stage = Stage(
            clock,
            store,
            ground.ledger,
            ground.shelf,
            simulated=options.output == "virtual",
            ear=self.ear,
            tap=self.ear.sent.put if self.ear.present else unheard,
        )

        def new_output() -> Output:
            return output_of(options, outside, utc_minus_monotonic_ns=clock.utc_minus_monotonic_ns)

        self.output = OutputWatch(new_output, self.stage.renderer, ground.faults)
        self.player = Player(
            clock=clock,
            store=store,
            ledger=ground.ledger,
            keeper=ground.keeper,
            shelf=ground.shelf,
            stage=self.stage,
            output=self.output,
        )
        self.amplifier = amplifier_of(
            options,
            ground.faults,
            now=clock.now,
            sounds=lambda: self.stage.is_busy,
            starts=self.player.starts,
        )
        self.button = button_of(options, ground.faults, self.player.stop_here)
        self.tone = self._new_own(pieces.tone())
        self.number = self._new_own(pieces.number(ground.adoption.node_id))

    def _new_own(self, piece: Piece) -> OwnSound:
        return OwnSound(
            piece,
            self._ground.clock,
            self._ground.store,
            self._ground.keeper,
            self.stage,
            is_near=self.is_near,
            has_output=lambda: self.output.available,
            listens=self.ear.present,
        )

    def _new_link(self) -> Link:
        ground, clock = self._ground, self._ground.clock
        return Link(
            ground.adoption,
            ground.faults,
            boot_id=clock.boot_id,
            tls=lambda: ground.tls(as_node=True),
            online=lambda: Online(
                boot_id=clock.boot_id,
                connected_at=ground.now(),
                abilities=abilities(ground.options),
                release=self._release(),
                update=self._update(),
            ),
            nonce=clock.ask,
            scopes=lambda: ground.keeper.scopes,
            take=self.inbox.take,
        )

    def _make_watches(self) -> None:
        """Make what looks at the others, and what tells the centre of it."""
        ground, options = self._ground, self._ground.options
        store, clock, keeper = ground.store, ground.clock, ground.keeper
        self.watched = Watched(
            supply=Supply(time.monotonic),
            quality=LinkQuality(
                time.monotonic,
                connections=lambda: self.link.connections,
                rtt_ms=self._rtt_ms,
                fetches=self.fetcher.is_fetching,
            ),
            signal=SignalStrength((Wireless(), Modem())),
            muted=Muted(lambda: silenced_by(options)),
            storage=Storage(options.state.root, refused=lambda: store.unwritable),
            cache=Cache(
                keeper,
                ground.shelf,
                now=clock.surely,
                monotonic_s=time.monotonic,
                failed=self.fetcher.failed,
                is_over=ground.is_over,
                fetch=self.fetcher.nudge,
            ),
        )
        self.health = HealthReporter(
            link=self.link,
            clock=clock,
            keeper=keeper,
            ledger=ground.ledger,
            store=store,
            inbox=self.inbox,
            reporter=self.reporter,
            faults=ground.faults,
            seen=self._seen,
            disk=options.state.root,
        )
        checks = all_checks(
            renderer=self.stage.renderer, watched=self.watched, state=options.state, clock=clock, keeper=keeper
        )
        self.checks = Checks(
            rounds=Rounds(checks, ground.faults),
            clock=clock,
            faults=ground.faults,
            inbox=self.inbox,
            keeper=keeper,
            ledger=ground.ledger,
            link=self.link,
            player=self.player,
            output=self.output,
            review=self.fetcher.review_faults,
            output_calls=lambda: self.stage.renderer.calls,
        )

    def _seen(self) -> Seen:
        """Tell what is told with the health of the node."""
        watched, signal = self.watched, self.watched.signal.last
        return Seen(
            now_playing=self.stage.now_playing,
            self_test=self.tone.last,
            identified=self.number.last,
            reference=self.reference.report if self.ear.present else None,
            supply_low=watched.supply.low,
            link_rtt_ms=self._rtt_ms(),
            link_reconnects=watched.quality.reconnects,
            link_kind=None if signal is None else signal.kind,
            link_signal=None if signal is None else signal.percent,
            cache=watched.cache.last,
            storage_errors=watched.storage.errors,
            muted=watched.muted.is_muted if self._ground.options.output == "card" else None,
            amplifier_on=None if self.amplifier is None else self.amplifier.is_on,
            release=self._release(),
            update=self._update(),
        )

    def _rtt_ms(self) -> float | None:
        """Give the last round trip: to the broker, else to the centre."""
        found = self._ground.clock.rtt_ms if self.link.rtt_ms is None else self.link.rtt_ms
        return None if found is None else round(found, 3)

    def _release(self) -> int:
        return self.updates.release if self.updates is not None else 0

    def _update(self) -> UpdateReport | None:
        return self.updates.report if self.updates is not None else None
