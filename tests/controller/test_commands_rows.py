"""Commands beside a running centre: they show and change the rows by the same services, in somebody's name."""

import asyncio
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import select

from controller.audit.models import AuditEntry
from controller.cli import main
from controller.emergencies.models import Emergency
from controller.ids import new_id
from controller.migrations.upgrade import settings
from controller.nodes.models import Node
from controller.people.rights import Act, Role
from controller.policies.schemas import CategoryName, PolicyIn, PolicyRules, Window
from controller.programmes.schemas import ProgrammeOut
from controller.schedules.schemas import ScheduleIn
from controller.signing.places import read_places
from tests.controller.factories import Centre
from tests.controller.test_programmes import programme, sound

Types = Callable[..., tuple[int, str, str]]


@pytest.fixture
async def types(lite: Centre, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Types:
    """Type a command on the machine of the centre; gives status, output and what was said."""
    monkeypatch.delenv("LOA_DATABASE_URL", raising=False)
    async with lite.database.engine.connect() as connection:  # the tables are those of the code: say so
        await connection.run_sync(lambda sync: command.stamp(settings(sync), "head"))
        await connection.commit()

    def typed(*arguments: str) -> tuple[int, str, str]:
        status = main([*arguments, "--state", str(lite.services.config.state)])
        said = capsys.readouterr()
        return status, said.out, said.err

    return typed


async def run(types: Types, *arguments: str) -> tuple[int, str, str]:
    """Commands have a loop of their own."""
    return await asyncio.to_thread(types, *arguments)


async def morning(here: Centre) -> tuple[str, ProgrammeOut]:
    """A schedule in a hamlet of a commune; gives the hamlet's name and the programme."""
    commune = await here.area("Xã Nga My", kind="commune")
    hamlet = await here.area("Xóm Đông", commune)
    await here.node(hamlet)
    made = await programme(here, commune, await sound(here, commune))
    wanted = ScheduleIn(
        title="Chiều hằng ngày",
        programme_id=made.id,
        targets=(hamlet.scope,),
        starts_at_local=datetime(2036, 3, 9, 17, 0),  # noqa: DTZ001  wall time is naive: the zone is the schedule's
        rule="FREQ=DAILY",
        confirm_unusual=True,
    )
    await here.services.schedules.create(here.actor, wanted)
    return hamlet.name, made


async def test_every_node_stands_in_one_line_and_writes_nothing_to_the_terminal(lite: Centre, types: Types) -> None:
    node = await lite.node(await lite.area("Thôn Đông"), "Cổng chợ")
    async with lite.database.transaction() as tx:
        row = await tx.session.get(Node, node.id)
        assert row is not None
        row.abilities = {"software": "0.4\x1b[2J"}
        row.health = {"faults": [{"code": "disk_low", "since_at": lite.clock().isoformat()}]}
    status, out, _ = await run(types, "fleet")
    [line] = out.splitlines()
    until = f"{node.certificate_expires_at:%Y-%m-%d}"
    assert status == 0
    assert line.split("\t") == [node.id, "Cổng chợ", "Thôn Đông", "never_seen", "0.4?[2J", "-", "disk_low", until]
    _, out, _ = await run(types, "fleet", "--json")
    assert json.loads(out)[0]["faults"] == ["disk_low"]


async def test_the_rules_of_a_place_are_shown_with_who_says_them(lite: Centre, types: Types) -> None:
    commune = await lite.area("Xã Nga My", kind="commune")
    hamlet = await lite.area("Xóm Đông", commune)
    named = (CategoryName(code="water", name="Cắt nước"),)
    rules = PolicyRules(minutes_a_day=90, windows=(Window(start="05:00", until="21:00"),), categories=named)
    wanted = PolicyIn(version=0, rules=rules, locked=("minutes_a_day",))
    await lite.services.policies.put(lite.actor, commune.id, wanted)
    status, out, _ = await run(types, "policy", "show", hamlet.name)
    lines = dict(line.split("\t", 1) for line in out.splitlines())
    assert status == 0
    assert lines["minutes_a_day"] == "90\tXã Nga My\tlocked by Xã Nga My"
    assert lines["windows"].startswith('[{"start": "05:00", "until": "21:00"}]\tXã Nga My')
    assert '"Cắt nước"' in lines["categories"]
    assert lines["sessions_a_day"] == "no limit\tby default"
    status, out, problem = await run(types, "policy", "show", "Xã Khác")
    assert (status, out, problem) == (1, "", "loa: there is no area called 'Xã Khác'; give the id of one\n")


async def test_what_is_planned_is_listed_written_and_taken_in_again(lite: Centre, types: Types, tmp_path: Path) -> None:
    place, made = await morning(lite)
    _, out, _ = await run(types, "schedules", "list")
    [line] = out.splitlines()
    assert line.split("\t")[:4] == ["Chiều hằng ngày", place, "2036-03-09T17:00 Asia/Ho_Chi_Minh", "FREQ=DAILY"]
    _, exported, _ = await run(types, "schedules", "export", "--area", place)
    assert exported.startswith("BEGIN:VCALENDAR")
    file = tmp_path / "lich.ics"
    renamed = exported.replace("Chiều hằng ngày", "Chiều mới")
    await asyncio.to_thread(file.write_text, renamed, "utf-8", newline="")
    given = ("--programme", made.id, "--area", place, "--confirm")
    status, _, problem = await run(types, "schedules", "import", str(file), "--login", "nobody", *given)
    assert (status, "nobody has the login" in problem) == (1, True)
    status, out, problem = await run(types, "schedules", "import", str(file), "--login", "lan", *given)
    assert (status, problem) == (0, "")
    [changed] = await lite.services.schedules.list(lite.actor)
    assert (changed.title, changed.version) == ("Chiều mới", 2)
    async with lite.database.reading() as session:
        told = select(AuditEntry).where(AuditEntry.action == Act.SCHEDULES_WRITE)
        *_, entry = await session.scalars(told.order_by(AuditEntry.seq))
    assert (entry.person_id, entry.origin) == (lite.person.id, "loa schedules import")


async def test_a_file_is_taken_in_with_the_rights_of_its_person(lite: Centre, types: Types, tmp_path: Path) -> None:
    place, made = await morning(lite)
    await lite.somebody("binh", Role.OBSERVER)
    file = tmp_path / "lich.ics"
    _, exported, _ = await run(types, "schedules", "export")
    await asyncio.to_thread(file.write_text, exported, "utf-8", newline="")
    given = ("--programme", made.id, "--area", place)
    status, out, problem = await run(types, "schedules", "import", str(file), "--login", "binh", *given)
    assert (status, out, problem.count("\n")) == (1, "", 1)
    assert "does not allow" in problem


async def test_what_was_ordered_at_once_is_listed_drills_as_drills(lite: Centre, types: Types) -> None:
    area = await lite.area("Xã Nga My")
    said: dict[str, Any] = {"area_id": area.id, "scopes": [area.scope], "slots": [], "title": "Lũ"}
    async with lite.database.transaction() as tx:
        for drill in (None, "silent"):
            row = {"id": new_id(), "state": "cancelled", "drill": drill, "proposed_by": lite.person.id}
            tx.session.add(Emergency(**said, **row, kind="alert", proposed_at=lite.clock()))
    status, out, _ = await run(types, "emergencies", "list")
    kinds = {line.split("\t")[1] for line in out.splitlines()}
    assert (status, kinds) == (0, {"alert", "drill (silent)"})
    assert all("Xã Nga My\tcancelled\tNguyễn Thị Lan" in line for line in out.splitlines())


async def test_the_last_entry_is_printed_and_asked_for_again(lite: Centre, types: Types) -> None:
    await lite.area()
    status, head, said = await run(types, "audit", "verify")
    assert (status, said) == (0, "2 entries, all hold.\n")
    assert (await run(types, "audit", "verify", "--head", head.strip()))[0] == 0
    status, _, problem = await run(types, "audit", "verify", "--head", f"9:{'0' * 64}")
    assert (status, "entry 9" in problem) == (1, True)
    assert "no head" in (await run(types, "audit", "verify", "--head", "9"))[2]


async def test_accounts_are_listed_by_the_id_that_a_signer_apart_knows(lite: Centre, types: Types) -> None:
    area = await lite.area("Xã Nga My")
    thuy = await lite.somebody("thuy", Role.APPROVER, area)
    status, out, _ = await run(types, "person", "list")
    assert (status, [line.split("\t")[:4] for line in out.splitlines() if "thuy" in line]) == (
        0,
        [[thuy.id, "thuy", thuy.name, "approver (Xã Nga My)"]],
    )
    _, out, _ = await run(types, "person", "list", "--json")
    assert [(each["id"], each["login"]) for each in json.loads(out) if each["login"] == "thuy"] == [(thuy.id, "thuy")]


async def test_what_a_signer_apart_is_shown_is_every_area_node_and_open_account(
    lite: Centre, types: Types, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commune = await lite.area("Xã Nga My", kind="commune")
    hamlet = await lite.area("Xóm Đông", commune)
    node = await lite.node(hamlet)
    _, out, _ = await run(types, "places", "--json")
    known = read_places(out.encode())
    assert known.chain(hamlet.id) == (hamlet.id, commune.id)
    assert known.is_within(f"nodes/{node.id}", {commune.id})
    assert known.person_named(lite.person.login) == known.person_named(lite.person.id) is not None
    (tmp_path / "places.json").write_text(out)
    words = ("signer", "--folder", str(tmp_path / "signer"), "places", str(tmp_path / "places.json"))
    assert main([*words, "--accept"]) == 0
    assert main(words) == 0
    assert "knows them so" in capsys.readouterr().err
    _, out, _ = await run(types, "places")
    assert f"  Xóm Đông\tareas/{hamlet.id}" in out.splitlines()
