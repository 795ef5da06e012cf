"""Looks at a file's own bytes before any decoder does: which demuxer may touch it, and what its header claims.

Names and content types lie; ffmpeg's own guessing would open playlists. So one demuxer is chosen here from a short
list and forced. Plain arithmetic on a few kilobytes: nothing is decoded.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from audio.errors import Reason, Rejected

HEAD, TAIL = 1 << 16, 1 << 16
"""Bytes looked at from each end."""
CHAIN = 4
"""Frames that must follow each other before bytes count as mp3 or aac: four syncs by chance are 1 in 10^12."""
RATES = (4_000, 384_000)
"""Hertz, lowest and highest that any recorder makes."""
SCAN = 1 << 13
"""Bytes in which the first mp3 or aac frame must begin."""
MAX_CHANNELS = 64
"""More than any mixing desk writes into one file."""
MAX_WALKED = 1 << 22
"""Bytes of AMR that are walked frame by frame: 45 minutes at the highest rate, in some 30 ms."""
MAX_BOXES = 10_000
"""Outermost boxes of an mp4 that are walked; a phone that writes fragments makes one or two a second."""
MAX_TAGS = 16
"""ID3 tags skipped in a row at the beginning."""

# Sound that we know by sight but do not decode, by first bytes.
_UNSUPPORTED = (
    b"FORM",
    b"caff",
    b".snd",
    b"MThd",
    b"MAC ",
    b"wvpk",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",
    b"FLV",
    b"DSD ",
)
# What people pick by mistake, or on purpose: never searched for a sound hidden behind.
_NOT_AUDIO = (
    b"%PDF",
    b"PK",
    b"<",
    b"#EXTM3U",
    b"ffconcat",
    b"RIFF",
    b"{",
    b"GIF8",
    b"\x89PNG",
    b"\x7fELF",
    b"MZ",
    b"Rar!",
)
_PLAIN = {b"fLaC": "flac", b"\x1a\x45\xdf\xa3": "matroska"}

# ISO 11172-3 and 13818-3 tables: kbit/s by (MPEG-1?, layer), index 1..14.
_KBITS = {
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_MP3_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_AMR_BYTES = {False: (13, 14, 16, 18, 20, 21, 27, 32, 6), True: (18, 24, 33, 37, 41, 47, 51, 59, 61, 6)}
"""Bytes of a frame by its type, header included (RFC 4867), narrow and wide band."""


@dataclass(frozen=True, slots=True)
class Sniffed:
    """What the file's own bytes say it is."""

    demuxer: str
    """ffmpeg's name of the one demuxer that may read it."""
    start: int
    """Byte at which sound data begins (tags before it are never parsed)."""
    seekable: bool
    """True where the index may stand at the end (mp4, 3gp), so a pipe alone does not do."""
    claimed_s: float | None
    """Seconds its header claims; None when it claims nothing or the demuxer is to be asked."""
    ends_early: bool
    """The last unit reaches beyond the end of the file."""


def sniff(file: IO[bytes], size: int) -> Sniffed:
    """Recognise a file, or say why not.

    Raises:
        Rejected: not audio, unsupported, or a header that cannot be true.
    """
    start = _after_id3(file, size)
    head, tail = _read(file, start, HEAD), _read(file, max(start, size - TAIL), TAIL)
    if head[:4] in {b"RIFF", b"RF64"} and head[8:12] == b"WAVE":
        return _wav(head, size - start, start)
    if head.startswith(b"OggS"):
        return Sniffed("ogg", start, seekable=False, claimed_s=_claimed_by_ogg(head, tail), ends_early=_cut_ogg(tail))
    if head[:4] in _PLAIN:
        return Sniffed(_PLAIN[head[:4]], start, seekable=False, claimed_s=None, ends_early=False)
    if head[4:8] == b"ftyp":
        return Sniffed("mov", start, seekable=True, claimed_s=None, ends_early=_cut_mp4(file, size, start))
    if head.startswith((b"#!AMR\n", b"#!AMR-WB\n")):
        return _amr(file, head, size, start)
    if head.startswith(_UNSUPPORTED):
        raise Rejected(Reason.UNSUPPORTED, "this sound format is not supported: save it as mp3, wav or m4a")
    return _frames(head, tail, start)


def _read(file: IO[bytes], at: int, count: int) -> bytes:
    return os.pread(file.fileno(), count, at)


