"""The agent's own last words: what is kept, what is left out, what outlives a restart, and that they go out last."""

import asyncio
import logging
import os
import random
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent import log_sending, logbook, tls
from edge_agent.config import StateDir, load_adoption, load_key
from edge_agent.log_sending import LogSender
from edge_agent.logbook import KEEP_BYTES, LEFT_OUT, LOOKED_AT, MAX_LINE, Logbook, scrubbed
from edge_agent.protocol.enrolment import new_claim_code
from edge_agent.protocol.logs import MAX_LOG_BYTES, MAX_PACKED_LOG_BYTES, log_path, pack_log, unpack_log
from edge_agent.protocol.signing import public_x
from tests.edge_agent.centre.centre import Centre

NODE = "node-1"


def say(book: Logbook, words: str, *args: object) -> None:
    book.handle(logging.LogRecord("edge_agent.test", logging.INFO, __file__, 1, words, args, None))


def test_what_was_logged_outlives_a_restart_and_says_what_ended_it(tmp_path: Path) -> None:
    book = Logbook(tmp_path / "log")
    say(book, "first")
    say(book, "%d words for %s", "no number")  # what cannot be put into words ends nothing
    book.end(RuntimeError("the card is gone"))
    kept = Logbook(tmp_path / "log").lines()
    assert kept[0].endswith("edge_agent.test: first")
    assert kept[-1].endswith("CRITICAL loa-agent: RuntimeError: the card is gone")


def test_memory_and_file_stay_bounded(tmp_path: Path) -> None:
    book = Logbook(tmp_path / "log")
    for number in range(6_000):
        say(book, f"{number} {'x' * 300}")
        if number % 500 == 0:
            book.write_down()
    assert sum(len(line) + 1 for line in book.lines()) <= KEEP_BYTES
    assert (tmp_path / "log").stat().st_size <= 4 * KEEP_BYTES
    assert " 5999 " in book.lines()[-1]


