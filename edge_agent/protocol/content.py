"""What is to be said: voices, items, broadcasts, and the plan body that lists them."""

import gzip
import hashlib
import zlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from .errors import MalformedError
from .fields import Id, Instant, Language, Millibel, Millis, Scope, Sha256, Wire, decode
from .states import Drill, Level, StartMode

MAX_BODY_BYTES = 4 * 1024 * 1024
"""Cap on an unpacked plan body: 7 days of 200 broadcasts are about 0.7 MB."""


class Voice(Wire, frozen=True, kw_only=True):
    """One item in one language."""

    language: Language
    sha256: Sha256
    """Of the canonical Ogg Opus file; its name at ``/media/{sha256}.opus``."""
    bytes: Annotated[int, Meta(ge=1, le=64 * 1024 * 1024)]
    """Size of that file."""
    length_ms: Annotated[int, Meta(ge=1, le=4 * 3_600_000)]
    """Decoded length, rounded up."""
    gain_mb: Millibel = 0
    """Asked by the operator for this item; the node adds its own volume and caps the sum."""


class Item(Wire, frozen=True, kw_only=True):
    """One slot of a broadcast. It is as long as its longest voice, so that neighbours stay in step."""

    offset_ms: Millis
    """Start of the slot, from the start of the broadcast; 0 for the first."""
    choice: Annotated[int, Meta(ge=0, le=15)] = 0
    """Which of a node's languages that the item has is heard, counted from 0. Above 0 a node with fewer is silent."""
    voices: Annotated[tuple[Voice, ...], Meta(min_length=1, max_length=16)]

    @property
    def slot_ms(self) -> int:
        """Length of the slot in milliseconds."""
        return max(voice.length_ms for voice in self.voices)

    def voice_for(self, languages: Iterable[str]) -> Voice | None:
        """Pick the ``choice``-th of ``languages`` that there is; when none fits the first voice, above 0 none."""
        by_language = {voice.language: voice for voice in reversed(self.voices)}
        fitting = [by_language[tag] for tag in dict.fromkeys(languages) if tag in by_language]
        if self.choice < len(fitting):
            return fitting[self.choice]
        return None if self.choice else self.voices[0]


class Approval(Wire, frozen=True, kw_only=True):
    """A person's signed-off yes to a content, a target and a window. The name of the person stays at the centre."""

    approval_id: Id
    content_sha256: Sha256
    """``content_hash`` of the items approved."""
    scopes: Annotated[tuple[Scope, ...], Meta(min_length=1, max_length=4096)]
    """The areas and nodes approved."""
    not_before_at: Instant
    not_after_at: Instant


class Broadcast(Wire, frozen=True, kw_only=True):
    """One dated run to a target."""

    broadcast_id: Id
    level: Level
    start_at: Instant
    latest_start_at: Instant
    """Not begun by then: never begun."""
    latest_end_at: Instant
    """No item begins that would pass it."""
    order: Annotated[int, Meta(ge=-1_000_000, le=1_000_000)] = 0
    """The operator's order among waiting broadcasts of one level; lower first."""
    start: StartMode = StartMode.SOFT
    resumes: bool = True
    """Whether it goes on with its next item after being cut by another broadcast."""
    drill: Drill | None = None
    """Not the real thing: obeyed like any other of its level, but marked, or silent."""
    run: Id | None = None
    """Of an edited one: id of the first version. A node that has begun any version of a run begins no other."""
    approvals: Annotated[tuple[Approval, ...], Meta(max_length=16)] = ()
    items: Annotated[tuple[Item, ...], Meta(min_length=1, max_length=500)]

    def __post_init__(self) -> None:
        """Check the order of the instants and that slots follow one another."""
        super().__post_init__()
        if not self.start_at <= self.latest_start_at <= self.latest_end_at:
            raise ValueError("Broadcast: start_at ≤ latest_start_at ≤ latest_end_at does not hold")
        if self.items[0].offset_ms != 0:
            raise ValueError("Broadcast.items[0]: the first slot begins at 0; begin the broadcast later instead")
        if self.items[0].choice:
            raise ValueError("Broadcast.items[0]: the first slot is heard on every node; its choice must be 0")
        free_ms = 0
        for index, item in enumerate(self.items):
            if item.offset_ms < free_ms:
                raise ValueError(f"Broadcast.items[{index}]: its slot begins inside the one before")
            free_ms = item.offset_ms + item.slot_ms
        if self.start_at + timedelta(milliseconds=free_ms) > self.latest_end_at:
            raise ValueError("Broadcast.latest_end_at: the items do not fit before it")

    @property
    def length_ms(self) -> int:
        """From the start of the first slot to the end of the last, in milliseconds."""
        return self.items[-1].offset_ms + self.items[-1].slot_ms

    @property
    def run_id(self) -> str:
        """What all versions of this run share: the id of the first."""
        return self.run or self.broadcast_id

    def voices_for(self, languages: Iterable[str]) -> tuple[Voice, ...]:
        """Give what of it a node with these languages is to sound, in order; an item without a voice for it not."""
        wished = tuple(languages)
        return tuple(voice for item in self.items if (voice := item.voice_for(wished)) is not None)

    def approved_for(self, scopes: frozenset[str]) -> bool:
        """Say whether an approval covers this audio, one of these places, and the whole window."""
        content = content_hash(self.items, self.drill)
        return any(
            approval.content_sha256 == content
            and not scopes.isdisjoint(approval.scopes)
            and approval.not_before_at <= self.start_at
            and self.latest_end_at <= approval.not_after_at
            for approval in self.approvals
        )