def _after_id3(file: IO[bytes], size: int) -> int:
    """Where the sound begins behind any ID3v2 tags: pictures and titles in them are nobody's business here."""
    at = 0
    for _ in range(MAX_TAGS):
        head = _read(file, at, 10)
        if len(head) < 10 or head[:3] != b"ID3" or max(head[6:10]) > 127:
            break
        length = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
        at += 10 + length + (10 if head[5] & 0x10 else 0)
    if at and at >= size:
        raise Rejected(Reason.TRUNCATED, "the file ends inside its ID3 tag, before any sound")
    return at


def _wav(head: bytes, present: int, start: int) -> Sniffed:
    at, rate, align = 12, 0, 0
    while at + 8 <= len(head):
        name, length = head[at : at + 4], struct.unpack_from("<I", head, at + 4)[0]
        if name == b"fmt " and at + 24 <= len(head):
            channels, rate, _, align = struct.unpack_from("<HIIH", head, at + 10)
            _check_wav_format(channels, rate, align)
        if name == b"data":
            return _wav_data(present - at - 8, length, rate * align, start, wide=head[:4] == b"RF64")
        at += 8 + length + length % 2
    raise Rejected(Reason.TRUNCATED, "the wav file has no sound data in its first 64 KiB")


def _check_wav_format(channels: int, rate: int, align: int) -> None:
    if not RATES[0] <= rate <= RATES[1]:
        message = f"the wav header claims {rate} Hz: possible are {RATES[0]} to {RATES[1]} Hz"
        raise Rejected(Reason.LYING_HEADER, message, found=rate)
    if channels > MAX_CHANNELS:
        raise Rejected(
            Reason.TOO_MANY_CHANNELS, f"the wav header claims {channels} channels", found=channels, limit=MAX_CHANNELS
        )
    if channels == 0 or align == 0:
        raise Rejected(Reason.LYING_HEADER, "the wav header claims no channels", found=channels)


def _wav_data(present: int, claimed: int, bytes_per_s: int, start: int, *, wide: bool) -> Sniffed:
    """Compare the claimed size of the data with what follows. An RF64 file keeps its size elsewhere."""
    if bytes_per_s == 0:
        raise Rejected(Reason.LYING_HEADER, "the wav header has no format before its data")
    if wide and claimed == 0xFFFFFFFF:
        return Sniffed("wav", start, seekable=False, claimed_s=None, ends_early=False)
    # Ten times what is there is no cut recording any more but an invented number.
    if claimed > 10 * max(present, 0) + bytes_per_s:
        message = f"the wav header claims {claimed} bytes of sound, the file holds {present}: save it again"
        raise Rejected(Reason.LYING_HEADER, message, found=present, limit=claimed)
    return Sniffed("wav", start, seekable=False, claimed_s=claimed / bytes_per_s, ends_early=False)


def _claimed_by_ogg(head: bytes, tail: bytes) -> float | None:
    """Seconds between the first position that an Ogg stream states and its last: at most a page less than the whole.

    Not from zero, since a piece of a live stream starts late. None for codecs other than Opus and Vorbis, and for
    chained streams, whose positions start anew.
    """
    opus, vorbis = head.find(b"OpusHead", 0, 512), head.find(b"\x01vorbis", 0, 512)
    rate = 48_000 if opus >= 0 else int.from_bytes(head[vorbis + 12 : vorbis + 16], "little") if vorbis >= 0 else 0
    last = tail.rfind(b"OggS")
    if rate == 0 or last < 0 or last + 18 > len(tail):
        return None
    at = head.find(b"OggS")
    while at >= 0 and at + 18 <= len(head):
        begins = _position(head, at)
        if 0 < begins < 1 << 62:  # header pages say 0, pages on which nothing ends say -1
            same = head[at + 14 : at + 18] == tail[last + 14 : last + 18]
            return max(0, _position(tail, last) - begins) / rate if same else None
        at = head.find(b"OggS", at + 4)
    return None


def _position(page: bytes, at: int) -> int:
    return int.from_bytes(page[at + 6 : at + 14], "little")


def _cut_ogg(tail: bytes) -> bool:
    """Whether the last Ogg page (RFC 3533) is shorter than its own segment table says."""
    at = tail.rfind(b"OggS")
    if at < 0 or at + 27 > len(tail):
        return True
    segments = tail[at + 26]
    body = tail[at + 27 : at + 27 + segments]
    return len(body) < segments or at + 27 + segments + sum(body) > len(tail)


