"""How it comes to its end, whatever still hangs."""

import asyncio
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


async def end(works: Iterable[asyncio.Task[Any]], again_s: float) -> None:
    """Cancel until all are over.

    Once is not enough: a cancellation that comes together with a result, or with an error of the link, is lost
    (``asyncio.wait_for`` before Python 3.12, and whoever catches that error).
    """
    pending = {work for work in works if not work.done()}
    while pending:
        for work in pending:
            work.cancel()
        _, pending = await asyncio.wait(pending, timeout=again_s)


class Threads(ThreadPoolExecutor):
    """A thread for each work, that keeps nobody from ending: a server that answers no more may hold it for long."""

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        future: Future[_T] = Future()

        def run() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    result = fn(*args, **kwargs)
                except BaseException as wrong:  # noqa: BLE001 - handed to whoever waits
                    future.set_exception(wrong)
                else:
                    future.set_result(result)

        threading.Thread(target=run, name="work", daemon=True).start()
        return future
