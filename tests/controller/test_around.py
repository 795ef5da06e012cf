"""What stands on top of every page, and what it costs: few of a day's broadcasts, and no more for more nodes."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import event, update

from controller.broadcasts.schemas import BroadcastIn, BroadcastOut
from controller.nodes.models import Node
from controller.plays.models import Play
from edge_agent.protocol.states import Outcome, PlayState, Reason
from tests.bench.province import province
from tests.controller.factories import Centre, centre
from tests.web.harness import MONDAY

HOUR = timedelta(hours=1)
HANOI = "Asia/Ho_Chi_Minh"


class Cost:
    """Statements, and the rows that they gave."""

    def __init__(self, here: Centre) -> None:
        self.statements, self.rows = 0, 0
        event.listen(here.database.engine.sync_engine, "after_cursor_execute", self._note)

    def _note(self, _connection: Any, cursor: Any, *_: Any) -> None:
        self.statements += 1
        self.rows += len(cursor._rows)


async def _looked_at(folder: Path, count: int) -> tuple[int, int]:
    """Make a province; give what a look at what is on air there costs, by its page and by the strip."""
    async with centre(folder) as here:
        here.clock.now = MONDAY
        made = await province(here, count)
        cost = Cost(here)
        on_air = await here.services.broadcasts.get(here.actor, made.on_air)
        assert (on_air.phase, on_air.counts, on_air.simulated) == ("on_air", {"playing": count}, True)
        await here.services.broadcasts.around(here.actor, HANOI, {made.on_air}, failed_for=HOUR, due=True)
        assert cost.statements
        return cost.statements, cost.rows


async def test_what_is_on_air_costs_no_more_statements_and_rows_at_three_hundred_nodes(tmp_path: Path) -> None:
    few, (statements, rows) = await _looked_at(tmp_path / "few", 100), await _looked_at(tmp_path / "many", 300)
    assert statements == few[0]
    assert rows - few[1] <= 2 * 2 * 11 * 2, "only the areas of two more communes, read by each of the two"


async def test_one_real_output_is_enough_to_sound(lite: Centre) -> None:
    area = await lite.area()
    nodes = [await lite.node(area, f"Cụm {number}") for number in range(3)]
    made = await _sent(lite, area.scope)
    await _plays(lite, made, state=PlayState.PLAYING)
    said = []
    for abilities in ({"output": "virtual"}, {"output": "alsa"}, None):
        async with lite.database.transaction() as tx:
            await tx.session.execute(update(Node).values(abilities={"output": "virtual"}))
            await tx.session.execute(update(Node).where(Node.id == nodes[1].id).values(abilities=abilities))
        said.append((await lite.services.broadcasts.get(lite.actor, made.id)).simulated)
    assert said == [True, False, False]


async def test_the_strip_is_told_of_what_failed_of_the_next_and_of_what_is_asked_for(lite: Centre) -> None:
    area = await lite.area()
    await lite.node(area)
    old, failed, well = [await _sent(lite, area.scope, f"Tin {number}") for number in range(3)]
    later = [await _sent(lite, area.scope, f"Mai {at}", minutes=at) for at in (400, 300)]
    # What every node refused is over before it begins.
    refused = await _sent(lite, area.scope, "Từ chối", minutes=200)
    await _plays(lite, refused, outcome=Outcome.REFUSED, reason=Reason.NO_FILE)
    await _plays(lite, old, outcome=Outcome.MISSED, reason=Reason.NO_FILE)
    await _plays(lite, failed, outcome=Outcome.MISSED, reason=Reason.NO_FILE)
    await _plays(lite, well, outcome=Outcome.PLAYED)
    lite.clock.now = failed.latest_end_at + timedelta(minutes=10)

    async def told(*ids: str, failed_for: timedelta = HOUR) -> set[str]:
        found = await lite.services.broadcasts.around(lite.actor, HANOI, ids, failed_for=failed_for, due=False)
        assert found == sorted(found, key=lambda each: each.start_at)
        return {each.id for each in found}

    assert await told() == {old.id, failed.id, refused.id, later[1].id}
    assert await told(well.id) == {old.id, failed.id, well.id, refused.id, later[1].id}
    assert await told(failed_for=timedelta(minutes=5)) == {refused.id, later[1].id}


async def _sent(here: Centre, scope: str, title: str = "Tin", minutes: int = 0) -> BroadcastOut:
    wanted: dict[str, Any] = {"title": title, "targets": [scope], "confirm_unusual": True, "confirm_conflicts": True}
    if minutes:
        wanted["start_at"] = here.clock() + timedelta(minutes=minutes)
    recordings = [await here.recording(title)]
    return await here.services.broadcasts.create(here.actor, BroadcastIn.checked(**wanted, recordings=recordings))


async def _plays(here: Centre, run: BroadcastOut, **said: Any) -> None:
    async with here.database.transaction() as tx:
        await tx.session.execute(update(Play).where(Play.broadcast_id == run.id).values(**said))
