"""A node's own last words, as it sends them when it is asked: lines of text, packed, bounded on both ends. No I/O."""

import gzip
import zlib
from collections.abc import Iterable, Sequence
from datetime import timedelta

from .errors import MalformedError

MAX_LOG_BYTES = 128 * 1024
"""Of text: a thousand lines, some days of a node that is well."""
MAX_PACKED_LOG_BYTES = 64 * 1024
"""As it is sent. Words pack to a tenth; 3 s of a link of 200 kbit/s at the worst."""
LOG_WITHIN = timedelta(minutes=10)
"""From when it was asked for: afterwards nobody takes it any more."""
LOG_TYPE = "application/gzip"


def log_path(node_id: str, command_id: str) -> str:
    """Where a node brings its log, at the nodes' port, under its certificate; once."""
    return f"/api/v1/nodes/{node_id}/logs/{command_id}"


def pack_log(lines: Iterable[str]) -> bytes:
    """Compress the last of the lines, as many as may be sent."""
    encoded, most = [f"{line}\n".encode(errors="replace") for line in lines], MAX_LOG_BYTES
    while len(packed := gzip.compress(_last(encoded, most), mtime=0)) > MAX_PACKED_LOG_BYTES:
        most //= 2
    return packed


def _last(lines: Sequence[bytes], most: int) -> bytes:
    size, begin = 0, len(lines)
    while begin and size + len(lines[begin - 1]) <= most:
        begin -= 1
        size += len(lines[begin])
    return b"".join(lines[begin:])


def unpack_log(packed: bytes) -> str:
    """Decompress (bounded) and make harmless: what is neither a letter nor the end of a line becomes ``?``.

    Nothing of it moves a terminal's cursor, turns the direction of reading, or hides.

    Raises:
        MalformedError: too large, cut short, with something after it, or not packed at all.
    """
    if len(packed) > MAX_PACKED_LOG_BYTES:
        raise MalformedError(f"log: {len(packed)} bytes, at most {MAX_PACKED_LOG_BYTES}")
    try:
        inflater = zlib.decompressobj(wbits=31)  # 31: gzip header and checksum
        raw = inflater.decompress(packed, MAX_LOG_BYTES + 1)
        if len(raw) > MAX_LOG_BYTES or inflater.unconsumed_tail or inflater.unused_data or not inflater.eof:
            raise MalformedError(f"log: more than {MAX_LOG_BYTES} bytes, cut short, or with something after it")
    except zlib.error as error:
        raise MalformedError(f"log: {error}") from None
    text = raw.decode(errors="replace").replace("\ufffd", "?").replace("\t", " ")
    return "".join(each if each.isprintable() or each == "\n" else "?" for each in text)
