"""Releases come in whole, signed, and never backwards; bundles go to our nodes alone."""

import lzma
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select

from controller.errors import ForbiddenError, InvalidError, NoSpaceError, NotFoundError
from controller.nodes.shown import Shown
from controller.people.actor import Actor
from controller.renewals.models import NodeCertificate
from controller.signing.ring import RotationError, Step, drop_update, trust_update
from controller.updates.errors import BundleError, OldReleaseError, UpdateKeyError
from controller.wire.keys import Keys, load_keys, write_ring
from edge_agent.protocol.documents import TimeAnswer
from edge_agent.protocol.states import KeyUse
from tests.controller.factories import ADDRESS, MORNING, Centre
from tests.edge_agent.updates.making import tar_of

from .shop import BUNDLE, Shop, body, new_update_key, packed, signed


async def test_what_is_signed_comes_in_and_into_the_audit(here: Centre) -> None:
    shop = Shop(here)
    added = await shop.add()
    path = here.services.releases.path(added.sha256)
    assert path.read_bytes() == BUNDLE
    assert path.parent.stat().st_mode & 0o077 == 0
    assert [each.release for each in await here.services.releases.list(here.actor)] == [7]
    entry = next(one for one in await here.services.audit.list(here.actor) if one.action == "updates.add")
    assert (entry.subject, entry.detail["sha256"]) == (f"updates/{added.id}", added.sha256)


async def test_the_boards_of_one_release_come_one_after_the_other(lite: Centre) -> None:
    shop = Shop(lite)
    await shop.add(board="arm64")
    await shop.add(bundle=packed("amd64"), board="amd64")
    assert len(await lite.services.releases.list(lite.actor)) == 2
    with pytest.raises(OldReleaseError):
        await shop.add(bundle=b"again", board="amd64")


async def test_an_older_release_is_refused(lite: Centre) -> None:
    shop = Shop(lite)
    await shop.add(8)
    with pytest.raises(OldReleaseError) as refused:
        await shop.add(7, bundle=b"old", board="amd64")
    assert refused.value.fields["highest"] == 8
    assert files(lite) == [f"{(await lite.services.releases.list(lite.actor))[0].sha256}.bundle"]


@pytest.mark.parametrize("problem", ["unknown_key", "bad_signature", "malformed", "wrong_audience", "dispatch"])
async def test_what_no_update_key_covers_is_refused_before_a_byte_is_read(lite: Centre, problem: str) -> None:
    shop = Shop(lite)
    token, keys = signed(shop.key, lite.clock()), load_keys(lite.services.config.keys)
    tokens = {
        "unknown_key": signed(new_update_key(), lite.clock()),
        "bad_signature": token[:-4] + ("AAAA" if not token.endswith("AAAA") else "BBBB"),
        "malformed": "no.token",
        "wrong_audience": time_answer(keys),
        "dispatch": signed(keys.dispatch, lite.clock()),
    }

    async def unread() -> AsyncIterator[bytes]:
        pytest.fail("read")
        yield b""  # type: ignore[unreachable]  # makes it an iterator

    with pytest.raises(UpdateKeyError) as refused:
        await lite.services.releases.add(lite.actor, tokens[problem], unread())
    assert refused.value.fields["problem"] == (problem if problem != "dispatch" else "unknown_key")
    assert files(lite) == []


def time_answer(keys: Keys) -> str:
    at = int(MORNING.timestamp())
    said = TimeAnswer(aud="nodes/n", epoch=1, version=1, iat=at, nbf=at, exp=at + 60, nonce="0" * 32, time_at=MORNING)
    return keys.dispatch.sign(said).decode()


@pytest.mark.parametrize("came", [BUNDLE + b"more", BUNDLE[:-1], b"x" + BUNDLE[1:]])
async def test_another_file_than_the_one_that_was_signed_leaves_nothing_behind(lite: Centre, came: bytes) -> None:
    shop = Shop(lite)
    with pytest.raises(BundleError):
        await lite.services.releases.add(lite.actor, signed(shop.key, lite.clock()), body(came))
    assert (files(lite), await lite.services.releases.list(lite.actor)) == ([], [])


@pytest.mark.parametrize(
    ("bundle", "problem"),
    [
        (b"a letter home\n" * 100, "bad_bundle"),
        (lzma.compress(tar_of({"a.txt": b"hello"})), "bad_bundle"),
        (packed(version="0.6.0"), "bad_bundle"),
        (packed(files={"../evil": b""}), "bad_bundle"),
        (packed("amd64"), "wrong_board"),
        (packed("riscv64"), "wrong_board"),
        (packed(python="312"), "wrong_python"),
    ],
)
async def test_what_every_node_would_refuse_does_not_come_in_though_it_is_signed(
    lite: Centre, bundle: bytes, problem: str
) -> None:
    shop = Shop(lite)
    with pytest.raises(BundleError) as refused:
        await shop.add(bundle=bundle)
    assert refused.value.fields == {"field": "body", "problem": problem}
    assert (files(lite), await lite.services.releases.list(lite.actor)) == ([], [])


