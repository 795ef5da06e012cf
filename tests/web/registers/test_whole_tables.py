"""Every table to take along holds the whole list, however little of it fits on a page; a cut one says so."""

import pkgutil
import sys
from datetime import timedelta
from types import FunctionType
from typing import Any

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

import web.pages
from controller.faults.models import Fault
from controller.ids import new_id
from controller.paging import PAGE, Wanted
from controller.updates.models import Release, Rollout, RolloutNode
from tests.web.harness import Commune, pages, visitor
from tests.web.manners.sweeping import flat
from tests.web.pages import said
from tests.web.scenes.plan import planned
from tests.web.scenes.registers import rollout
from tests.web.scenes.yes import asked, emergencies
from web import listing
from web.pages import alarms, updates

SIZES = {"limit", "size"}
"""What functions call how much fits on a page."""


async def filled(site: Commune) -> dict[str, str]:
    """Put two lines or more into every list; gives the ids that addresses name."""
    centre, services = site.centre, site.centre.services
    runs = [await site.broadcast(title) for title in ("Mất nước", "Họp thôn")]
    centre.clock.step(minutes=1)
    await planned(site, await centre.recording("Nhạc hiệu", length_ms=15_000))
    await emergencies(site, await centre.recording("Lũ quét", length_ms=20_000))
    await asked(site, await centre.somebody("hoa", "operator", site.root))
    await site.broadcast("Tiêm chủng", start_at=centre.clock() + timedelta(hours=27), confirm_unusual=True)
    key, now = await rollout(site), centre.clock()
    async with visitor(site) as client:
        days = {"area_id": site.root.id, "title": "Giỗ làng", "days": "20/12", "effect": "suspend"}
        assert (await client.post("/calendars/new", data=days)).status_code == 303
    async with centre.database.transaction() as tx:
        for name in ("people.locked", "schedules.not_rolled"):
            await services.alarms.raise_(tx, name, site.root.id, "people/x", {"login": "hoa", "title": "Buổi sáng"})
        for node in site.nodes.values():
            said_of = {"node_id": node.id, "code": "disk_low", "detail": "", "since_at": now, "began_at": now}
            tx.session.add(Fault(id=new_id(), **said_of))
        await once_more(tx.session, key)
    return {"broadcast_id": runs[0].id, "node_id": site.nodes["Cổng chợ Trại"].id, "rollout_id": key}


async def once_more(session: AsyncSession, rollout_id: str) -> None:
    """Write a release and its rollout again, as the next release."""
    key = new_id()
    for table, other in ((Release, {"id": new_id(), "release": 8}), (Rollout, {"id": key, "release": 8})):
        row: Any = (await session.scalars(select(table))).one()
        session.add(copy_of(row, **other))
    await session.flush()
    for row in await session.scalars(select(RolloutNode).where(RolloutNode.rollout_id == rollout_id)):
        session.add(copy_of(row, rollout_id=key))


def copy_of(row: Any, **other: object) -> Any:
    return type(row)(**{**{column.key: getattr(row, column.key) for column in row.__table__.columns}, **other})


def one_on_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let one line fit on a page, and one be read at once, wherever that is said."""
    names = [f"web.pages.{each.name}" for each in pkgutil.iter_modules(web.pages.__path__)]
    for module in [listing, *(sys.modules[name] for name in names)]:
        if hasattr(module, "PAGE"):
            monkeypatch.setattr(module, "PAGE", 1)
        for each in [*vars(module).values(), listing.Asked.wanted, listing.Listing.__init__, Wanted.__init__]:
            if isinstance(each, FunctionType) and each.__defaults__ and SIZES & {*each.__code__.co_varnames}:
                shrunk = tuple(1 if default == PAGE else default for default in each.__defaults__)
                monkeypatch.setattr(each, "__defaults__", shrunk)
    monkeypatch.setattr(listing, "PART", 1)


async def tables(site: Commune, ids: dict[str, str]) -> dict[str, list[str]]:
    """Take every table along."""
    routes = flat(pages(site.centre.services).routes)
    paths = sorted({each.path for each in routes if isinstance(each, APIRoute) and each.path.endswith(".csv")})
    found = {}
    async with visitor(site) as client:
        for path in paths:
            answer = await client.get(path.format(**ids))
            assert answer.status_code == 200, path
            found[path] = answer.text.splitlines()
    return found


async def test_a_table_holds_the_whole_list_however_little_fits_on_a_page(
    site: Commune, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await filled(site)
    before = await tables(site, ids)
    assert len(before) >= 20
    assert [path for path, lines in before.items() if len(lines) < 3] == []
    one_on_a_page(monkeypatch)
    async with visitor(site) as client:
        for path in ("/schedules/all", "/nodes", "/bulletins", f"/updates/{ids['rollout_id']}"):
            assert "Trang 1/" in said(await client.get(path)), path
    after = await tables(site, ids)
    for log in ("/activity.csv",):  # what was taken along before is in it
        after[log] = after[log][-len(before[log]) + 1 :]
        before[log] = before[log][1:]
    assert {path: len(lines) for path, lines in after.items()} == {path: len(lines) for path, lines in before.items()}
    assert after == before


async def test_a_page_behind_the_last_says_so_and_leads_back(site: Commune) -> None:
    """Rows went while somebody looked at the last page: the list is not empty, and what is looked for was not wrong."""
    ids = await filled(site)
    lists = [path.format(**ids).removesuffix(".csv") for path in await tables(site, ids)]
    parts = {f"/updates/{ids['rollout_id']}/nodes": f"/updates/{ids['rollout_id']}"}  # the table of a part of a page
    async with visitor(site) as client:
        for path in (parts.get(each, each) for each in lists):
            page = await client.get(path, params={"p": "9"})
            assert page.status_code == 200, path
            assert "Trang 9 không còn dòng nào." in said(page), path
            assert f'href="{path}">Đến trang cuối' in page.text, path
            assert "Trang 9/" not in said(page), path


async def test_a_table_that_is_cut_says_so(site: Commune, monkeypatch: pytest.MonkeyPatch) -> None:
    await filled(site)
    monkeypatch.setattr(listing, "MOST_ROWS", 1)
    monkeypatch.setattr(listing, "PART", 1)
    monkeypatch.setattr(listing.csv_answer, "__defaults__", (1,))
    async with visitor(site) as client:
        for path in ("/faults.csv", "/approvals/all-requests.csv", "/bulletins.csv"):
            assert "Chỉ có 1 dòng đầu." in (await client.get(path)).text, path


@pytest.mark.parametrize(
    ("path", "module", "name"), [("/alarms", alarms, "MOST"), ("/updates", updates, "MOST_ROLLOUTS")]
)
async def test_a_page_of_the_latest_says_so_and_its_table_has_the_older_ones(
    site: Commune, monkeypatch: pytest.MonkeyPatch, path: str, module: object, name: str
) -> None:
    await filled(site)
    async with visitor(site) as client:
        assert "dòng mới nhất" not in said(await client.get(path))
        whole = (await client.get(f"{path}.csv")).text.splitlines()
        monkeypatch.setattr(module, name, 1)
        page = said(await client.get(path))
        assert "Ở đây là 1 dòng mới nhất." in page
        assert (await client.get(f"{path}.csv")).text.splitlines() == whole
        monkeypatch.setattr(module, "MOST_ROWS", 1)
        monkeypatch.setattr(listing.csv_answer, "__defaults__", (1,))
        cut = (await client.get(f"{path}.csv")).text.splitlines()
    assert len(cut) == 3
    assert "1" in cut[2]
    assert cut[2] != whole[2]
