"""Where whose code is good: what the signer's keeper looked at decides that, and no row; STOP asks nobody."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from controller.cli import main
from controller.commands import rows
from controller.config import Config
from controller.people.proof import CodeError, Loosened
from controller.plans.build import Stamp, build_hold
from controller.signing.log import FILE, verify
from controller.signing.places import KnownArea, Places, PlacesError, described, read_places
from controller.signing.rules import RefusedError
from edge_agent.protocol.content import Broadcast
from edge_agent.protocol.documents import Membership, QuietHours
from edge_agent.protocol.states import Level
from tests.controller.signing.test_apart import PLACES, Apart, apart
from tests.controller.signing.test_bound import settings, sign_settings

__all__ = ["apart"]

EARLY = (QuietHours(start="22:00", until="04:30"),)
ZONE = "Asia/Ho_Chi_Minh"


async def yes(apart: Apart, person: str, *scopes: str, **how: Any) -> None:
    """Say yes to what is due at some places."""
    await apart.approve(person, apart.due(**how), scopes=scopes)


async def loosen(apart: Apart, person: str, scope: str, hours: tuple[QuietHours, ...] = EARLY) -> None:
    apart.clock.step(seconds=30)
    await apart.desk.approve(person, apart.code(person), Loosened(scope=scope, zone=ZONE, quiet_hours=hours))
    apart.clock.step(seconds=30)


@pytest.mark.parametrize(
    "scopes",
    [
        ("areas/commune",),
        ("areas/hamlet", "areas/other"),
        ("areas/unheard-of",),
        ("nodes/unheard-of",),
        ("nodes/hamlet",),
        ("hamlet",),
    ],
)
async def test_a_code_is_good_where_its_person_was_enrolled_and_below(apart: Apart, scopes: tuple[str, ...]) -> None:
    apart.ledger.bind("lan", {"hamlet"}, apart.clock())
    code = apart.code("lan")
    for level in Level:
        with pytest.raises(CodeError) as refused:
            await apart.approve("lan", apart.due(level=level), code, scopes=scopes)
        assert refused.value.fields["problem"] == "place"
    await apart.approve("lan", apart.due(), code, scopes=("areas/hamlet", "nodes/node-1"))  # it was not burned


async def test_two_people_of_a_hamlet_are_no_emergency_of_the_commune(apart: Apart) -> None:
    """Nor is the one of them who is good for both: the other's yes is to the hamlet alone."""
    apart.ledger.bind("minh", {"hamlet"}, apart.clock())
    alarm = apart.due(level=Level.EMERGENCY)
    with pytest.raises(CodeError):
        await apart.approve("minh", alarm, scopes=("areas/commune",))
    await apart.approve("minh", alarm, scopes=("areas/hamlet",))
    await apart.approve("lan", alarm, scopes=("areas/commune", "areas/hamlet"))
    with pytest.raises(RefusedError, match="one_person"):
        await apart.desk.sign(urgent(apart, "areas/commune", alarm), apart.keys.dispatch.kid, body=None, facts={})
    assert await apart.desk.sign(urgent(apart, "areas/hamlet", alarm), apart.keys.dispatch.kid, body=None, facts={})


def urgent(apart: Apart, scope: str, *broadcasts: Broadcast) -> Any:
    return msgspec.structs.replace(apart.urgent(*broadcasts), aud=scope)


async def test_who_was_enrolled_before_places_were_asked_for_is_good_nowhere(apart: Apart) -> None:
    apart.ledger._db.execute("DELETE FROM bound")
    with pytest.raises(CodeError, match="not good there"):
        await apart.approve("lan", apart.due())


async def test_stop_asks_for_no_place(apart: Apart) -> None:
    apart.ledger.take_places(Places(), apart.clock())
    hold = build_hold(Stamp("areas/unheard-of", 1, 1, apart.clock()), [])
    assert await apart.desk.sign(hold, apart.keys.dispatch.kid, body=None, facts={})


async def test_who_is_bound_elsewhere_takes_back_what_lies_outside(apart: Apart) -> None:
    await yes(apart, "lan", "areas/hamlet")
    apart.clock.step(seconds=30)
    await yes(apart, "lan", "areas/hamlet", "areas/other", level=Level.PRIORITY)
    await loosen(apart, "lan", "areas/commune")
    await loosen(apart, "lan", "areas/hamlet")
    assert apart.ledger.bind("nobody", {"hamlet"}, apart.clock()) is None
    assert apart.ledger.bind("lan", {"hamlet"}, apart.clock()) == 2
    assert [each.agreed.scopes for each in apart.ledger.standing(apart.clock())] == [("areas/hamlet",)]
    assert [each.said.scope for each in apart.ledger.all_loosened()] == ["areas/hamlet"]


