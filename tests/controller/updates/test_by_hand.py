"""Updates as people order them: by the API, by command, after a restore; and told before a key ends."""

import lzma
from pathlib import Path
from random import Random

import msgspec
import pytest
from sqlalchemy import select

from controller.alarms.models import Alarm
from controller.cli import main
from controller.http.middleware import MAX_BODY_BYTES
from controller.restoring import begin_anew
from controller.updates.states import RolloutState, State
from controller.wire.keys import load_keys
from controller.wire.rotation import ENDS, Rotation
from edge_agent.protocol.documents import TrustedKey
from edge_agent.protocol.signing import TrustStore, open_release
from edge_agent.protocol.states import KeyUse
from tests.controller.factories import Centre
from tests.controller.test_commands_rows import Types, run, types
from tests.edge_agent.updates.making import tar_of

from .shop import BUNDLE, Shop, new_update_key, packed, signed, trust

__all__ = ["types"]


async def test_a_bundle_of_the_size_of_real_ones_is_taken_by_the_api(lite: Centre) -> None:
    """Others' bodies end at a MiB."""
    shop = Shop(lite)
    bundle = packed(files={"noise": Random(1).randbytes(MAX_BODY_BYTES)})
    assert len(bundle) > MAX_BODY_BYTES
    async with lite.client() as client:
        params = {"release": signed(shop.key, lite.clock(), bundle=bundle)}
        added = await client.post("/api/v1/updates", params=params, content=bundle)
    assert (added.status_code, added.json()["bytes"]) == (201, len(bundle))


async def test_a_release_goes_its_way_by_the_api(lite: Centre) -> None:
    shop, area = Shop(lite), await lite.area()
    node = await lite.node(area)
    shop.hears(node.id)
    token = signed(shop.key, lite.clock())
    async with lite.client() as client:
        refused = await client.post(
            "/api/v1/updates", params={"release": signed(new_update_key(), lite.clock())}, content=BUNDLE
        )
        assert (refused.status_code, refused.json()["error"]["code"]) == (422, "update_key")
        spoilt = await client.post("/api/v1/updates", params={"release": token}, content=BUNDLE + b"x")
        assert (spoilt.status_code, spoilt.json()["error"]["code"]) == (422, "update_bundle")
        added = await client.post("/api/v1/updates", params={"release": token}, content=BUNDLE)
        assert (added.status_code, added.json()["release"]) == (201, 7)
        again = await client.post("/api/v1/updates", params={"release": token}, content=BUNDLE)
        assert (again.status_code, again.json()["error"]["code"]) == (409, "update_old")
        assert [each["id"] for each in (await client.get("/api/v1/updates")).json()] == [added.json()["id"]]
        begun = await client.post("/api/v1/rollouts", json={"release": 7, "targets": [area.scope]})
        assert (begun.status_code, begun.json()["counts"]) == (201, {"planned": 1})
        url = f"/api/v1/rollouts/{begun.json()['id']}"
        twice = await client.post("/api/v1/rollouts", json={"release": 7, "targets": [node.scope]})
        assert (twice.status_code, twice.json()["error"]["code"]) == (409, "rollout")
        assert await shop.look() == [node.id]
        for act, state in (("pause", "paused"), ("resume", "running"), ("stop", "stopped")):
            turned = await client.post(f"{url}/{act}")
            assert (turned.status_code, turned.json()["state"]) == (200, state)
        assert (await client.post(f"{url}/stop")).status_code == 409
        shown = (await client.get(url)).json()
        assert (shown["reason"], shown["nodes"][0]["state"], shown["nodes"][0]["wave"]) == ("by_person", "told", 1)
        assert [each["id"] for each in (await client.get("/api/v1/rollouts")).json()] == [shown["id"]]


