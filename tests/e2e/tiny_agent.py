"""A second agent, small and complete, written from docs/protocol.md only; it shares no code with the project.

It is what section 19 of that page describes, with a paced virtual output and every guard. What it leaves out is never
unsafe: it asks no kernel for the time (only the centre), supports no command, and fetches one file at a time.
"""

import argparse
import asyncio
import base64
import contextlib
import hashlib
import http.client
import io
import json
import logging
import os
import random
import re
import secrets
import signal
import sqlite3
import ssl
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import aiomqtt
import av
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

Json = dict[str, Any]
Check = Callable[[Any], Any]
S = 1_000_000
"""A second. All instants here are whole microseconds since 1970."""
AHEAD, HOUR, DAY = S * 3 // 10, 3600 * S, 86400 * S
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LOG = logging.getLogger("tiny")
NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL: everything but the dates (section 2)."""


def instant(at: int) -> str:
    return (EPOCH + timedelta(microseconds=at)).isoformat().replace("+00:00", "Z")


# Section 4: types, each a function that gives the value back or raises ValueError.


def require(ok: object) -> None:
    if not ok:
        raise ValueError("out of its range")


def number(low: int, high: int) -> Check:
    def check(value: Any) -> int:
        require(type(value) is int and low <= value <= high)
        return int(value)

    return check


def text(pattern: str) -> Check:
    def check(value: Any) -> str:
        require(isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII))
        return str(value)

    return check


def many(low: int, high: int, one: Check) -> Check:
    def check(value: Any) -> list[Any]:
        require(isinstance(value, list) and low <= len(value) <= high)
        return [one(each) for each in value]

    return check


def record(**fields: Check | tuple[Check, Any]) -> Check:
    """Describe an object: a field is its type, or its type and its default. Unknown fields are ignored."""

    def check(value: Any) -> Json:
        require(isinstance(value, dict))
        found = {}
        for name, field in fields.items():
            kind, *default = field if isinstance(field, tuple) else (field,)
            require(name in value or default)
            found[name] = kind(value[name]) if name in value else default[0]
        return found

    return check


def is_instant(value: Any) -> int:
    stamp = text(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")(value).removesuffix("Z")
    whole, _, part = stamp.partition(".")
    return (datetime.fromisoformat(whole + "Z") - EPOCH) // timedelta(seconds=1) * S + int(part.ljust(6, "0"))


def is_boolean(value: Any) -> bool:
    require(isinstance(value, bool))
    return bool(value)


def is_zone(value: Any) -> str:
    try:
        return ZoneInfo(text(".{1,64}")(value)).key
    except (KeyError, OSError) as unknown:
        raise ValueError("no such zone") from unknown


def nullable(kind: Check) -> Check:
    return lambda value: None if value is None else kind(value)


ID, SHA256 = text("[a-z0-9][a-z0-9-]{0,63}"), text("[0-9a-f]{64}")
SCOPE = text("(areas|nodes)/[a-z0-9][a-z0-9-]{0,63}")
MILLIS, MILLIBEL, COUNT, POSITIVE = number(0, 86400000), number(-6000, 1200), number(0, 2**53 - 1), number(1, 2**53 - 1)
DATE, LANGUAGE = number(0, 253402300799), text("(?=.{1,35}$)[a-z]{2,3}(-[A-Za-z0-9]{1,8})*")
TIME = text("([01][0-9]|2[0-3]):[0-5][0-9]")
VOICE = record(
    language=LANGUAGE, sha256=SHA256, bytes=number(1, 67108864), length_ms=number(1, 14400000), gain_mb=(MILLIBEL, 0)
)
APPROVAL = record(
    approval_id=ID,
    content_sha256=SHA256,
    scopes=many(1, 4096, SCOPE),
    not_before_at=is_instant,
    not_after_at=is_instant,
)
BROADCAST_FIELDS = record(
    broadcast_id=ID,
    level=text("normal|priority|emergency"),
    start_at=is_instant,
    latest_start_at=is_instant,
    latest_end_at=is_instant,
    order=(number(-1000000, 1000000), 0),
    start=(text("soft|hard"), "soft"),
    resumes=(is_boolean, True),
    drill=(nullable(text("marked|silent")), None),
    run=(nullable(ID), None),
    approvals=(many(0, 16, APPROVAL), []),
    items=many(1, 500, record(offset_ms=MILLIS, choice=(number(0, 15), 0), voices=many(1, 16, VOICE))),
)


def slots_end_ms(broadcast: Json) -> int:
    last = broadcast["items"][-1]
    return int(last["offset_ms"] + max(voice["length_ms"] for voice in last["voices"]))


def is_broadcast(value: Any) -> Json:
    """Check what the fields of a broadcast say of each other, too."""
    found: Json = BROADCAST_FIELDS(value)
    free_ms = found["items"][0]["choice"]
    require(free_ms == 0)
    for item in found["items"]:
        require(item["offset_ms"] >= free_ms if free_ms else item["offset_ms"] == 0)
        free_ms = item["offset_ms"] + max(voice["length_ms"] for voice in item["voices"])
    require(found["start_at"] <= found["latest_start_at"] <= found["latest_end_at"])
    require(found["start_at"] + free_ms * 1000 <= found["latest_end_at"])
    return found


def is_inline(value: Any) -> dict[str, bytes]:
    require(isinstance(value, dict))
    found = {
        SHA256(name): base64.b64decode(text("[A-Za-z0-9+/=]*")(data), validate=True) for name, data in value.items()
    }
    require(sum(map(len, found.values())) <= 16384)
    return found


PLAN_BODY = record(scope=SCOPE, broadcasts=many(0, 5000, is_broadcast))
QUIET = record(start=TIME, until=TIME)
KEY = record(kid=text("[0-9a-f]{16}"), use=text("dispatch|policy"), x=text("[A-Za-z0-9_-]{43}"))
CLAIMS = {"aud": SCOPE, "epoch": POSITIVE, "version": POSITIVE, "iat": DATE, "nbf": DATE, "exp": DATE}
DOCUMENTS: dict[str, Check] = {
    "hold": record(
        **CLAIMS,
        active=(many(0, 64, record(hold_id=ID, ordered_at=is_instant)), []),
        released=(many(0, 256, ID), []),
    ),
    "urgent": record(
        **CLAIMS,
        broadcasts=(many(0, 64, is_broadcast), []),
        stops=(many(0, 256, record(broadcast_id=ID, stopped_at=is_instant)), []),
        inline=(is_inline, {}),
    ),
    "plan": record(**CLAIMS, covers_until=is_instant, lease_until=is_instant, body_sha256=SHA256, body_bytes=COUNT),
    "settings": record(
        **CLAIMS,
        areas=(many(0, 16, record(area_id=ID, plan_from_version=(POSITIVE, 1))), []),
        zone=(is_zone, "Asia/Ho_Chi_Minh"),
        quiet_hours=(many(0, 8, QUIET), []),
        windows=(many(0, 8, QUIET), []),
        volume_mb=(MILLIBEL, 0),
        trim_mb=(MILLIBEL, 0),
        cap_mb=(MILLIBEL, 0),
        night_cap=(nullable(record(window=QUIET, cap_mb=MILLIBEL)), None),
        languages=(many(1, 16, LANGUAGE), ["vi"]),
        max_broadcast_ms=(MILLIS, 3600000),
        max_emergency_ms=(MILLIS, 1800000),
        plays_per_hour=(number(0, 1000), 30),
        clock_hold_ms=(number(0, 2592000000), 259200000),
        health_interval_ms=(number(1000, 600000), 30000),
        trusted_keys=many(2, 16, KEY),
        pinned=(many(0, 256, VOICE), []),
        revoked_keys=(many(0, 64, text("[0-9a-f]{16}")), []),
    ),
    "command": record(
        **CLAIMS,
        command_id=ID,
        action=text("identify|self_test|send_log|restart|update|reference"),
        sha256=(nullable(SHA256), None),
    ),
    "receipts/ack": record(**CLAIMS, store_id=ID, stored_through_seq=COUNT, send_from_seq=(nullable(POSITIVE), None)),
    "time/answer": record(**CLAIMS, nonce=text("[0-9a-f]{32}"), time_at=is_instant),
}
RETAINED = ("settings", "hold", "urgent", "plan")


# Section 5: signatures.


class DroppedError(Exception):
    """A message without effect; its text is the code."""


def no_constant(_name: str) -> None:
    raise ValueError("not JSON")


def strict_json(data: bytes) -> Any:
    try:
        return json.loads(data.decode(), parse_constant=no_constant)
    except RecursionError as deep:
        raise ValueError("too deep") from deep


def unbase64(part: str) -> bytes:
    require(re.fullmatch("[A-Za-z0-9_-]+", part, re.ASCII))
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def rebase64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def kid_of(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()[:16]


def opened(word: str, token: bytes, keys: list[Json]) -> Json:
    """Do checks 2 to 7 and 9 of section 6."""
    try:
        require(len(token) <= 1 << 20)
        head, body, mark = token.decode("ascii").split(".")
        require(len(head) <= 256)
        header, signed = strict_json(unbase64(head)), f"{head}.{body}".encode()
        require(isinstance(header, dict) and header.keys() == {"alg", "typ", "kid"})
        signature, payload = unbase64(mark), unbase64(body)
    except ValueError as wrong:
        raise DroppedError("malformed") from wrong
    if header["alg"] != "Ed25519":
        raise DroppedError("bad_signature")
    if header["typ"] != "loa-" + word.replace("/", "-"):
        raise DroppedError("wrong_audience")
    use = "policy" if word == "settings" else "dispatch"
    raw = next((unbase64(key["x"]) for key in keys if (key["kid"], key["use"]) == (header["kid"], use)), None)
    if raw is None or kid_of(raw) != header["kid"]:
        raise DroppedError("unknown_key")
    try:
        Ed25519PublicKey.from_public_bytes(raw).verify(signature, signed)
        document: Json = DOCUMENTS[word](strict_json(payload))
        require(document["nbf"] < document["exp"])
        trusted = {key["kid"] for key in document.get("trusted_keys", [])}
        require(not trusted & set(document.get("revoked_keys", [])))
    except InvalidSignature as wrong:
        raise DroppedError("bad_signature") from wrong
    except ValueError as wrong:
        raise DroppedError("malformed") from wrong
    own = [(key["kid"], key["use"]) for key in document.get("trusted_keys", [])]
    if word == "settings" and (header["kid"], "policy") not in own:
        raise DroppedError("unknown_key")
    return document | {"signed_by": header["kid"]}


def content_sha256(broadcast: Json) -> str:
    names, lines = ("language", "sha256", "length_ms", "gain_mb"), []
    for index, item in enumerate(broadcast["items"]):
        for voice in item["voices"]:
            parts = [
                index,
                item["offset_ms"],
                *(voice[name] for name in names),
                *([item["choice"]] * bool(item["choice"])),
            ]
            lines.append("\t".join(map(str, parts)) + "\n")
    if broadcast["drill"]:
        lines.append(f"drill\t{broadcast['drill']}\n")
    return hashlib.sha256("".join(lines).encode()).hexdigest()


# Section 11: the clock.


class Clock:
    """Believes the centre's answers and nothing else."""

    def __init__(self, kept: Json | None) -> None:
        self.boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        same_boot = kept is not None and kept["boot_id"] == self.boot_id
        self.trusted_at: int | None = kept["trusted_at"] if kept and same_boot else None
        self.wall = kept["wall"] if kept and same_boot else time.time_ns() // 1000 - self.steady()
        self.centre: int | None = None
        self.offset_ms: float | None = None
        self.hold = 0
        self.nonce, self.asked = "", 0
        self.good_since = self.now() if self.trusted_at is not None else None

    @staticmethod
    def steady() -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000

    def state(self) -> str:
        wall = time.time_ns() // 1000 - self.steady()
        if abs(wall - self.wall) > 5 * S:
            self.trusted_at = None
        self.wall = wall
        age = None if self.trusted_at is None else self.steady() - self.trusted_at
        if age is None or age > max(DAY, self.hold):
            self.good_since = None
            return "untrusted"
        return "trusted" if age <= DAY else "held"

    def good(self) -> bool:
        return self.state() != "untrusted"

    def known(self) -> bool:
        return self.good() or self.centre is not None

    def now(self) -> int:
        """Give the node's time; the centre's while the clock is untrusted."""
        centre = self.centre if self.trusted_at is None else None
        return time.time_ns() // 1000 if centre is None else centre + self.steady()

    def ask(self) -> bytes:
        self.nonce, self.asked = secrets.token_hex(16), self.steady()
        return json.dumps({"nonce": self.nonce}).encode()

    def take(self, answer: Json) -> None:
        steady, nonce = self.steady(), self.nonce
        took = steady - self.asked
        if answer["nonce"] != nonce or took > 10 * S:
            return
        self.nonce, self.centre = "", answer["time_at"] + took // 2 - steady
        off = time.time_ns() // 1000 - took // 2 - answer["time_at"]
        self.offset_ms = off / 1000
        self.trusted_at = steady if abs(off) <= 250_000 + took // 2 else None
        if self.trusted_at is not None and self.good_since is None:
            self.good_since = self.now()

    def kept(self) -> Json:
        return {"boot_id": self.boot_id, "trusted_at": self.trusted_at, "wall": self.wall}


