"""A flood in a process of its own, as strangers and as somebody with an account: ``python -m … URL TOKEN``.

It ends with its SIGTERM. On standard output it says, line by line, how often it was answered how so far.
"""

import asyncio
import contextlib
import json
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import httpx

SLOW = 150
"""Connections that send a byte and then nothing."""
AT_ONCE = 12
"""Loops of each kind of flood that ask again as soon as they are answered."""
STREAMS = 60
TELLS_S = 0.2
PATIENCE_S = 120
"""A flood has time."""


class Flood:
    """Everything at once."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url, token
        self.answers: Counter[str] = Counter()
        """Kind and status → how often."""

    async def rise(self) -> None:
        """Flood until cancelled."""
        kinds: list[tuple[int, Callable[[httpx.AsyncClient], Awaitable[None]]]] = [
            (AT_ONCE, self._stranger),
            (AT_ONCE, self._account),
            (AT_ONCE // 2, self._upload),
            (2, self._guess),
            (SLOW, self._trickle),
            (STREAMS, self._stream),
        ]
        limits = httpx.Limits(max_connections=None)
        async with (
            httpx.AsyncClient(base_url=self._url, trust_env=False, timeout=PATIENCE_S, limits=limits) as client,
            asyncio.TaskGroup() as group,
        ):
            group.create_task(self._tell())
            for count, one in kinds:
                for _ in range(count):
                    group.create_task(self._again(one, client))

    async def _tell(self) -> None:
        while True:
            sys.stdout.write(f"{json.dumps(self.answers)}\n")
            sys.stdout.flush()
            await asyncio.sleep(TELLS_S)

    async def _again(self, one: Callable[[httpx.AsyncClient], Awaitable[None]], client: httpx.AsyncClient) -> None:
        while True:
            try:
                await one(client)
            except (httpx.HTTPError, OSError) as error:
                self.answers[type(error).__name__] += 1
            await asyncio.sleep(0)

    async def _asked(self, client: httpx.AsyncClient, kind: str, method: str, path: str, **given: Any) -> None:
        answer = await client.request(method, path, **given)
        self.answers[f"{kind} {answer.status_code}"] += 1

    @property
    def _mine(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"}

    async def _stranger(self, client: httpx.AsyncClient) -> None:
        await self._asked(client, "stranger", "GET", "/api/v1/areas")

    async def _account(self, client: httpx.AsyncClient) -> None:
        await self._asked(client, "account", "GET", "/api/v1/broadcasts", headers=self._mine)

    async def _upload(self, client: httpx.AsyncClient) -> None:
        body, title = b"\x00" * 1_000_000, {"title": "rác"}
        await self._asked(
            client, "upload", "POST", "/api/v1/recordings", params=title, content=body, headers=self._mine
        )

    async def _guess(self, client: httpx.AsyncClient) -> None:
        await self._asked(client, "guess", "POST", "/api/v1/sessions", json={"login": "lan", "password": "sai"})

    async def _trickle(self, _client: httpx.AsyncClient) -> None:
        address = urlsplit(self._url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        try:
            writer.write(b"POST /sign-in HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx")
            await reader.read()  # until it is let go
            self.answers["trickle let go"] += 1
        finally:
            writer.transport.abort()

    async def _stream(self, client: httpx.AsyncClient) -> None:
        async with client.stream("GET", "/api/v1/events", headers=self._mine, timeout=None) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("event: too_many"):
                    self.answers["stream too many"] += 1
            await asyncio.sleep(1)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(Flood(sys.argv[1], sys.argv[2]).rise())