async def test_a_release_goes_its_way_by_command(lite: Centre, types: Types, tmp_path: Path) -> None:
    area = await lite.area("Xã Đông", kind="commune")
    node = await lite.node(area, "Cổng chợ")
    bundle, key = tmp_path / "loa.bundle", tmp_path / "update.key"
    bundle.write_bytes(BUNDLE)
    assert main(["keys", "make-update-key", str(key)]) == 0
    sign = ["updates", "sign", str(bundle), "--key", str(key), "--release", "12"]
    assert main([*sign, "--hand-on", f"{key}.pub"]) == 0
    public = msgspec.json.decode((tmp_path / "update.key.pub").read_bytes(), type=TrustedKey)
    token = (tmp_path / "loa.bundle.release").read_bytes().strip()
    release = open_release(token, trust=TrustStore([public]))
    assert (release.size, release.python, release.keys) == (len(BUNDLE), "3.11", (public,))
    assert (release.version, release.board) == ("0.7.0", "arm64")  # as the bundle says

    status, _, problem = await run(types, "updates", "add", str(bundle))
    assert status == 1
    assert problem.startswith("loa: release: no update key of this centre has signed it")
    assert problem.count("\n") == 1
    assert (await run(types, "keys", "trust-update-key", f"{key}.pub"))[0] == 0
    assert (await run(types, "updates", "add", str(bundle)))[0] == 0
    status, out, _ = await run(types, "updates", "list")
    assert out.split("\t")[:3] == ["12", "0.7.0", "arm64"]
    status, out, problem = await run(types, "updates", "start", "12", "--to", "Xã Đông", "--waves", "1,100%")
    assert (status, problem) == (0, "")
    rollout_id = out.split("\t")[0]
    assert out.splitlines()[1].split("\t")[:3] == [node.id, "Cổng chợ", "planned"]
    for act, state in (("pause", "paused"), ("resume", "running"), ("stop", "stopped (by_person)")):
        status, out, _ = await run(types, "updates", act, rollout_id)
        assert out.split("\t")[3] == state
    assert (await run(types, "updates", "status"))[1].split("\t")[0] == rollout_id
    for wrong in (("stop", rollout_id), ("start", "99", "--to", "Xã Đông")):
        status, out, problem = await run(types, "updates", *wrong)
        assert (status, out, problem.count("\n")) == (1, "", 1)
        assert problem.startswith("loa: ")


@pytest.mark.parametrize(
    "wrong",
    [
        ("--release", "0"),
        ("--version", "a b"),
        ("--version", "0.8.0"),
        ("--board", "amd64"),
        ("--python", "2.7"),
        ("--python", "3.12"),
        ("--key", "/dev/null"),
        ("--days", "0"),
    ],
)
def test_what_cannot_be_signed_says_so_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], wrong: tuple[str, str]
) -> None:
    bundle, key = tmp_path / "loa.bundle", tmp_path / "update.key"
    bundle.write_bytes(BUNDLE)
    assert main(["keys", "make-update-key", str(key)]) == 0
    given = {"--key": str(key), "--release": "1"} | dict([wrong])
    capsys.readouterr()
    assert main(["updates", "sign", str(bundle), *(word for pair in given.items() for word in pair)]) == 1
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert not (tmp_path / "loa.bundle.release").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "breaks off"),
        (b"a letter home\n" * 100, "Input format not supported"),
        (BUNDLE[:-9], "breaks off"),
        (BUNDLE + b"more", "something follows its end"),
        (lzma.compress(tar_of({"a.txt": b"hello"})), "no agent is in it"),
        (packed("riscv64"), "ELF 243"),
        (packed(files={"a": b"", "a/b": b""}), "lies in a file"),
    ],
)
def test_nothing_but_a_bundle_of_the_agent_is_signed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, said: str
) -> None:
    bundle, key = tmp_path / "loa.bundle", tmp_path / "update.key"
    bundle.write_bytes(content)
    assert main(["keys", "make-update-key", str(key)]) == 0
    capsys.readouterr()
    assert main(["updates", "sign", str(bundle), "--key", str(key), "--release", "1"]) == 1
    out, problem = capsys.readouterr()
    assert (out, problem.count("\n"), said in problem) == ("", 1, True), problem
    assert not (tmp_path / "loa.bundle.release").exists()


async def test_after_a_restore_no_rollout_goes_on_by_itself(lite: Centre) -> None:
    shop, area = Shop(lite), await lite.area()
    node = await lite.node(area)
    shop.hears(node.id)
    await shop.add()
    rollout = await shop.start(area.scope)
    await begin_anew(lite.database, lite.person.id, 2, now=lite.clock())
    assert await shop.look() == []
    found = await lite.services.rollouts.get(lite.actor, rollout.id)
    assert (found.state, found.counts) == (RolloutState.PAUSED, {State.PLANNED: 1})


async def test_people_are_told_90_30_and_7_days_before_an_update_key_ends(lite: Centre) -> None:
    folder = lite.services.config.keys
    trust(folder, new_update_key(), lite.clock())
    keys, services = load_keys(folder), lite.services
    rotation = Rotation(lite.database, lite.clock, keys, services.live, services.alarms)
    (key,) = [each for each in keys.ring.keys if each.use is KeyUse.UPDATE]
    for left in (91, 90, 89, 30, 29, 7, 1):
        lite.clock.step(days=(key.ends_at - lite.clock()).days - left)
        await rotation.look()
    async with lite.database.reading() as session:
        told = await session.scalars(select(Alarm.detail).where(Alarm.kind == ENDS).order_by(Alarm.raised_at))
        assert [each["days"] for each in told if each["name"] == "update_key"] == [90, 30, 7]
