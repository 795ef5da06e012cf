"""The agent's own last words, for whoever asks from afar: in memory, and in a file that outlives a restart.

Written seldom, for a card wears out by it: what a power cut takes is the last minute. What has the shape of a secret
never goes in, whoever logged it.
"""

import contextlib
import logging
import os
import re
import threading
import time
import traceback
from collections import deque
from collections.abc import Iterable
from pathlib import Path

from edge_agent import failpoints
from edge_agent.config import write_atomically

KEEP_BYTES = 192 * 1024
"""Of text, in memory; the file is begun anew when it has twice as much."""
MOST_UNWRITTEN = 2000
"""Lines that wait for the file."""
PATIENCE_S = 1.0
"""A writing that has not come back by then hangs with its card."""
MAX_LINE = 600
"""Characters; the rest of a line is left out."""
LOOKED_AT = 2 * MAX_LINE
"""Characters of a line that are looked through for secrets: one that the end of ``MAX_LINE`` cuts is still known by its
shape, and a line of any length, which whoever stands in the way may send, costs no more."""
LEFT_OUT = "[left out]"
_SECRETS = re.compile(
    r"-----BEGIN .*?(?:-----END [^-]*-----|\Z)"  # a key or certificate (RFC 7468)
    r"|(?<![\w-])eyJ[\w-]{8,}(?:\.[\w-]*)+"  # a signed document (RFC 7515)
    r"|(?<![\w-])(?=[\w-]*[A-Z])[\w-]{43}(?![\w-])"  # 32 bytes as base64url: half of a key; hashes are hexadecimal
    r"|(?<![\w-])[0-9A-HJKMNP-TV-Z]{4}(?:-[0-9A-HJKMNP-TV-Z]{4})+(?![\w-])",  # a claim code
    re.DOTALL,
)


class Logbook(logging.Handler):
    """Takes what is logged in this process, from any thread."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        formatter = logging.Formatter("%(asctime)sZ %(levelname)s %(name)s: %(message)s")
        formatter.converter = time.gmtime
        self.setFormatter(formatter)
        self._path = path
        self._mutex, self._writing = threading.Lock(), threading.Lock()
        self._lines: deque[str] = deque()
        self._bytes = 0
        self._unwritten: deque[str] = deque(maxlen=MOST_UNWRITTEN)
        for line in _read(path):
            self._keep(line)

    def emit(self, record: logging.LogRecord) -> None:
        """Take one."""
        try:
            lines = scrubbed(self.format(record)).split("\n")
        except Exception:  # noqa: BLE001 - what cannot be put into words, for any reason, ends nobody who logs
            self.handleError(record)
            return
        with self._mutex:
            for line in lines:
                self._keep(line)
            self._unwritten.extend(lines)

    def lines(self) -> list[str]:
        """Give what is kept, the oldest first."""
        with self._mutex:
            return list(self._lines)

    def write_down(self) -> None:
        """Put what is new into the file. A card that refuses is for others to tell of; one that hangs, hangs this."""
        if not self._writing.acquire(timeout=PATIENCE_S):
            return
        try:
            with self._mutex:
                new, whole = _packed(self._unwritten), _packed(self._lines)
                self._unwritten.clear()
            if new:
                with contextlib.suppress(OSError):
                    self._add(new, whole)
        finally:
            self._writing.release()

    def _add(self, new: bytes, whole: bytes) -> None:
        """Put it on the card; a cut leaves what was there before."""
        if self._path.exists() and self._path.stat().st_size > 2 * KEEP_BYTES:
            write_atomically(self._path, whole)
            return
        with self._path.open("ab") as file:
            file.write(new)
            file.flush()
            failpoints.reach("log.before_sync")
            os.fsync(file.fileno())
            failpoints.reach("log.after_sync")

    def end(self, error: BaseException | None) -> None:
        """Write down the last of this process: also what ended it."""
        if error is not None:
            self.handle(_last_words(error))
        self.write_down()

    def _keep(self, line: str) -> None:
        self._lines.append(line)
        self._bytes += len(line) + 1
        while self._bytes > KEEP_BYTES:
            self._bytes -= len(self._lines.popleft()) + 1


def scrubbed(said: str) -> str:
    """Leave out what has the shape of a secret, and what is too long of a line."""
    looked_at = "\n".join(line[:LOOKED_AT] for line in said.splitlines())
    return "\n".join(
        line if len(line) <= MAX_LINE else f"{line[:MAX_LINE]} {LEFT_OUT}"
        for line in _SECRETS.sub(LEFT_OUT, looked_at).splitlines()
    )


def _packed(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode(errors="replace")


def _read(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()[-KEEP_BYTES // 20 :]
    except OSError:
        return []


def _last_words(error: BaseException) -> logging.LogRecord:
    said = "".join(traceback.format_exception(error))
    return logging.LogRecord("loa-agent", logging.CRITICAL, __file__, 0, said, None, None)
