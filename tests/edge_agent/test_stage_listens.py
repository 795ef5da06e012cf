"""What a sensor says reaches the receipt, which waits for it; and what a node sounds of itself."""

import errno
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from audio.errors import ToolMissingError
from edge_agent import pieces
from edge_agent.evidence import UNSENSED, Sensation
from edge_agent.own import OwnSound, Piece
from edge_agent.protocol.documents import QuietHours
from edge_agent.protocol.reports import SelfTestReport
from edge_agent.protocol.states import Drill, Grade, Outcome
from edge_agent.renderer import Cue
from tests.edge_agent.fakes import Desk, until
from tests.edge_agent.hall import Hall, due

HEARD = Sensation(sensed="heard", grade=Grade.E3, simulated=False)


class HandEar:
    """Says what was heard when a test lets it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.attended: list[Cue] = []
        self.over_: list[Cue] = []
        desk.stage._ear = self

    def attend(self, cue: Cue) -> None:
        self.attended.append(cue)

    def over(self, cue: Cue) -> None:
        if cue in self.attended:
            self.over_.append(cue)

    def is_listening(self, cue: Cue) -> bool:
        return cue in self.attended

    def tell(self, sensation: Sensation = HEARD) -> None:
        cue = self.over_.pop(0)
        self.attended.remove(cue)
        self._desk.stage.take_sensation(cue, sensation)


@pytest.fixture
async def hall(tmp_path: Path) -> AsyncIterator[Hall]:
    desk = Desk(tmp_path)
    desk.settle()
    yield Hall(desk)
    desk.close()


def outcome(hall: Hall, name: str) -> Any:
    return next((one for one in hall.desk.events(name) if one.outcome is not None), None)


async def test_the_outcome_waits_for_the_ear_and_is_told_with_its_grade(hall: Hall) -> None:
    ear = HandEar(hall.desk)
    hall.desk.plan(due("b-1", 1000, hall.voice(1)))
    await hall.pass_ms(2500)
    assert len(ear.over_) == 1
    assert outcome(hall, "b-1") is None
    ear.tell()
    told = outcome(hall, "b-1")
    assert (told.outcome, told.grade) == (Outcome.PLAYED, Grade.E3)
    assert len([one for one in hall.desk.events("b-1") if one.outcome is not None]) == 1


async def test_an_ear_that_heard_nothing_takes_no_grade_away(hall: Hall) -> None:
    ear = HandEar(hall.desk)
    hall.desk.plan(due("b-1", 1000, hall.voice(1)))
    await hall.pass_ms(2500)
    ear.tell(Sensation(sensed="not_heard", grade=Grade.E3))
    assert (outcome(hall, "b-1").outcome, outcome(hall, "b-1").grade) == (Outcome.PLAYED, Grade.E1)


async def test_what_is_held_is_reported_at_once_whatever_the_ear_does(hall: Hall) -> None:
    ear = HandEar(hall.desk)
    hall.desk.plan(due("b-1", 1000, hall.voice(1, 3000)))
    await hall.pass_ms(2000)
    hall.desk.hold("h-1")
    await hall.pass_ms(500)
    assert outcome(hall, "b-1").outcome is Outcome.INTERRUPTED
    ear.tell()
    assert len([one for one in hall.desk.events("b-1") if one.outcome is not None]) == 1


async def test_a_silent_drill_is_not_listened_to(hall: Hall) -> None:
    ear = HandEar(hall.desk)
    hall.desk.plan(due("b-1", 1000, hall.voice(1), drill=Drill.SILENT))
    await hall.pass_ms(2500)
    assert ear.attended == []
    assert outcome(hall, "b-1").outcome is Outcome.PLAYED


def tone(
    hall: Hall, piece: Piece | None = None, *, near: bool = False, output: bool = True, listens: bool = True
) -> OwnSound:
    desk = hall.desk
    return OwnSound(
        piece or pieces.tone(),
        desk.clock,
        desk.store,
        desk.keeper,
        desk.stage,
        is_near=lambda _within: near,
        has_output=lambda: output,
        listens=listens,
    )


def told(test: OwnSound) -> tuple[str, str] | None:
    return None if test.last is None else (test.last.result, test.last.command_id)


async def tried(hall: Hall, test: OwnSound, pass_ms: int = 5600) -> SelfTestReport:
    test.begin("c-1")
    if test._work is not None:
        await test._work
        await hall.pass_ms(pass_ms)
    assert test.last is not None
    return test.last


async def test_the_tone_sounds_once_at_the_nodes_volume_and_is_heard(hall: Hall) -> None:
    ear = HandEar(hall.desk)
    hall.desk.settle(volume_mb=-600)
    test = tone(hall)
    test.begin("c-1")
    assert test._work is not None
    await test._work
    await hall.pass_ms(5600)
    assert told(test) is None  # the ear has not said yet
    ear.tell()
    assert told(test) == ("heard", "c-1")
    peak = max(abs(value) for value in memoryview(bytes(hall.output.pcm)).cast("h"))
    assert abs(peak - 32_767 * 10 ** ((-18 - 6) / 20)) < 5
    assert hall.desk.events() == []  # it is no broadcast
    again = tone(hall)
    assert again.last == test.last  # kept through a restart


@pytest.mark.parametrize(("settings", "near", "output", "reason"), [
    ({"quiet_hours": "11:00-13:00"}, False, True, "quiet_hours"),
    ({"windows": "17:00-18:00"}, False, True, "outside_window"),
    ({}, True, True, "busy"),
    ({}, False, False, "output_lost"),
])  # fmt: skip
async def test_the_tone_refuses_where_a_broadcast_would(
    hall: Hall,
    settings: dict[str, str],
    reason: str,
    *,
    near: bool,
    output: bool,
) -> None:
    hours = {name: (QuietHours(start=text[:5], until=text[6:]),) for name, text in settings.items()}
    hall.desk.settle(**hours)
    report = await tried(hall, tone(hall, near=near, output=output))
    assert (report.result, report.reason) == ("refused", reason)
    assert not any(hall.output.pcm)


async def test_a_held_node_and_one_with_a_wrong_clock_make_no_tone(hall: Hall) -> None:
    hall.desk.hold("h-1")
    assert (await tried(hall, tone(hall))).reason == "held"


async def test_a_broadcast_ends_the_tone_and_begins_in_time(hall: Hall) -> None:
    HandEar(hall.desk)
    voice = hall.voice(1)
    test = tone(hall)
    test.begin("c-1")
    assert test._work is not None
    await test._work
    await hall.pass_ms(1000)
    hall.desk.urgent(due("b-1", 2000, voice))
    await hall.pass_ms(2000)
    assert hall.starts(1) == [2000.0]
    await until(lambda: True)


async def test_what_nobody_listens_to_is_played_and_said_so(hall: Hall) -> None:
    assert (await tried(hall, tone(hall, listens=False))).result == "not_listened"
    assert UNSENSED.sensed == "unsure"


async def test_a_node_says_its_number_quietly_whatever_its_volume(hall: Hall) -> None:
    spoken = await pieces.number("n-1").make(0)
    length_ms = sum(map(len, spoken)) / 2 / 48
    assert 5_000 < length_ms < pieces.LONGEST.total_seconds() * 1000
    report = await tried(hall, tone(hall, pieces.number("n-1"), listens=False), round(length_ms) + 1500)
    assert report.result == "not_listened"
    said = memoryview(bytes(hall.output.pcm)).cast("h")
    aloud = memoryview(b"".join(spoken)).cast("h")
    assert max(map(abs, said)) == pytest.approx(max(map(abs, aloud)) * 10 ** (pieces.QUIET_MB / 2000), abs=2)
    assert hall.desk.events() == []


@pytest.mark.parametrize("why", [ToolMissingError("espeak-ng"), OSError(errno.ENOMEM, "Cannot allocate memory")])
async def test_a_number_that_cannot_be_said_is_told_so_and_keeps_nothing_from_the_next(
    hall: Hall, monkeypatch: pytest.MonkeyPatch, why: Exception
) -> None:
    async def missing(*_: object, **__: object) -> bytes:
        raise why

    number = tone(hall, pieces.number("n-1"), listens=False)
    with monkeypatch.context() as without:
        without.setattr("audio.speech.speak", missing)
        assert (await tried(hall, number)).result == "failed"
    assert not any(hall.output.pcm)
    number.begin("c-2")
    assert number._work is not None
    await number._work
    assert hall.desk.stage.is_busy


async def test_the_tone_and_the_number_never_sound_together(hall: Hall) -> None:
    desk = hall.desk
    first, second = (
        OwnSound(
            piece,
            desk.clock,
            desk.store,
            desk.keeper,
            desk.stage,
            is_near=lambda _: desk.stage.is_busy,
            has_output=lambda: True,
            listens=False,
        )
        for piece in (pieces.tone(), pieces.number("n-1"))
    )
    first.begin("c-1")
    second.begin("c-2")
    assert first._work is not None
    assert second._work is not None
    await first._work
    await second._work
    assert (told(first), told(second)) == (None, ("refused", "c-2"))
