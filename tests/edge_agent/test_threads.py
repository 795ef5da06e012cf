"""Work beside the event loop keeps nobody from ending, and says nothing behind the end."""

import asyncio
import ssl
import threading

import pytest

from edge_agent.asking import Asker
from edge_agent.threads import in_thread


def test_work_that_ends_after_its_loop_tells_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop may end between a look at it and the word to it."""
    may_end, threads, raised = threading.Event(), list[threading.Thread](), list[threading.Thread | None]()
    monkeypatch.setattr(threading, "excepthook", lambda args: raised.append(args.thread))

    def work() -> None:
        threads.append(threading.current_thread())
        may_end.wait(60)

    async def begin() -> None:
        task = asyncio.create_task(in_thread(work))
        while not threads:  # noqa: ASYNC110 - a thread tells nobody
            await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    loop = asyncio.new_event_loop()
    monkeypatch.setattr(loop, "is_closed", lambda: False)
    try:
        loop.run_until_complete(begin())
    finally:
        loop.close()
    may_end.set()
    threads[0].join(60)
    monkeypatch.undo()  # before the loop looks whether it was closed
    assert not threads[0].is_alive()
    assert threads[0] not in raised, "of others, from tests before, nothing is asked here"


def test_a_question_that_hangs_does_not_keep_the_process_from_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    """It did for 20 s, until the last resort ended the agent by force."""
    may_end, asked, answered = threading.Event(), threading.Event(), threading.Event()

    def hang(*_: object) -> bytes:
        asked.set()
        may_end.wait(30)
        answered.set()
        return b""

    async def ask() -> None:
        task = asyncio.create_task(Asker("127.0.0.1", ssl.create_default_context())("/", None, 200))
        while not asked.is_set():  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    monkeypatch.setattr(Asker, "_ask", hang)
    try:
        asyncio.run(ask())
        assert not answered.is_set()
    finally:
        may_end.set()
    assert answered.wait(30)
