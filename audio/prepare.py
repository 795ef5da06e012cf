"""From an uploaded file to a recording ready to air: checked, levelled, encoded, checked again, named by its hash.

The one call the controller needs. It writes one file and keeps nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from audio import _tools
from audio._levels import RATE
from audio.errors import Reason, Rejected, SoundWarning, ToolFailedError
from audio.measure import CANONICAL, Decoding, Measurement, decoding, measure, mixdown
from audio.probe import Source, probe
from audio.transcode import THOROUGH_UP_TO_S, chain, transcode, trim

MUSIC_KBITS = 48
AUDIBLE_DBFS = -60.0
"""Below this, even 20 dB of gain leaves a murmur."""
LOUDNESS_SLACK = 1.0
"""LU between target and result that call for no second encoding, nor for a warning."""
LIMITER_LOSS = 1.25
"""What the limiter takes, against mere clipping at its ceiling (fitted, decision 0002)."""
LONG_SILENCE_MS = 10_000
SILENT_SHARE = 0.5
ENCODINGS = 3
"""Tries to meet the loudness behind the codec; the first nearly always does."""
CEILING_THOROUGH_DBFS, CEILING_FAST_DBFS = -1.8, -2.3
"""Where the limiter starts: Opus adds about 0.6 or 1 to 2 dB of peaks, what then stands out is turned down."""
HEADROOM_LU = 0.5
"""Aimed above the target, for what turning down usually takes."""
PEAK_ROUNDING = 0.05
"""ffmpeg prints true peaks to 0.1 dB."""
HEAD_BYTES = 4096
CLAIM_SLACK_S, CLAIM_SLACK_SHARE = 0.25, 0.005
"""How much less than its header a file may hold: encoder padding, rounding of containers."""
INVENTED = 10
"""A claim this many times what is there is invented; a smaller one is a file cut short."""
ERRORS_FORGIVEN, ERRORS_PER_S = 2, 0.02
"""Complaints of a decoder that one file may cause: a click or two, not a damaged middle."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What an installation may change."""

    kbits: int = 32
    """kbit/s of the result; ``MUSIC_KBITS`` for music."""
    loudness_lufs: float = -16.0
    true_peak_dbtp: float = -1.0
    """No peak of the decoded result lies above."""
    max_gain_db: float = 20.0
    max_length_s: int = 3600
    max_bytes: int = 200 * 1024 * 1024
    max_channels: int = 8
    max_memory: int = 1024 * 1024 * 1024
    """Bytes of address space of the decoder, libraries included."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A recording on disk, ready to air."""

    sha256: str
    """Of the canonical file, 64 lower-case hex digits; also its name."""
    path: Path
    size: int
    """Bytes."""
    length_ms: int
    """Of the decoded result, rounded up."""
    samples: int
    """Of the decoded result, at 48 kHz."""
    loudness_lufs: float
    """Of the decoded result; by its level when it is shorter than 400 ms, which EBU R128 cannot measure."""
    true_peak_dbtp: float
    """Of the decoded result."""
    source_loudness_lufs: float
    """Of the upload, mixed down; by its level as above."""
    gain_db: float
    """Linear gain before the limiter."""
    silence_ms: int
    """Total of silences of at least 300 ms."""
    waveform: tuple[int, ...]
    """At most 800 peaks of the result, 0..255 of full scale."""
    warnings: tuple[SoundWarning, ...]
    source: Source


Progress = Callable[[float], None]


async def prepare(
    source: Path, dest_dir: Path, settings: Settings | None = None, on_progress: Progress | None = None
) -> Prepared:
    """Turn ``source`` into ``dest_dir/{sha256}.opus``; on any failure nothing is left in ``dest_dir``.

    ``on_progress`` hears shares from 0 to 1, never falling.

    Raises:
        Rejected: the file is at fault; its reason says how.
        ToolMissingError: ffmpeg is not installed.
        ToolFailedError: ffmpeg failed on sound that it had already decoded well.
    """
    settings = settings or Settings()
    report = _rising(on_progress)
    with source.open("rb", buffering=0) as file:
        job = _Job(file, settings, report)
        await job.listen()
        with _temporary(dest_dir) as target:
            result = await job.encode(target)
            sha256, size = await asyncio.to_thread(_settle, target)
            path = dest_dir / f"{sha256}.opus"
            await asyncio.to_thread(_publish, Path(target.name), path)
    report(1.0)
    return job.prepared(result, sha256, path, size)


