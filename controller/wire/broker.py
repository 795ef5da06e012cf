"""The message broker: a mosquitto of our own, started, watched and ended by the controller.

It remembers nothing that matters: whatever it loses is published again (``dispatcher.py``).
"""

import asyncio
import hashlib
import logging
import os
import pwd
import shutil
import signal
import socket
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from controller.config import Config
from controller.errors import LoaError

from .broker_config import Listener, access_rules, configuration
from .pki import Authority, Revoked

BINARY = "mosquitto"
SAFE_PATH = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin:/sbin:/bin"
"""Debian keeps mosquitto in ``/usr/sbin``, which is not on everybody's path."""
START_S = 10.0
"""mosquitto listens within 50 ms on a small machine; more than this is a fault."""
BACKOFF_S = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Waits between attempts to bring it back; the last one stays."""
STEADY_S = 30.0
"""After running this long, the next wait is the first again."""
STOP_S = 5.0

_log = logging.getLogger(__name__)


class BrokerError(LoaError):
    """The broker cannot be started."""

    code = "broker"


class Broker:
    """Keeps one mosquitto running until cancelled."""

    name = "broker"

    def __init__(self, config: Config, authority: Authority) -> None:
        self._host, self._port, self._authority = config.node_host, config.broker_port, authority
        self._state = config.state
        self._process: asyncio.subprocess.Process | None = None
        self._account: pwd.struct_passwd | None = None
        self._revoked: tuple[Revoked, ...] = ()
        self._reads: Path | None = None
        """Its folder, while it runs and listens."""
        self.ready = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """Process id, while it runs."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    def renew_certificate(self) -> None:
        """Use the certificate that is in the files now for new connections; those that stand go on."""
        self._tell({"server.key": self._authority.server_key.read_bytes(), "server.crt": self._server_chain()})

    def revoke(self, revoked: Iterable[Revoked]) -> None:
        """Let these certificates and their nodes in no more, whoever else is connected staying so.

        Sessions that stand are not ended by it: see ``revoker.py``.
        """
        self._revoked = tuple(revoked)
        self._tell(self._lists())

    def _tell(self, contents: Mapping[str, bytes]) -> None:
        """Put new files in the place of some, and have the process read them all."""
        if self._reads is None or self.pid is None or self._process is None:
            return  # it finds them when it starts
        for name, content in contents.items():
            _replace(self._reads / name, content, self._account)
        self._process.send_signal(signal.SIGHUP)

    async def run(self) -> None:
        """Start mosquitto and start it again whenever it ends.

        Raises:
            BrokerError: it is not installed, its port is taken, or it did not start the first time.
        """
        binary = shutil.which(BINARY, path=SAFE_PATH)
        if binary is None:
            raise BrokerError("mosquitto is not installed; install Debian's package mosquitto")
        account = self._account = _account()
        attempt = 0
        while True:
            began = time.monotonic()
            try:
                async with self._running(binary, account) as last:
                    code = await last
            except BrokerError as error:
                if not self.ready.is_set():
                    raise
                _log.error("%s", error.message)
            except OSError as error:  # no room for what it reads, or for a process
                if not self.ready.is_set():
                    raise
                _log.error("mosquitto cannot be started: %s; tried again", error)
            else:
                _log.error("mosquitto ended with code %s; starting it again", code)
            attempt = 0 if time.monotonic() - began > STEADY_S else attempt
            await asyncio.sleep(BACKOFF_S[min(attempt, len(BACKOFF_S) - 1)])
            attempt += 1

    @asynccontextmanager
    async def _running(self, binary: str, account: pwd.struct_passwd | None) -> AsyncIterator[asyncio.Future[int]]:
        """Run the process for the length of the block; give what waits for its end."""
        _check_free(self._host, self._port)
        said: list[str] = []
        revoked = self._revoked
        with self._folder(account) as folder:
            process = await asyncio.create_subprocess_exec(
                *(*_as_user(account), binary, "-c", str(folder / "mosquitto.conf")),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for us: the broker goes last
            )
            self._process = process
            reader = asyncio.create_task(_tell_log(process, said), name="broker-log")
            try:
                await self._listening(process, said)
                self._reads = folder
                if self._revoked is not revoked:  # while it was starting
                    self.revoke(self._revoked)
                self.ready.set()
                yield asyncio.ensure_future(process.wait())
            finally:
                self._reads = None
                await _end(process)
                await reader

    async def _listening(self, process: asyncio.subprocess.Process, said: list[str]) -> None:
        host = "127.0.0.1" if self._host in {"0.0.0.0", "::"} else self._host
        tls = self._authority.centre_context()
        try:
            async with asyncio.timeout(START_S):
                while process.returncode is None:
                    # A port that takes connections is not enough: mosquitto listens before it has read its key.
                    try:
                        _, writer = await asyncio.open_connection(host, self._port, ssl=tls)
                    except OSError:
                        await asyncio.sleep(0.01)
                        continue
                    writer.transport.abort()
                    return
        except TimeoutError:
            raise BrokerError(f"mosquitto did not answer on {host}:{self._port} within {START_S:.0f} s") from None
        await asyncio.sleep(0)  # its last words arrive with its end
        raise BrokerError(
            f"mosquitto ended at once with code {process.returncode}: {'; '.join(said[-3:]) or 'no word'}"
        )

    @contextmanager
    def _folder(self, account: pwd.struct_passwd | None) -> Iterator[Path]:
        """Write what mosquitto reads when it starts, and again whenever it is told of revoked certificates.

        On that signal it reads all of it anew, so all of it stays as long as the process; what it cannot read then, it
        goes on without.
        """
        folder = _prepare_folder(self._state, account)
        listener = Listener(self._host, self._port, folder)
        contents = {
            "mosquitto.conf": configuration(listener).encode(),
            "ca.crt": self._authority.ca_pem.encode(),
            "server.crt": self._server_chain(),
            "server.key": self._authority.server_key.read_bytes(),
            **self._lists(),
        }
        try:
            for name, content in contents.items():
                _write(folder / name, content, account)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _server_chain(self) -> bytes:
        return self._authority.server_chain.read_bytes()

    def _lists(self) -> dict[str, bytes]:
        return {
            "acl": access_rules(each.node_id for each in self._revoked).encode(),
            "revoked.crl": self._authority.revocation_list(self._revoked),
        }


