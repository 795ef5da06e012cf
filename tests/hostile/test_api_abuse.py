"""What nobody breaks into, and abuses all the same: cases 30, 36 and 46 of the trust list."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller.approvals import listening
from controller.policies.schemas import PolicyIn
from controller.recordings.models import Recording
from tests.controller.descriptions import operations
from tests.controller.factories import ADDRESS, Centre, api
from tests.controller.matrix import ROUTES, Answer, Kind
from tests.controller.test_matrix import ask, ended
from tests.controller.test_services_broadcasts import commune, wish
from tests.controller.two_communes import Kept, World, asking, keep

FORMULAS = ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(1)", "\t=1", "x\r\nBEGIN:VEVENT\r\nSUMMARY:planted", "x;y,z\\n"]
IN_NAMES = ("area_id", "hamlet_id")
"""Places that bodies and queries name: of these the province takes the place."""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return asyncio.run(keep(tmp_path_factory.mktemp("abuse")))


@pytest.fixture
async def world(kept: Kept, tmp_path: Path) -> AsyncIterator[World]:
    async with kept.opened(tmp_path / "world") as opened:
        yield opened


def test_30_nothing_is_given_out_as_a_table(lite: Centre) -> None:
    """No program that reckons takes an answer of ours for its own. Who adds one escapes its cells."""
    given = {
        kind
        for _, _, operation in operations(api(lite.services))
        for answer in operation["responses"].values()
        for kind in answer.get("content", {})
    }
    assert given <= {
        *("application/json", "text/event-stream", "text/calendar", "text/plain"),
        *("audio/ogg", "application/gzip", "application/octet-stream"),
        *("application/pdf", "image/jpeg", "image/png"),
    }


async def test_30_a_title_stays_one_line_of_a_calendar(world: World) -> None:
    path = f"/api/v1/schedules/{world.east['schedule_id']}"
    async with asking(world, "own") as client:
        wanted = ROUTES["PUT /api/v1/schedules/{schedule_id}"].body
        for version, title in enumerate(FORMULAS, 1):
            body = wanted | {
                "title": title,
                "version": version,
                "programme_id": world.east["programme_id"],
                "targets": [f"areas/{world.east['area_id']}"],
            }
            if (answer := await client.put(path, json=body)).status_code == 422:
                assert answer.json()["error"]["fields"]["field"] == "title"
                continue
            calendar = (await client.get("/api/v1/schedules/calendar.ics")).text
            lines = calendar.replace("\r\n ", "").split("\r\n")
            assert sum(line == "BEGIN:VEVENT" for line in lines) == 1
            assert [line for line in lines if line.startswith("SUMMARY")] != ["SUMMARY:planted"]
            assert not [line for line in lines if line.startswith(("=", "+", "-", "@"))]


async def test_36_two_accounts_of_one_person_are_told_by_the_audit_to_sit_at_one_address(lite: Centre) -> None:
    """By machine they are two people; whoever reads the audit sees both names, and one address."""
    place = await commune(lite)
    author = await lite.somebody("lan.hai", "operator", place["area"])
    rules = PolicyIn.model_validate({"version": 0, "rules": {"second_person": [{}]}})
    await lite.services.policies.put(lite.actor, place["area"].id, rules)
    sound = await lite.recording("Họp", area_id=place["area"].id)
    async with lite.client(who=author) as one, lite.client() as two:
        asked = await one.post("/api/v1/broadcasts", json=wish(place, recordings=[sound]))
        assert asked.status_code == 201, asked.text
        request = asked.json()["approval"]["id"]
        assert (await one.post(f"/api/v1/approvals/{request}/approve", json={})).status_code == 403
        async with lite.database.transaction() as tx:  # the whole of it, in no time
            sha256 = (await tx.session.get_one(Recording, sound)).sha256 or ""
            await listening.note(tx, lite.person.id, sha256, [(0, 24_000)], 24_000, now=lite.clock())
        given = await two.post(f"/api/v1/approvals/{request}/approve", json={})
        assert given.status_code == 200, given.text
        entries: list[dict[str, Any]] = (await two.get("/api/v1/audit")).json()
    said = {(entry["person_id"], entry["origin"]) for entry in entries if entry["action"] in ACTS}
    assert said == {(author.id, ADDRESS), (lite.person.id, ADDRESS)}


ACTS = ("broadcasts.create", "approvals.give")


EVENT = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART;TZID=Asia/Ho_Chi_Minh:20260310T060000\r\n"
    "SUMMARY:Tin\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
BELOW_ONLY = "Tin: targets: your role reaches what lies below this area only"
AIMED = [
    name
    for name, route in ROUTES.items()
    if route.kind is Kind.AIM and any(f"{{{each}}}" in f"{route.body}{route.query}" for each in IN_NAMES)
]


def test_46_what_aims_at_areas_is_known() -> None:
    assert len(AIMED) >= 12


@pytest.mark.parametrize("name", AIMED)
async def test_46_nobody_of_a_commune_aims_at_the_whole_province(name: str, world: World) -> None:
    areas = await world.centre.services.areas.tree(world.centre.actor)
    province = next(area.id for area in areas if area.name == "Tỉnh Bắc")
    route = ROUTES[name]
    if isinstance(route.body, dict) and "ics" in route.body:
        route = replace(route, body=route.body | {"ics": EVENT})
    async with asking(world, "own") as client:
        answer = await ask(client, name, route, world.east | dict.fromkeys(IN_NAMES, province))
    skipped = answer.is_success and answer.json() == {"schedules": [], "skipped": [BELOW_ONLY]}  # one date of a file
    refused = {Answer.REFUSED, Answer.FORBIDDEN, Answer.HIDDEN} & ended(answer, "")
    assert refused or skipped, (answer.status_code, answer.text)