async def test_the_hours_of_one_commune_loosen_no_node_of_another(apart: Apart) -> None:
    """Whatever areas the pages write into a node's settings."""
    await loosen(apart, "lan", "areas/other", ())
    chains = (("hamlet", "commune", "other"), ("other", "hamlet", "commune"), ("other",), ("hamlet", "other"), ())
    for chain in chains:
        areas = tuple(Membership(area_id=each) for each in chain)
        with pytest.raises(ValueError, match="loosen"):
            await sign_settings(apart, settings(apart, quiet_hours=(), areas=areas))
    areas = (Membership(area_id="other"),)
    await sign_settings(apart, settings(apart, quiet_hours=(), areas=areas, aud="nodes/adopted-since"))


async def test_hours_of_a_place_that_the_signer_does_not_know_are_loosened_by_nobody(apart: Apart) -> None:
    with pytest.raises(CodeError, match="does not know"):
        await loosen(apart, "lan", "areas/unheard-of")
    apart.ledger.take_places(Places(), apart.clock())
    with pytest.raises(CodeError, match="does not know"):
        await loosen(apart, "lan", "areas/commune")


async def test_stricter_hours_that_were_signed_are_loosened_again_by_a_new_code_alone(apart: Apart) -> None:
    await loosen(apart, "lan", "areas/commune", ())
    await sign_settings(apart, settings(apart, quiet_hours=()))
    await sign_settings(apart, settings(apart, quiet_hours=EARLY))
    for _ in range(2):
        with pytest.raises(ValueError, match="since they were stricter"):
            await sign_settings(apart, settings(apart, quiet_hours=()))
        await sign_settings(apart, settings(apart, quiet_hours=EARLY))
    await sign_settings(apart, settings(apart))
    with pytest.raises(ValueError, match="since they were stricter"):
        await sign_settings(apart, settings(apart, quiet_hours=EARLY))
    with pytest.raises(ValueError, match="since they were stricter"):
        await sign_settings(apart, settings(apart, quiet_hours=EARLY, aud="nodes/adopted-since"))
    await loosen(apart, "lan", "areas/commune", ())
    await sign_settings(apart, settings(apart, quiet_hours=()))


async def test_another_zone_ends_what_was_agreed_to_in_one(apart: Apart) -> None:
    hours = (QuietHours(start="12:00", until="20:00"),)
    to = Loosened(scope="areas/commune", zone="Etc/UTC", quiet_hours=hours)
    await apart.desk.approve("lan", apart.code("lan"), to)
    apart.clock.step(seconds=30)
    other = settings(apart, zone="Etc/UTC", quiet_hours=hours)
    await sign_settings(apart, other)
    await sign_settings(apart, settings(apart))
    with pytest.raises(ValueError, match="since they were stricter"):
        await sign_settings(apart, other)


async def test_a_hamlet_that_is_stricter_ends_nothing_for_the_rest_of_the_commune(apart: Apart) -> None:
    await loosen(apart, "lan", "areas/commune")
    await sign_settings(apart, settings(apart))
    with pytest.raises(ValueError, match="since they were stricter"):
        await sign_settings(apart, settings(apart, quiet_hours=EARLY))
    rest = settings(apart, quiet_hours=EARLY, aud="nodes/node-2", areas=(Membership(area_id="commune"),))
    await sign_settings(apart, rest)


async def test_settings_that_were_on_their_way_take_no_new_code_back(apart: Apart) -> None:
    to = Loosened(scope="areas/commune", zone=ZONE, quiet_hours=EARLY)
    await apart.desk.approve("lan", apart.code("lan"), to)
    await sign_settings(apart, settings(apart))
    await sign_settings(apart, settings(apart, quiet_hours=EARLY))


def run(folder: Path, *words: str) -> int:
    return main(["signer", "--folder", str(folder), *words])


def listed(path: Path, places: Places) -> str:
    path.write_bytes(msgspec.json.encode(places))
    return str(path)


def logged(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / FILE).read_text().splitlines()]


