"""A programme as nodes get it: offsets, gaps, pauses, and every language in its turn."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.programmes.layout import LONGEST_MS, LaidOut, NotAirableError, Part, Spoken, lay_out_parts
from edge_agent.protocol.content import content_hash

VI: tuple[str, ...] = ("vi",)


def spoken(language: str = "vi", length_ms: int = 10_000, number: int = 0) -> Spoken:
    return Spoken(f"r{number}-{language}", language, f"{number:02x}" * 32, length_ms * 4, length_ms)


def tune(length_ms: int = 5_000) -> Part:
    return Part(0, "Nhạc hiệu", (spoken(length_ms=length_ms),))


def pause(pause_ms: int) -> Part:
    return Part(0, pause_ms=pause_ms)


def bulletin(*lengths: tuple[str, int], position: int = 0) -> Part:
    voices = tuple(spoken(language, length_ms, position) for language, length_ms in lengths)
    return Part(position, f"Bản tin {position}", voices, bulletin_id=f"b{position}", bulletin_version=1)


def offsets(laid_out: LaidOut) -> list[int]:
    return [item.offset_ms for item in laid_out.items]


def heard(laid_out: LaidOut, languages: tuple[str, ...]) -> list[str]:
    """What a node of these languages plays, in order."""
    voices = (item.voice_for(languages) for item in laid_out.items)
    return [voice.language for voice in voices if voice is not None]


def test_parts_stand_end_to_end_with_the_gap_between_and_none_at_the_ends() -> None:
    found = lay_out_parts([tune(5_000), tune(7_000), tune(2_000)], [VI], gap_ms=500)
    assert offsets(found) == [0, 5_500, 13_000]
    assert (found.length_ms, found.session_ms) == (15_000, 15_000)


def test_a_pause_stands_in_place_of_the_gap() -> None:
    found = lay_out_parts([tune(5_000), pause(3_000), pause(1_000), tune(5_000)], [VI], gap_ms=500)
    assert offsets(found) == [0, 9_000]


def test_silence_before_the_first_item_moves_the_start_because_the_wire_begins_with_sound() -> None:
    found = lay_out_parts([pause(2_000), tune(5_000), pause(4_000)], [VI], gap_ms=500, lead_in_ms=3_000)
    assert offsets(found) == [0]
    assert (found.lead_in_ms, found.length_ms, found.tail_ms, found.session_ms) == (5_000, 5_000, 4_000, 14_000)


def test_gain_is_said_for_every_voice_of_an_item() -> None:
    part = Part(0, "Bản tin", (spoken("vi"), spoken("hmn")), gain_mb=-300, bulletin_id="b")
    found = lay_out_parts([part], [("vi", "hmn")])
    assert {voice.gain_mb for item in found.items for voice in item.voices} == {-300}


def test_a_bulletin_in_two_languages_is_heard_in_the_order_in_which_each_area_asks() -> None:
    parts = [tune(), bulletin(("vi", 10_000), ("hmn", 14_000)), tune()]
    found = lay_out_parts(parts, [("hmn", "vi"), ("vi", "hmn"), ("vi",), ("tyz",)], gap_ms=1_000)
    assert [item.choice for item in found.items] == [0, 0, 1, 0]
    assert offsets(found) == [0, 6_000, 21_000, 36_000]  # a slot is as long as its longest voice
    assert heard(found, ("hmn", "vi")) == ["vi", "hmn", "vi", "vi"]
    assert heard(found, ("vi", "hmn")) == ["vi", "vi", "hmn", "vi"]
    assert heard(found, ("vi",)) == ["vi", "vi", "vi"]
    assert heard(found, ("tyz",)) == ["vi", "vi", "vi"]  # the first voice, once


def test_a_language_that_nobody_asks_for_is_left_out() -> None:
    found = lay_out_parts([bulletin(("vi", 10_000), ("hmn", 60_000))], [VI])
    assert [[voice.language for voice in item.voices] for item in found.items] == [["vi"]]
    assert found.recordings == ("r0-vi",)
    assert found.length_ms == 10_000


def test_a_first_voice_that_nobody_asks_for_stays_where_an_area_knows_none() -> None:
    found = lay_out_parts([bulletin(("vi", 10_000), ("hmn", 9_000))], [("hmn",), ("tyz",)])
    assert heard(found, ("hmn",)) == ["hmn"]
    assert heard(found, ("tyz",)) == ["vi"]


def test_languages_that_are_asked_for_and_not_there_are_told_of_bulletins_only() -> None:
    found = lay_out_parts([tune(), bulletin(("vi", 1_000), position=1)], [("vi", "hmn"), ("tyz",)])
    assert [(each.position, each.title, each.language) for each in found.missing] == [
        (1, "Bản tin 1", "hmn"),
        (1, "Bản tin 1", "tyz"),
    ]


def test_the_content_hash_is_that_of_the_wire_and_changes_with_gain_gap_and_order() -> None:
    one, two = bulletin(("vi", 1_000), position=1), bulletin(("vi", 2_000), position=2)
    found = lay_out_parts([one, two], [VI])
    assert found.content_sha256 == content_hash(found.items)
    others = [
        lay_out_parts([two, one], [VI]),
        lay_out_parts([one, two], [VI], gap_ms=1),
        lay_out_parts([Part(1, one.title, one.voices, gain_mb=1), two], [VI]),
        lay_out_parts([one], [VI]),
    ]
    assert len({found.content_sha256, *(each.content_sha256 for each in others)}) == 5
    assert lay_out_parts([one, two], [VI], lead_in_ms=9).content_sha256 == found.content_sha256  # only starts later


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ([], "empty"),
        ([pause(1_000)], "empty"),
        ([tune(3 * 3_600_000)] * 5, "too_long"),
        ([tune(10)] * 501, "too_long"),
    ],
)
def test_what_is_silent_or_endless_is_refused(parts: list[Part], problem: str) -> None:
    with pytest.raises(NotAirableError) as refused:
        lay_out_parts(parts, [VI])
    assert refused.value.fields["problem"] == problem


TONGUES = ("vi", "hmn", "tyz", "km")
ORDERS = st.lists(st.permutations(TONGUES).flatmap(lambda all_: st.integers(1, 4).map(lambda n: tuple(all_[:n]))))


@st.composite
def parts(draw: st.DrawFn) -> Part:
    if draw(st.booleans()):
        return pause(draw(st.integers(1, 60_000)))
    tongues = draw(st.lists(st.sampled_from(TONGUES), min_size=1, unique=True))
    return bulletin(*((tongue, draw(st.integers(1, 100_000))) for tongue in tongues))


@given(st.lists(parts(), max_size=12), ORDERS, st.integers(0, 5_000), st.integers(0, 5_000))
def test_whatever_is_laid_out_fits_the_wire_and_everybody_hears_each_bulletin_in_each_language_they_ask_for(
    given_parts: list[Part], orders: list[tuple[str, ...]], gap_ms: int, lead_in_ms: int
) -> None:
    sounding = [part for part in given_parts if part.voices]
    if not sounding:
        with pytest.raises(NotAirableError):
            lay_out_parts(given_parts, orders, gap_ms=gap_ms, lead_in_ms=lead_in_ms)
        return
    found = lay_out_parts(given_parts, orders, gap_ms=gap_ms, lead_in_ms=lead_in_ms)
    items = found.items
    assert items[0].offset_ms == 0
    for before, after in itertools.pairwise(items):
        assert after.offset_ms >= before.offset_ms + before.slot_ms
    silence = sum(part.pause_ms for part in given_parts)
    assert found.session_ms >= found.lead_in_ms + sum(item.slot_ms for item in items) + found.tail_ms
    assert found.session_ms <= lead_in_ms + silence + sum(item.slot_ms for item in items) + gap_ms * (len(items) - 1)
    assert found.session_ms <= LONGEST_MS
    for order in orders:
        expected = []
        for part in sounding:
            spoken_there = [voice.language for voice in part.voices]
            expected += [tongue for tongue in order if tongue in spoken_there] or spoken_there[:1]
        assert heard(found, order) == expected
