"""Puts the parts of one node together and runs them in one task group. When one dies, the process ends."""

import asyncio
import logging
import signal
import ssl
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import msgspec

from edge_agent import pieces, systemd, tls
from edge_agent.abilities import RTC, abilities, battery_agrees
from edge_agent.checks.all import Watched, all_checks
from edge_agent.checks.cache import Cache
from edge_agent.checks.link_quality import LinkQuality
from edge_agent.checks.muted import Muted
from edge_agent.checks.round import Rounds
from edge_agent.checks.runner import Checks
from edge_agent.checks.signal import SignalStrength
from edge_agent.checks.storage import Storage, refusal
from edge_agent.checks.supply import Supply
from edge_agent.clock import NS, Clock, Instruments, SystemInstruments, Trust
from edge_agent.config import Options, load_adoption, load_key, spare_media, spare_store, sweep
from edge_agent.download import Throttle
from edge_agent.ending import end
from edge_agent.faults import Fault, FaultBook
from edge_agent.fetcher import Fetcher
from edge_agent.fittings import amplifier_of, button_of, input_of, output_of, silenced_by
from edge_agent.giving_way import GivingWay
from edge_agent.health import HealthReporter, Seen
from edge_agent.hearing import Ear
from edge_agent.identity import settle
from edge_agent.inbox import Inbox
from edge_agent.inputs.virtual import air
from edge_agent.judge import ProcessJudge
from edge_agent.keeper import Keeper
from edge_agent.ledger import Ledger
from edge_agent.link import Link
from edge_agent.log_sending import LogSender
from edge_agent.logbook import Logbook
from edge_agent.outputs.base import Output
from edge_agent.outputs.virtual import unheard
from edge_agent.outputs.watch import OutputWatch
from edge_agent.own import OwnSound, Piece
from edge_agent.player import Player
from edge_agent.protocol.documents import Command, CommandAction, ReceiptsAck
from edge_agent.protocol.reports import Online
from edge_agent.protocol.signing import SigningKey
from edge_agent.protocol.states import ClockState
from edge_agent.protocol.topics import Word
from edge_agent.protocol.updates import Release, UpdateReport
from edge_agent.radio import Modem, Wireless
from edge_agent.reference import Reference
from edge_agent.renderer import End
from edge_agent.renewal import Renewer
from edge_agent.reporter import Reporter
from edge_agent.reset import Reset
from edge_agent.shelf import Shelf
from edge_agent.stage import Stage
from edge_agent.store import Store
from edge_agent.updates import fetch as bundles
from edge_agent.updates.gate import Signs
from edge_agent.updates.layout import Inbox as UpdateInbox
from edge_agent.updates.layout import Opt
from edge_agent.updates.service import Updates
from edge_agent.voucher import Voucher

log = logging.getLogger(__name__)


class Service(Protocol):
    """Something long-lived."""

    name: str
    ready: asyncio.Event

    async def run(self) -> None:
        """Work until cancelled."""


