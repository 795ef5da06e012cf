"""One node, from its start to its end: all its parts run in one task group. When one dies, the process ends."""

import asyncio
import logging
import signal
import sys
from collections.abc import Callable

from edge_agent import systemd
from edge_agent.clock import Instruments
from edge_agent.config import Options
from edge_agent.ending import end
from edge_agent.ground import Ground
from edge_agent.wiring import Wiring

log = logging.getLogger(__name__)


class Agent:
    """Made inside a running event loop."""

    def __init__(self, options: Options, *, instruments: Instruments | None = None) -> None:
        self.ground = Ground(options, instruments=instruments)
        self.wiring = Wiring(self.ground, self.leave)
        self.parts = self.wiring.parts
        self._leaving: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.on_end: Callable[[], None] = lambda: None
        """Called when the end begins: somebody asked for it, or a service is over."""

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
        loop, parts = asyncio.get_running_loop(), self.parts
        logging.getLogger().addHandler(parts.logbook)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.leave, "shutdown")
        loop.add_signal_handler(signal.SIGUSR1, parts.giving_way.ask)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = []
                for service in parts.services:
                    tasks.append(task := group.create_task(service.run(), name=service.name))
                    task.add_done_callback(lambda _: self.on_end())
                    await service.ready.wait()
                systemd.notify("READY=1")
                log.info("node %s is ready", self.ground.adoption.node_id)
                await parts.stage.warm_up()
                reason = await self._leaving
                await parts.player.shut_down()
                parts.ear.give_up()
                await parts.link.goodbye(reason)
                await end(tasks)
        finally:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
                loop.remove_signal_handler(number)
            self.ground.store.close()
            logging.getLogger().removeHandler(parts.logbook)
            parts.logbook.end(sys.exc_info()[1])
