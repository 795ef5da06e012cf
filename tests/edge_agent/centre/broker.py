"""A mosquitto child on a port of its own, with the access rules of the wire."""

import asyncio
import contextlib
import shutil
import socket
import subprocess
from pathlib import Path

MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"

_CONFIG = """
user root
per_listener_settings false
persistence false
allow_anonymous false
set_tcp_nodelay true
listener {port} 127.0.0.1
cafile {root}/ca.crt
certfile {root}/server.crt
keyfile {root}/server.key
require_certificate true
use_identity_as_username true
use_username_as_clientid true
acl_file {root}/acl
log_dest stderr
log_type error
"""

_ACL = """
user centre
topic readwrite loa/v1/#

pattern read loa/v1/areas/#
pattern read loa/v1/nodes/%u/#
pattern write loa/v1/nodes/%u/presence
pattern write loa/v1/nodes/%u/health
pattern write loa/v1/nodes/%u/receipts
pattern write loa/v1/nodes/%u/time/ask
"""


def _hold(port: int = 0) -> socket.socket:
    """Take a port at which nothing listens, so that nobody is given it, not even who connects to it.

    A client that tries again and again is given that very port as its own some day, and is connected to itself.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", port))
    return held


class Broker:
    """A mosquitto child on a port of its own; can be killed and started again."""

    def __init__(self, root: Path) -> None:
        self._held = _hold()
        self.port, self._config = int(self._held.getsockname()[1]), root / "mosquitto.conf"
        (root / "acl").write_text(_ACL)
        (root / "acl").chmod(0o600)
        self._config.write_text(_CONFIG.format(root=root, port=self.port))
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        self._held.close()
        self._process = subprocess.Popen([MOSQUITTO, "-c", str(self._config)])  # noqa: ASYNC220 - returns at once
        async with asyncio.timeout(30):
            while not await self._answers():
                assert self._process.poll() is None, "mosquitto has ended"
                await asyncio.sleep(0.02)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            self._held = _hold(self.port)

    def close(self) -> None:
        """Kill it for good, and give its port back."""
        self.kill()
        self._held.close()

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return True