class Agent:
    """One node. Made inside a running event loop."""

    def __init__(self, options: Options, *, instruments: Instruments | None = None) -> None:
        self._options, state = options, options.state
        self._adoption = load_adoption(state)
        settle(state)
        for folder in (state.root, state.media):
            sweep(folder)
        key = SigningKey(load_key(state))
        self._store = store = Store.open(state.database, spare=spare_store())
        self.faults = FaultBook(self._now)
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
        self.keeper = keeper = Keeper(
            self._adoption.node_id,
            store,
            self.shelf,
            first_keys=self._adoption.trusted_keys,
            begun=ledger.begun,
            now=clock.surely,
        )
        judge = ProcessJudge()
        self.ear = Ear(
            None if options.input == "none" else lambda: input_of(options, self._air),
            options.input_kind,
            judge,
            self.faults,
            monotonic_ns=clock.monotonic_ns,
        )
        self.reference = Reference(store, judge, self.faults, self._now)
        self._air = air() if options.input == "virtual" else None
        self.stage = Stage(
            clock,
            store,
            ledger,
            self.shelf,
            simulated=options.output == "virtual",
            ear=self.ear,
            tap=self.ear.sent.put if self.ear.present else unheard,
        )
        self.output = OutputWatch(self._new_output, self.stage.renderer, self.faults)
        self.player = Player(
            clock=clock,
            store=store,
            ledger=ledger,
            keeper=keeper,
            shelf=self.shelf,
            stage=self.stage,
            output=self.output,
        )
        self.amplifier = amplifier_of(
            options,
            self.faults,
            now=clock.now,
            sounds=lambda: self.stage.is_busy,
            starts=self.player.starts,
        )
        self.button = button_of(options, self.faults, self.player.stop_here)
        self.tone = self._new_own(pieces.tone())
        self.number = self._new_own(pieces.number(self._adoption.node_id))
        self.inbox = Inbox(keeper, clock, self.faults, on_ack=self._take_ack, on_command=self._command)
        self.link = self._new_link()
        self.fetcher = Fetcher(
            keeper,
            self.shelf,
            self.faults,
            media_url=self._adoption.media_url,
            tls=lambda: self._tls(as_node=False),
            now=self._now,
            bulk_bytes_per_s=None if options.bulk_kbit_s is None else max(1, options.bulk_kbit_s * 125),
        )
        self.logbook = Logbook(state.log)
        self.log_sender = LogSender(
            self.logbook,
            node_id=self._adoption.node_id,
            media_url=self._adoption.media_url,
            tls=lambda: self._tls(as_node=True),
            yields=self.fetcher.has_urgent,
        )
        self.voucher = Voucher(keeper, self.shelf, self.player)
        self.reporter = Reporter(
            self._adoption.node_id,
            store,
            ledger,
            key,
            now=self._now,
            send=lambda token: self.link.publish_bytes(Word.RECEIPTS, token, qos=1),
        )
        self.renewer = Renewer(
            state,
            self._adoption,
            now=self._now,
            knows_date=lambda: clock.state is not ClockState.UNTRUSTED,
            monotonic_s=lambda: clock.monotonic_ns() / 1e9,
            linked=lambda: self.link.connected,
            is_near=self._is_near,
            tls=lambda: self._tls(as_node=False),
        )
        self.updates = None if options.slots is None else self._new_updates(options.slots)
        self._watched = Watched(
            supply=Supply(time.monotonic),
            quality=LinkQuality(
                time.monotonic,
                connections=lambda: self.link.connections,
                rtt_ms=self._rtt_ms,
                fetches=self.fetcher.is_fetching,
            ),
            signal=SignalStrength((Wireless(), Modem())),
            muted=Muted(lambda: silenced_by(options)),
            storage=Storage(state.root, refused=lambda: store.unwritable),
            cache=Cache(
                keeper,
                self.shelf,
                now=clock.surely,
                monotonic_s=time.monotonic,
                failed=self.fetcher.failed,
                is_over=self._is_over,
                fetch=self.fetcher.nudge,
            ),
        )
        self.health = HealthReporter(
            link=self.link,
            clock=clock,
            keeper=keeper,
            ledger=ledger,
            store=store,
            inbox=self.inbox,
            reporter=self.reporter,
            faults=self.faults,
            seen=self._seen,
            disk=state.root,
        )
        self.stage.is_muted = lambda: self._watched.muted.is_muted
        checks = all_checks(
            renderer=self.stage.renderer,
            watched=self._watched,
            state=state,
            clock=clock,
            keeper=keeper,
        )
        self.checks = Checks(
            rounds=Rounds(checks, self.faults),
            clock=clock,
            faults=self.faults,
            inbox=self.inbox,
            keeper=keeper,
            ledger=ledger,
            link=self.link,
            player=self.player,
            output=self.output,
            review=self.fetcher.review_faults,
            output_calls=lambda: self.stage.renderer.calls,
        )
        self.giving_way = GivingWay(is_near=self._is_near, leave=lambda: self.leave("update"))
        self._leaving: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.on_end: Callable[[], None] = lambda: None
        """Called when the end begins: somebody asked for it, or a service is over."""
        self._wire()

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

    def leave(self, reason: str) -> None:
        """Ask the agent to end well."""
        self.on_end()
        if not self._leaving.done():
            self._leaving.set_result(reason)

    async def run(self) -> None:
        """Run until asked to leave.

        Raises:
            ExceptionGroup: a service has died.
        """
        loop = asyncio.get_running_loop()
        logging.getLogger().addHandler(self.logbook)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.leave, "shutdown")
        loop.add_signal_handler(signal.SIGUSR1, self.giving_way.ask)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = []
                for service in self.services:
                    tasks.append(task := group.create_task(service.run(), name=service.name))
                    task.add_done_callback(lambda _: self.on_end())
                    await service.ready.wait()
                systemd.notify("READY=1")
                log.info("node %s is ready", self._adoption.node_id)
                await self.stage.warm_up()
                reason = await self._leaving
                await self.player.shut_down()
                self.ear.give_up()
                await self.link.goodbye(reason)
                await end(tasks)
        finally:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
                loop.remove_signal_handler(number)
            self._store.close()
            logging.getLogger().removeHandler(self.logbook)
            self.logbook.end(sys.exc_info()[1])

    # Wiring.

    def _wire(self) -> None:
        """Say who hears of whose changes."""
        self.keeper.on_change = self._orders_changed
        self.keeper.on_hold = self.player.silence
        self.clock.on_change = self._clock_changed
        self.inbox.on_time = self.player.changed
        self.output.on_change = self._output_changed
        self.fetcher.on_arrival = self._file_arrived
        self.fetcher.is_over = self._is_over
        self.player.failed = self.fetcher.failed
        self.voucher.on_spoiled = self.stage.on_spoiled = self.fetcher.spoiled
        self.link.on_connected = self._connected
        self.stage.on_change = self.health.nudge
        self.ear.own_delay_ms = lambda: self.reference.delay_ms
        self.ear.on_item = self.reference.note_item
        self.ear.on_told = self.stage.take_sensation
        self.stage.on_reported = lambda play: self.reference.session_over(play.broadcast_id)
        self.tone.on_change = self.number.on_change = self.reference.on_change = self.health.nudge
        self.faults.on_change = self.health.nudge
        self.renewer.on_renewed = self.reporter.use_key
        self.renewer.on_quiet = self.link.connect_anew
        if self.updates is not None:
            self.updates.on_change = self.health.nudge
            self.updates.on_leave = lambda: self.leave("update")
        self._follow_settings()

    def _orders_changed(self) -> None:
        self._follow_settings()
        self.player.note_orders()
        self.player.changed()
        self.fetcher.nudge()
        self.voucher.nudge()
        self.link.scopes_changed()
        self.health.nudge()

    def _follow_settings(self) -> None:
        if self.keeper.settings is not None:
            self.clock.hold_ms = self.keeper.settings.clock_hold_ms
            self.faults.clear(Fault.NO_SETTINGS)

    def _clock_changed(self) -> None:
        self.inbox.retry_pending()
        self.player.changed()
        self.health.nudge()

    def _output_changed(self) -> None:
        if not self.output.available:
            self.stage.renderer.drop_all(End.LOST)
        self.player.changed()
        self.health.nudge()

    def _file_arrived(self, sha256: str) -> None:
        self.player.note_files(sha256)
        self.health.nudge()

    def _connected(self) -> None:
        self.checks.asked_time()
        self.reporter.connected()
        self.fetcher.link_is_back()
        self.health.nudge()

    def _take_ack(self, ack: ReceiptsAck) -> None:
        self.reporter.take_ack(ack)

    def _command(self, command: Command) -> None:
        if command.action is CommandAction.RESTART:
            self.leave("restart")
        elif command.action is CommandAction.SELF_TEST:
            self.tone.begin(command.command_id)
        elif command.action is CommandAction.SEND_LOG:
            self.log_sender.want(command.command_id)
        elif command.action is CommandAction.IDENTIFY:
            self.number.begin(command.command_id)
        elif command.action is CommandAction.REFERENCE and self.ear.present:
            self.reference.want(command.sha256)
        elif command.action is CommandAction.UPDATE and self.updates is not None:
            if not self.updates.take(command):
                self.inbox.count_unsupported("update_on_trial")
        else:
            self.inbox.count_unsupported("unsupported_command")

    def _rtt_ms(self) -> float | None:
        """Give the last round trip: to the broker, else to the centre."""
        found = self.clock.rtt_ms if self.link.rtt_ms is None else self.link.rtt_ms
        return None if found is None else round(found, 3)

    def _is_near(self, within: timedelta) -> bool:
        """Say whether anything sounds, or is to within a time."""
        return self.stage.is_busy or bool(self.player.near(within))

    def _is_over(self, broadcast_id: str) -> bool:
        play = self.ledger.plays.get(broadcast_id)
        return play is not None and play.progress.outcome is not None

    # Making.

    def _now(self) -> datetime:
        return self.clock.now()

    def _card_lost(self) -> None:
        """The store goes on in memory: say so at once, the look at the card comes each minute only."""
        self.faults.put(Fault.STORAGE_FAILING, refusal(self._store.unwritable or ""))
        self.shelf.go_aside(spare_media())

    def _note_reset(self) -> None:
        """Enrolment begins the store: one that nobody has begun replaces one that was damaged or is gone."""
        if self._store.is_begun:
            return
        with self._store.writing():
            Reset(self._store, self.clock).note()
            self._store.begin()
        what = "damaged" if self._store.was_reset else "gone"
        self.faults.put(Fault.STORE_RESET, f"the store was {what}: what had been begun is not known any more")

    def _new_output(self) -> Output:
        return output_of(self._options, self._air, utc_minus_monotonic_ns=self.clock.utc_minus_monotonic_ns)

    def _new_own(self, piece: Piece) -> OwnSound:
        return OwnSound(
            piece,
            self.clock,
            self._store,
            self.keeper,
            self.stage,
            is_near=self._is_near,
            has_output=lambda: self.output.available,
            listens=self.ear.present,
        )

    def _seen(self) -> Seen:
        """Tell what is told with the health of the node."""
        watched, signal = self._watched, self._watched.signal.last
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
            muted=watched.muted.is_muted if self._options.output == "card" else None,
            amplifier_on=None if self.amplifier is None else self.amplifier.is_on,
            release=self._release(),
            update=self._update(),
        )

    def _new_updates(self, slots: Path) -> Updates:
        inbox = UpdateInbox(self._options.state.update)

        def bring(release: Release, throttle: Throttle) -> None:
            self.shelf.make_room(release.size, self.fetcher.needed())
            throttle.bytes_per_s = self.fetcher.bulk_rate
            download = bundles.over_https(self._adoption.media_url, lambda: self._tls(as_node=True), throttle)
            bundles.bring(inbox, release, download)

        return Updates(
            Opt(slots),
            inbox,
            self._store,
            self.faults,
            trusted=lambda: self.keeper.trust.keys,
            now=self._now,
            knows_date=lambda: self.clock.state is not ClockState.UNTRUSTED,
            linked=lambda: self.link.connected,
            signs=lambda: Signs(
                rounds=self.player.rounds,
                calls=self.stage.renderer.calls,
                output=self.output.available,
                linked=self.link.connected,
                held=frozenset(self.keeper.held()),
                listens=frozenset(self.keeper.scopes),
            ),
            is_near=lambda within: bool(self.player.near(within)),
            is_busy=lambda: self.stage.is_busy,
            bring=bring,
            yields=self.fetcher.is_fetching,
            trial_s=self._options.trial_s,
        )

    def _release(self) -> int:
        return self.updates.release if self.updates is not None else 0

    def _update(self) -> UpdateReport | None:
        return self.updates.report if self.updates is not None else None

    def _tls(self, *, as_node: bool) -> ssl.SSLContext:
        check_dates = self.clock.state is not ClockState.UNTRUSTED
        return tls.context(self._options.state, check_dates=check_dates, as_node=as_node)

    def _new_link(self) -> Link:
        return Link(
            self._adoption,
            self.faults,
            boot_id=self.clock.boot_id,
            tls=lambda: self._tls(as_node=True),
            online=lambda: Online(
                boot_id=self.clock.boot_id,
                connected_at=self._now(),
                abilities=abilities(self._options),
                release=self._release(),
                update=self._update(),
            ),
            nonce=self.clock.ask,
            scopes=lambda: self.keeper.scopes,
            take=self.inbox.take,
        )
