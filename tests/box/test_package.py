"""A package over the one before, on a node that is adopted and sounds: nothing is cut off, and nothing is lost.

As on a system that somebody tends: a node of the recipe has a root without writes, which is opened for it here.
"""

from pathlib import Path
from typing import Any

import pytest

from controller.demo.commune import Commune
from tests.box.adoption import AGENT, READY_S, adopt, start, until_online
from tests.box.card import Card
from tests.box.machine import Machine, missing
from tests.box.package import field, newer
from tests.e2e.waiting import until
from tests.sounds import speech, wav

pytestmark = [
    pytest.mark.skipif(bool(missing()), reason=missing()),
    pytest.mark.timeout(900),
    pytest.mark.asyncio(loop_scope="module"),
]

STATE = ("node.key", "node.crt", "node.json")
SOUND_S = 90
"""Longer than an installation takes on a busy machine."""


async def row(centre: Commune) -> dict[str, Any]:
    (found,) = await centre.call("GET", "/nodes")
    return dict(found)


async def test_it_is_installed_under_what_sounds_and_runs_when_that_is_over(
    node: Machine, card: Card, centre: Commune, package: Path, tmp_path: Path
) -> None:
    await start(card, node, centre)
    await adopt(node, centre)
    await until_online(centre)
    before = node.serving(AGENT)
    kept = {name: (card.data / "loa-agent" / name).read_bytes() for name in STATE}
    assert (await row(centre))["software"] == f"loa-agent {field(package, 'Version')}"
    version = newer(package, card.data / "newer.deb")
    (tmp_path / "speech.wav").write_bytes(wav(speech(SOUND_S)))
    broadcast = await centre.broadcast("Thử loa", await centre.upload(tmp_path / "speech.wav", "Bản tin"))

    async def sounds() -> bool:
        return bool((await row(centre))["now_playing"])

    await until(sounds, READY_S, "a play")
    node.install("/data/newer.deb")
    assert await sounds(), "the installation took longer than the play: nothing was tried"
    assert node.serving(AGENT) == before, "cut off"
    (play,) = await centre.until_over(broadcast["id"], timeout_s=SOUND_S + 30)
    assert (play["outcome"], play["grade"]) == ("played", 1)
    await until(lambda: node.serving(AGENT) not in {0, before}, READY_S, "the new one")

    async def is_new() -> bool:
        return bool((await row(centre))["software"] == f"loa-agent {version}")

    await until(is_new, READY_S, "a node that says so")
    assert {name: (card.data / "loa-agent" / name).read_bytes() for name in STATE} == kept
    assert await centre.until_over(broadcast["id"], timeout_s=0) == [play]
    assert node.exposure(AGENT) <= 2.0
    assert node.state() == "running"
