"""Looks whether this node could play: key, store, disk, output; with an input, whether it is heard.

Changes nothing but the output's files. Only with an input something sounds: the same glide as by command, and by
the same hours, since whoever types this may stand anywhere.
"""

import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass

from cryptography import x509

from edge_agent import tls
from edge_agent.config import Options, load_adoption, load_key
from edge_agent.errors import AgentError, OutputError
from edge_agent.fittings import output_of
from edge_agent.shelf import Shelf
from edge_agent.store import Store
from edge_agent.tone_by_hand import hear_tone

LISTEN_S = 3.0
"""An output that asks for no second of sound within this does not work."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was looked at."""

    what: str
    ok: bool
    words: str

    def __str__(self) -> str:
        """One line for a person."""
        return f"{'ok    ' if self.ok else 'FAILED'} {self.what}: {self.words}"


def self_test(options: Options) -> list[Line]:
    """Try everything; one line each, in the order in which a node needs it."""
    checks: tuple[tuple[str, Callable[[Options], str]], ...] = (
        ("identity", _identity),
        ("store", _store),
        ("disk", _disk),
        ("output", _output),
    )
    found = [_try(what, check, options) for what, check in checks]
    if options.input != "none":
        found.append(_try("hearing", hear_tone, options))
    return found


def _try(what: str, check: Callable[[Options], str], options: Options) -> Line:
    try:
        return Line(what, ok=True, words=check(options))
    except (AgentError, OSError, ssl.SSLError, ValueError, ImportError) as error:
        return Line(what, ok=False, words=str(error))


def _identity(options: Options) -> str:
    adoption = load_adoption(options.state)
    tls.context(options.state, check_dates=True, as_node=True)
    own = x509.load_pem_x509_certificate(options.state.certificate.read_bytes())
    if own.public_key() != load_key(options.state).public_key():
        raise ValueError("the certificate is not for this key: enrol this node again")
    return f"{adoption.node_id}, certificate until {own.not_valid_after_utc:%Y-%m-%d}"


def _store(options: Options) -> str:
    store = Store.open(options.state.database)
    try:
        return f"{store.store_id}{', begun anew' if store.was_reset else ''}"
    finally:
        store.close()


def _disk(options: Options) -> str:
    shelf = Shelf(options.state.media)
    shelf.make_room(0, {path.stem for path in options.state.media.iterdir()})
    return f"{shelf.free_bytes() // 2**20} MiB free"


def _output(options: Options) -> str:
    second, frames = threading.Event(), 0

    def render(buffer: memoryview, _: int) -> None:
        nonlocal frames
        buffer[:] = bytes(len(buffer))
        frames += len(buffer) // 2
        if frames >= 48_000:
            second.set()

    output = output_of(options)
    output.open(render, lambda _: None, lambda _: None)
    try:
        if not second.wait(LISTEN_S):
            raise OutputError(f"{options.output}: it opens, but asks for no sound")
    finally:
        output.close()
    return f"{options.output} takes sound in real time"
