"""Lays updates down beside what runs, and names what is to run. Comes with the card, and is never updated itself.

Runs once whenever the agent has asked for something (``loa-agent-update.path``), as the user who owns the slots and
whom no network reaches. It believes nothing of what it reads but what a pinned update key has signed. Whatever moment a
power cut chooses: ``current`` names an environment that was good, ``trial`` a whole one or nothing.
"""

import compileall
import hashlib
import logging
import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import IO

import msgspec

from edge_agent import failpoints
from edge_agent.checks.disk_space import LEAST_BYTES
from edge_agent.config import sync_directory
from edge_agent.protocol.bundles import Packed
from edge_agent.protocol.documents import TrustedKey
from edge_agent.protocol.errors import BundleError, ProtocolError
from edge_agent.protocol.signing import TrustStore, open_release
from edge_agent.protocol.updates import Machine, Release, check_bundle, check_release
from edge_agent.updates.layout import (
    CURRENT,
    GOOD,
    NOT_QUIET,
    SLOTS,
    TRIAL,
    Ask,
    Inbox,
    Laid,
    Opt,
    Refusal,
    Told,
    TrustLostError,
    UpdateError,
    Verdict,
    read,
    this_machine,
    write,
)
from edge_agent.updates.unpack import sync, unpack

log = logging.getLogger(__name__)

PYTHON = Path("/usr/bin/python3")
"""Of the system: an environment is its own libraries, run by this."""
GROWTH = 6
"""Times its packed size, at most, that an environment takes; ours takes 5, compiled files among them."""
TRY_S = 300
"""For a first look at an environment; a Pi reads it for some seconds."""
_TIMES = 100
"""How often it looks again for what was asked meanwhile, before it leaves that to its next start."""


class NotStartedError(UpdateError):
    """What was unpacked does not even begin."""

    code = "not_started"


class NoRoomError(UpdateError):
    """The disk has no room for a second environment."""

    code = "no_room"