async def test_a_release_whose_time_is_over_is_not_taken_in(lite: Centre) -> None:
    shop = Shop(lite)
    token = signed(shop.key, lite.clock())
    lite.clock.step(days=90)
    with pytest.raises(InvalidError) as refused:
        await lite.services.releases.add(lite.actor, token, body())
    assert refused.value.fields["problem"] == "expired"


async def test_only_who_may_everywhere_adds_a_release(lite: Centre) -> None:
    shop, province = Shop(lite), await lite.area("Tỉnh Bắc", kind="province")
    for role, area in (("administrator", province), ("technician", None), ("approver", None)):
        person = await lite.somebody(f"{role}.o", role, area)
        with pytest.raises(ForbiddenError):
            await lite.services.releases.add(Actor(person.id, ADDRESS), signed(shop.key, lite.clock()), body())
    assert files(lite) == []


async def test_the_disk_keeps_its_reserve(lite: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop(lite)
    monkeypatch.setattr(
        "controller.recordings.uploads.shutil.disk_usage",
        lambda _folder: shutil._ntuple_diskusage(10, 11, -1),  # a disk beyond full
    )
    with pytest.raises(NoSpaceError):
        await shop.add()
    assert files(lite) == []


async def test_a_bundle_goes_to_our_nodes_alone(lite: Centre) -> None:
    releases, added = lite.services.releases, await Shop(lite).add()
    area = await lite.area()
    node, gone, stolen = [await lite.node(area, name) for name in ("Cụm 1", "Cụm 2", "Cụm 3")]
    shown = {each.id: Shown(each.id, await serial(lite, each.id)) for each in (node, gone, stolen)}
    assert await releases.bundle(shown[node.id], added.sha256) == releases.path(added.sha256)
    await lite.services.revocations.revoke(lite.actor, stolen.id, "mất trộm")
    strangers = [None, shown[stolen.id], Shown("controller", shown[node.id].serial), Shown(node.id, "abc")]
    strangers += [Shown(node.id, shown[gone.id].serial)]
    for each in strangers:
        with pytest.raises(NotFoundError):
            await releases.bundle(each, added.sha256)
    with pytest.raises(NotFoundError):
        await releases.bundle(shown[node.id], "0" * 64)


async def serial(here: Centre, node_id: str) -> str:
    async with here.database.reading() as session:
        found = await session.scalar(select(NodeCertificate.serial).where(NodeCertificate.node_id == node_id))
    assert found is not None
    return found


async def test_files_that_no_row_names_go_unless_they_are_just_coming(lite: Centre) -> None:
    shop, folder = Shop(lite), lite.services.config.updates
    added = await shop.add()
    old, coming = folder / "old.bundle", folder / "coming.part"
    for each in (old, coming):
        each.write_bytes(b"x")
    for each in (old, folder / f"{added.sha256}.bundle"):
        os.utime(each, (1, 1))
    await lite.services.releases.tidy()
    assert files(lite) == sorted([f"{added.sha256}.bundle", "coming.part"])


def files(here: Centre) -> list[str]:
    folder = here.services.config.updates
    return sorted(each.name for each in folder.iterdir()) if folder.is_dir() else []


def test_two_update_keys_are_believed_at_once_and_dropped_by_name(tmp_path: Path) -> None:
    keys = load_keys(tmp_path)
    now = keys.ring.keys[0].made_at
    first, second, third = (new_update_key().trusted_as(KeyUse.UPDATE) for _ in range(3))
    ring = trust_update(trust_update(keys.ring, first, now), second, now)
    write_ring(tmp_path, ring)
    assert keys.refresh()
    assert [key.kid for key in keys.trusted if key.use is KeyUse.UPDATE] == [first.kid, second.kid]
    assert [key.step for key in ring.keys if key.use is KeyUse.UPDATE] == [Step.LEAVING, Step.SIGNING]
    for wrong in (third, second, keys.dispatch.trusted_as(KeyUse.DISPATCH)):
        with pytest.raises(RotationError):
            trust_update(ring, wrong, now)
    dropped = drop_update(ring, first.kid, now, stolen=True)
    assert (dropped.revoked, [key.kid for key in dropped.trusted if key.use is KeyUse.UPDATE]) == (
        (first.kid,),
        [second.kid],
    )
    with pytest.raises(RotationError):
        drop_update(ring, keys.dispatch.kid, now)
    with pytest.raises(RotationError, match="known"):
        trust_update(dropped, first, now)
