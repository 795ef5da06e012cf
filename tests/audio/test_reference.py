"""A dead horn of two is told from noise, in streets that are made up; a hundred of them in the benchmarks."""

import numpy as np

from audio.hearing import listen
from audio.reference import Change, compare, measure
from tests.rooms import ECHO_ROOM, change_of, noise, rms, street, talk, widened


def test_a_dead_horn_of_two_is_found_within_one_session() -> None:
    found = [change_of(seed, dead=seed % 2) for seed in range(900, 905)]
    assert sum(one in {Change.WEAKER, Change.DIFFERENT} for one in found) >= 4


def test_a_street_on_another_day_is_the_same() -> None:
    assert [change_of(seed, dead=None) for seed in range(900, 904)].count(Change.SAME) >= 3


def test_noise_does_not_change_a_place_and_the_level_of_what_was_sent_does_not() -> None:
    random = np.random.default_rng(4)
    place, sent = street(random), talk(random, 5.0)
    sent *= 0.05 / rms(sent)

    def transfer(gain: float, snr_db: float):  # type: ignore[no-untyped-def]  # inferred
        captured = place.hear(gain * sent, noise(random, len(sent) + ECHO_ROOM), snr_db=snr_db)
        x, y = widened(gain * sent), widened(captured)
        return measure(x, y, listen(x, y).delay_ms)

    quiet, noisy, loud = transfer(1, 30), transfer(1, 3), transfer(3, 30)
    assert compare(quiet, noisy).change is Change.SAME
    assert abs(compare(quiet, loud).level_db) < 0.5


def test_pieces_add_up_and_are_like_themselves() -> None:
    random = np.random.default_rng(5)
    place, sent = street(random), talk(random, 5.0)
    sent *= 0.1 / rms(sent)
    x, y = widened(sent), widened(place.hear(sent, noise(random, len(sent) + ECHO_ROOM), snr_db=20))
    way = measure(x, y, listen(x, y).delay_ms)
    found = compare(way, way + way)
    assert found.change is Change.SAME
    assert max(abs(found.level_db), found.colour_db, found.moved) < 1e-6
