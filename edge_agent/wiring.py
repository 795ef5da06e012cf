"""Says who hears of whose changes, and which part does what is ordered."""

from collections.abc import Callable

from edge_agent.faults import Fault
from edge_agent.ground import Ground
from edge_agent.parts import Parts
from edge_agent.protocol.documents import Command, CommandAction, ReceiptsAck
from edge_agent.renderer import End


class Wiring:
    """The parts of one node, joined. ``leave`` asks the node to end."""

    def __init__(self, ground: Ground, leave: Callable[[str], None]) -> None:
        self._ground, self._leave = ground, leave
        self.parts = Parts(ground, on_ack=self._take_ack, on_command=self._command, leave=leave)
        self._join_orders()
        self._join_sound()
        self._join_link()
        self._follow_settings()

    def _join_orders(self) -> None:
        ground, parts = self._ground, self.parts
        ground.keeper.on_change = self._orders_changed
        ground.keeper.on_hold = parts.player.silence
        ground.clock.on_change = self._clock_changed
        ground.faults.on_change = parts.health.nudge
        parts.inbox.on_time = parts.player.changed
        parts.fetcher.on_arrival = self.file_arrived
        parts.fetcher.is_over = ground.is_over
        parts.player.failed = parts.fetcher.failed
        parts.voucher.on_spoiled = parts.stage.on_spoiled = parts.fetcher.spoiled

    def _join_sound(self) -> None:
        parts = self.parts
        parts.output.on_change = self.output_changed
        parts.stage.is_muted = lambda: parts.watched.muted.is_muted
        parts.stage.on_change = parts.health.nudge
        parts.stage.on_reported = lambda play: parts.reference.session_over(play.broadcast_id)
        parts.ear.own_delay_ms = lambda: parts.reference.delay_ms
        parts.ear.on_item = parts.reference.note_item
        parts.ear.on_told = parts.stage.take_sensation
        parts.tone.on_change = parts.number.on_change = parts.reference.on_change = parts.health.nudge

    def _join_link(self) -> None:
        parts = self.parts
        parts.link.on_connected = self._connected
        parts.renewer.on_renewed = parts.reporter.use_key
        parts.renewer.on_quiet = parts.link.connect_anew
        if parts.updates is not None:
            parts.updates.on_change = parts.health.nudge
            parts.updates.on_leave = lambda: self._leave("update")

    def _orders_changed(self) -> None:
        parts = self.parts
        self._follow_settings()
        parts.player.note_orders()
        parts.player.changed()
        parts.fetcher.nudge()
        parts.voucher.nudge()
        parts.link.scopes_changed()
        parts.health.nudge()

    def _follow_settings(self) -> None:
        settings = self._ground.keeper.settings
        if settings is not None:
            self._ground.clock.hold_ms = settings.clock_hold_ms
            self._ground.faults.clear(Fault.NO_SETTINGS)

    def _clock_changed(self) -> None:
        self.parts.inbox.retry_pending()
        self.parts.player.changed()
        self.parts.health.nudge()

    def output_changed(self) -> None:
        """The output has come or gone."""
        if not self.parts.output.available:
            self.parts.stage.renderer.drop_all(End.LOST)
        self.parts.player.changed()
        self.parts.health.nudge()

    def file_arrived(self, sha256: str) -> None:
        """A recording is on the shelf."""
        self.parts.player.note_files(sha256)
        self.parts.health.nudge()

    def _connected(self) -> None:
        self.parts.checks.asked_time()
        self.parts.reporter.connected()
        self.parts.fetcher.link_is_back()
        self.parts.health.nudge()

    def _take_ack(self, ack: ReceiptsAck) -> None:
        self.parts.reporter.take_ack(ack)

    def _command(self, command: Command) -> None:
        parts = self.parts
        if command.action is CommandAction.RESTART:
            self._leave("restart")
        elif command.action is CommandAction.SELF_TEST:
            parts.tone.begin(command.command_id)
        elif command.action is CommandAction.SEND_LOG:
            parts.log_sender.want(command.command_id)
        elif command.action is CommandAction.IDENTIFY:
            parts.number.begin(command.command_id)
        elif command.action is CommandAction.REFERENCE and parts.ear.present:
            parts.reference.want(command.sha256)
        elif command.action is CommandAction.UPDATE and parts.updates is not None:
            if not parts.updates.take(command):
                parts.inbox.count_unsupported("update_on_trial")
        else:
            parts.inbox.count_unsupported("unsupported_command")