def test_the_keeper_sees_what_would_be_otherwise_before_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = listed(tmp_path / "places.json", PLACES)
    assert run(tmp_path, "places", file) == 0
    first = capsys.readouterr()
    assert len(first.out.splitlines()) == 7
    assert "Nothing is taken" in first.err
    assert run(tmp_path, "places") == 0
    assert capsys.readouterr().out == ""
    assert run(tmp_path, "places", file, "--accept") == 0
    capsys.readouterr()
    hidden = KnownArea("hamlet", "Thôn 1\r\x1b[2K\u202e", "other")
    moved = msgspec.structs.replace(PLACES, areas=(*PLACES.areas[:1], hidden, *PLACES.areas[2:]), people=())
    assert run(tmp_path, "places", listed(tmp_path / "places.json", moved)) == 0
    assert capsys.readouterr().out.splitlines() == [
        "~ areas/hamlet\tXã Đông / Thôn 1 → Xã Tây / Thôn 1??[2K?",
        "- people/lan\tlan, Lan",
        "- people/minh\tminh, Minh",
        "- people/nam\tnam.vu, Nam",
    ]
    assert run(tmp_path, "places") == 0
    assert capsys.readouterr().out.splitlines() == described(PLACES)
    [taken] = logged(tmp_path)
    assert (taken["what"], taken["detail"]["count"], taken["detail"]["yeses"]) == ("places", 7, 0)
    assert verify(tmp_path / FILE) is not None


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b'{"areas": [{"id": "a", "name": "A", "parent_id": "a"}]}',
        b'{"areas": [{"id": "a", "name": "A", "parent_id": "b"}, {"id": "b", "name": "B", "parent_id": "a"}]}',
        b'{"areas": [{"id": "a", "name": "A", "parent_id": "gone"}]}',
        b'{"areas": [{"id": "a", "name": "A"}, {"id": "a", "name": "B"}]}',
        b'{"nodes": [{"id": "n", "name": "N", "area_id": "a"}]}',
        b'{"areas": [{"id": "", "name": "A"}]}',
    ],
)
def test_what_is_no_tree_is_not_taken(raw: bytes) -> None:
    with pytest.raises(PlacesError):
        read_places(raw)


def test_who_is_enrolled_is_somebody_once_and_for_some_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "places", listed(tmp_path / "places.json", PLACES), "--accept") == 0
    with pytest.raises(SystemExit):
        run(tmp_path, "enrol", "lan")
    for words in (("lam", "--everywhere"), ("nam", "--area", "Xã Nam"), ("nam", "--area", "hamlet", "--area", "x")):
        assert run(tmp_path, "enrol", *words) == 1
    assert "no account that the signer knows" in capsys.readouterr().err
    assert run(tmp_path, "enrol", "nam.vu", "--area", "Xã Đông", "--area", "other") == 0
    said = capsys.readouterr()
    assert "otpauth://totp/" in said.out
    assert said.err == (
        "For Nam (nam.vu, account nam).\nGood for Xã Đông (commune), Xã Tây (other) and what lies below.\n"
    )
    assert run(tmp_path, "enrol", "nam", "--everywhere") == 1, "a second telephone takes nobody's place unsaid"
    assert "--replace" in capsys.readouterr().err
    secret = said.out.splitlines()[0]
    assert run(tmp_path, "enrol", "nam", "--area", "hamlet", "--replace") == 0
    assert capsys.readouterr().out.splitlines()[0] != secret
    assert run(tmp_path, "bind", "nam.vu", "--everywhere") == 0
    assert run(tmp_path, "bind", "lan", "--everywhere") == 1
    assert run(tmp_path, "approvers") == 0
    assert capsys.readouterr().out == "nam\tnam.vu\tNam\tevery place\n"
    assert run(tmp_path, "remove", "nam.vu") == 0
    assert run(tmp_path, "approvers") == 0
    assert capsys.readouterr().out == ""
    entries = [(each["what"], each["detail"].get("areas"), each["detail"].get("replaced")) for each in logged(tmp_path)]
    assert entries == [
        ("places", None, None),
        ("enrolled", ["commune", "other"], False),
        ("enrolled", ["hamlet"], True),
        ("bound", None, None),
        ("removed", None, None),
    ]
    assert secret not in (tmp_path / FILE).read_text()


def test_without_a_list_of_accounts_it_is_said_whose_word_is_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "enrol", "mallory", "--everywhere") == 0
    assert "whoever has the account id 'mallory'" in capsys.readouterr().err


