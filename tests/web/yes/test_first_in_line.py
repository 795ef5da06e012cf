"""What waits for a yes on the page of emergencies: the real ones first."""

from tests.web.harness import Commune, visitor
from tests.web.test_emergency_pages import message, propose, typed
from tests.web.yes.test_emergencies import opened, waits


async def test_a_real_one_stands_before_a_drill_and_moves_nothing_on_a_page_that_stands_open(site: Commune) -> None:
    ready, nam = await message(site), await site.centre.somebody("nam", "approver", site.root)
    async with visitor(site) as first, visitor(site, who=nam) as second:
        drill = await propose(first, typed(site, ready, drill="silent"))
        site.centre.clock.step(seconds=2)
        real = await propose(first, typed(site, ready))
        page = (await second.get("/emergencies")).text
        order = [path.rpartition("/")[2] for path in (real, drill)]
        assert waits(page) == order
        site.centre.clock.step(seconds=90)
        later = (await propose(first, typed(site, ready, again="yes"))).rpartition("/")[2]
        assert waits((await second.get(opened(page))).text) == [*order, later]
        assert waits((await second.get("/emergencies")).text) == [order[0], later, order[1]]


async def test_a_drill_is_called_one_on_every_page_and_nothing_else(site: Commune) -> None:
    ready = await message(site)
    async with visitor(site) as client:
        await propose(client, typed(site, ready, drill="silent"))
        strip = (await client.get("/strip")).text
        assert "DIỄN TẬP chờ xác nhận: Lũ quét" in strip
        assert "KHẨN CẤP" not in strip
