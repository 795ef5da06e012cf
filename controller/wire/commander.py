"""Signs and publishes one-off commands of nodes. Not retained: who is away does not hear them."""

from datetime import timedelta
from typing import Any

from controller.errors import BusyError
from edge_agent.protocol.documents import Command

from .bridge import Bridge
from .mqtt import LinkError, RefusedError
from .signer import Signer

READABLE = timedelta(minutes=2)
"""A click that is older is not obeyed."""


class Commander:
    """Sends them."""

    def __init__(self, signer: Signer, bridge: Bridge) -> None:
        self._signer, self._bridge = signer, bridge

    async def send(self, scope: str, fields: dict[str, Any], readable: timedelta = READABLE) -> None:
        """Sign a command, good for so long, and hand it to the broker.

        Raises:
            BusyError: the broker did not take it, or the signer does not answer.
        """
        token = await self._signer.answer(Command, scope, readable, **fields)
        try:
            await self._bridge.publish_document(scope, Command.word, token, expiry_s=int(readable.total_seconds()))
        except (LinkError, RefusedError) as error:
            raise BusyError(f"the broker did not take the command: {error.message}") from error
