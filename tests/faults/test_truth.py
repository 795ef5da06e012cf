"""The listener: it must name what sounded, however it was cut, and must not be talked into a name."""

from datetime import UTC, datetime, timedelta

import numpy as np

from tests.faults.truth import RATE, Instants, Recording, Stretch, pool, sounded, stretches_of

T0 = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)


def heard(pcm: bytes) -> list[tuple[str | None, int, int, bool]]:
    """Name what a piece of sound is: which of the pool, from and to which millisecond, whole or not."""
    names: dict[str | None, str | None] = {one.voice.sha256: one.name for one in pool()}
    found = sounded("node-1", [Stretch(T0, bytearray(pcm))], pool())
    ms = timedelta(milliseconds=1)
    return [
        (names.get(one.recording), round((one.begun_at - T0) / ms), round((one.ended_at - T0) / ms), one.whole)
        for one in found
    ]


def silence(ms: int) -> bytes:
    return bytes(ms * RATE // 1000 * 2)


def pcm(one: Recording) -> bytes:
    return one.samples.tobytes()


def test_two_recordings_back_to_back_are_two() -> None:
    first, second = pool()[0], pool()[1]
    assert heard(silence(5) + pcm(first) + pcm(second)) == [("r00", 5, 205, True), ("r01", 205, 505, True)]


def test_a_cut_with_its_fade_is_a_part_and_nothing_unknown() -> None:
    samples = pool()[5].samples[: RATE * 400 // 1000].astype(float)
    samples[-RATE * 100 // 1000 :] *= np.linspace(1, 0, RATE * 100 // 1000)
    [(name, begin, end, whole)] = heard(samples.astype(np.int16).tobytes())
    assert (name, begin, whole) == ("r05", 0, False)
    assert 290 <= end <= 320


def test_what_fades_from_its_first_sample_on_is_named() -> None:
    samples = pool()[5].samples[: RATE // 4] * np.linspace(0.9, 0, RATE // 4)
    assert [(name, whole) for name, _, _, whole in heard(samples.astype(np.int16).tobytes())] == [("r05", False)]


def test_one_that_is_cut_by_another_is_told_apart() -> None:
    first, second = pool()[5], pool()[0]
    assert heard(pcm(first)[: RATE // 10 * 2] + pcm(second)) == [("r00", 100, 300, True), ("r05", 0, 100, False)][::-1]


def test_what_is_no_recording_has_no_name() -> None:
    noise = np.random.default_rng(1).integers(-3000, 3000, RATE // 10).astype(np.int16)
    assert [name for name, *_ in heard(noise.tobytes())] == [None]
    assert [name for name, *_ in heard(pcm(pool()[0]) + noise.tobytes())] == ["r00", None]


def test_a_hole_of_one_part_in_fifty_is_not_whole() -> None:
    samples = pool()[5].samples.copy()
    samples[RATE // 10 : RATE // 10 + len(samples) // 50] = 0
    [(_, _, end, whole)] = heard(samples.tobytes())
    assert (end, whole) == (700, False)


def test_what_goes_on_after_a_hole_is_the_same_sound_and_not_whole() -> None:
    one = pool()[7]
    samples = one.samples
    cut = samples[: RATE * 3 // 10].tobytes() + silence(100) + samples[RATE * 4 // 10 :].tobytes()
    found = sounded("node-1", stretches_of(silence(1000) + cut, Instants([(0, T0)])), pool())
    assert [(sound.recording, sound.whole) for sound in found] == [(one.voice.sha256, False)]
    assert found[0].ended_at - found[0].begun_at > timedelta(milliseconds=890)


def test_a_later_part_alone_is_named_and_not_joined_to_one_long_ago() -> None:
    one = pool()[7]
    record = pcm(one)[: RATE // 5 * 2] + silence(9000) + one.samples[RATE * 4 // 10 :].tobytes()
    found = sounded("node-1", stretches_of(record, Instants([(0, T0)])), pool())
    assert [sound.recording for sound in found] == [one.voice.sha256] * 2


def test_a_long_record_is_cut_at_its_silences_and_dated_by_its_marks() -> None:
    first, second = pool()[0], pool()[1]
    record = silence(1000) + pcm(first) + silence(2000) + pcm(second) + silence(100)
    later_at = T0 + timedelta(hours=1)
    marks = Instants([(0, T0), (2 * RATE, later_at)])
    begun = [one.begun_at for one in sounded("node-1", stretches_of(record, marks), pool())]
    assert begun == [T0 + timedelta(seconds=1), later_at + timedelta(seconds=1.2)]
