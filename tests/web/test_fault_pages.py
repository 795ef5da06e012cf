"""A node's page shows its faults; whoever may says there that they look after one, and it is calm from then on."""

import asyncio
import re
from datetime import timedelta
from pathlib import Path

import msgspec

from controller.faults.keeping import FaultKeeper
from controller.people.rights import Role
from controller.wire.clones import Clones
from edge_agent.protocol.reports import FaultReport, Online
from tests.controller.factories import abilities
from tests.controller.wire.test_dispatcher import health
from tests.e2e.waiting import until
from tests.web.harness import PATIENCE_S, commune, visitor

WORDS = "<script>window.pwned=1</script>"


async def test_a_fault_is_acknowledged_on_the_page_of_its_node(tmp_path: Path) -> None:
    async with commune(tmp_path) as site:
        here, node = site.centre, site.nodes["Cổng chợ Trại"]
        keeper = FaultKeeper(here.database, here.clock)
        fault = FaultReport(code="disk_low", since_at=here.clock(), detail=WORDS)
        here.hears(node.id, faults=[msgspec.to_builtins(fault)])
        keeper.note_health(node.id, msgspec.structs.replace(health({}), faults=(fault,)))
        await keeper.look()
        observer = await here.somebody("xem", Role.OBSERVER)
        async with visitor(site, who=observer) as client:
            assert "/acknowledgement" not in (await client.get(f"/nodes/{node.id}")).text
        async with visitor(site) as client:
            page = (await client.get(f"/nodes/{node.id}")).text
            assert "Sự cố đã ghi" in page
            assert WORDS not in page
            [act] = re.findall(r'action="(/faults/\w+/acknowledgement)"', page)
            assert "Cổng chợ Trại có thẻ nhớ sắp đầy" in page
            answer = await client.post(act, data={"note": WORDS})
            assert (answer.status_code, answer.headers["location"]) == (303, f"/nodes/{node.id}?done=acknowledged")
            page = (await client.get(f"/nodes/{node.id}")).text
            assert "Nguyễn Thị Lan tiếp nhận" in page
            assert WORDS not in page
            assert act not in page
            assert "Cổng chợ Trại: đã có người lo sự cố" in page
            assert (await client.post(act)).status_code == 303


async def test_what_is_over_is_not_said_never_to_have_been(tmp_path: Path) -> None:
    """Who looks after a node was back: the list of what stands leads to what stood."""
    async with commune(tmp_path) as site:
        here, node = site.centre, site.nodes["Cổng chợ Trại"]
        keeper = FaultKeeper(here.database, here.clock)
        fault = FaultReport(code="disk_low", since_at=here.clock(), detail="")
        for faults in ((fault,), ()):
            here.hears(node.id, faults=msgspec.to_builtins(list(faults)))
            keeper.note_health(node.id, msgspec.structs.replace(health({}), faults=faults))
            await keeper.look()
            here.clock.now += timedelta(seconds=120)
        async with visitor(site) as client:
            page = (await client.get("/faults")).text
            assert "Hiện không có sự cố nào." in page
            assert '<option value="">Chưa khắc phục</option>' in page
            [past] = re.findall(r'href="(/faults\?state=cleared)"', page)
            assert "Cổng chợ Trại" in (await client.get(past)).text


async def test_an_identity_in_two_places_stands_on_top_until_somebody_looked(tmp_path: Path) -> None:
    async with commune(tmp_path) as site:
        here, node = site.centre, site.nodes["Cổng chợ Trại"]
        clones = Clones(here.database, here.services.alarms)
        watching = asyncio.create_task(clones.run())
        try:
            for boot_id in ("boot-1", "boot-2", "boot-1"):
                said = Online(boot_id=boot_id, connected_at=here.clock(), abilities=abilities())
                clones.note_hello(node.id, said)
            async with visitor(site) as client:

                async def on_top() -> bool:
                    return "1 cảnh báo chưa ai tiếp nhận" in (await client.get("/today")).text

                await until(on_top, PATIENCE_S, "the alarm on top of every page")
                page = (await client.get("/alarms")).text
                assert "Cụm loa Cổng chợ Trại xuất hiện ở hai nơi cùng lúc" in page
                assert f'href="/nodes/{node.id}"' in page
        finally:
            watching.cancel()
            await asyncio.wait([watching])
