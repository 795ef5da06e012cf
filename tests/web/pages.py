"""What tests of several pages share: which pages there are, drafts, names that would run if they could."""

import re
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest_asyncio
from sqlalchemy import select

from controller.nodes.schemas import PositionIn
from controller.people.actor import Actor
from controller.policies.schemas import PolicyIn
from controller.programmes.schemas import ItemIn, ProgrammeIn, ProgrammeOut
from controller.schedules.schemas import ScheduleIn
from controller.tables import Base
from tests.controller.factories import ADDRESS
from tests.web.harness import Commune, commune

PAGES = [
    *("/today", "/say", "/say?when=later", "/nodes", "/stop"),
    *("/schedules", "/schedules?view=month", "/schedules/all", "/schedules/copy", "/calendars", "/calendars/new"),
    *("/schedules/new", "/programmes", "/bulletins", "/bulletins/new", "/recordings", "/approvals"),
    *("/emergencies", "/emergencies/new", "/emergencies/new?drill=marked", "/messages", "/messages/new"),
    *("/alarms", "/people", "/history", "/activity", "/places", "/places/merge", "/settings", "/updates"),
    *("/updates/new", "/updates/releases", "/updates/releases/new"),
]
FRAGMENTS = [
    "/strip",
    "/stop/holds",
    "/today/live",
    "/nodes/live",
    "/alarms/live",
    "/approvals/live",
    "/approvals/all-requests/live",
    "/schedules/live",
    "/schedules/all/live",
    "/programmes/live",
    "/bulletins/live",
    "/recordings/live",
    "/history/live",
    "/faults/live",
    "/emergencies/live",
    "/activity/live",
    "/people/live",
    "/places/live",
    "/messages/live",
    "/messages/lacking",
    "/calendars/live",
    "/updates/live",
    "/updates/releases/live",
]
HOSTILE = [
    "<script>window.pwned=1</script>",
    '"><img src=x onerror=window.pwned=1>',
    "{{ 7001*7 }}{% raw %}",
    "' onfocus='window.pwned=1' autofocus='",
    "</textarea></template></title><svg/onload=window.pwned=1>",
]


@pytest_asyncio.fixture(loop_scope="module")
async def module_site(tmp_path: Path) -> AsyncIterator[Commune]:
    """What ``site`` is to tests whose browser lives as long as their file: ``site = module_site``."""
    async with commune(tmp_path) as opened:
        yield opened


async def everything(site: Commune) -> dict[str, list[tuple[object, ...]]]:
    """Read all rows of all tables."""
    async with site.centre.database.reading() as session:
        return {
            table.name: [tuple(row) for row in await session.execute(select(table).order_by(*table.primary_key))]
            for table in Base.metadata.sorted_tables
        }


async def draft(site: Commune, **given: object) -> dict[str, object]:
    page_key = "0123456789abcdef" * 2
    recording = await site.centre.recording("Mất nước")
    typed = {"key": page_key, "recording": recording, "title": "Mất nước", "target": [site.root.scope], "when": "now"}
    return typed | given


async def called(site: Commune, text: str) -> list[str]:
    """Name a place, a node, a broadcast and a recording so; gives their own pages."""
    area = await site.centre.area(text, site.root)
    node = await site.centre.node(area, text)
    run = await site.broadcast(text)
    await site.centre.recording(text, file_name=text)
    return [f"/broadcasts/{run.id}", f"/nodes/{node.id}"]


async def programme(site: Commune, *, length_ms: int = 600_000) -> ProgrammeOut:
    recording = await site.centre.recording("Tin xã", length_ms=length_ms)
    items = [ItemIn.model_validate({"kind": "recording", "recording_id": recording})]
    wanted = ProgrammeIn(area_id=site.root.id, title="Chương trình chiều", items=items)
    return await site.centre.services.programmes.create(site.centre.actor, wanted)


async def in_need_of_a_yes(site: Commune) -> tuple[Actor, ScheduleIn]:
    """Let everything need a second person; gives an operator, and a daily schedule for them to make."""
    services, actor = site.centre.services, site.centre.actor
    rules = PolicyIn.model_validate({"version": 0, "rules": {"second_person": [{}]}})
    await services.policies.put(actor, site.root.id, rules)
    hoa = await site.centre.somebody("hoa", "operator", site.root)
    made, at = await programme(site), datetime(2031, 11, 25, 17, 30)  # noqa: DTZ001 - wall time
    wanted = ScheduleIn.checked(
        title="Buổi chiều", programme_id=made.id, targets=[site.root.scope], starts_at_local=at, rule="FREQ=DAILY"
    )
    return Actor(hoa.id, ADDRESS), wanted


def planned(made: ProgrammeOut, site: Commune, **given: object) -> dict[str, object]:
    typed = {"programme": made.id, "title": "Buổi chiều", "target": [site.root.scope], "hour": "17h30"}
    return typed | {"weekday": ["MO", "WE"], "first_day": "25/11/2031", "last_day": ""} | given


def said(page: httpx.Response) -> str:
    """What a page says, without its tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.text))


async def hear(site: Commune, client: httpx.AsyncClient, recording_id: str) -> dict[str, Any]:
    """Listen to a recording as the page's player tells it: when it begins, and what was played."""
    path, told = f"/api/v1/recordings/{recording_id}/listening", {}
    for spans in ([], [[0, 24_000]]):
        told = (await client.post(path, json={"spans": spans})).json()
        site.centre.clock.step(seconds=24)
    return told


async def placed(site: Commune) -> None:
    """Note where the four nodes stand."""
    for number, node in enumerate(site.nodes.values()):
        here = PositionIn(latitude=21.5 + number / 100, longitude=105.9 - number / 100, accuracy_m=8)
        await site.centre.services.nodes.change(site.centre.actor, node.id, position=here)
