"""Bundles on their way to nodes: never so many, nor so fast, that what is due to sound comes late beside them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from controller.errors import BusyError

AT_ONCE = 20
"""Nodes that fetch bundles; others come back. Each gets a piece every 0.3 s; a node waits 20 s for one."""
FOR_ONE = 2
"""For one node: the fetch that broke off may not be noticed yet."""
BYTES_PER_S = 4_000_000
"""Of all bundles together: a third of a line of 100 Mbit/s. 2,000 nodes with 26 MB each take less than four hours."""
PIECE = 64 * 1024


class Traffic:
    """Shares one rate among all who fetch a bundle, piece by piece in turn."""

    def __init__(self, *, bytes_per_s: int = BYTES_PER_S, at_once: int = AT_ONCE) -> None:
        self._bytes_per_s, self._at_once = bytes_per_s, at_once
        self._under_way = Counter[str]()
        self._free_at = 0.0

    @contextmanager
    def one_more(self, node_id: str) -> Iterator[None]:
        """Count a node in for the length of the block.

        Raises:
            BusyError: enough fetch already, or this node does.
        """
        if self._under_way.total() >= self._at_once or self._under_way[node_id] >= FOR_ONE:
            raise BusyError(f"{self._under_way.total()} fetch bundles, you {self._under_way[node_id]}; come back")
        self._under_way[node_id] += 1
        try:
            yield
        finally:
            self._under_way[node_id] -= 1
            self._under_way += Counter()  # forgets who has none

    async def pieces(self, path: Path, begin: int, end: int) -> AsyncIterator[bytes]:
        """Give the bytes from ``begin`` up to ``end``, which is not among them."""
        file = await asyncio.to_thread(_opened, path, begin)
        try:
            while begin < end:
                piece = await asyncio.to_thread(file.read, min(PIECE, end - begin))
                if not piece:
                    return
                begin += len(piece)
                await self._turn(len(piece))
                yield piece
        finally:
            file.close()

    async def _turn(self, size: int) -> None:
        now = asyncio.get_running_loop().time()
        begins = max(now, self._free_at)
        self._free_at = begins + size / self._bytes_per_s
        await asyncio.sleep(begins - now)


def _opened(path: Path, at: int) -> BinaryIO:
    file = path.open("rb")
    file.seek(at)
    return file
