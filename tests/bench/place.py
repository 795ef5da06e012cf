"""The commune of a benchmark: the demo's, with virtual nodes, nodes on null sinks, light nodes beside them."""

import asyncio
import json
import sqlite3
import wave
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from audio import correlate
from controller.demo.check import HEADER_BYTES, Instants
from controller.demo.commune import Commune, NodeSpec
from tests import sounds
from tests.bench.fleet import LightFleet, add_to_centre

HAMLETS = ("Thôn Đông", "Thôn Trại", "Xóm Mới")
Samples = npt.NDArray[np.int16]


def virtual_specs(count: int) -> list[NodeSpec]:
    """Describe nodes with virtual outputs, spread over three hamlets."""
    return [NodeSpec(HAMLETS[number % len(HAMLETS)], f"Cụm {number + 1}") for number in range(count)]


class Place(Commune):
    """A commune; with ``light`` nodes that the centre knows as it knows any."""

    def __init__(
        self, folder: Path, specs: Sequence[NodeSpec], *, light: int = 0, env: dict[str, str] | None = None
    ) -> None:
        super().__init__(folder, specs, env=env)
        self._light = light
        self.fleet: LightFleet | None = None

    async def _settle(self) -> None:
        await super()._settle()
        if self._light and self.centre:
            await self.centre.stop()
            area = self.areas[HAMLETS[-1]]
            self.fleet = await add_to_centre(self.centre_state, self.folder / "fleet", area, self._light)
            await self.start_centre()

    def light_order(self) -> Path:
        """Write the order for the process of the light nodes."""
        assert self.fleet is not None
        areas = [self.areas["commune"], self.areas[HAMLETS[-1]]]
        return self.fleet.write_order(int(self.env["LOA_BROKER_PORT"]), areas)

    def events(self, broadcast_ids: Sequence[str]) -> list[dict[str, Any]]:
        """Read the play events of broadcasts as the centre stored them, with the node's id in ``node``."""
        marks = ",".join("?" * len(broadcast_ids))
        query = f"SELECT node_id, event FROM receipts WHERE broadcast_id IN ({marks})"  # noqa: S608 - only marks
        with sqlite3.connect(f"file:{self.centre_state / 'loa.db'}?mode=ro", uri=True) as rows:
            return [{"node": node, **json.loads(event)} for node, event in rows.execute(query, broadcast_ids)]

    async def until_events(self, broadcast_ids: Sequence[str], count: int, within_s: float, **wanted: str) -> None:
        """Wait until so many events with these fields are stored."""
        async with asyncio.timeout(within_s):
            while True:
                found = self.events(broadcast_ids)
                if sum(all(one.get(key) == value for key, value in wanted.items()) for one in found) >= count:
                    return
                await asyncio.sleep(0.1)

    async def aired(self, recording: dict[str, Any]) -> Samples:
        """Decode what nodes will decode of a recording."""
        return await correlate.load(self.centre_state / "media" / f"{recording['sha256']}.opus")


def write_wav(path: Path, samples: Samples) -> Path:
    """Write a file to upload."""
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(sounds.RATE)
        out.writeframes(samples.tobytes())
    return path


def output_of(folder: Path) -> tuple[Samples, Instants]:
    """Read what left the virtual output of a node that has ended."""
    pcm = np.fromfile(folder / "output.wav", dtype=np.int16, offset=HEADER_BYTES)
    return pcm, Instants(folder / "output.instants.jsonl")


def instant(text: str) -> datetime:
    """Read an instant of the API."""
    return datetime.fromisoformat(text)
