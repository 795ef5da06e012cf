"""``loa nodes revoke`` as somebody types it who has lost a node."""

import re

from tests.controller.factories import Centre
from tests.controller.test_commands_rows import Types, run, types

__all__ = ["types"]


async def test_a_node_is_revoked_by_its_name_and_a_second_time_it_is_said_when(lite: Centre, types: Types) -> None:
    area = await lite.area("Thôn Đông")
    node, *_twins = [await lite.node(area, name) for name in ("Cổng chợ", "Nhà văn hoá", "Nhà văn hoá")]
    order = ("--reason", "mất trộm")
    status, out, problem = await run(types, "nodes", "revoke", "Nhà văn hoá", *order)
    assert (status, out) == (1, "")
    assert problem == "loa: 2 nodes are called 'Nhà văn hoá'; give the id of one; see: loa fleet\n"
    status, out, problem = await run(types, "nodes", "revoke", "Cổng chợ", *order)
    assert (status, out, problem) == (0, f"{node.id}\tCổng chợ\t1 certificates void\n", "")
    for named in ("Cổng chợ", node.id):
        status, out, problem = await run(types, "nodes", "revoke", named, *order)
        assert (status, out) == (1, "")
        assert re.fullmatch(r"loa: Cổng chợ: was revoked already, \d{4}-\d\d-\d\d \d\d:\d\d UTC\n", problem)
    assert (await run(types, "nodes", "revoke", "Cụm khác", *order))[2].startswith("loa: there is no node called")
