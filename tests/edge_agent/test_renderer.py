"""Where samples lie: starts, neighbours, cuts, late decoders. Frames are asked for by hand."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

import pytest

from edge_agent import portaudio
from edge_agent.clock import NS, utc_ns
from edge_agent.evidence import RATE
from edge_agent.feed import Feed, SpoiledError
from edge_agent.outputs import virtual
from edge_agent.protocol.content import Voice
from edge_agent.protocol.timeline import Sound
from edge_agent.renderer import FADE_FRAMES, Cue, End, Renderer
from tests.edge_agent.fakes import NOON

FULL = 1000


class Stand:
    """A renderer at noon, with UTC and the monotonic clock one constant apart."""

    def __init__(self) -> None:
        self.now_ns = 5 * NS
        self.apart_ns = utc_ns(NOON) - self.now_ns
        self.begun: list[Cue] = []
        self.ended: list[Cue] = []
        self.renderer = Renderer(
            utc_minus_monotonic_ns=lambda: self.apart_ns,
            monotonic_ns=lambda: self.now_ns,
            on_started=self.begun.append,
            on_ended=self.ended.append,
        )

    def arm(self, at_ms: float, blocks: list[bytes], *, primed: bool = True) -> Cue:
        cue = Cue(sound(at_ms), feed_of(iter(blocks)))
        cue.feed.start()
        if primed:
            cue.feed.join(20)
        self.renderer.arm(cue)
        return cue

    def render(self, frames: int) -> list[int]:
        buffer = bytearray(b"\x55" * frames * 2)
        self.renderer.render(memoryview(buffer), self.now_ns)
        self.now_ns += frames * NS // RATE
        return list(memoryview(buffer).cast("h"))


def sound(at_ms: float) -> Sound:
    begins_at = NOON + timedelta(milliseconds=at_ms)
    voice = Voice(language="vi", sha256="a" * 64, bytes=1, length_ms=1000)
    return Sound(
        broadcast_id="b-1", item=0, voice=voice, begins_at=begins_at, ends_at=begins_at + timedelta(1), gain_mb=0
    )


def feed_of(blocks: Iterator[bytes]) -> Feed:
    return Feed(lambda: blocks, name="test")


def tone(frames: int, level: int = FULL) -> bytes:
    return level.to_bytes(2, "little", signed=True) * frames


@pytest.fixture
def stand() -> Stand:
    return Stand()


def test_without_a_cue_all_is_zero(stand: Stand) -> None:
    assert not any(stand.render(4800))


@pytest.mark.parametrize("at_ms", [0, 10, 10.0208, 33.4, 99.98])
@pytest.mark.parametrize("block", [64, 480, 960, 1200])
def test_the_first_sample_lies_at_its_instant_for_any_block_length(stand: Stand, at_ms: float, block: int) -> None:
    stand.arm(at_ms, [tone(1000)])
    heard = [sample for _ in range(12_000 // block) for sample in stand.render(block)]
    expected = round(at_ms * 48)
    assert abs(heard.index(FULL) - expected) <= 1
    assert heard.count(FULL) == 1000
    assert sum(1 for sample in heard if sample) == 1000


def test_the_natural_end_is_not_faded(stand: Stand) -> None:
    stand.arm(0, [tone(500)])
    heard = stand.render(960)
    assert heard[499] == FULL
    assert heard[500:] == [0] * 460
    assert stand.ended[0].end is End.WHOLE


def test_neighbours_touch_even_when_the_first_is_longer_than_was_thought(stand: Stand) -> None:
    stand.arm(0, [tone(1000, 1)])
    stand.arm(10, [tone(1000, 2)])
    heard = stand.render(2400)
    assert heard[:2000] == [1] * 1000 + [2] * 1000
    assert [cue.end for cue in stand.ended] == [End.WHOLE, End.WHOLE]


def test_a_cut_at_once_fades_in_5_ms_and_is_then_silent(stand: Stand) -> None:
    stand.arm(0, [tone(48_000)])
    stand.render(960)
    stand.renderer.cut()
    heard = stand.render(960)
    assert heard[0] == FULL
    assert heard[: FADE_FRAMES + 1] == sorted(heard[: FADE_FRAMES + 1], reverse=True)
    assert heard[FADE_FRAMES:] == [0] * (960 - FADE_FRAMES)
    assert stand.ended[0].end is End.CUT
    assert stand.ended[0].frames == 960 + FADE_FRAMES


def test_a_cut_to_come_is_over_when_the_next_sound_begins(stand: Stand) -> None:
    stand.arm(0, [tone(48_000, 3)])
    stand.renderer.cut(NOON + timedelta(milliseconds=30))
    stand.arm(30, [tone(1000, 7)])
    heard = [sample for _ in range(5) for sample in stand.render(480)]
    assert heard[: 1440 - FADE_FRAMES] == [3] * (1440 - FADE_FRAMES)
    assert heard[1440:2400] == [7] * 960
    assert stand.ended[0].end is End.CUT


def played(stand: Stand, ms: int) -> list[int]:
    """Take so much sound, in blocks that fit neither milliseconds nor fades."""
    blocks, rest = divmod(ms * 48, 456)
    return [sample for frames in [*[456] * blocks, rest] for sample in stand.render(frames)]


@pytest.mark.parametrize("left_ms", [1000, 300, 120])
def test_what_gives_way_fades_over_300_ms_or_what_is_left_of_them(stand: Stand, left_ms: int) -> None:
    """It is over on the sample at which the next sound begins."""
    stand.arm(0, [tone(96_000, 10_000)])
    played(stand, 19)
    cut_ms = 19 + left_ms
    stand.renderer.cut(NOON + timedelta(milliseconds=cut_ms), gently=True)
    stand.arm(cut_ms, [tone(480, 7)])
    heard = played(stand, left_ms + 10)
    fade_ms = min(left_ms, 300)
    start, over = (left_ms - fade_ms) * 48, left_ms * 48
    assert heard[:start] == [10_000] * start
    assert heard[start:over] == sorted(heard[start:over], reverse=True)
    assert heard[(start + over) // 2] == pytest.approx(5000, abs=10)
    assert max(one - other for one, other in pairwise(heard[start:over])) <= 10_000 / (fade_ms * 48) + 1
    assert heard[over - 1] < 10
    assert heard[over : over + 480] == [7] * 480
    assert stand.ended[0].end is End.CUT


@pytest.mark.parametrize("after_ms", [0, 100, 297, 299])
def test_a_cut_at_once_does_not_wait_for_a_fade_that_is_under_way(stand: Stand, after_ms: int) -> None:
    """STOP comes while a bulletin gives way: silent within 5 ms, and not louder first."""
    stand.arm(0, [tone(96_000, 10_000)])
    stand.renderer.cut(NOON + timedelta(milliseconds=400), gently=True)
    level = played(stand, 100 + after_ms)[-1]
    late = stand.now_ns
    stand.renderer.cut()
    stand.renderer.cut(NOON + timedelta(milliseconds=400), gently=True)
    heard = stand.render(4800)
    assert heard[0] <= level
    assert heard[:FADE_FRAMES] == sorted(heard[:FADE_FRAMES], reverse=True)
    assert not any(heard[FADE_FRAMES:])
    assert [one.end for one in stand.ended] == [End.CUT]
    assert stand.ended[0].last_ns <= late + 5 * NS // 1000


def test_a_decoder_that_falls_behind_in_a_fade_does_not_hold_up_what_follows(stand: Stand) -> None:
    go = threading.Event()

    def stuttering() -> Iterator[bytes]:
        yield tone(4800)
        go.wait(20)
        yield tone(48_000)

    cue = Cue(sound(0), feed_of(stuttering()))
    cue.feed.start()
    assert cue.feed.primed.wait(20)
    stand.renderer.arm(cue)
    stand.renderer.cut(NOON + timedelta(milliseconds=400), gently=True)
    stand.arm(400, [tone(480, 7)])
    heard = played(stand, 300)
    go.set()
    heard += played(stand, 110)
    assert heard[400 * 48 :] == [7] * 480
    assert stand.ended[0].missing > 0


def test_what_an_output_holds_and_the_fade_of_a_cut_are_over_within_200_ms() -> None:
    """The figure for STOP at the node; the rest of it are a signature and a turn of the event loop."""
    assert virtual.AHEAD * virtual.BLOCK + FADE_FRAMES <= RATE * 180 // 1000
    assert portaudio.LATENCY_S * RATE + FADE_FRAMES <= RATE * 180 // 1000


def test_a_cut_before_the_start_leaves_no_sample(stand: Stand) -> None:
    stand.arm(50, [tone(1000)])
    stand.renderer.cut()
    assert not any(stand.render(4800))
    assert stand.begun == []
    assert stand.ended[0].end is End.CUT


def test_a_cut_to_come_keeps_what_begins_later(stand: Stand) -> None:
    stand.arm(50, [tone(480)])
    stand.renderer.cut(NOON + timedelta(milliseconds=50))
    assert stand.render(4800).count(FULL) == 480


def test_a_decoder_that_is_late_makes_a_late_beginning_with_its_head(stand: Stand) -> None:
    go = threading.Event()

    def slow() -> Iterator[bytes]:
        go.wait(20)
        yield tone(480, 9)

    cue = Cue(sound(0), feed_of(slow()))
    cue.feed.start()
    stand.renderer.arm(cue)
    assert not any(stand.render(480))
    go.set()
    cue.feed.join(20)
    assert stand.render(480) == [9] * 480
    assert cue.consumed(stand.now_ns).first_at == NOON + timedelta(milliseconds=10)
    assert cue.missing == 0


def test_a_decoder_that_falls_behind_is_counted_and_the_sound_stays_in_step(stand: Stand) -> None:
    go = threading.Event()

    def stuttering() -> Iterator[bytes]:
        yield tone(480, 1)
        go.wait(20)
        yield tone(480, 2)
        yield tone(480, 3)

    cue = Cue(sound(0), feed_of(stuttering()))
    cue.feed.start()
    assert cue.feed.primed.wait(20)
    stand.renderer.arm(cue)
    assert stand.render(480) == [1] * 480
    assert not any(stand.render(480))
    go.set()
    cue.feed.join(20)
    assert stand.render(480) == [3] * 480
    assert (cue.missing, cue.underruns, cue.frames) == (480, 1, 960)


def test_what_is_long_late_does_not_begin(stand: Stand) -> None:
    stand.now_ns += 2 * NS
    stand.arm(0, [tone(480)])
    assert not any(stand.render(480))
    assert stand.ended[0].end is End.LATE


def test_bytes_that_are_not_the_recording_make_no_sound(stand: Stand) -> None:
    def spoiled() -> Iterator[bytes]:
        yield from ()
        raise SpoiledError("changed")

    cue = Cue(sound(0), feed_of(spoiled()))
    cue.feed.start()
    cue.feed.join(20)
    stand.renderer.arm(cue)
    assert not any(stand.render(480))
    assert stand.ended[0].end is End.SPOILED


def test_when_the_output_goes_everything_ends(stand: Stand) -> None:
    stand.arm(0, [tone(48_000)])
    stand.arm(1000, [tone(480)])
    stand.render(480)
    stand.renderer.drop_all(End.LOST)
    assert [cue.end for cue in stand.ended] == [End.LOST, End.LOST]
    assert not any(stand.render(480))


def test_only_frames_that_have_left_the_output_are_counted(stand: Stand) -> None:
    cue = stand.arm(0, [tone(48_000)])
    begun_ns = stand.now_ns
    stand.render(4800)
    assert cue.frames == 4800
    assert cue.consumed(begun_ns + NS // 20).frames == 2400
    assert cue.consumed(begun_ns + NS).frames == 4800


def test_a_feed_holds_two_seconds_and_no_more() -> None:
    given = 0

    def endless() -> Iterator[bytes]:
        nonlocal given
        while True:
            given += 960
            yield tone(960)

    feed = feed_of(endless())
    feed.start()
    target = bytearray(96_000 * 2)
    with feed._room:
        assert feed._room.wait_for(lambda: feed._held >= 192_000, 20)
    assert feed.take_into(memoryview(target)) == 192_000
    feed.close()
    feed.join(20)
    assert given <= 5 * 48_000


def test_what_a_dry_device_swallowed_is_not_counted_as_played(stand: Stand) -> None:
    cue = stand.arm(0, [tone(4800, 1)])
    stand.render(960)
    stand.renderer.count_underrun(480)
    stand.render(960)
    consumed = cue.consumed(stand.now_ns)
    assert (consumed.frames, consumed.missing, consumed.underruns) == (1440, 480, 1)


def test_a_sound_is_not_seen_to_have_begun_before_it_is_known_when() -> None:
    """Health is put together in another thread: a report said for once that what sounds began in 1970."""
    seen: list[int] = []

    class Watched(Cue):
        def __setattr__(self, name: str, value: object) -> None:
            super().__setattr__(name, value)
            if name == "first_ns" and value is not None:
                seen.append(self.first_utc_ns)

    stand, cue = Stand(), Watched(sound(0), feed_of(iter([tone(480)])))
    cue.feed.start()
    cue.feed.join(20)
    stand.renderer.arm(cue)
    stand.render(480)
    assert seen == [utc_ns(NOON)]


def test_what_comes_last_while_the_output_takes_stands_behind_what_it_took(stand: Stand) -> None:
    """Between its taking all there was and its look whether there is more: a hole of some milliseconds was left."""
    ring = [tone(480)]

    class LateFeed(Feed):
        def __init__(self) -> None:
            super().__init__(lambda: iter(()), name="test")
            self._waits = True

        @property
        def empty(self) -> bool:
            return not ring

        def take_into(self, target: memoryview) -> int:
            if not ring:
                return 0
            given = ring.pop(0)[: len(target)]
            target[: len(given)] = given
            if self._waits:
                self._waits, self.ended = False, True
                ring.append(tone(240))
            return len(given)

    cue = Cue(sound(0), LateFeed())
    stand.renderer.arm(cue)
    heard = stand.render(960)
    assert heard == [FULL] * 720 + [0] * 240
    assert (cue.end, cue.frames, cue.missing) == (End.WHOLE, 720, 0)