class Slots:
    """One run: sees what is asked, and does what of it is to be done."""

    def __init__(
        self,
        inbox: Inbox,
        opt: Opt,
        *,
        card_key: Path | None = None,
        machine: Machine | None = None,
        look: Callable[[Path], None] | None = None,
    ) -> None:
        """``card_key``: the key that the card was made with, if it was made with one."""
        self._inbox, self._opt, self._root, self._card_key = inbox, opt, opt.root, card_key
        found = machine or this_machine()
        if found is None:
            raise UpdateError("no bundles are built for this processor")
        self._machine, self._look = found, look or begins
        self._told = opt.told()

    def work(self) -> None:
        """Do what is asked until nothing more is.

        Raises:
            TrustLostError: what is believed cannot be read; whoever asked now would bring his own keys.
        """
        if self._opt.is_lost():
            raise TrustLostError(f"{self._opt.told_path} cannot be read, nor its copy: nothing is laid down any more")
        self._tidy()
        if self._told != Told() and read(self._opt.copy_path, Told) != self._told:
            self._say()
        last: Ask | None = None
        for _ in range(_TIMES):
            ask = read(self._inbox.ask, Ask)
            if ask is None or ask == last:
                return
            last = ask
            self._pin(ask)
            if ask.verdict is not None:
                self._settle(ask.verdict)
            if ask.release is not None and not self._is_on_trial():
                self._prepare(ask.release, ask)
            if ask.go is not None and ask.go == self._told.ready and not self._is_on_trial():
                self._arm(ask.go)

    # What is believed.

    def _pin(self, ask: Ask) -> None:
        keys = () if self._told.pins else self._first_keys(ask)
        if keys:
            self._say(pins=TrustStore(key for key in keys if key.use == "update").keys)
            log.info("pinned: %s", ", ".join(key.kid for key in self._told.pins))

    def _first_keys(self, ask: Ask) -> tuple[TrustedKey, ...]:
        """Give the card's own where it has one: one that cannot be read is not replaced by whoever asks."""
        if self._card_key is None or not os.path.lexists(self._card_key):
            return ask.keys
        key = read(self._card_key, TrustedKey)
        if key is None:
            log.error("%s is no public half of an update key: nothing is believed", self._card_key)
        return (key,) if key is not None else ()

    # What lies in the slot that does not run.

    def _prepare(self, token: str, ask: Ask) -> None:
        name = hashlib.sha256(token.encode()).hexdigest()
        refused = self._told.refused
        if self._told.ready_sha256 == name or (refused is not None and refused.wish == ask.wish):
            return
        try:
            self._lay(token, name, ask.limit_s)
        except (ProtocolError, UpdateError) as error:
            log.error("refused: %s", error)  # noqa: TRY400 - no fault of ours
            self._drop(self._idle().with_suffix(".new"))
            self._say(refused=Refusal(ask.wish, error.code, str(error)[:500]))

    def _lay(self, token: str, name: str, limit_s: int) -> None:
        release = open_release(token.encode(), trust=TrustStore(self._told.pins))
        check_release(release, self._machine, taken=self._told.taken, good=self._told.good, now=None)
        self._say(taken=release.release, attempts=self._told.attempts + 1, ready=None, ready_sha256=None, refused=None)
        laid = Laid(f"{release.release}-{self._told.attempts}", release)
        slot = self._idle()
        half = slot.with_suffix(".new")
        self._drop(half)
        self._drop(slot)  # the room of two is all there is
        half.mkdir(mode=0o755)
        half.chmod(0o755)
        self._fill(half, laid, limit_s)
        failpoints.reach("update.before_slot")
        half.rename(slot)
        failpoints.reach("update.after_slot")
        sync_directory(self._root)
        self._say(ready=laid.attempt, ready_sha256=name)
        log.info("release %d (%s) lies in %s", release.release, release.version, slot.name)

    def _fill(self, folder: Path, laid: Laid, limit_s: int) -> None:
        libs = folder / "lib" / "python3.11" / "site-packages"
        for one in (libs, folder / "bin"):
            one.mkdir(mode=0o755, parents=True)
        try:
            self._unpack(laid.release, libs)
            (folder / "bin" / "python3").symlink_to(PYTHON)
            (folder / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n", "ascii")
            write(folder / "release.json", laid)
            (folder / "attempt").write_text(f"{laid.attempt} {max(60, min(limit_s, 86_400))}\n", "ascii")
            # The agent cannot write here: what is not compiled now is compiled at every start.
            compileall.compile_dir(libs, quiet=2, workers=1)
        except OSError as error:
            self._drop(folder)
            raise NoRoomError(f"{folder}: {error.strerror or error}") from None
        for top, _, files in os.walk(folder):
            for path in (Path(top), *(Path(top) / name for name in files)):
                if not path.is_symlink():
                    path.chmod(0o755 if path.is_dir() else 0o644)
        self._look(folder)
        failpoints.reach("update.before_sync")
        sync_tree(folder)

    def _unpack(self, release: Release, into: Path) -> None:
        with _open(self._inbox.bundle(release.sha256)) as file:
            if shutil.disk_usage(self._root).free < LEAST_BYTES + release.size * GROWTH:
                raise NoRoomError(f"{self._root}: less than {(LEAST_BYTES + release.size * GROWTH) >> 20} MiB are free")
            packed = Packed(file, release.size)
            try:
                unpack(packed, into)
                packed.finish()
            except BundleError:
                # What is wrong with it says more when it is not what was signed at all.
                packed.drain()
                check_bundle(release, size=packed.size, sha256=packed.sha256)
                raise
        check_bundle(release, size=packed.size, sha256=packed.sha256)

    # What runs.

    def _arm(self, attempt: str) -> None:
        slot = self._idle()
        laid = self._opt.laid(slot.name)
        if laid is None or laid.attempt != attempt:
            self._say(ready=None, ready_sha256=None)  # it is not what we left there: it is laid down again
            return
        self._point(TRIAL, slot.name)
        log.info("release %d is on trial", laid.release.release)

    def _settle(self, verdict: Verdict) -> None:
        """End the trial that is meant, in steps of which each one alone leaves something that runs."""
        laid = self._opt.laid(TRIAL) if self._is_on_trial() else None
        if laid is None or laid.attempt != verdict.attempt:
            return
        if verdict.word == GOOD:
            self._point(CURRENT, str((self._root / TRIAL).readlink()))
            self._say(
                good=max(self._told.good, laid.release.release),
                pins=laid.release.keys or self._told.pins,
                ready=None,
                ready_sha256=None,
            )
        elif verdict.word != NOT_QUIET:
            self._say(ready=None, ready_sha256=None)
        failpoints.reach("update.before_end")
        (self._root / TRIAL).unlink()
        failpoints.reach("update.after_end")
        sync_directory(self._root)
        log.info("trial %s is over: %s", verdict.attempt, verdict.word[:40])

    def _point(self, name: str, slot: str) -> None:
        """Let a name stand for a slot, from one moment to the next."""
        new = self._root / f"{name}.new"
        self._drop(new)
        new.symlink_to(slot)
        failpoints.reach("update.before_point")
        new.rename(self._root / name)
        failpoints.reach("update.after_point")
        sync_directory(self._root)

    # Small things.

    def _is_on_trial(self) -> bool:
        return os.path.lexists(self._root / TRIAL)

    def _idle(self) -> Path:
        try:
            current = str((self._root / CURRENT).readlink())
        except OSError:
            current = SLOTS[0]
        return self._root / SLOTS[1 if current == SLOTS[0] else 0]

    def _say(self, **changes: object) -> None:
        self._told = msgspec.structs.replace(self._told, **changes)
        write(self._opt.told_path, self._told)
        write(self._opt.copy_path, self._told)

    def _tidy(self) -> None:
        """Throw away what a power cut left half done."""
        for left in (*self._root.glob("*.new"), *self._root.glob(".*")):
            self._drop(left)
        trial = self._root / TRIAL
        if os.path.lexists(trial) and self._opt.on_trial() is None:
            trial.unlink()

    @staticmethod
    def _drop(path: Path) -> None:
        if path.is_symlink() or path.is_file():
            path.unlink()
        elif path.exists():
            shutil.rmtree(path)


def sync_tree(folder: Path) -> None:
    """Put an environment on the disk for good.

    Raises:
        NoRoomError: the disk refuses.
    """
    try:
        sync(folder)
    except OSError as error:
        raise NoRoomError(f"{folder}: {error.strerror or error}") from None


def begins(folder: Path) -> None:
    """See whether an environment begins at all: its version is said, its parts are found.

    Raises:
        NotStartedError: it does not.
    """
    python = folder / "bin" / "python3"
    for words in (("-m", "edge_agent", "--version"), ("-c", "import edge_agent.agent, edge_agent.ears, audio.decode")):
        try:
            done = subprocess.run(
                [python, "-I", *words], capture_output=True, text=True, timeout=TRY_S, check=False, cwd="/", env={}
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotStartedError(f"{' '.join(words)}: {error}") from None
        if done.returncode != 0:
            raise NotStartedError(f"{' '.join(words)}: {done.stderr[-300:]}")


def _open(path: Path) -> IO[bytes]:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise BundleError(f"{path.name}: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise BundleError(f"{path.name} is no plain file")
    return os.fdopen(handle, "rb")