def meets(windows: list[Json], zone: str, begins_at: int, ends_at: int) -> bool:
    """Say whether a sound from begin to end touches one of the windows of every day."""
    return any(start < ends_at and begins_at < until for start, until in spans(windows, zone, begins_at, ends_at))


def leaves(windows: list[Json], zone: str, begins_at: int, ends_at: int) -> bool:
    """Say whether any of a sound from begin to end lies in none of the windows of every day."""
    at = begins_at
    for start, until in sorted(spans(windows, zone, begins_at, ends_at)):
        at = until if start <= at < until else at
    return bool(windows) and at < ends_at


def spans(windows: list[Json], zone: str, begins_at: int, ends_at: int) -> Iterator[tuple[int, int]]:
    """Give begin and end of the windows on every day around a sound."""
    tz, micro = ZoneInfo(zone), timedelta(microseconds=1)
    day: date = (EPOCH + timedelta(microseconds=begins_at)).astimezone(tz).date() - timedelta(days=1)
    for each in (day + timedelta(days=count) for count in range((ends_at - begins_at) // DAY + 4)):
        for window in windows:
            over = timedelta(days=int(window["until"] < window["start"]))
            start = datetime.combine(each, time_of_day.fromisoformat(window["start"]), tz)
            until = datetime.combine(each + over, time_of_day.fromisoformat(window["until"]), tz)
            yield (start - EPOCH) // micro, (until - EPOCH) // micro


# The virtual output.


class Sound:
    """One item at the output: decoded as it is consumed, silent after its length."""

    def __init__(self, key: tuple[str, int, int], data: bytes, length_ms: int, gain_mb: int, *, silent: bool) -> None:
        self.broadcast_id, self.item, self.begins_at = self.key = key
        self.silent = silent
        self.frames, self.gain_mb = length_ms * 48, gain_mb
        self.begin_frame = self.due_ns = self.asked = self.consumed = self.underruns = self.first_ns = self.last_ns = 0
        self.error_ms: float | None = None
        self.told = False
        self._blocks = self._decode(data)
        self._buffer = next(self._blocks, b"")

    def _decode(self, data: bytes) -> Iterator[bytes]:
        with contextlib.suppress(av.error.FFmpegError), av.open(io.BytesIO(data), "r", format="ogg") as file:
            graph, stream = av.filter.Graph(), file.streams.audio[0]
            wanted = graph.add("aformat", "sample_fmts=s16:channel_layouts=mono:sample_rates=48000")
            loud = graph.add("volume", f"{self.gain_mb / 100}dB")
            sink = graph.add("abuffersink")
            graph.link_nodes(graph.add_abuffer(template=stream), loud, wanted, sink).configure()
            for frame in file.decode(stream):
                graph.push(frame)
                with contextlib.suppress(BlockingIOError):
                    while True:
                        block: Any = graph.pull()
                        yield bytes(block.planes[0])[: block.samples * 2]

    def read(self, frames: int) -> bytes:
        size = min(frames, self.frames - self.asked) * 2
        while len(self._buffer) < size and (block := next(self._blocks, b"")):
            self._buffer += block
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        self.asked += size // 2
        self.consumed += len(data) // 2
        return (b"" if self.silent else data).ljust(frames * 2, b"\0")

    def proved(self) -> bool:
        """Say whether the frames were consumed whole and in real time (grade 1)."""
        real_ms = (self.last_ns - self.first_ns) / 1e6
        return self.gain_mb > -6000 and self.consumed >= self.frames * 0.99 and real_ms >= self.frames / 48 * 0.98


class Output(threading.Thread):
    """A paced virtual output: exact zeros whenever nothing sounds. Of two sounds the one that begins later is heard."""

    def __init__(self, state: Path, clock: Clock) -> None:
        super().__init__(name="output", daemon=True)
        self._clock, self._lock, self._ended = clock, threading.Lock(), threading.Event()
        self._wav = os.open(state / "output.wav", os.O_RDWR | os.O_CREAT, 0o644)
        self._instants = (state / "output.instants.jsonl").open("a", buffering=1)
        self.frame = max(0, os.fstat(self._wav).st_size - 44) // 2
        self._zero_ns = time.monotonic_ns() - self._ns(self.frame)
        self.sounds: list[Sound] = []
        self._marked = self.frame
        self._mark(self.frame)

    @staticmethod
    def _ns(frames: int) -> int:
        return frames * 1_000_000_000 // 48000

    def _mark(self, frame: int) -> None:
        at_ns = self._zero_ns + self._ns(frame) + time.time_ns() - time.monotonic_ns()
        self._instants.write(json.dumps({"frame": frame, "at_ns": at_ns}) + "\n")
        self._marked, size = frame, min(frame * 2, 0xFFFFFF00)
        form = struct.pack(
            "<4sI8sIHHIIHH4sI", b"RIFF", size + 36, b"WAVEfmt ", 16, 1, 1, 48000, 96000, 2, 16, b"data", size
        )
        os.pwrite(self._wav, form, 0)

    def lag(self) -> int:
        """Give how far what was consumed is behind the clock."""
        return max(0, time.monotonic_ns() - self._zero_ns - self._ns(self.frame)) // 1000

    def run(self) -> None:
        while not self._ended.wait(0.01):
            with self._lock:
                self._consume()

    def _consume(self) -> None:
        due = (time.monotonic_ns() - self._zero_ns) * 48 // 1_000_000
        if due - self.frame > 12000:  # a device would have run dry a quarter of a second ago
            self._zero_ns += self._ns(due - self.frame)
            for each in self.sounds:
                each.underruns += int(0 < each.asked < each.frames)
            due = self.frame
            self._mark(due)
        while self.frame < due:
            edges = [sound.begin_frame for sound in self.sounds if sound.begin_frame > self.frame]
            frames = min([due, *edges]) - self.frame
            begun = [sound for sound in self.sounds if sound.begin_frame <= self.frame]
            sound = max(begun, key=lambda one: one.begin_frame, default=None)
            data = bytes(frames * 2)
            if sound is not None:
                if sound.error_ms is None:
                    sound.first_ns = self._zero_ns + self._ns(self.frame)
                    sound.error_ms = (sound.first_ns - sound.due_ns) / 1e6
                    self._mark(self.frame)
                if sound.asked < sound.frames:
                    sound.last_ns = self._zero_ns + self._ns(self.frame + min(frames, sound.frames - sound.asked))
                data = sound.read(frames)
            os.pwrite(self._wav, data, 44 + self.frame * 2)
            self.frame += frames
        if self.frame - self._marked >= 40000:
            self._mark(self.frame)

    def place(self, sound: Sound) -> None:
        with self._lock:
            sound.due_ns = time.monotonic_ns() + (sound.begins_at - self._clock.now()) * 1000
            sound.begin_frame = max(self.frame, round((sound.due_ns - self._zero_ns) * 48 / 1_000_000))
            self.sounds.append(sound)

    def keep(self, keys: set[tuple[str, int, int]]) -> list[Sound]:
        """Silence at once what is not named, and give it back."""
        with self._lock:
            gone = [sound for sound in self.sounds if sound.key not in keys]
            self.sounds = [sound for sound in self.sounds if sound.key in keys]
        return gone

    def close(self) -> None:
        self._ended.set()
        self.join()
        self._mark(self.frame)


REFUSALS = {"outside_window", "quiet_hours", "plays_per_hour"}

# Section 12: the timeline, in the words of its pseudo-code.

NEW_PLAY: Json = dict.fromkeys(
    ("began_at", "anchor_at", "sounding", "repeated", "cut_by", "by", "outcome", "lease"), None
) | {"next_item": 0, "suspended": False, "rejoins": False, "urgent": False}


class Timeline:
    """What happens to plays at one instant. ``tells`` collects the outcomes."""

    def __init__(self, agent: "Agent", plays: dict[str, Json], now: int) -> None:
        self.agent, self.now = agent, now
        self.plays = {name: dict(play) for name, play in plays.items()}
        self.tells: list[tuple[str, Json]] = []
        self.good = agent.clock.good()

    def evaluate(self) -> None:
        candidates = {}
        for name, play in sorted(self.plays.items()):
            if play["outcome"]:
                continue
            if play["sounding"] and self.now >= play["sounding"][2]:
                play["sounding"] = None
            if (self.may_begin if play["began_at"] is None else self.may_go_on)(name, play):
                candidates[name] = play
        begun = [name for name, play in candidates.items() if play["began_at"] is not None and not play["suspended"]]
        holder = begun[0] if begun else None
        if not candidates:
            return
        chosen = self.choose(candidates, holder)
        if holder and chosen != holder:
            self.cut(holder, chosen)
            self.evaluate()
        elif not self.sound(self.plays[chosen]):
            self.evaluate()

    def voice(self, play: Json, item: int) -> Json | None:
        return self.agent.voice(play["broadcast"]["items"][item])

    def length(self, play: Json, item: int) -> int:
        """Give how long an item sounds here, in microseconds."""
        voice = self.voice(play, item)
        return voice["length_ms"] * 1000 if voice else 0

    def heard_left(self, play: Json, until: int | None = None) -> bool:
        """Say whether an item that has a voice here is among those not begun, before ``until``."""
        items = range(play["next_item"], len(play["broadcast"]["items"]) if until is None else until)
        return any(self.voice(play, item) for item in items)

    @staticmethod
    def urgent_emergency(play: Json) -> bool:
        return bool(play["urgent"] and play["broadcast"]["level"] == "emergency")

    def serves(self, play: Json) -> bool:
        return self.good or (self.urgent_emergency(play) and self.agent.clock.known())

    def end(self, name: str, play: Json, outcome: str, reason: str | None = None, by: str | None = None) -> None:
        if reason:
            self.note(play, reason, min(self.agent.holds, default=None) if reason == "held" else by)
        play["outcome"], play["sounding"] = outcome, None
        self.tells.append((name, {"outcome": outcome, "reason": play["cut_by"], "by": play["by"]}))

    @staticmethod
    def note(play: Json, reason: str, by: str | None = None) -> None:
        if play["cut_by"] is None:
            play["cut_by"], play["by"] = reason, by

    def off(self, name: str, play: Json) -> str | None:
        """Give the first of off, clock_untrusted and busy that applies."""
        latest_start_at, good_since = play["broadcast"]["latest_start_at"], self.agent.clock.good_since
        if self.agent.started_at > latest_start_at:
            return "off"
        if good_since is not None and good_since > latest_start_at:
            return "clock_untrusted"
        others = [one for other, one in self.plays.items() if other != name and not one["outcome"]]
        return "busy" if any(one["began_at"] is not None and not one["suspended"] for one in others) else None

    def may_begin(self, name: str, play: Json) -> bool:
        one, settings = play["broadcast"], self.agent.settings
        if name in self.agent.kept["stops"]:
            self.end(name, play, "cancelled", "stopped")
        elif not self.serves(play) or self.now < one["start_at"]:
            return False
        elif other := self.begun_version(play):
            self.end(name, play, "cancelled", "already_begun", other)
        elif self.now >= one["latest_end_at"]:
            off = self.off(name, play)
            self.end(name, play, "missed" if off else "expired", off or "late")
        elif not self.approved(play):
            self.end(name, play, "refused", "not_approved")
        elif slots_end_ms(one) > settings["max_emergency_ms" if one["level"] == "emergency" else "max_broadcast_ms"]:
            self.end(name, play, "refused", "too_long")
        else:
            reason = self.blocker(play)
            ends_at = self.now + self.length(play, 0)
            if self.now > one["latest_start_at"] or ends_at > one["latest_end_at"]:
                reason = reason or self.off(name, play) or "late"
                self.end(name, play, "refused" if reason in REFUSALS else "missed", reason)
                return False
            return not reason
        return False

    def begun_version(self, play: Json) -> str | None:
        """Name the version of its run that has begun here."""
        begun = {run_of(one): name for name, one in self.plays.items() if one["began_at"] is not None}
        return begun.get(run_of(play))

    def approved(self, play: Json) -> bool:
        one = play["broadcast"]
        return any(
            approval["content_sha256"] == content_sha256(one)
            and set(approval["scopes"]) & set(play["scopes"])
            and approval["not_before_at"] <= one["start_at"]
            and one["latest_end_at"] <= approval["not_after_at"]
            for approval in one["approvals"]
        )

    def may_go_on(self, name: str, play: Json) -> bool:
        if self.over(play):
            self.finish(name, play)
            return False
        reason = "stopped" if name in self.agent.kept["stops"] else self.blocker(play)
        if not reason:
            return True
        if not self.heard_left(play) and not play["sounding"]:
            self.finish(name, play)
        elif not play["sounding"] and reason in {"no_file", "clock_untrusted"}:
            play["suspended"] = True
        else:
            self.end(name, play, "interrupted", reason)
        return False

    def blocker(self, play: Json) -> str | None:
        if self.agent.holds:
            return "held"
        if not self.serves(play) and not (self.urgent_emergency(play) and play["sounding"]):
            return "clock_untrusted"
        following, emergency = self.next(play), play["broadcast"]["level"] == "emergency"
        if not emergency:
            reason = self.routine_blocker(play, following)
        else:
            reason = self.hours_blocker(play, following) if play["broadcast"]["drill"] == "marked" else None
        if reason or play["sounding"] or not following or not (emergency or play["began_at"] is None):
            return reason
        voice = self.voice(play, following[0])
        return None if voice is None or self.agent.present(voice) else "no_file"

    def routine_blocker(self, play: Json, following: tuple[int, int] | None) -> str | None:
        settings = self.agent.settings
        if not play["sounding"] and play["lease"] is not None and self.now >= play["lease"]:
            return "lease_ended"
        if reason := self.hours_blocker(play, following):
            return reason
        began = [one["began_at"] for one in self.plays.values() if one["began_at"] is not None]
        recent = sum(self.now - HOUR < at <= self.now for at in began)
        return "plays_per_hour" if play["began_at"] is None and recent >= settings["plays_per_hour"] else None

    def hours_blocker(self, play: Json, following: tuple[int, int] | None) -> str | None:
        settings = self.agent.settings
        span = play["sounding"][1:] if play["sounding"] else self.span(play, following)
        if following and not play["sounding"] and self.voice(play, following[0]) is None:
            span = None
        if span and leaves(settings["windows"], settings["zone"], *span):
            return "outside_window"
        if span and meets(settings["quiet_hours"], settings["zone"], *span):
            return "quiet_hours"
        return None

    def next(self, play: Json) -> tuple[int, int] | None:
        """Give the next item and its begin."""
        base, items = play["anchor_at"], play["broadcast"]["items"]
        if base is None:
            base = max(play["broadcast"]["start_at"], self.now)
        for item in range(play["next_item"], len(items)):
            slot = base + items[item]["offset_ms"] * 1000
            if slot >= self.now or not play["rejoins"]:
                return item, max(slot, self.now)
        return None

    def span(self, play: Json, following: tuple[int, int] | None) -> tuple[int, int] | None:
        if following is None:
            return None
        return following[1], following[1] + self.length(play, following[0])

    def over(self, play: Json) -> bool:
        one = play["broadcast"]
        if play["sounding"]:
            return False
        given_up = bool(play["suspended"] or play["rejoins"])
        if self.heard_left(play) or (play["next_item"] < len(one["items"]) and not given_up):
            span = self.span(play, self.next(play))
            return self.serves(play) and (span is None or span[1] > one["latest_end_at"])
        last = {"items": one["items"][: play["next_item"]]}
        last_slot_at = play["anchor_at"] + slots_end_ms(last) * 1000
        return given_up or bool(self.now >= min(last_slot_at, one["latest_end_at"]))

    def finish(self, name: str, play: Json) -> None:
        if self.heard_left(play):
            self.note(play, "power" if play["rejoins"] else "latest_end")
        self.end(name, play, "interrupted" if play["cut_by"] else "played")

    def choose(self, candidates: dict[str, Json], holder: str | None) -> str:
        def level(name: str) -> int:
            return ("normal", "priority", "emergency").index(candidates[name]["broadcast"]["level"])

        def queue(name: str) -> tuple[int, int, str]:
            return -level(name), candidates[name]["broadcast"]["order"], name

        emergencies = [name for name in candidates if level(name) == 2]
        if emergencies:
            if holder in emergencies and candidates[holder]["sounding"]:
                return holder
            return min(emergencies, key=lambda name: (candidates[name]["broadcast"]["start_at"], name))
        first = holder or min(candidates, key=queue)
        began_at = candidates[first]["began_at"]
        hard = [
            name
            for name, play in candidates.items()
            if play["broadcast"]["start"] == "hard"
            and play["began_at"] is None
            and level(name) >= level(first)
            and began_at is not None
            and began_at < play["broadcast"]["start_at"]
        ]
        return min(hard, key=queue) if hard else first

    def cut(self, name: str, by: str) -> None:
        play = self.plays[name]
        if play["sounding"]:
            play["sounding"] = None
            self.note(play, "preempted", by)
        play["suspended"] = True
        if self.over(play):
            self.finish(name, play)
        elif not play["broadcast"]["resumes"]:
            self.end(name, play, "interrupted", "preempted", by)

    def sound(self, play: Json) -> bool:
        """Begin the next item if it is its time; false asks for another evaluation."""
        following = self.next(play)
        if play["sounding"] or following is None or following[1] > self.now:
            return True
        item, voice = following[0], self.voice(play, following[0])
        if voice is not None and not self.agent.load(voice):
            if play["began_at"] is not None and play["broadcast"]["level"] != "emergency":
                self.note(play, "no_file")
                play["next_item"] = item + 1
            return False
        if self.heard_left(play, item):
            self.note(play, "power")
        begins = play["began_at"] is None
        play["began_at"] = self.now if begins else play["began_at"]
        play["anchor_at"] = self.now - play["broadcast"]["items"][item]["offset_ms"] * 1000
        play["next_item"], play["suspended"], play["rejoins"] = item + 1, False, False
        play["sounding"] = [item, self.now, self.now + voice["length_ms"] * 1000] if voice else None
        return voice is not None and not begins  # with its begin other versions of it are over

    def soon(self) -> list[int]:
        """Give the instants at which, within the next moment, something may begin by itself."""
        found = set()
        for play in self.plays.values():
            if not play["outcome"]:
                following = self.next(play)
                found |= {play["broadcast"]["start_at"], following[1] if following else 0}
                found |= {play["sounding"][2]} if play["sounding"] else set()
                if play["anchor_at"] is not None:
                    found.add(play["anchor_at"] + slots_end_ms(play["broadcast"]) * 1000)
        return sorted(at for at in found if self.now < at <= self.now + AHEAD)


def run_of(play: Json) -> str:
    """Name what all versions of it share: the first."""
    return str(play["broadcast"].get("run") or play["broadcast"]["broadcast_id"])


def sounds_again(play: Json) -> bool:
    """Say whether what sounds will sound once more after a restart."""
    return play["broadcast"]["level"] == "emergency" and bool(play["repeated"] != play["sounding"][0])


def after_a_restart(play: Json, now: int) -> None:
    """Go on as section 12 says: what was sounding is lost, but for an emergency's, once."""
    sounding, emergency = play["sounding"], play["broadcast"]["level"] == "emergency"
    play["sounding"], play["rejoins"] = None, not emergency
    if sounding and sounding[1] > now:
        play["next_item"] -= 1
    elif sounding and sounds_again(play | {"sounding": sounding}):
        play["repeated"] = sounding[0]
        play["next_item"] -= 1
    elif sounding:
        Timeline.note(play, "power")


# The agent.


class Agent:
    """Store, documents, files, output and connection of one node."""

    def __init__(self, state: Path) -> None:
        self.state, self.adoption = state, json.loads((state / "node.json").read_text())
        self.node = self.adoption["node_id"]
        self.own = f"nodes/{self.node}"
        key = serialization.load_pem_private_key((state / "node.key").read_bytes(), None)
        assert isinstance(key, Ed25519PrivateKey)
        self.key = key
        self.kid = kid_of(key.public_key().public_bytes_raw())
        for folder in ("media", "bodies"):
            (state / folder).mkdir(exist_ok=True)
        self.db = sqlite3.connect(state / "store.db")
        self.db.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
            "CREATE TABLE IF NOT EXISTS kept (one INTEGER PRIMARY KEY CHECK (one = 1), body TEXT);"
            "CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY, at INTEGER, body TEXT);"
        )
        row = self.db.execute("SELECT body FROM kept").fetchone()
        self.kept: Json = {"tokens": {}, "versions": {}, "plans": {}, "plays": {}, "acked": 0}
        self.kept |= {"holds": [], "released": [], "stops": [], "ahead": None, "clock": None}
        self.kept |= {"former": [], "gaps": []}
        self.kept |= {"keys": self.adoption["trusted_keys"], "store_id": f"s-{secrets.token_hex(8)}"}
        self.kept |= json.loads(row[0]) if row else {}
        self.seq = self.db.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0]
        self.seq = max(self.seq, self.kept["acked"])
        self.unsaved: list[tuple[int, int, str]] = []
        self.clock = Clock(self.kept["clock"])
        self.started_at, self.started = self.clock.now(), self.clock.steady()
        self.output = Output(state, self.clock)
        self.documents: dict[str, Json] = {}
        self.bodies: dict[str, Json] = {}
        self.waiting: dict[tuple[str, str], tuple[tuple[int, int], bytes]] = {}
        self.dropped: dict[str, int] = {}
        self.faults: dict[str, int] = {}
        self.retry: dict[str, tuple[int, int]] = {}
        self.loaded: dict[str, bytes] = {}
        self.client: aiomqtt.Client | None = None
        self.followed: set[str] = set()
        self.sent = self.kept["acked"]
        self.receipts_due, self.receipts_wait = 0, 5 * S
        self.news, self.wanted = asyncio.Event(), asyncio.Event()
        self.files = {
            file.stem for file in (state / "media").glob("*.opus") if self.whole(file.read_bytes(), file.stem)
        }
        self.recall()

    @staticmethod
    def whole(data: bytes, sha256: str) -> bool:
        return hashlib.sha256(data).hexdigest() == sha256

    def recall(self) -> None:
        """Verify again what was stored, and go on after a restart."""
        for topic, token in list(self.kept["tokens"].items()):
            try:
                keys = [*self.kept["keys"], *self.kept["former"]]
                self.documents[topic] = opened(topic.split("/", 2)[2], token.encode(), keys)
            except DroppedError as dropped:
                LOG.warning("stored %s: %s", topic, dropped)
                self.leave_out(topic)
        for scope, plan in list(self.kept["plans"].items()):
            file = self.state / "bodies" / plan["body_sha256"]
            if file.exists() and self.whole(packed := file.read_bytes(), file.name):
                self.bodies[scope] = self.unpacked(packed, scope)
            else:
                del self.kept["plans"][scope]
        now, ahead = self.clock.now(), self.kept["ahead"]
        if ahead and ahead["at"] <= now and self.settings:
            self.kept["plays"] = ahead["plays"]
            self.outcomes(ahead["tells"], ahead["at"])
        self.kept["ahead"] = None
        for play in self.kept["plays"].values():
            if play["began_at"] is not None and not play["outcome"]:
                after_a_restart(play, now)
        self.clock.hold = (self.settings or {}).get("clock_hold_ms", 0) * 1000
        self.save()

    def leave_out(self, place: str) -> None:
        """Let go of a document and its version; nothing is withdrawn until another takes its place."""
        self.kept["tokens"].pop(place, None)
        self.kept["versions"].pop(place, None)
        self.documents.pop(place, None)
        self.kept["gaps"].append(place)

    def revoke(self, kids: list[str]) -> None:
        """Void what these keys signed, and stop what sounds by that alone."""
        for place in [place for place, one in self.documents.items() if one["signed_by"] in kids]:
            self.leave_out(place)
        for scope in [scope for scope, plan in self.kept["plans"].items() if plan["signed_by"] in kids]:
            self.leave_out(f"{scope}/plan")
            del self.kept["plans"][scope]
            self.bodies.pop(scope, None)
        begun = [name for name, one in self.kept["plays"].items() if one["began_at"] is not None and not one["outcome"]]
        self.kept["stops"] += [name for name in begun if self.kept["gaps"] and name not in self.listed()]

    # Short words.

    @property
    def settings(self) -> Any:
        return self.documents.get(f"{self.own}/settings")

    @property
    def holds(self) -> list[str]:
        return list(self.kept["holds"])

    def areas(self) -> list[str]:
        return [f"areas/{area['area_id']}" for area in (self.settings or {"areas": []})["areas"]]

    def scopes(self) -> list[str]:
        """Give the scopes heard; those left too, until every area named has a plan that is new enough."""
        heard = [self.own, *self.areas()]
        areas = (self.settings or {"areas": []})["areas"]
        ready = all(self.plan_of(f"areas/{one['area_id']}")[1] >= one["plan_from_version"] for one in areas)
        return heard if ready else heard + [scope for scope in self.kept["plans"] if scope not in heard]

    def plan_of(self, scope: str) -> tuple[int, int]:
        """Give the epoch and version of the plan that rules."""
        plan = self.kept["plans"].get(scope, {"epoch": 0, "version": 0})
        return plan["epoch"], plan["version"]

    def voice(self, item: Json) -> Json | None:
        voices = {voice["language"]: voice for voice in reversed(item["voices"])}
        found = [voices[one] for one in dict.fromkeys(self.settings["languages"]) if one in voices]
        if item["choice"] < len(found):
            return dict(found[item["choice"]])
        return None if item["choice"] else dict(item["voices"][0])

    def voices(self, play: Json) -> dict[int, Json]:
        """Give what of a play is heard here, by item."""
        found = {index: self.voice(item) for index, item in enumerate(play["broadcast"]["items"])}
        return {index: voice for index, voice in found.items() if voice is not None}

    def media(self, sha256: str) -> Path:
        return self.state / "media" / f"{sha256}.opus"

    def present(self, voice: Json) -> bool:
        return voice["sha256"] in self.files

    def load(self, voice: Json) -> bool:
        """Compare the hash again before it sounds; what changed is thrown away and fetched again."""
        sha256 = voice["sha256"]
        if sha256 in self.files and sha256 not in self.loaded:
            data = self.media(sha256).read_bytes() if self.media(sha256).exists() else b""
            if self.whole(data, sha256):
                self.loaded = {sha256: data}
            else:
                self.files.discard(sha256)
                self.media(sha256).unlink(missing_ok=True)
                self.wanted.set()
        return sha256 in self.loaded and sha256 in self.files

    def tell(self, broadcast_id: str, at: int, **fields: Any) -> None:
        self.seq += 1
        body = {"seq": self.seq, "at": instant(at), "broadcast_id": broadcast_id}
        drill = self.kept["plays"][broadcast_id]["broadcast"].get("drill")
        body |= {name: value for name, value in (fields | {"drill": drill}).items() if value is not None}
        self.unsaved.append((self.seq, at, json.dumps(body)))

    def save(self) -> None:
        """Put everything on disk in one transaction."""
        self.kept["clock"] = self.clock.kept()
        with self.db:
            self.db.execute("REPLACE INTO kept VALUES (1, ?)", (json.dumps(self.kept),))
            self.db.execute("DELETE FROM events WHERE at < ?", (self.clock.now() - 30 * DAY,))
            self.db.executemany("INSERT INTO events VALUES (?, ?, ?)", self.unsaved)
        if self.unsaved:
            self.unsaved = []
            self.news.set()

    # Section 6: taking a document.

    def take(self, topic: str, payload: bytes) -> str | None:
        """Take a message and give its word if it had an effect."""
        self.step()
        place = topic.removeprefix("loa/v1/")
        try:
            word = self.taken(place, payload)
        except DroppedError as dropped:
            self.dropped[str(dropped)] = self.dropped.get(str(dropped), 0) + 1
            if str(dropped) != "stale":
                self.faults.setdefault("bad_message", self.clock.now())
            return None
        self.step()
        return word

    def taken(self, place: str, payload: bytes) -> str | None:
        parts = place.split("/", 2)
        scope, word = "/".join(parts[:2]), parts[-1]
        if len(parts) < 3 or word not in DOCUMENTS:
            raise DroppedError("bad_topic")
        if scope not in self.scopes() or self.kept["tokens"].get(place, "").encode() == payload:
            return None
        document = opened(word, payload, self.kept["keys"])
        if document["aud"] != scope:
            raise DroppedError("wrong_audience")
        version = (document["epoch"], document["version"])
        if word not in {"time/answer", "receipts/ack"}:
            self.require_newer(place, version)
        if word in {"plan", "urgent", "command"} and not self.clock.known():
            key = (place, document.get("command_id", ""))
            self.waiting[key] = max(self.waiting.get(key, (version, payload)), (version, payload))
            return None
        if word in {"plan", "urgent", "command"} or (word == "settings" and self.clock.known()):
            self.require_in_time(document)
        if word in RETAINED:
            self.kept["tokens"][place], self.documents[place] = payload.decode(), document
            self.kept["gaps"] = [gap for gap in self.kept["gaps"] if gap != place]
        if word in RETAINED or word == "command":
            self.kept["versions"][place] = version
        getattr(self, "on_" + word.replace("/", "_"))(document)
        self.save()
        if word == "command":
            raise DroppedError("unsupported_command")
        return word

    def require_newer(self, place: str, version: tuple[int, int]) -> None:
        versions = self.kept["versions"]
        if version <= tuple(versions.get(place, (0, 0))) or version[0] < versions.get(f"{self.own}/settings", (0,))[0]:
            raise DroppedError("stale")

    def require_in_time(self, document: Json) -> None:
        if self.clock.now() < document["nbf"] * S:
            raise DroppedError("not_yet_valid")
        if self.clock.now() >= document["exp"] * S:
            raise DroppedError("expired")

    def on_hold(self, hold: Json) -> None:
        released = [*self.kept["released"], *(one for one in hold["released"] if one not in self.kept["released"])]
        active = [one["hold_id"] for one in hold["active"]]
        self.kept["released"] = released[-4096:]
        self.kept["holds"] = sorted({*self.holds, *active} - set(released))

    def on_settings(self, settings: Json) -> None:
        keys, revoked = settings["trusted_keys"], settings["revoked_keys"]
        former = [key for key in (*self.kept["keys"], *self.kept["former"]) if key["use"] == "dispatch"]
        self.kept["former"] = [key for key in former if key not in keys and key["kid"] not in revoked][:64]
        self.kept["keys"] = keys
        if revoked:
            self.revoke(revoked)
        self.clock.hold = settings["clock_hold_ms"] * 1000
        self.wanted.set()

    def on_plan(self, _plan: Json) -> None:
        self.wanted.set()

    def on_urgent(self, urgent: Json) -> None:
        self.kept["stops"] = [*self.kept["stops"], *(one["broadcast_id"] for one in urgent["stops"])][-4096:]
        for sha256, data in urgent["inline"].items():
            if self.whole(data, sha256):
                self.shelve(self.media(sha256), data)
                self.files.add(sha256)
        self.wanted.set()

    def on_command(self, _command: Json) -> None:
        """Do nothing: no command is supported."""

    def on_receipts_ack(self, ack: Json) -> None:
        if ack["store_id"] != self.kept["store_id"]:
            return
        self.kept["acked"] = max(self.kept["acked"], min(ack["stored_through_seq"], self.seq))
        self.receipts_wait = 5 * S
        self.sent = max(self.sent, self.kept["acked"])
        if ack["send_from_seq"] is not None:
            self.sent = min(self.sent, ack["send_from_seq"] - 1)
        self.news.set()

    def on_time_answer(self, answer: Json) -> None:
        self.clock.take(answer)
        waiting, self.waiting = (self.waiting, {}) if self.clock.known() else ({}, self.waiting)
        for (place, _), (_, payload) in sorted(waiting.items(), key=lambda one: one[1]):
            self.take(f"loa/v1/{place}", payload)

    # Section 9: bodies and audio.

    @staticmethod
    def unpacked(packed: bytes, scope: str) -> Json:
        unpacker = zlib.decompressobj(31)
        data = unpacker.decompress(packed, 4 << 20)
        require(unpacker.eof and not unpacker.unused_data)
        body: Json = PLAN_BODY(strict_json(data))
        require(body["scope"] == scope)
        return body

    @staticmethod
    def shelve(file: Path, data: bytes) -> None:
        """Write, sync, rename."""
        part = file.with_suffix(".part")
        with part.open("wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        part.rename(file)

    def tls(self, *, client: bool) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_verify_locations(cadata=self.adoption["ca_pem"])
        if not self.clock.good():
            context.verify_flags |= NO_CHECK_TIME
        if client:
            context.load_cert_chain(self.state / "node.crt", self.state / "node.key")
        return context

    def fetch(self, path: str, part: Path, limit: int) -> bytes:
        """Get a file, on from what of it is here; no redirect is followed."""
        base = urlsplit(self.adoption["media_url"])
        have = part.stat().st_size if part.exists() else 0
        if have >= limit:
            return part.read_bytes()
        server = http.client.HTTPSConnection(base.netloc, timeout=10, context=self.tls(client=False))
        with contextlib.closing(server), part.open("ab") as out:
            server.request("GET", base.path + path, headers={"Range": f"bytes={have}-"} if have else {})
            answer = server.getresponse()
            if answer.status not in {200, 206}:
                raise OSError(f"{answer.status} for {path}")
            if answer.status == 200:
                out.seek(0)
                out.truncate()
            while out.tell() <= limit and (block := answer.read(65536)):
                out.write(block)
        return part.read_bytes()

    def wants(self) -> list[tuple[int, str, Json]]:
        """Give what is to be fetched now: when it is due, its path, and its voice or its plan."""
        found: list[tuple[int, str, Json]] = []
        for scope in self.scopes():
            plan = self.documents.get(f"{scope}/plan")
            if plan and (plan["epoch"], plan["version"]) != self.plan_of(scope):
                found.append((0, f"/plans/{plan['body_sha256']}", plan))
        now, steady = self.clock.now(), self.clock.steady()
        for play in self.kept["plays"].values() if self.settings else []:
            for voice in [] if play["outcome"] else self.voices(play).values():
                if not self.present(voice):
                    due = 1 if play["urgent"] else play["broadcast"]["start_at"]
                    path = f"/media/{voice['sha256']}.opus"
                    wait = 0 if play["urgent"] else min(max(due - now, 0) // 10, 30 * S)  # not all of a commune at once
                    self.retry.setdefault(path, (steady + random.randint(0, wait), 0))
                    if play["urgent"] and not self.retry[path][1]:
                        self.retry[path] = (0, 0)  # it may have been wanted before, at leisure
                    found.append((due, path, voice))
        for voice in self.settings["pinned"] if self.settings else []:
            if not self.present(voice):
                path = f"/media/{voice['sha256']}.opus"
                self.retry.setdefault(path, (steady + random.randint(0, 30 * S), 0))
                found.append((2, path, voice))
        found = [one for one in found if self.retry.get(one[1], (0, 0))[0] <= steady]
        return sorted(found, key=lambda one: one[:2])

    async def fetcher(self) -> None:
        while True:
            self.wanted.clear()
            for _, path, what in self.wants()[:1]:
                try:
                    await self.get(path, what)
                except (OSError, ValueError, http.client.HTTPException, zlib.error) as wrong:
                    LOG.warning("fetch of %s: %r", path, wrong)
                    wait = min(max(self.retry.get(path, (0, 0))[1] * 2, S), 60 * S)
                    self.retry[path] = (self.clock.steady() + wait, wait)
                    self.faults.setdefault("fetch_failed", self.clock.now())
                else:
                    self.retry.pop(path, None)
                    if not any(wait for _, wait in self.retry.values()):
                        self.faults.pop("fetch_failed", None)
                    self.wanted.set()
                self.step()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.wanted.wait(), 0.25)

    async def get(self, path: str, what: Json) -> None:
        """Fetch audio, or the body of a plan, and use it if it has its hash."""
        plan = what if "body_sha256" in what else None
        sha256, size = (plan["body_sha256"], plan["body_bytes"]) if plan else (what["sha256"], what["bytes"])
        file = self.state / "bodies" / sha256 if plan else self.media(sha256)
        part = self.state / f"{sha256[:12]}.part"
        kept = file.exists() and self.whole(file.read_bytes(), sha256)
        require(not plan or size <= 8 << 20)
        data = file.read_bytes() if kept else await asyncio.to_thread(self.fetch, path, part, size)
        if not kept and (len(data) != size or not self.whole(data, sha256)):
            part.unlink(missing_ok=True)
            require(kept)
        body = self.unpacked(data, plan["aud"]) if plan else None
        if not kept:
            self.shelve(file, data)
            part.unlink(missing_ok=True)
        if plan is None:
            self.files.add(sha256)
        elif plan is self.documents.get(f"{plan['aud']}/plan"):
            self.step()
            self.bodies[plan["aud"]] = body or {}
            names = ("epoch", "version", "body_sha256", "lease_until", "signed_by")
            self.kept["plans"][plan["aud"]] = {name: plan[name] for name in names}
            self.save()

    # The timeline.

    def listed(self) -> dict[str, Json]:
        """Give what plans and urgents list (section 7): an urgent rules over a plan, then the first by scope."""
        found: dict[str, Json] = {}
        scopes = sorted(self.scopes())
        urgents = [(scope, None, self.documents.get(f"{scope}/urgent", {"broadcasts": []})) for scope in scopes]
        leases = {scope: plan["lease_until"] for scope, plan in self.kept["plans"].items()}
        plans = [(scope, leases[scope], self.bodies[scope]) for scope in scopes if scope in self.bodies]
        for scope, lease, lister in [*urgents, *plans]:
            for one in lister["broadcasts"]:
                new = {"broadcast": one, "scopes": [], "lease": lease, "urgent": lease is None}
                play = found.setdefault(one["broadcast_id"], new)
                play["scopes"].append(scope)
                play["lease"] = None if play["urgent"] else max(play["lease"], lease)
        return found

    def merge(self, now: int) -> None:
        """Bring the plays in line with what is listed now."""
        for left in set(self.kept["plans"]) - set(self.scopes()):
            del self.kept["plans"][left]
            self.bodies.pop(left, None)
        listed, plays = self.listed(), self.kept["plays"]
        for name, found in listed.items():
            if name not in plays:
                plays[name] = NEW_PLAY | found | {"told": ["received"], "heard": []}
                self.tell(name, now, state="received")
            elif not plays[name]["outcome"]:
                begun = plays[name]["began_at"] is not None
                plays[name] |= {"lease": found["lease"], "urgent": found["urgent"]} if begun else found
        known = all(scope in self.bodies for scope in self.scopes() if f"{scope}/plan" in self.documents)
        known = known and not {gap.rsplit("/", 1)[0] for gap in self.kept["gaps"]} & set(self.scopes())
        for name, play in [(name, play) for name, play in plays.items() if name not in listed]:
            gone = play["began_at"] is None and not play["outcome"]
            if gone and known and play["broadcast"]["latest_end_at"] > now:
                play["outcome"] = "cancelled"
                self.tell(name, now, outcome="cancelled", reason="withdrawn")
            if play["broadcast"]["latest_end_at"] < now - 30 * DAY:
                del plays[name]

    def outcomes(self, tells: list[Any], at: int) -> None:
        """Write outcomes with their evidence (section 14)."""
        for name, fields in tells:
            play = self.kept["plays"][name]
            outcome, reason, heard = fields["outcome"], fields["reason"], play["heard"]
            if outcome not in {"played", "interrupted"}:
                by = fields["by"] if reason == "already_begun" else None
                self.tell(name, at, outcome=outcome, reason=reason, by=by)
                continue
            proved = {one["item"] for one in heard if one["proved"]}
            if outcome == "played" and not proved >= set(self.voices(play)):
                outcome, reason = "interrupted", "output_lost"
            play["outcome"] = outcome
            self.tell(
                name,
                at,
                outcome=outcome,
                reason=reason if outcome == "interrupted" else None,
                by=fields["by"] if outcome == "interrupted" else None,
                requested_ms=sum(voice["length_ms"] for voice in self.voices(play).values()),
                played_ms=sum(one["frames"] for one in heard) // 48,
                start_error_ms=heard[0]["error_ms"] if heard else None,
                underruns=sum(one["underruns"] for one in heard),
                grade=int(bool(heard) and play["broadcast"]["drill"] != "silent"),
                simulated=True,
            )

    def began(self, sounds: list[Sound]) -> None:
        for sound in sounds:
            if sound.error_ms is not None and not sound.told:
                sound.told = True
                at = sound.begins_at + round(sound.error_ms * 1000)
                self.tell(
                    sound.broadcast_id, at, state="playing", item=sound.item, start_error_ms=round(sound.error_ms, 3)
                )

    def gain_mb(self, play: Json, voice: Json, begins_at: int) -> int:
        settings = self.settings
        gain, night = voice["gain_mb"] + settings["volume_mb"] + settings["trim_mb"], settings["night_cap"]
        caps = [settings["cap_mb"]]
        if night and play["broadcast"]["level"] != "emergency":
            caps += [night["cap_mb"]] * meets([night["window"]], settings["zone"], begins_at, begins_at + 1)
        return int(min([gain, *caps]))

    def step(self) -> None:
        """Evaluate for now, look a moment ahead, save, and only then let it sound."""
        if self.settings is None:
            return
        now = self.clock.now() - self.output.lag()
        ahead, before, tells = self.kept["ahead"], dict(self.kept["plays"]), []
        if ahead and ahead["at"] <= now:
            self.kept["plays"], tells = ahead["plays"], ahead["tells"]
        self.merge(now)
        timeline = Timeline(self, self.kept["plays"], now)
        timeline.evaluate()
        placed = self.look_ahead(timeline)
        self.kept["plays"], self.kept["ahead"] = timeline.plays, placed
        wanted = {
            (name, play["sounding"][0], play["sounding"][1]): play
            for plays in (timeline.plays, placed["plays"] if placed else {})
            for name, play in plays.items()
            if play["sounding"]
        }
        self.began(self.output.sounds)
        self.harvest(self.output.keep(set(wanted)))
        self.outcomes([*tells, *timeline.tells], now)
        self.tell_cached(now)
        new = self.arm(wanted, now)
        if self.unsaved or new or (placed is None) != (ahead is None) or self.kept["plays"] != before:
            self.save()
        for sound in new:
            self.output.place(sound)

    def look_ahead(self, timeline: Timeline) -> Json | None:
        """Give the plays as they will be when, within a moment, the next sound begins."""
        for at in timeline.soon():
            before = {name: play["next_item"] for name, play in timeline.plays.items()}
            timeline = Timeline(self, timeline.plays, at)
            timeline.evaluate()
            # A slot that passes in silence is taken at its very instant, too: what follows is counted from it.
            if any(play["next_item"] > before[name] for name, play in timeline.plays.items()):
                return {"at": at, "plays": timeline.plays, "tells": timeline.tells}
            if timeline.tells:
                break  # first let it happen
        return None

    def harvest(self, gone: list[Sound]) -> None:
        """Keep the evidence of what has left the output."""
        self.began(gone)
        for sound in gone:
            if sound.error_ms is not None:
                heard: Json = {"item": sound.item, "frames": sound.consumed, "proved": sound.proved()}
                heard |= {"underruns": sound.underruns, "error_ms": round(sound.error_ms, 3)}
                self.kept["plays"][sound.broadcast_id]["heard"].append(heard)

    def tell_cached(self, now: int) -> None:
        for name, play in self.kept["plays"].items():
            voices = [] if play["outcome"] else list(self.voices(play).values())
            if voices and not {"cached", "armed"} & set(play["told"]) and all(map(self.present, voices)):
                play["told"].append("cached")
                self.tell(name, now, state="cached")

    def arm(self, wanted: dict[tuple[str, int, int], Json], now: int) -> list[Sound]:
        """Decode what the output does not have yet."""
        new = []
        for key, play in wanted.items():
            voice = self.voices(play)[key[1]]
            if all(sound.key != key for sound in self.output.sounds) and self.load(voice):
                gain_mb = self.gain_mb(play, voice, key[2])
                silent = play["broadcast"]["drill"] == "silent"
                new.append(Sound(key, self.loaded[voice["sha256"]], voice["length_ms"], gain_mb, silent=silent))
                if "armed" not in play["told"]:
                    play["told"].append("armed")
                    self.tell(key[0], now, state="armed")
        return new

    async def ticker(self) -> None:
        while self.output.is_alive():
            self.step()
            await asyncio.sleep(0.05)
        raise RuntimeError("the output has ended")

    # Sections 2, 13 and 14: the connection and what the node says.

    async def say(self, word: str, payload: Json | bytes, *, qos: int = 1, retain: bool = False) -> None:
        if self.client is not None:
            data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
            await self.client.publish(f"loa/v1/{self.own}/{word}", data, qos=qos, retain=retain)

    async def follow(self, client: aiomqtt.Client) -> None:
        """Subscribe to what is not yet subscribed to, in the order of section 2, and leave what was left."""
        scopes = self.scopes()
        wished = [f"{scope}/{word}" for word in ("hold", "urgent", "plan") for scope in scopes]
        for place in [*wished, f"{self.own}/command"]:
            if place not in self.followed:
                await self.subscribe(client, place)
        for place in [one for one in self.followed if one.startswith("areas/") and one not in wished]:
            self.followed.discard(place)
            await client.unsubscribe(f"loa/v1/{place}")

    async def subscribe(self, client: aiomqtt.Client, place: str) -> None:
        codes: Any = await client.subscribe(f"loa/v1/{place}", qos=1)
        if any(code.value >= 0x80 for code in codes):
            raise aiomqtt.MqttError(f"refused: {place}")
        self.followed.add(place)

    async def connected(self, client: aiomqtt.Client) -> None:
        self.followed.clear()
        self.sent = self.kept["acked"]
        for word in ("hold", "settings", "receipts/ack", "time/answer"):
            await self.subscribe(client, f"{self.own}/{word}")
        self.client = client
        abilities = {"software": "tiny-agent 1", "output": "virtual", "best_grade": 1}
        online = {"state": "online", "boot_id": self.clock.boot_id, "connected_at": instant(self.clock.now())}
        await self.say("presence", online | {"abilities": abilities}, retain=True)
        await self.say("time/ask", self.clock.ask())
        await self.follow(client)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.health())
            tasks.create_task(self.receipts())
            async for message in client.messages:
                if self.take(str(message.topic), bytes(message.payload)) is not None:
                    await self.follow(client)

    async def connection(self) -> None:
        wait = 1.0
        while True:
            lost = json.dumps({"state": "lost", "boot_id": self.clock.boot_id})
            client = aiomqtt.Client(
                self.adoption["broker_host"],
                self.adoption["broker_port"],
                identifier=self.node,
                protocol=aiomqtt.ProtocolVersion.V5,
                will=aiomqtt.Will(f"loa/v1/{self.own}/presence", lost, qos=1, retain=True),
                clean_start=True,
                keepalive=20,
                timeout=10,
                tls_context=self.tls(client=True),
            )
            try:
                async with client:
                    wait = 1.0
                    await self.connected(client)
            except* aiomqtt.MqttError as wrong:
                LOG.warning("connection: %s", wrong.exceptions)
            self.client = None
            await asyncio.sleep(random.uniform(0, wait))
            wait = min(wait * 2, 60)

    def report(self) -> Json:
        now = self.clock.now()
        held: dict[str, Json] = {}
        for place, (epoch, version) in self.kept["versions"].items():
            kind, name, word = place.split("/", 2)
            if word in RETAINED and f"{kind}/{name}" in self.scopes():
                one = {"epoch": epoch, "version": version}
                if word == "plan":
                    one["complete"] = self.plan_of(f"{kind}/{name}") == (epoch, version)
                held.setdefault(f"{kind}/{name}", {})[word] = one
        for code, wrong in (("no_settings", not self.settings), ("clock_untrusted", not self.clock.good())):
            self.faults = {name: at for name, at in self.faults.items() if name != code or wrong}
            self.faults |= {code: self.faults.get(code, now)} if wrong else {}
        playing = None
        for name, play in self.kept["plays"].items():
            if play["sounding"] and not play["outcome"]:
                item, started_at, ends_at = play["sounding"]
                playing = {
                    "broadcast_id": name,
                    "item": item,
                    "started_at": instant(started_at),
                    "ends_at": instant(ends_at),
                }
        return {
            "held": held,
            "holds": self.holds[:256],
            "now_playing": playing,
            "clock": {"state": self.clock.state(), "offset_ms": self.clock.offset_ms},
            "faults": [{"code": code, "since_at": instant(at)} for code, at in self.faults.items()],
            "dropped": dict(self.dropped),
            "store_id": self.kept["store_id"],
            "last_seq": self.seq,
            "acked_seq": self.kept["acked"],
        }

    async def health(self) -> None:
        said_at = 0
        last: Json = {}
        while True:
            report, steady = self.report(), self.clock.steady()
            every = (self.settings or {"health_interval_ms": 30000})["health_interval_ms"] * 1000
            if report != last or steady - said_at >= every:
                last, said_at = report, steady
                times = {"sent_at": instant(self.clock.now()), "uptime_ms": (steady - self.started) // 1000}
                await self.say("health", report | times, qos=0)
            if steady - self.clock.asked >= (HOUR if self.clock.state() == "trusted" else 10 * S):
                await self.say("time/ask", self.clock.ask())
            await asyncio.sleep(0.3)

    async def receipts(self) -> None:
        while True:
            self.news.clear()
            if self.sent > self.kept["acked"] and self.clock.steady() >= self.receipts_due:
                self.sent = self.kept["acked"]
                self.receipts_wait = min(self.receipts_wait * 2, 60 * S)
            query = "SELECT seq, body FROM events WHERE seq > ? ORDER BY seq LIMIT 200"
            while found := self.db.execute(query, (self.sent,)).fetchall():
                self.sent = found[-1][0]
                self.receipts_due = self.clock.steady() + self.receipts_wait
                events = [json.loads(body) for _, body in found]
                payload = {
                    "iss": self.node,
                    "iat": self.clock.now() // S,
                    "store_id": self.kept["store_id"],
                    "events": events,
                }
                await self.say("receipts", self.signed("loa-receipts", payload))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.news.wait(), 1)

    def signed(self, typ: str, payload: Json) -> bytes:
        parts = [json.dumps(one).encode() for one in ({"alg": "Ed25519", "typ": typ, "kid": self.kid}, payload)]
        signing = ".".join(map(rebase64, parts)).encode()
        return signing + b"." + rebase64(self.key.sign(signing)).encode()

    async def run(self) -> None:
        """Run until SIGTERM."""
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, stop.set)
        self.output.start()
        works = [asyncio.create_task(work) for work in (self.ticker(), self.fetcher(), self.connection())]
        ending = asyncio.create_task(stop.wait())
        await asyncio.wait([ending, *works], return_when=asyncio.FIRST_COMPLETED)
        works[0].cancel()
        self.output.keep(set())
        self.output.close()
        for play in self.kept["plays"].values():
            sounds = play["sounding"] and not play["outcome"] and play["sounding"][1] <= self.clock.now()
            if sounds and not sounds_again(play):
                Timeline.note(play, "shutdown")
        self.kept["ahead"] = None
        self.save()
        if ending.done():
            with contextlib.suppress(aiomqtt.MqttError):
                await self.say("presence", {"state": "leaving", "reason": "shutdown"}, retain=True)
        for work in works:
            work.cancel()
        for result in await asyncio.gather(*works, return_exceptions=True):
            if isinstance(result, Exception):
                raise result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    asyncio.run(Agent(parser.parse_args().state).run())


if __name__ == "__main__":
    main()