class _Job:
    """One file on its way. The passes read the same open file, each from where its sound begins."""

    def __init__(self, file: IO[bytes], settings: Settings, report: Progress) -> None:
        self._file, self._settings, self._report = file, settings, report
        self._limits = _tools.Limits(
            cpu_s=60 + settings.max_length_s // 5, wall_s=120 + settings.max_length_s / 2, memory=settings.max_memory
        )
        self._max_samples = settings.max_length_s * RATE
        self._gain, self._correction = 0.0, 0.0

    async def listen(self) -> None:
        """Decode the upload once; raise what is wrong with it."""
        size = os.fstat(self._file.fileno()).st_size
        if size > self._settings.max_bytes:
            limit = self._settings.max_bytes
            raise Rejected(
                Reason.TOO_LARGE, f"the file has {size} bytes, at most {limit} are taken", found=size, limit=limit
            )
        self._source = await probe(self._file, max_channels=self._settings.max_channels)
        self._limits = _tools.with_file_room(self._limits, size)
        self._mono = mixdown(self._source.channels)
        try:
            self._heard = await self._hear()
            if self._heard.audible_dbfs < AUDIBLE_DBFS and self._source.channels > 1:
                # Two channels wired against each other cancel out; one of them alone may be fine.
                self._mono = mixdown(self._source.channels, first_only=True)
                self._heard = await self._hear()
        except ToolFailedError as error:
            reason = Reason.TRUNCATED if self._source.ends_early else Reason.CORRUPT
            raise Rejected(reason, f"the sound cannot be decoded: {error.last_words}") from error
        judge(self._source, self._heard)

    async def _hear(self) -> Measurement:
        self._rewind()
        try:
            return await measure(
                self._file,
                self._decoding,
                limits=self._limits,
                max_samples=self._max_samples,
                mono=self._mono,
                on_samples=lambda _: self._report(0.3 * self._read_share()),
            )
        except Rejected as verdict:
            if verdict.reason is Reason.TOO_LONG:  # decoding ended at the limit: of the whole only the header tells
                claimed_s = (self._source.claimed_ms or 0) / 1000
                verdict.found = claimed_s if claimed_s > self._settings.max_length_s else None
            raise

    async def encode(self, target: IO[bytes]) -> Measurement:
        """Write the canonical file to ``target`` and measure what a node will decode from it."""
        for _ in range(ENCODINGS):
            self._gain = self._needed_gain()
            target.seek(0)
            target.truncate()
            await self._encode_once(target)
            result = self._trimmed(await self._verify(target), target)
            missing = self._settings.loudness_lufs - self._result_lufs(result)
            if abs(missing) <= LOUDNESS_SLACK or (missing > 0 and self._gain >= self._settings.max_gain_db):
                break
            self._correction += missing
        return result

    def prepared(self, result: Measurement, sha256: str, path: Path, size: int) -> Prepared:
        """Put the findings together."""
        return Prepared(
            sha256=sha256,
            path=path,
            size=size,
            length_ms=result.length_ms,
            samples=result.samples,
            loudness_lufs=self._result_lufs(result),
            true_peak_dbtp=result.true_peak_dbtp if result.true_peak_dbtp is not None else -100.0,
            source_loudness_lufs=self._heard_lufs,
            gain_db=round(self._gain, 2),
            silence_ms=self._heard.silence_ms,
            waveform=result.waveform,
            warnings=tuple(self._warnings(result)),
            source=self._source,
        )

    @property
    def _limiting(self) -> bool:
        """No limiter where nothing reaches its ceiling: it would only cost time."""
        return self._heard.peak_dbfs + self._gain > self._ceiling

    def _warnings(self, result: Measurement) -> Iterator[SoundWarning]:
        heard, settings = self._heard, self._settings
        if heard.clipped:
            yield SoundWarning.CLIPPED
        elif self._result_lufs(result) < settings.loudness_lufs - LOUDNESS_SLACK:
            yield SoundWarning.VERY_QUIET
        if heard.longest_silence_ms >= LONG_SILENCE_MS or heard.silence_ms > SILENT_SHARE * heard.length_ms:
            yield SoundWarning.LONG_SILENCE

    def _result_lufs(self, result: Measurement) -> float:
        loudness = result.loudness_lufs
        return loudness if loudness is not None else self._heard_lufs + self._gain

    @property
    def _heard_lufs(self) -> float:
        """Loudness of the upload; what is shorter than a meter's 400 ms goes by its level."""
        loudness = self._heard.loudness_lufs
        return loudness if loudness is not None else self._heard.audible_dbfs

    @property
    def _thorough(self) -> bool:
        return self._heard.samples <= THOROUGH_UP_TO_S * RATE

    @property
    def _ceiling(self) -> float:
        return CEILING_THOROUGH_DBFS if self._thorough else CEILING_FAST_DBFS

    @property
    def _filters(self) -> str:
        return f"{self._mono},{chain(self._gain, self._ceiling if self._limiting else None)}"

    def _needed_gain(self) -> float:
        """The gain that gives the target behind the limiter, which eats a part of what is added."""
        most = self._settings.max_gain_db
        wanted = self._settings.loudness_lufs + self._correction - self._heard_lufs
        gain = min(wanted, most)
        if self._heard.peak_dbfs + gain > self._ceiling:
            wanted += HEADROOM_LU
        for _ in range(50):  # settles to a hundredth long before
            loss = LIMITER_LOSS * self._heard.levels.clipping_loss_db(gain, self._ceiling)
            gain = min((gain + wanted + loss) / 2, most)
        return gain

    def _trimmed(self, result: Measurement, target: IO[bytes]) -> Measurement:
        """Turn the file down by its header until no peak stands out; Opus adds 1 to 2 dB to limited speech."""
        peak = result.true_peak_dbtp
        over = PEAK_ROUNDING + (peak if peak is not None else -100.0) - self._settings.true_peak_dbtp
        if peak is None or over <= 0:
            return result
        target.seek(0)
        page = trim(target.read(HEAD_BYTES), -over)
        target.seek(0)
        target.write(page)
        loudness = result.loudness_lufs
        return replace(result, true_peak_dbtp=peak - over, loudness_lufs=None if loudness is None else loudness - over)

    async def _encode_once(self, target: IO[bytes]) -> None:
        def take(piece: bytes) -> None:
            target.write(piece)
            self._report(0.35 + 0.45 * self._read_share())

        await self._transcode(take, self._filters)

    async def _transcode(self, sink: Callable[[bytes], object], filters: str) -> None:
        self._rewind()
        kbits = self._settings.kbits
        allowed = self._heard.samples * kbits // RATE * 250 + _tools.MIB  # twice the nominal size
        limits = replace(self._limits, output_bytes=allowed)
        await transcode(
            self._file, self._decoding, sink, filters=filters, kbits=kbits, thorough=self._thorough, limits=limits
        )

    async def _verify(self, target: IO[bytes]) -> Measurement:
        target.flush()
        target.seek(0)
        return await measure(
            target,
            CANONICAL,
            limits=self._limits,
            max_samples=self._max_samples + RATE,
            verify=True,
            on_samples=lambda n: self._report(0.8 + 0.19 * min(1.0, n / max(1, self._heard.samples))),
        )

    @property
    def _decoding(self) -> Decoding:
        return decoding(self._source.container, seekable=self._source.seekable)

    def _rewind(self) -> None:
        os.lseek(self._file.fileno(), self._source.start, os.SEEK_SET)

    def _read_share(self) -> float:
        """How far the decoder has read: it shares our file's position."""
        return os.lseek(self._file.fileno(), 0, os.SEEK_CUR) / max(1, self._source.size)