def test_one_person_is_one_whether_enrolled_before_the_list_or_after(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the list a login is taken for an id; two telephones of one person would be an emergency's two people."""
    for word in ("nam.vu", "nam"):
        assert run(tmp_path, "enrol", word, "--everywhere") == 0
    capsys.readouterr()
    assert run(tmp_path, "places", listed(tmp_path / "places.json", PLACES), "--accept") == 0
    assert "no account by id, and good for nothing now: nam.vu." in capsys.readouterr().err
    assert run(tmp_path, "approvers") == 0
    by_id, by_login = capsys.readouterr().out.splitlines()
    assert by_id.endswith("every place")
    assert by_login.startswith("nam.vu\t-\t-\tno place")
    assert run(tmp_path, "remove", "nam") == 0
    capsys.readouterr()
    assert run(tmp_path, "approvers") == 0
    assert capsys.readouterr().out == ""


def test_who_has_an_entry_under_the_login_gets_no_second_unsaid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "enrol", "nam.vu", "--everywhere") == 0
    assert run(tmp_path, "places", listed(tmp_path / "places.json", PLACES), "--accept") == 0
    for word in ("nam.vu", "nam"):
        assert run(tmp_path, "enrol", word, "--everywhere") == 1
        assert run(tmp_path, "bind", word, "--everywhere") == 1
    assert run(tmp_path, "enrol", "nam.vu", "--everywhere", "--replace") == 0
    capsys.readouterr()
    assert run(tmp_path, "approvers") == 0
    assert capsys.readouterr().out == "nam\tnam.vu\tNam\tevery place\n"


async def test_a_newer_list_takes_back_what_lies_in_nobodys_places_any_more(apart: Apart) -> None:
    """A hamlet that left, and an account that did: of neither is anything signed by the yeses of before."""
    apart.ledger.bind("minh", {"commune"}, apart.clock())
    due, late = apart.due(), apart.due(level=Level.PRIORITY)
    await apart.approve("minh", due, scopes=("areas/hamlet",))
    await loosen(apart, "minh", "areas/hamlet")
    await apart.approve("lan", late, scopes=("areas/hamlet",))
    assert await apart.desk.sign(urgent(apart, "areas/hamlet", due), apart.keys.dispatch.kid, body=None, facts={})
    left = msgspec.structs.replace(
        PLACES, areas=(*PLACES.areas[:1], KnownArea("hamlet", "Thôn 1", "other"), PLACES.areas[2])
    )
    assert apart.ledger.take_places(left, apart.clock()) == 2
    assert [each.person_id for each in apart.ledger.standing(apart.clock())] == ["lan"]
    with pytest.raises(RefusedError):
        await apart.desk.sign(urgent(apart, "areas/hamlet", due), apart.keys.dispatch.kid, body=None, facts={})
    gone = msgspec.structs.replace(left, people=PLACES.people[1:])
    assert apart.ledger.take_places(gone, apart.clock()) == 1
    with pytest.raises(CodeError, match="not good there"):
        await apart.approve("lan", late, scopes=("areas/hamlet",))


async def test_the_console_shows_what_pages_named_and_obeys_none_of_it(
    apart: Apart, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    apart.clock.now = apart.clock.now.replace(year=2100)
    over = apart.clock() + timedelta(days=1)
    await apart.approve("minh", apart.due(), name="broadcasts/x\x1b[1A\x1b[2K\r\u202e\n", not_after_at=over)
    assert run(tmp_path, "yeses") == 0
    [line] = capsys.readouterr().out.splitlines()
    assert "broadcasts/x?[1A?[2K???" in line
    assert "\x1b" not in line


async def test_yeses_name_loosened_hours_too_and_void_takes_them_back(
    apart: Apart, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    apart.clock.now = apart.clock.now.replace(year=2100)
    await apart.approve("minh", apart.due(), not_after_at=apart.clock() + timedelta(days=1))
    await loosen(apart, "lan", "areas/commune")
    await sign_settings(apart, settings(apart))
    assert run(tmp_path, "yeses") == 0
    one, hours = capsys.readouterr().out.splitlines()
    assert one.startswith("1\tminh\t")
    assert hours == f"areas/commune\tlan\tquiet hours\t{ZONE}\t22:00–04:30\tless is left in: hamlet"
    assert run(tmp_path, "void", "areas/commune") == 0
    assert run(tmp_path, "void", "areas/commune") == 1
    rest = settings(apart, quiet_hours=EARLY, aud="nodes/node-2", areas=(Membership(area_id="commune"),))
    with pytest.raises(ValueError, match="loosen"):
        await sign_settings(apart, rest)
    assert logged(tmp_path)[-1]["what"] == "tightened"


@pytest.mark.parametrize("answers", [True, False])
async def test_commands_beside_a_centre_make_no_keys_where_the_signer_has_them(
    apart: Apart, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, answers: bool
) -> None:
    """A release that is added there is checked by the update keys that the signer names."""
    if answers:
        monkeypatch.setattr(rows, "RemoteKeys", lambda _wire: apart.keys)
    config = Config(state=tmp_path / "centre", signer=tmp_path / "nobody.sock")
    async with rows.opened(config, may_be_new=True) as services:
        assert services.releases._trusted() == (apart.keys.trusted if answers else ())
    assert not (config.keys / "ring.json").exists()
