"""What is to be said "now" and is approved later is judged by the hour that it has become."""

from datetime import timedelta
from typing import Any

import pytest

from controller.approvals.schemas import ApproveIn
from controller.policies.errors import PolicyBreachError, UnusualHourError
from tests.controller.approving import ANOTHER, Commune, commune, local
from tests.controller.factories import Centre


async def waiting(here: Centre, hour: int, **rules: Any) -> tuple[Commune, str]:
    """Said "now" a quarter before the hour; five minutes past it the leader has heard it."""
    village = await commune(here, **ANOTHER, **rules)
    here.clock.now = local(here, hour) - timedelta(minutes=15)
    here.hears(village.node.id)
    await village.say(start_at=None)
    here.clock.step(minutes=20)
    await village.hear(village.leader)
    (asked,) = await village.queue()
    return village, asked.id


@pytest.mark.parametrize(
    ("hour", "rules", "broken"),
    [
        (10, {"windows": [{"start": "05:00", "until": "10:00"}]}, ["windows"]),
        (22, {}, ["quiet_hours"]),
    ],
)
async def test_a_yes_to_what_no_node_may_sound_any_more_is_refused_by_name(
    lite: Centre, hour: int, rules: dict[str, Any], broken: list[str]
) -> None:
    village, asked = await waiting(lite, hour, **rules)
    assert (await lite.services.approvals.get(village.leader, asked)).refusal == "policy_breach"
    with pytest.raises(PolicyBreachError) as refused:
        await lite.services.approvals.approve(village.leader, asked, ApproveIn(confirm_unusual=True))
    assert refused.value.fields["rules"] == broken
    assert await village.told() == set()


async def test_a_yes_at_an_hour_that_has_become_unusual_takes_a_confirmation(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    await lite.services.areas.change(lite.actor, village.area.id, quiet_hours=[])
    lite.clock.now = local(lite, 22) - timedelta(minutes=15)
    lite.hears(village.node.id)
    sent = await village.say(start_at=None)
    lite.clock.step(minutes=20)
    await village.hear(village.leader)
    (asked,) = await village.queue()
    assert (await lite.services.approvals.get(village.leader, asked.id)).refusal == "unusual_hour"
    with pytest.raises(UnusualHourError):
        await lite.services.approvals.approve(village.leader, asked.id)
    await lite.services.approvals.approve(village.leader, asked.id, ApproveIn(confirm_unusual=True))
    assert await village.told() == {sent.id}


async def test_an_hour_that_whoever_asked_has_confirmed_is_not_asked_about_again(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    await lite.services.areas.change(lite.actor, village.area.id, quiet_hours=[])
    lite.clock.now = local(lite, 23)
    lite.hears(village.node.id)
    sent = await village.say(start_at=None, confirm_unusual=True)
    lite.clock.step(minutes=20)
    (asked,) = await village.queue()
    await village.approve(asked.id)
    assert await village.told() == {sent.id}
