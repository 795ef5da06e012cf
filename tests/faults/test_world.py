"""The world itself: without faults everything sounds once, on time and whole, and the checker agrees."""

from datetime import timedelta
from pathlib import Path

from edge_agent.protocol.states import Level
from tests.faults.checker import violations
from tests.faults.world import world


async def test_a_quiet_day_breaks_nothing_and_everything_sounds(ram: Path) -> None:
    async with world(ram / "node") as one:
        base = one.now()
        for number in range(5):
            one.centre.order(f"b-{number}", base + timedelta(minutes=10 * (number + 1)), items=2)
        one.after(1500, lambda: one.centre.order("b-flood", one.now(), level=Level.EMERGENCY, late_s=300))
        await one.run(base + timedelta(hours=1))
        history = await one.end()
    assert violations(history) == []
    assert len(history.sounds) == 11
    assert all(sound.whole for sound in history.sounds)
