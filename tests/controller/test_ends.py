"""People are told of an end 90, 30 and 7 days before it, once each time."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from controller.alarms.models import Alarm
from controller.nodes.models import Node
from controller.renewals.ends import KIND, Ends, step_of
from controller.wire.keys import load_keys
from controller.wire.pki import LEAF_LIFE, Authority

from .factories import Centre

DAY = timedelta(days=1)


@pytest.mark.parametrize(("days", "step"), [(91, None), (90, 90), (31, 90), (30, 30), (8, 30), (7, 7), (0, 7), (-3, 7)])
def test_the_last_step_counts(days: int, step: int | None) -> None:
    now = datetime(2026, 3, 9, tzinfo=UTC)
    assert step_of(now + days * DAY, now) == step


async def told(centre: Centre) -> list[tuple[str, str | None, int]]:
    async with centre.database.reading() as session:
        rows = (await session.scalars(select(Alarm).where(Alarm.kind == KIND).order_by(Alarm.raised_at))).all()
    return [(row.subject, row.area_id, row.detail["step"]) for row in rows]


async def test_each_step_is_told_once(here: Centre) -> None:
    ends_at = {"server": here.clock() + 100 * DAY}
    ends = Ends(here.database, here.clock, here.services.alarms, lambda: ends_at)
    steps = []
    for _ in range(110):
        await ends.look()
        here.clock.step(days=1)
        steps = await told(here)
    assert steps == [("certificates/server", None, step) for step in (90, 30, 7)]
    ends_at["server"] = here.clock() + 20 * DAY  # renewed, for too short
    await ends.look()
    assert (await told(here))[3:] == [("certificates/server", None, 30)]


@pytest.mark.parametrize("name", ["authority", "server", "centre"])
async def test_no_certificate_of_the_centre_ends_unsaid(lite: Centre, tmp_path: Path, name: str) -> None:
    """Real ones; on a centre that runs all but the authority's are made anew long before."""
    authority = Authority(tmp_path / "ca", load_keys(tmp_path / "ca"), lite.clock, names=("localhost",))
    ends_at = authority.ends()[name]
    ends = Ends(lite.database, lite.clock, lite.services.alarms, authority.ends)
    for days in (91, 90, 30, 7):
        lite.clock.now = ends_at - days * DAY
        await ends.look()
    assert [step for subject, _, step in await told(lite) if subject == f"certificates/{name}"] == [90, 30, 7]
    if name != "authority":
        lite.clock.now = ends_at - LEAF_LIFE / 3
        assert authority.renew(), "two thirds of its life are over"
        assert authority.ends()[name] == lite.clock() + LEAF_LIFE


async def test_whoever_looks_after_a_node_is_told_of_its_certificate(lite: Centre) -> None:
    area = await lite.area()
    node, gone = await lite.node(area), await lite.node(area, "Cụm 2")
    async with lite.database.transaction() as tx:
        soon = update(Node).values(certificate_expires_at=lite.clock() + 5 * DAY)
        await tx.session.execute(soon)
        await tx.session.execute(update(Node).where(Node.id == gone.id).values(removed_at=lite.clock()))
    ends = Ends(lite.database, lite.clock, lite.services.alarms, dict)
    await ends.look()
    await ends.look()
    assert await told(lite) == [(f"nodes/{node.id}", area.id, 7)]
