"""What passes between the centre and a signer that stands apart: a length, then JSON. Pure."""

import struct
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from controller.people.proof import Agreed, Loosened
from edge_agent.protocol.content import MAX_BODY_BYTES
from edge_agent.protocol.states import KeyUse

from .ring import Ring

MAX_FRAME_BYTES = 2 * MAX_BODY_BYTES
"""A plan's body in base64, and the manifest."""
LENGTH = struct.Struct(">I")

Name = Annotated[str, Meta(min_length=1, max_length=64)]
Nodes = Annotated[tuple[Name, ...], Meta(max_length=65_536)]


class Sign(msgspec.Struct, frozen=True, tag="sign"):
    """Sign a document."""

    word: str
    document: bytes
    kid: str
    body: bytes | None = None


class Approve(msgspec.Struct, frozen=True, tag="approve"):
    """A person's yes, with a code of their approval secret."""

    person_id: Name
    code: Annotated[str, Meta(max_length=32)]
    to: Agreed | Loosened


class Void(msgspec.Struct, frozen=True, tag="void"):
    """Let yeses count no more that were given before. It takes no code: it can only silence."""

    name: Annotated[str, Meta(max_length=80)]
    """``Agreed.name``."""
    before_at: Annotated[datetime, Meta(tz=True)]
    content_sha256: Annotated[str, Meta(max_length=64)] | None = None
    """None: whatever they are to."""


class Turn(msgspec.Struct, frozen=True, tag="turn"):
    """Go on with the rotation of a use: nodes hold what is coming, or need what is leaving no more."""

    use: KeyUse
    lagging: Nodes = ()
    """Nodes that do not hold the new key."""


class Awake(msgspec.Struct, frozen=True, tag="awake"):
    """Of the nodes that slept through the last change of the policy key, these still do."""

    asleep: Nodes


class WantRing(msgspec.Struct, frozen=True, tag="ring"):
    """Say which keys there are."""


class Token(msgspec.Struct, frozen=True, tag="token"):
    """It is signed."""

    token: bytes


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """Broadcasts that no yes covers, and why."""

    refused: dict[str, str]


class RingIs(msgspec.Struct, frozen=True, tag="ring_is"):
    """The keys, without private halves."""

    ring: Ring
    epoch: int


class Done(msgspec.Struct, frozen=True, tag="done"):
    """The yes is kept."""


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """Not signed, or not believed."""

    code: str
    message: str
    problem: str = ""
    """Of a code that is not believed: ``CodeError``'s."""


Request = Sign | Approve | Void | Turn | Awake | WantRing
Answer = Token | Refused | RingIs | Done | Failed

requests: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)
answers: msgspec.json.Decoder[Answer] = msgspec.json.Decoder(Answer)


def framed(message: Request | Answer) -> bytes:
    """Give a message as it goes through the socket."""
    raw = msgspec.json.encode(message)
    return LENGTH.pack(len(raw)) + raw
