"""As much MQTT 5 as a light node needs: bytes in, bytes out, no sockets. A broker's figures must not be a client's."""

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

CONNACK, PUBLISH, PUBACK, SUBACK, DISCONNECT = 2, 3, 4, 9, 14
_SEVEN = 0x7F


class Publish(NamedTuple):
    """A message as it came."""

    topic: str
    payload: bytes
    packet_id: int | None
    """None with QoS 0."""
    retained: bool


class Will(NamedTuple):
    """What the broker is to say when the connection breaks, with QoS 1."""

    topic: str
    payload: bytes
    retain: bool


def connect(client_id: str, keepalive_s: int, *, will: Will | None = None, user: str | None = None) -> bytes:
    """Ask for a clean session."""
    flags, more = 0x02, b""
    if will is not None:
        flags |= 0x04 | 0x08 | 0x20 * will.retain
        more += b"\x00" + _text(will.topic) + struct.pack(">H", len(will.payload)) + will.payload
    if user is not None:
        flags |= 0x80
        more += _text(user)
    return _packet(0x10, _text("MQTT") + struct.pack(">BBHB", 5, flags, keepalive_s, 0) + _text(client_id) + more)


def subscribe(packet_id: int, topics: Sequence[str], qos: int = 1) -> bytes:
    """Ask for topics."""
    wanted = b"".join(_text(topic) + bytes([qos]) for topic in topics)
    return _packet(0x82, struct.pack(">HB", packet_id, 0) + wanted)


def publish(topic: str, payload: bytes, *, packet_id: int | None = None, retain: bool = False) -> bytes:
    """Publish with QoS 1 when there is a packet id, else with QoS 0."""
    flags = (0x02 if packet_id is not None else 0) | int(retain)
    number = struct.pack(">H", packet_id) if packet_id is not None else b""
    return _packet(0x30 | flags, _text(topic) + number + b"\x00" + payload)


def puback(packet_id: int) -> bytes:
    """Acknowledge a message."""
    return _packet(0x40, struct.pack(">H", packet_id))


def ping() -> bytes:
    """Show that we live."""
    return b"\xc0\x00"


def read_publish(flags: int, body: bytes) -> Publish:
    """Take a PUBLISH apart."""
    size = struct.unpack_from(">H", body)[0]
    at, packet_id = 2 + size, None
    if flags & 0x06:
        packet_id = struct.unpack_from(">H", body, at)[0]
        at += 2
    properties, used = _length(body, at)
    return Publish(body[2 : 2 + size].decode(), body[at + used + properties :], packet_id, bool(flags & 1))


class Packets:
    """Cuts a stream into packets."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, int, bytes]]:
        """Give ``kind, flags, body`` of every packet that is whole now."""
        self._held += data
        while len(self._held) >= 2:
            try:
                size, used = _length(self._held, 1)
            except IndexError:
                return
            if len(self._held) < 1 + used + size:
                return
            first, body = self._held[0], bytes(self._held[1 + used : 1 + used + size])
            del self._held[: 1 + used + size]
            yield first >> 4, first & 0x0F, body


def _packet(first: int, body: bytes) -> bytes:
    size, length = len(body), bytearray()
    while True:
        size, low = divmod(size, 128)
        length.append(low | (0x80 if size else 0))
        if not size:
            return bytes([first]) + bytes(length) + body


def _text(text: str) -> bytes:
    raw = text.encode(errors="surrogateescape")  # who attacks may send what is no UTF-8
    return struct.pack(">H", len(raw)) + raw


def _length(data: bytes | bytearray, at: int) -> tuple[int, int]:
    """Read a variable length; gives it and the bytes it took."""
    value = 0
    for used in range(4):
        byte = data[at + used]
        value |= (byte & _SEVEN) << (7 * used)
        if byte <= _SEVEN:
            return value, used + 1
    raise ValueError("a length of more than four bytes is no MQTT")
