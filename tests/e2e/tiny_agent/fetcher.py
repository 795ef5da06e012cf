"""Section 9: fetches bodies of plans and audio, one file at a time."""

import asyncio
import contextlib
import http.client
import random
import zlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from .basics import LOG, Json, S, require
from .clock import Clock
from .identity import Identity
from .keeper import Keeper, unpacked
from .shelf import Shelf, shelve, whole

Want = tuple[int, str, Json]
"""When it is due, its path, and its voice or its plan."""


class Fetcher:
    """``step`` is called before and after what it brings has an effect."""

    def __init__(
        self,
        identity: Identity,
        clock: Clock,
        keeper: Keeper,
        shelf: Shelf,
        plays: Callable[[], list[Json]],
        step: Callable[[], None],
    ) -> None:
        self._identity, self._clock, self._keeper, self._shelf = identity, clock, keeper, shelf
        self._plays, self._step = plays, step
        self._retry: dict[str, tuple[int, int]] = {}
        """When a path may be tried again, and how long was waited."""

    async def run(self) -> None:
        while True:
            self._shelf.wanted.clear()
            for _, path, what in self._wants()[:1]:
                try:
                    await (self._get_body(path, what) if "body_sha256" in what else self._get_audio(path, what))
                except (OSError, ValueError, http.client.HTTPException, zlib.error) as wrong:
                    LOG.warning("fetch of %s: %r", path, wrong)
                    wait = min(max(self._retry.get(path, (0, 0))[1] * 2, S), 60 * S)
                    self._retry[path] = (self._clock.steady() + wait, wait)
                    self._keeper.faults.setdefault("fetch_failed", self._clock.now())
                else:
                    self._retry.pop(path, None)
                    if not any(wait for _, wait in self._retry.values()):
                        self._keeper.faults.pop("fetch_failed", None)
                    self._shelf.wanted.set()
                self._step()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.25):
                    await self._shelf.wanted.wait()

    def _wants(self) -> list[Want]:
        """Give what is to be fetched now."""
        found: list[Want] = [(0, f"/plans/{plan['body_sha256']}", plan) for plan in self._keeper.plans_wanted()]
        if self._keeper.settings:
            found += [*self._wanted_by_plays(), *self._wanted_by_settings()]
        steady = self._clock.steady()
        return sorted((one for one in found if self._retry.get(one[1], (0, 0))[0] <= steady), key=lambda one: one[:2])

    def _wanted_by_plays(self) -> list[Want]:
        found, now, steady = [], self._clock.now(), self._clock.steady()
        for play in self._plays():
            for voice in [] if play["outcome"] else self._keeper.voices(play).values():
                if not self._shelf.present(voice):
                    due = 1 if play["urgent"] else play["broadcast"]["start_at"]
                    path = f"/media/{voice['sha256']}.opus"
                    wait = 0 if play["urgent"] else min(max(due - now, 0) // 10, 30 * S)  # not all of a commune at once
                    self._retry.setdefault(path, (steady + random.randint(0, wait), 0))
                    if play["urgent"] and not self._retry[path][1]:
                        self._retry[path] = (0, 0)  # it may have been wanted before, at leisure
                    found.append((due, path, voice))
        return found

    def _wanted_by_settings(self) -> list[Want]:
        found, steady = [], self._clock.steady()
        for voice in self._keeper.settings["pinned"]:
            if not self._shelf.present(voice):
                path = f"/media/{voice['sha256']}.opus"
                self._retry.setdefault(path, (steady + random.randint(0, 30 * S), 0))
                found.append((2, path, voice))
        return found

    async def _get_audio(self, path: str, voice: Json) -> None:
        file, sha256 = self._shelf.file(voice["sha256"]), voice["sha256"]
        data = here(file, sha256)
        self._shelf.put(sha256, await self._get(path, sha256, voice["bytes"]) if data is None else data)

    async def _get_body(self, path: str, plan: Json) -> None:
        sha256 = plan["body_sha256"]
        file = self._keeper.body_file(sha256)
        require(plan["body_bytes"] <= 8 << 20)
        kept = here(file, sha256)
        data = await self._get(path, sha256, plan["body_bytes"]) if kept is None else kept
        body = unpacked(data, plan["aud"])
        if kept is None:
            shelve(file, data)
        if plan is self._keeper.documents.get(f"{plan['aud']}/plan"):
            self._step()
            self._keeper.take_body(plan, body)

    async def _get(self, path: str, sha256: str, size: int) -> bytes:
        """Fetch what has this hash and this size; of anything else nothing is left."""
        part = self._identity.state / f"{sha256[:12]}.part"
        data = await asyncio.to_thread(self._fetch, path, part, size)
        ok = len(data) == size and whole(data, sha256)
        part.unlink(missing_ok=True)
        require(ok)
        return data

    def _fetch(self, path: str, part: Path, limit: int) -> bytes:
        """Get a file, on from what of it is here; no redirect is followed."""
        base = urlsplit(self._identity.adoption["media_url"])
        have = part.stat().st_size if part.exists() else 0
        if have >= limit:
            return part.read_bytes()
        tls = self._identity.tls(client=False, dates=self._clock.good())
        server = http.client.HTTPSConnection(base.netloc, timeout=10, context=tls)
        with contextlib.closing(server), part.open("ab") as out:
            server.request("GET", base.path + path, headers={"Range": f"bytes={have}-"} if have else {})
            answer = server.getresponse()
            if answer.status not in {200, 206}:
                raise OSError(f"{answer.status} for {path}")
            if answer.status == 200:
                out.seek(0)
                out.truncate()
            while out.tell() <= limit and (block := answer.read(65536)):
                out.write(block)
        return part.read_bytes()


def here(file: Path, sha256: str) -> bytes | None:
    """Give what was fetched before, if it is whole."""
    data = file.read_bytes() if file.exists() else b""
    return data if whole(data, sha256) else None
