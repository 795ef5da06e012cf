"""Scenes to look at, a file for each part of the pages; whoever tests one part asks for its scene alone."""

from tests.web.harness import Commune
from tests.web.scenes.library import written
from tests.web.scenes.nodes import tended
from tests.web.scenes.plan import planned
from tests.web.scenes.registers import kept
from tests.web.scenes.today import Day, busy_day
from tests.web.scenes.yes import asked, emergencies

__all__ = ["Day", "busy_day", "planned_week"]


async def planned_week(site: Commune, *, alarmed: bool = True) -> dict[str, str]:
    """Plan a week, and ask for a yes; gives pages by name.

    ``alarmed``: somebody wrote what lies ready, and proposes an emergency and a drill.
    """
    centre = site.centre
    tune = await centre.recording("Nhạc hiệu", length_ms=15_000)
    hoa = await centre.somebody("hoa", "operator", site.root, name="Đinh Thị Hoa")
    pages = {"person": f"/people/{hoa.id}", "policy": f"/policies/{site.hamlets['Thôn Đồng'].id}"}
    pages |= await planned(site, tune)
    pages |= await written(site, tune)
    pages |= await asked(site, hoa)
    pages |= await tended(site)
    pages |= await kept(site)
    return pages | (await emergencies(site, await centre.recording("Lũ quét", length_ms=15_000)) if alarmed else {})