def _cut_mp4(file: IO[bytes], size: int, at: int) -> bool:
    """Whether the last of the outermost boxes (ISO 14496-12, 4.2) reaches beyond the end of the file."""
    for _ in range(MAX_BOXES):
        head = _read(file, at, 16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if at >= size or length < 8:  # 0 means up to the end; other small numbers are the demuxer's to judge
            return False
        at += length
        if at > size:
            return True
    return False


def _amr(file: IO[bytes], head: bytes, size: int, start: int) -> Sniffed:
    """AMR claims no length, but its frames can be walked: each is 20 ms. Hours of it are left to the decoder."""
    wide = head.startswith(b"#!AMR-WB\n")
    sizes, at = _AMR_BYTES[wide], start + (9 if wide else 6)
    if size - at > MAX_WALKED:
        return Sniffed("amr", start, seekable=False, claimed_s=None, ends_early=False)
    data, position = _read(file, at, size - at), 0
    while position < len(data):
        kind = data[position] >> 3 & 15
        position += sizes[kind] if kind < len(sizes) else 1
    return Sniffed("amr", start, seekable=False, claimed_s=None, ends_early=position > len(data))


def _frames(head: bytes, tail: bytes, start: int) -> Sniffed:
    """Find mp3 or aac (ADTS) by a chain of frames; both have a sync word only, and radios cut into mid-frame."""
    if head.startswith(_NOT_AUDIO) or not head:
        raise Rejected(Reason.NOT_AUDIO, "this is not a sound file")
    for at in range(min(SCAN, len(head))):
        for demuxer, parse in _FRAMED.items():
            if _chained(head, at, parse):
                claimed = _claimed_by_mp3(head, at) if demuxer == "mp3" else None
                cut = _cut_frames(tail, parse)
                return Sniffed(demuxer, start + at, seekable=False, claimed_s=claimed, ends_early=cut)
    raise Rejected(Reason.NOT_AUDIO, "this is not a sound file: nothing in it looks like sound that we know")


@dataclass(frozen=True, slots=True)
class _Frame:
    size: int
    samples: int
    rate: int


def _mp3_frame(data: bytes, at: int) -> _Frame | None:
    """One MPEG audio header, layers I to III (ISO 11172-3, 2.4.1.3); None if these bytes are none."""
    if at + 4 > len(data) or data[at] != 0xFF or data[at + 1] & 0xE0 != 0xE0:
        return None
    version, layer = data[at + 1] >> 3 & 3, 4 - (data[at + 1] >> 1 & 3)
    kbits, rate, padding = data[at + 2] >> 4, data[at + 2] >> 2 & 3, data[at + 2] >> 1 & 1
    if version == 1 or layer == 4 or kbits in {0, 15} or rate == 3:
        return None
    bits, hertz = _KBITS[version == 3, layer][kbits - 1] * 1000, _MP3_RATES[version][rate]
    if layer == 1:
        return _Frame((12 * bits // hertz + padding) * 4, 384, hertz)
    samples = 576 if layer == 3 and version != 3 else 1152
    return _Frame(samples // 8 * bits // hertz + padding, samples, hertz)


def _adts_frame(data: bytes, at: int) -> _Frame | None:
    """One ADTS header (ISO 13818-7, 6.2); None if these bytes are none."""
    if at + 7 > len(data) or data[at] != 0xFF or data[at + 1] & 0xF6 != 0xF0 or data[at + 2] >> 2 & 15 > 12:
        return None
    size = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
    return _Frame(size, 1024, data[at + 2] >> 2 & 15) if size > 7 else None


_FRAMED = {"mp3": _mp3_frame, "aac": _adts_frame}
_Parse = Callable[[bytes, int], _Frame | None]


def _chained(data: bytes, at: int, parse: _Parse) -> bool:
    rates = set()
    for _ in range(CHAIN):
        frame = parse(data, at)
        if frame is None:
            return False
        rates.add(frame.rate)
        at += frame.size
    return len(rates) == 1


def _claimed_by_mp3(head: bytes, at: int) -> float | None:
    """Seconds by the Xing, Info or VBRI table in the first frame; None without one."""
    frame = _mp3_frame(head, at)
    if frame is None:
        return None
    for name, offset in ((b"Xing", 8), (b"Info", 8), (b"VBRI", 14)):
        tag = head.find(name, at, at + 64)
        if tag < 0 or tag + offset + 4 > len(head) or (name != b"VBRI" and not head[tag + 7] & 1):
            continue
        return int.from_bytes(head[tag + offset : tag + offset + 4], "big") * frame.samples / frame.rate
    return None


def _cut_frames(tail: bytes, parse: _Parse) -> bool:
    """Whether the last chain of frames runs over the end of the file. Tags behind the sound end a chain politely."""
    at = 0
    while at < len(tail):
        if not _chained(tail, at, parse):
            at += 1
            continue
        while (frame := parse(tail, at)) is not None:
            at += frame.size
    return at > len(tail)
