"""One identity in two places is seen; a node that boots, moves or loses its store is not taken for two."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from controller.wire.clones import KIND, Sightings
from edge_agent.protocol.reports import Online
from tests.controller import factories

from .live import FakeNode, Live, live_centre
from .test_two_ends import until


@pytest.mark.parametrize(
    ("names", "alarms"),
    [
        ("AAAA", 0),  # a new address, the same boot
        ("ABCDE", 0),  # it boots and boots
        ("AABB", 0),
        ("ABA", 1),
        ("ABAB", 2),
        ("ABCA", 1),
    ],
)
def test_what_comes_back_after_another_is_a_second_one(names: str, alarms: int) -> None:
    sightings = Sightings()
    assert sum(sightings.alternates("n-1", name) for name in names) == alarms


def test_nodes_are_not_taken_for_one_another() -> None:
    sightings = Sightings()
    assert not any(sightings.alternates(node, boot) for node, boot in (("n-1", "A"), ("n-2", "B"), ("n-1", "A")))


async def hello(node: FakeNode, boot_id: str) -> None:
    async with node.connected():
        await node.say(Online(boot_id=boot_id, connected_at=datetime.now(UTC), abilities=factories.abilities()))


async def alarms(live: Live) -> list[str]:
    found = await live.centre.services.alarms.list(live.rows.actor, waiting=True)
    return [alarm.subject for alarm in found if alarm.kind == KIND]


@pytest.mark.broker
async def test_a_copied_card_raises_an_alarm_and_a_reboot_does_not(tmp_path: Path) -> None:
    async with live_centre(tmp_path) as live:
        hamlet = await live.area()
        honest, copied = await live.node(hamlet, "Cụm 1"), await live.node(hamlet, "Cụm 2")
        for boot_id in ("boot-1", "boot-1", "boot-2"):
            await hello(honest, boot_id)
        for boot_id in ("boot-1", "boot-9", "boot-1", "boot-9"):
            await hello(copied, boot_id)

        async def seen() -> bool:
            return bool(await alarms(live))

        await until(seen)
        assert await alarms(live) == [copied.scope]
