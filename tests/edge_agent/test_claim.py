"""A claim code reaches the person at the node: drawn, and said aloud through the node's own output."""

import asyncio
import io
import re
import wave
from pathlib import Path

import msgspec
import numpy as np
import pytest

from audio.decode import RATE, pcm_of
from audio.errors import CorruptAudioError, ToolMissingError
from audio.speech import speak
from audio.tune import signature
from edge_agent import claim, pieces
from edge_agent.config import Options, StateDir
from edge_agent.enroll import PATH, enroll
from edge_agent.errors import EnrolmentError
from edge_agent.protocol.enrolment import EnrolmentStatus, EnrolmentTicket
from tests.e2e.beside import plays
from tests.edge_agent.centre import Centre

PAGE = "https://loa.example.vn/nodes"


def test_the_picture_leads_to_the_page_of_adoption_with_the_code_in_the_fragment() -> None:
    assert claim.link(PAGE, "ABCD-2345") == f"{PAGE}#code=ABCD-2345"
    assert claim.link(None, "ABCD-2345") == "ABCD-2345"


def test_it_is_drawn_for_the_terminal_and_kept_for_a_screen_until_the_node_is_adopted(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    drawn = claim.picture(claim.link(PAGE, "ABCD-2345"))
    assert {len(line) for line in drawn.splitlines() if line} != {0}
    assert set(drawn) <= {"█", "▀", "▄", " ", "\n"}
    claim.keep_pictures(state, claim.link(PAGE, "ABCD-2345"))
    assert state.claim_png.read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in state.claim_svg.read_bytes()
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    claim.forget_pictures(state)
    assert list(tmp_path.iterdir()) == []


def test_every_sign_is_said_by_itself_and_twice() -> None:
    words = pieces.spelled("Mã kích hoạt", "ABCD-2345")
    assert re.findall(r"\b[A-D2-5]\b", words) == list("ABCD2345ABCD2345")


async def test_speech_of_our_own_becomes_what_an_output_takes() -> None:
    wav = await speak("Một hai ba bốn năm")
    with wave.open(io.BytesIO(wav)) as reader:
        seconds = reader.getnframes() / reader.getframerate()
    pcm = pcm_of(wav)
    assert len(pcm) / 2 / RATE == pytest.approx(seconds, abs=0.01)
    assert np.abs(np.frombuffer(pcm, "<i2")).max() > 1000
    assert len(pcm_of(signature())) % 2 == 0
    with pytest.raises(CorruptAudioError):
        pcm_of(b"no sound")


@plays
async def test_the_code_sounds_from_the_output(folder: Path) -> None:
    options = Options(state=StateDir(folder), output="virtual")
    assert await claim.say(options, "A. B. 2.")
    heard = np.frombuffer(options.state.wav.read_bytes()[44:], "<i2")
    expected = np.frombuffer(pcm_of(await speak("A. B. 2.", words_per_minute=pieces.WORDS_PER_MINUTE)), "<i2")
    begin = int(np.flatnonzero(heard)[0]) - int(np.flatnonzero(expected)[0])
    assert np.array_equal(heard[begin : begin + len(expected)], expected)


async def test_without_espeak_the_node_waits_for_its_person_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def missing(*_: object, **__: object) -> bytes:
        raise ToolMissingError("espeak-ng")

    monkeypatch.setattr(claim, "speak", missing)
    assert not await claim.say(Options(state=StateDir(tmp_path), output="virtual"), "A. B. 2.")


async def test_who_enrols_is_told_the_code_once_the_centre_knows_it(tmp_path: Path) -> None:
    """And what is still being said ends with the waiting."""
    told: list[tuple[str, str | None]] = []
    ended = asyncio.Event()

    async def tell(code: str, adopt_url: str | None) -> None:
        told.append((code, adopt_url))
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with Centre(tmp_path / "centre") as centre:
        pages = centre.files.shelves.pages
        ticket = EnrolmentTicket(enrolment_id="e-1", poll_ms=100, adopt_url=PAGE)
        pages["POST", PATH] = lambda _: (201, msgspec.json.encode(ticket))
        pages["GET", f"{PATH}/e-1"] = lambda _: (
            200,
            msgspec.json.encode(EnrolmentStatus(state="expired" if told else "waiting")),
        )
        (tmp_path / "node").mkdir()
        with pytest.raises(EnrolmentError, match="expired"):
            await enroll(
                Options(state=StateDir(tmp_path / "node"), output="virtual"),
                server=centre.files.url,
                ca_sha256=centre.authority.sha256,
                timeout_s=60,
                show=lambda _: None,
                code="ABCD-2345",
                on_code=tell,
            )
    assert told == [("ABCD-2345", PAGE)]
    assert ended.is_set()
