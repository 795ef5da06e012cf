"""A card's account of when its frames leave wavers; the card does not."""

import random
from collections.abc import Callable

from edge_agent.evidence import RATE
from edge_agent.outputs.card import Stamps

BLOCK = 1200
NS_PER_BLOCK = 25_000_000
MS = 1_000_000


def accounts(seconds: float, said_off: Callable[[float], float], *, pace_ppm: float = 0.0) -> list[float]:
    """Let a card run; give by how many ms our account is off the truth, block by block.

    ``said_off``: by how many ms the card's own account is off at a time (seconds); ``pace_ppm``: its crystal.
    """
    stamps, off = Stamps(), []
    for block in range(round(seconds * RATE / BLOCK)):
        at_s = block * BLOCK / RATE
        true_ns = 5_000 * MS + round(block * NS_PER_BLOCK * (1 + pace_ppm * 1e-6))
        found_ns = stamps.steady(true_ns + round(said_off(at_s) * MS), BLOCK)
        off.append((found_ns - true_ns) / MS)
    return off


def at(off: list[float], seconds: float) -> float:
    return off[round(seconds * RATE / BLOCK)]


def test_a_waver_from_block_to_block_is_taken_out() -> None:
    noise = random.Random(1)
    off = accounts(20, lambda _: noise.gauss(0, 3))

    assert max(map(abs, off[40:])) <= 1.5
    assert max(map(abs, off[400:])) <= 0.8


def test_an_account_that_runs_away_for_seconds_does_not_set_neighbouring_sounds_apart() -> None:
    """As a sound server's does after it was opened: 2.6 ms a second were seen."""
    off = accounts(12, lambda at_s: -2.6 * min(at_s, 4))

    for start_s in (1.0, 2.0, 3.0, 4.0, 6.0):
        assert abs(at(off, start_s + 1.5) - at(off, start_s)) <= 0.8


def test_what_a_card_said_wrong_at_first_is_forgotten() -> None:
    off = accounts(60, lambda at_s: 6.0 * max(0.0, 1 - at_s / 5))

    assert abs(at(off, 50)) <= 0.2


def test_a_crystal_that_is_off_is_followed() -> None:
    for pace_ppm in (-80.0, 36.0, 100.0):
        off = accounts(120, lambda _: 0.0, pace_ppm=pace_ppm)

        assert max(map(abs, off[round(40 * RATE / BLOCK) :])) <= 0.2


def test_a_card_that_ran_dry_is_believed_within_three_blocks() -> None:
    off = accounts(20, lambda _: 0.0)
    assert max(map(abs, off)) == 0

    # From 10 s on, frames leave 100 ms later: the truth itself has jumped, and the account says so.
    jumped = accounts(20, lambda at_s: 100.0 if at_s >= 10 else 0.0)

    assert abs(at(jumped, 9.9)) <= 0.01
    assert [round(late) for late in jumped[400:403]] == [0, 0, 100]
    assert all(abs(late - 100) <= 0.01 for late in jumped[403:])