class PlanBody(Wire, frozen=True, kw_only=True):
    """What a plan's manifest points to. Content-addressed: it is fetched by its hash and may come from any cache."""

    scope: Scope
    broadcasts: Annotated[tuple[Broadcast, ...], Meta(max_length=5000)]


class Body(msgspec.Struct, frozen=True):
    """A packed plan body, as it is served and hashed."""

    sha256: str
    packed: bytes


def content_hash(items: Iterable[Item], drill: Drill | None = None) -> str:
    """Hash what is approved: every voice of every slot, by audio, length and gain, and whether it is a drill.

    SHA-256 over one UTF-8 line per voice, ``index TAB offset_ms TAB language TAB sha256 TAB length_ms TAB gain_mb LF``,
    index from 0, in the order in which they stand; ``TAB choice`` before the LF where it is above 0; for a drill one
    more line, ``drill TAB marked`` or ``drill TAB silent``. So a yes to a drill is none to the real thing, and a node
    too old to know of drills or choices refuses them instead of sounding them wrongly.
    """
    lines = [
        f"{index}\t{item.offset_ms}\t{voice.language}\t{voice.sha256}\t{voice.length_ms}\t{voice.gain_mb}"
        + (f"\t{item.choice}\n" if item.choice else "\n")
        for index, item in enumerate(items)
        for voice in item.voices
    ]
    if drill is not None:
        lines.append(f"drill\t{drill}\n")
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def pack_body(body: PlanBody) -> Body:
    """Encode and compress; the same body gives the same bytes and hash."""
    packed = gzip.compress(msgspec.json.encode(body, order="deterministic"), compresslevel=6, mtime=0)
    return Body(hashlib.sha256(packed).hexdigest(), packed)


def unpack_body(packed: bytes, *, sha256: str, scope: str) -> PlanBody:
    """Check the hash of the packed bytes, then decompress (bounded) and decode.

    Raises:
        MalformedError: wrong hash, wrong scope, too large, or not a plan body.
    """
    if hashlib.sha256(packed).hexdigest() != sha256:
        raise MalformedError("plan body: hash differs from the manifest")
    try:
        inflater = zlib.decompressobj(wbits=31)  # 31: gzip header and checksum
        raw = inflater.decompress(packed, MAX_BODY_BYTES)
        if inflater.unconsumed_tail or inflater.unused_data or not inflater.eof:
            raise MalformedError(f"plan body: more than {MAX_BODY_BYTES} bytes, cut short, or with something after it")
    except zlib.error as error:
        raise MalformedError(f"plan body: {error}") from None
    body = decode(raw, PlanBody)
    if body.scope != scope:
        raise MalformedError(f"plan body: made for {body.scope}, not {scope}")
    return body


def still_listed(broadcasts: Iterable[Broadcast], now: datetime) -> tuple[Broadcast, ...]:
    """Keep those whose latest end is to come: until then a broadcast stays listed."""
    return tuple(broadcast for broadcast in broadcasts if broadcast.latest_end_at > now)
