"""/nodes where there is none: what is lacking, and the next act of who may do it."""

import re
from pathlib import Path

from controller.people.rights import Role
from controller.people.schemas import PersonOut
from tests.web.harness import first_day, visitor


async def test_without_a_node_the_next_act_is_offered_to_who_may_do_it(tmp_path: Path) -> None:
    def next_act(page: str) -> tuple[str, str] | None:
        empty = re.search(r'<div class="card stack empty">.*?</div>', page, re.DOTALL)
        assert empty
        found = re.search(r'href="([^"]+)">([^<]+)', empty[0])
        return (found[1], found[2]) if found else None

    async with first_day(tmp_path) as empty:
        here = empty.centre
        people: dict[str, PersonOut | None] = {"administrator": None}
        people |= {role: await here.somebody(role, role) for role in (Role.TECHNICIAN, Role.OPERATOR)}
        place, node = ("/places#add", "Thêm địa bàn"), ("#adopt", "Thêm cụm loa")

        async def look() -> dict[str, tuple[object, bool, bool]]:
            found: dict[str, tuple[object, bool, bool]] = {}
            for name, who in people.items():
                async with visitor(empty, who=who) as client:
                    for path in ("/nodes", "/nodes/live"):
                        page = (await client.get(path)).text
                        found[f"{name} {path}"] = (next_act(page), 'id="adopt"' in page, page.count("/places#add") > 1)
            return found

        assert await look() == {
            "administrator /nodes": (place, True, True),  # and beside the code
            "administrator /nodes/live": (place, False, False),
            "technician /nodes": (None, True, False),
            "technician /nodes/live": (None, False, False),
            "operator /nodes": (None, False, False),
            "operator /nodes/live": (None, False, False),
        }
        await here.area("Xã Nga My", kind="commune")
        assert await look() == {
            "administrator /nodes": (node, True, False),
            "administrator /nodes/live": (node, False, False),
            "technician /nodes": (node, True, False),
            "technician /nodes/live": (node, False, False),
            "operator /nodes": (None, False, False),
            "operator /nodes/live": (None, False, False),
        }