def _replace(path: Path, content: bytes, account: pwd.struct_passwd | None) -> None:
    """Put a new file in the place of the old one, so that a reader finds one or the other whole."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    _write(new, content, account)
    new.replace(path)


def _write(path: Path, content: bytes, account: pwd.struct_passwd | None) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    if account is not None:
        os.chown(path, account.pw_uid, account.pw_gid)


def _account() -> pwd.struct_passwd | None:
    """Find whom the broker runs as when we are root; None: as ourselves."""
    if os.geteuid() != 0:
        return None
    for name in (BINARY, "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise BrokerError("neither the user mosquitto nor nobody exists; the broker must not run as root")


def _as_user(account: pwd.struct_passwd | None) -> list[str]:
    """Drop root and tie the process to our life; the signal is set after the change of user, which would clear it."""
    command = ["setpriv"]
    if account is not None:
        command += [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
    return [*command, "--pdeathsig=KILL", "--no-new-privs", "--"]


def _prepare_folder(state: Path, account: pwd.struct_passwd | None) -> Path:
    """Make a folder that the broker's user can reach: the state folder may be closed to it."""
    if account is None:
        folder = state / "broker"
    else:
        # Only root writes below /run, so the name needs no luck.
        folder = Path("/run") / f"loa-broker-{hashlib.sha256(str(state.resolve()).encode()).hexdigest()[:12]}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    if account is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)
    return folder


def _check_free(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise BrokerError(
                f"the broker cannot listen on {host}:{port} ({error.strerror}); end what uses it or set LOA_BROKER_PORT"
            ) from None


async def _tell_log(process: asyncio.subprocess.Process, said: list[str]) -> None:
    assert process.stderr is not None  # noqa: S101  it was asked for
    async for line in process.stderr:
        text = line.decode("utf-8", "replace").strip()
        said.append(text)
        del said[:-20]
        _log.log(logging.ERROR if text.startswith("Error") else logging.DEBUG, "mosquitto: %s", text)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
