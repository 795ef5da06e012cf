"""Of what nobody said yes to yet, a node's *Vì sao?* says that alone: no node was told of it."""

import re
from datetime import timedelta

from controller.broadcasts.schemas import BroadcastIn
from tests.web.harness import Commune, visitor
from tests.web.pages import said
from tests.web.scenes.answers import second_person


async def test_no_node_is_said_to_have_to_take_it(site: Commune) -> None:
    await second_person(site)
    for node in site.nodes.values():
        site.centre.hears(node.id)
    recording = await site.centre.recording("Họp thôn", area_id=site.root.id)
    wanted = {"title": "Họp thôn", "recordings": [recording], "targets": [site.root.scope], "confirm_unusual": True}
    at = site.centre.clock() + timedelta(hours=2)
    run = await site.centre.services.broadcasts.create(site.centre.actor, BroadcastIn.checked(**wanted, start_at=at))
    path = f"/nodes/{site.nodes['Đầu làng Trại'].id}/broadcasts/{run.id}/why"
    async with visitor(site) as client:
        page = said(await client.get(path))
        assert "Đầu làng Trại chỉ phát nếu được duyệt kịp giờ." in page
        assert "Vướng ở đây: Chưa được duyệt." in page
        assert not re.search(r"chưa báo là đã nhận|đang được gửi xuống|sẽ không phát", page)
        site.centre.clock.step(hours=3)
        await site.centre.services.approvals.expire()
        page = said(await client.get(path))
        assert "Đầu làng Trại không phát. Chưa có phê duyệt hợp lệ." in page
        assert "chưa báo kết quả" not in page