def judge(source: Source, heard: Measurement) -> None:
    """Compare what was decoded with what was claimed.

    Raises:
        Rejected: truncated, lying header, corrupt, no sound.
    """
    decoded_s, claimed_s = heard.samples / RATE, (source.claimed_ms or 0) / 1000
    if claimed_s > INVENTED * decoded_s + 1:
        message = f"the header claims {claimed_s:.1f} s, the file holds {decoded_s:.1f} s"
        raise Rejected(Reason.LYING_HEADER, message, found=decoded_s, limit=claimed_s)
    if source.ends_early or claimed_s - decoded_s > CLAIM_SLACK_S + CLAIM_SLACK_SHARE * claimed_s:
        message = f"the file ends before its sound: {decoded_s:.1f} s of {max(claimed_s, decoded_s):.1f} s are there"
        raise Rejected(Reason.TRUNCATED, message, found=decoded_s, limit=claimed_s or None)
    forgiven = ERRORS_FORGIVEN + ERRORS_PER_S * decoded_s
    if heard.errors > forgiven or heard.samples == 0:
        message = f"the file is damaged: the decoder complained {heard.errors} times in {decoded_s:.1f} s"
        raise Rejected(Reason.CORRUPT, message, found=heard.errors, limit=forgiven)
    if heard.audible_dbfs < AUDIBLE_DBFS:
        message = f"nothing can be heard: the loudest second has {heard.audible_dbfs:.0f} dBFS"
        raise Rejected(Reason.NO_SOUND, message, found=heard.audible_dbfs, limit=AUDIBLE_DBFS)


def _rising(on_progress: Progress | None) -> Progress:
    """Let only growing shares through: a second encoding does not set the bar back."""
    reached = -1.0

    def report(share: float) -> None:
        nonlocal reached
        if on_progress is not None and share > reached:
            reached = share
            on_progress(share)

    return report


@contextlib.contextmanager
def _temporary(folder: Path) -> Iterator[IO[bytes]]:
    """A file that is gone at the end of the block unless it was renamed."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".", suffix=".part", delete=False) as file:
        try:
            yield file
        finally:
            Path(file.name).unlink(missing_ok=True)


def _settle(file: IO[bytes]) -> tuple[str, int]:
    """Hash what is on disk and make it stay there."""
    file.flush()
    os.fchmod(file.fileno(), 0o644)
    os.fsync(file.fileno())
    with Path(file.name).open("rb") as written:
        digest = hashlib.file_digest(written, "sha256").hexdigest()
        return digest, os.fstat(written.fileno()).st_size


def _publish(temporary: Path, path: Path) -> None:
    """Give the file its name, and make the name stay after a power cut."""
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
