"""The journeys in a commune whose places, nodes, people and words would run if they could.

Whatever runs calls a function that no page has: the browser complains of it, and of each breach of the pages' policy.
"""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import expect

from controller.demo.commune import NodeSpec
from tests.e2e.journeys.stage import HELPER_PHONE, PATIENT_MS, Stage, running_stage
from tests.e2e.journeys.steps import approve, call_helper, confirm, id_in, propose, ready_message, record, send, stop

pytestmark = [
    pytest.mark.browser,
    pytest.mark.broker,
    pytest.mark.long,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(300),
]
RUNS = "\"'><img src=x onerror=xss()><script>xss()</script>"
SPECS = (
    NodeSpec("Thôn <script>xss()</script>", "\"'><img src=x onerror=xss()>"),
    NodeSpec("' autofocus onfocus=xss() x='", "</script></title><svg onload=xss()>"),
    NodeSpec("{{ 7001*7 }}{% raw %}", "javascript:xss()"),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with running_stage(tmp_path_factory.mktemp("hostile"), SPECS, called=RUNS) as opened:
        yield opened


async def test_words_that_would_run_are_said_approved_and_heard(stage: Stage) -> None:
    await stage.ask_second_person({})
    async with stage.way("operator") as way:
        await record(way)
        await way.page.locator("#named summary").tap()
        await way.page.locator("#title").fill(RUNS)
        await way.page.locator(".whom .chip.other").tap()
        for spec in SPECS:
            await way.page.get_by_role("checkbox", name=spec.hamlet).check()
        await send(way)
        await expect(way.page.locator("h1")).to_contain_text(RUNS)
        broadcast_id = id_in(way.page)
    async with stage.way("leader") as way:
        await approve(way, RUNS)
    assert [play["outcome"] for play in await stage.over(broadcast_id)] == ["played"] * 3
    async with stage.seat("operator") as (page, _):
        for path in (f"/broadcasts/{broadcast_id}", "/nodes", "/nodes/map", "/history", "/recordings", "/schedules"):
            await page.goto(path)
            assert "49007" not in await page.content()


async def test_an_emergency_in_words_that_would_run_is_confirmed_and_silenced(stage: Stage) -> None:
    flood = await ready_message(stage, RUNS)
    async with stage.way("operator") as first:
        emergency_id = await propose(first, flood)
        async with stage.way("leader") as second:
            await confirm(second, long_names=True)
            await expect(second.page.locator("h1")).to_contain_text(RUNS)
        emergency = await stage.commune.call("GET", f"/emergencies/{emergency_id}")
        await stage.sounded(emergency["broadcast_id"])
        await stop(first)
        await stage.over(emergency["broadcast_id"])


async def test_a_sick_node_of_such_a_name_leads_to_whom_to_call(stage: Stage) -> None:
    helper = await stage.person("helper")
    await stage.commune.call("PATCH", f"/people/{helper.id}", json={"phone": HELPER_PHONE})
    node = stage.commune.nodes[0]
    assert node.program is not None
    await node.program.stop()
    async with stage.way("technician", expected=("tel:",)) as way:
        await expect(way.page.locator("#strip .row.fault").first).to_be_visible(timeout=2 * PATIENT_MS)
        await call_helper(way, HELPER_PHONE)
        await expect(way.page.locator("a.call").first).to_contain_text(RUNS)