def test_a_card_that_refuses_takes_nothing_from_memory(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    book = Logbook(tmp_path / "log")
    say(book, "still here")
    book.write_down()
    assert book.lines()[-1].endswith("still here")


def test_what_could_open_something_is_left_out(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    pem = StateDir(tmp_path)  # a path is not a secret
    code, x = new_claim_code(), public_x(key.public_key())
    token = f"eyJhbGciOiJFZERTQSJ9.{x}.{x}{x}"
    said = (
        f"key -----BEGIN PRIVATE KEY-----\nMC4C\n-----END PRIVATE KEY----- code {code} x {x} token {token} at {pem.key}"
    )
    assert scrubbed(said) == (
        f"key {LEFT_OUT} code {LEFT_OUT} x {LEFT_OUT} token {LEFT_OUT} at {tmp_path / 'node.key'}"
    )
    assert scrubbed("-----BEGIN PRIVATE KEY-----\nMC4C") == LEFT_OUT
    broadcast, sha256 = "5f0c9f1e6f6a4e3e9a5b7f6c1d2e3f40", "a" * 64
    assert scrubbed(f"{broadcast} {sha256} 2026-03-09") == f"{broadcast} {sha256} 2026-03-09"
    assert scrubbed("x" * (MAX_LINE + 1)) == f"{'x' * MAX_LINE} {LEFT_OUT}"
    at_the_end = scrubbed(f"{'.' * (MAX_LINE - 20)}{x}")
    assert x[:20] not in at_the_end, "what the end of a line cuts has a shape too"
    assert at_the_end == f"{'.' * (MAX_LINE - 20)}{LEFT_OUT}"


def test_a_line_costs_no_more_the_longer_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever answers in the centre's place chooses what is logged of the answer."""
    looked_at = list[str]()

    class Looking:
        def sub(self, _: str, said: str) -> str:
            looked_at.append(said)
            return said

    monkeypatch.setattr(logbook, "_SECRETS", Looking())
    scrubbed("\n".join(["eyJ" * 20_000] * 3))
    assert [len(line) for line in looked_at[0].splitlines()] == [LOOKED_AT] * 3


def test_whatever_goes_wrong_while_it_is_put_into_words_ends_nobody_who_logs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Mute:
        def __str__(self) -> str:
            raise AttributeError("no words")

    monkeypatch.setattr(logging, "raiseExceptions", False)  # it would print them
    book = Logbook(tmp_path / "log")
    say(book, "%s", Mute())
    say(book, "after it")
    assert book.lines()[-1].endswith("after it")


def test_a_cut_while_the_file_is_begun_anew_leaves_the_one_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = Logbook(tmp_path / "log")
    (tmp_path / "log").write_bytes(b"of before\n" * (KEEP_BYTES // 4))
    say(book, "new")
    before = (tmp_path / "log").read_bytes()

    def cut(_: int) -> None:
        assert (tmp_path / "log").read_bytes() == before
        raise OSError("the power went")

    monkeypatch.setattr(os, "fsync", cut)
    book.write_down()
    assert (tmp_path / "log").read_bytes() == before


def test_the_last_lines_are_packed_as_many_as_may_go() -> None:
    lines = [f"{number} Xã Đông {'x' * 80}" for number in range(5000)]
    text = unpack_log(pack_log(lines))
    assert len(text.encode()) <= MAX_LOG_BYTES
    assert text.splitlines() == lines[-len(text.splitlines()) :]
    noise = random.Random(4)
    wild = ["".join(chr(noise.randrange(0x4E00, 0x9FFF)) for _ in range(200)) for _ in range(1000)]
    packed = pack_log(wild)
    assert len(packed) <= MAX_PACKED_LOG_BYTES
    assert unpack_log(packed).splitlines()[-1] == wild[-1]
    assert unpack_log(pack_log(())) == ""


@asynccontextmanager
async def sending(
    tmp_path: Path, answer: Callable[[bytes], tuple[int, bytes]], *, yields: Callable[[], bool] = lambda: False
) -> AsyncIterator[LogSender]:
    """A sender of one line, beside a centre that answers so."""
    async with Centre(tmp_path / "centre") as centre:
        centre.adopt(tmp_path / "node", NODE)
        centre.files.shelves.pages["POST", log_path(NODE, "c-1")] = answer
        state = StateDir(tmp_path / "node")
        book = Logbook(state.log)
        say(book, "words")
        sender = LogSender(
            book,
            node_id=NODE,
            media_url=load_adoption(state).media_url,
            tls=lambda: tls.context(state, check_dates=False, as_node=True),
            yields=yields,
        )
        assert load_key(state).public_key()
        running = asyncio.create_task(sender.run())
        try:
            yield sender
        finally:
            running.cancel()
            await asyncio.wait([running])


async def test_a_log_waits_until_nothing_urgent_wants_the_link(tmp_path: Path) -> None:
    urgent, looked = True, asyncio.Event()
    came: list[bytes] = []
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def answer(body: bytes) -> tuple[int, bytes]:
        came.append(body)
        loop.call_soon_threadsafe(done.set)
        return 204, b""

    def yields() -> bool:
        loop.call_soon_threadsafe(looked.set)
        return urgent

    async with sending(tmp_path, answer, yields=yields) as sender:
        sender.want("c-1")
        for _ in range(2):  # it has waited, and looked again
            looked.clear()
            await asyncio.wait_for(looked.wait(), 30)
        assert came == []
        urgent = False
        await asyncio.wait_for(done.wait(), 30)
    assert unpack_log(came[0]).endswith("words\n")


async def test_what_the_centre_does_not_answer_is_tried_again_and_what_it_refuses_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_sending, "TRIES_S", (0.0, 0.0, 0.0))
    answers, statuses = [503, 404, 204], list[int]()
    over = asyncio.Event()

    def answer(_: bytes) -> tuple[int, bytes]:
        statuses.append(answers[len(statuses)])
        return statuses[-1], b""

    async with sending(tmp_path, answer) as sender:
        send = sender._send

        async def whole(command_id: str) -> None:
            await send(command_id)
            over.set()

        monkeypatch.setattr(sender, "_send", whole)
        sender.want("c-1")
        await asyncio.wait_for(over.wait(), 30)
    assert statuses == [503, 404]


async def test_a_card_that_hangs_keeps_no_log_from_going_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loop, came, mended = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def answer(_: bytes) -> tuple[int, bytes]:
        loop.call_soon_threadsafe(came.set)
        return 204, b""

    monkeypatch.setattr(log_sending, "WRITE_DOWN_S", 0.0)
    monkeypatch.setattr(Logbook, "write_down", lambda _: mended.wait(30))
    async with sending(tmp_path, answer) as sender:
        for _ in range(2):
            came.clear()
            sender.want("c-1")
            await asyncio.wait_for(came.wait(), 30)
    mended.set()


async def test_a_log_that_waits_keeps_nothing_from_the_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loop, written = asyncio.get_running_loop(), asyncio.Event()
    monkeypatch.setattr(log_sending, "WRITE_DOWN_S", 0.01)
    monkeypatch.setattr(Logbook, "write_down", lambda _: loop.call_soon_threadsafe(written.set))
    waits = asyncio.Event()

    def yields() -> bool:
        loop.call_soon_threadsafe(waits.set)
        return True

    async with sending(tmp_path, lambda _: (204, b""), yields=yields) as sender:
        sender.want("c-1")
        await asyncio.wait_for(waits.wait(), 30)
        for _ in range(2):
            written.clear()
            await asyncio.wait_for(written.wait(), 30)


@pytest.mark.parametrize("why", ["a later one is wanted", "nobody waits for it any more"])
async def test_a_log_that_waits_ends_when_nobody_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    monkeypatch.setattr(log_sending, "AGAIN_S", 0.01)
    if why != "a later one is wanted":
        monkeypatch.setattr(log_sending, "GIVES_UP_S", 0.0)
    loop, waits, ended = asyncio.get_running_loop(), asyncio.Event(), asyncio.Queue[str]()

    def yields() -> bool:
        loop.call_soon_threadsafe(waits.set)
        return True

    async with sending(tmp_path, lambda _: (204, b""), yields=yields) as sender:
        send = sender._send

        async def whole(command_id: str) -> None:
            await send(command_id)
            ended.put_nowait(command_id)

        monkeypatch.setattr(sender, "_send", whole)
        sender.want("c-1")
        await asyncio.wait_for(waits.wait(), 30)
        if why == "a later one is wanted":
            sender.want("c-2")
        assert await asyncio.wait_for(ended.get(), 30) == "c-1"
