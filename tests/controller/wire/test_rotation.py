"""Keys change without a gap: whoever was away, however long, comes back to what it can check."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from controller.alarms.models import Alarm
from controller.cli import main
from controller.signing.apart import Strongroom
from controller.signing.ledger import Ledger
from controller.signing.remote import RemoteKeys
from controller.signing.ring import RotationError, Step, begin
from controller.wire.keys import KeyFileError, load_keys, new_key, write_ring
from controller.wire.rotation import BEHIND, ENDS, LAGGARDS, Rotation
from edge_agent.protocol.documents import BY_WORD, Settings, TrustedKey
from edge_agent.protocol.errors import UnknownKeyError
from edge_agent.protocol.signing import TrustStore, open_document, signer_of
from edge_agent.protocol.states import KeyUse
from edge_agent.protocol.topics import Word
from tests.controller.signing.test_apart import Direct
from tests.controller.wire.test_dispatcher import Desk, desk


@dataclass
class Sleeper:
    """A node as far as keys go: what it trusts, and what the broker has for it when it is awake."""

    made: Desk
    node_id: str
    trusts: tuple[TrustedKey, ...]

    @property
    def scope(self) -> str:
        return f"nodes/{self.node_id}"

    def wake(self) -> Settings:
        """Take the retained settings, as a node does: checked by what it trusts."""
        settings = open_document(
            self.retained("settings"), Settings, audience=self.scope, trust=TrustStore(self.trusts)
        )
        self.trusts = settings.trusted_keys
        self.made.signer._live.note(self.node_id, health={"keys": [key.kid for key in self.trusts]})
        return settings

    def takes(self, scope: str, word: str) -> None:
        open_document(self.retained(word, scope), BY_WORD[Word(word)], audience=scope, trust=TrustStore(self.trusts))

    def retained(self, word: str, scope: str | None = None) -> bytes:
        wanted = (scope or self.scope, word)
        return next(token for s, w, token in reversed(self.made.broker.published) if (s, w) == wanted)


@dataclass
class Keyring:
    """A centre with two nodes, and the rotation that looks after it."""

    made: Desk
    rotation: Rotation
    nodes: tuple[Sleeper, Sleeper]
    area: str

    async def look(self) -> None:
        """One minute: look, dispatch."""
        self.made.centre.clock.step(minutes=1)
        await self.rotation.look()
        await self.made.settle()

    def rotate(self, use: KeyUse, **how: Any) -> None:
        keys = self.made.keys
        keys.change(begin(keys.ring, new_key(keys._folder, use, self.made.centre.clock()), **how))

    def asleep(self) -> list[str]:
        return list(self.made.keys.ring.asleep)

    def steps(self, use: KeyUse) -> list[Step]:
        return [key.step for key in self.made.keys.ring.keys if key.use is use]

    async def alarms(self, kind: str) -> list[dict[str, Any]]:
        async with self.made.centre.database.reading() as session:
            return list(await session.scalars(select(Alarm.detail).where(Alarm.kind == kind).order_by(Alarm.raised_at)))


async def keyring(made: Desk) -> Keyring:
    area = await made.centre.area()
    nodes = [await made.centre.node(area, name) for name in ("Cụm 1", "Cụm 2")]
    await made.settle()
    centre = made.centre
    rotation = Rotation(centre.database, centre.clock, made.keys, centre.services.live, centre.services.alarms)
    sleepers = [Sleeper(made, node.id, made.keys.trusted) for node in nodes]
    ring = Keyring(made, rotation, (sleepers[0], sleepers[1]), f"areas/{area.id}")
    for node in ring.nodes:
        node.wake()
    return ring


@pytest.mark.parametrize("use", [KeyUse.DISPATCH, KeyUse.POLICY])
async def test_a_key_is_replaced_when_all_hold_the_new_one(tmp_path: Path, use: KeyUse) -> None:
    async with desk(tmp_path) as made:
        ring = await keyring(made)
        old = made.keys.ring.signing(use)
        ring.rotate(use)
        for _ in range(4):
            await ring.look()
            for node in ring.nodes:
                node.wake()
                for word in ("hold", "urgent", "plan"):
                    node.takes(ring.area, word)
                    node.takes(node.scope, word)
        assert ring.steps(use) == [Step.SIGNING]
        assert old.kid not in {key.kid for key in made.keys.trusted}
        assert not (tmp_path / "keys" / old.file).exists(), "a private half that is of no use is destroyed"
        assert old.kid not in {key.kid for node in ring.nodes for key in node.trusts}
        assert old.kid not in {signer_of(token) for token in _retained(made)}


@pytest.mark.parametrize("use", [KeyUse.DISPATCH, KeyUse.POLICY])
async def test_a_node_that_slept_through_a_rotation_comes_back(tmp_path: Path, use: KeyUse) -> None:
    async with desk(tmp_path) as made:
        ring = await keyring(made)
        awake, asleep = ring.nodes
        ring.rotate(use)
        for _ in range(3):
            await ring.look()
            awake.wake()
        assert len(ring.steps(use)) == 2, "the rotation waits for whoever sleeps"
        made.centre.clock.step(days=14)
        for _ in range(4):
            await ring.look()
            awake.wake()
        assert ring.steps(use) == [Step.SIGNING]
        [told] = await ring.alarms(LAGGARDS)
        assert told["lagging"] == [asleep.node_id]
        made.centre.clock.step(days=400)
        await ring.look()
        asleep.wake()
        await ring.look()
        settings = asleep.wake()
        assert settings.trusted_keys == made.keys.trusted
        for word in ("hold", "urgent", "plan"):
            asleep.takes(ring.area, word)


async def test_another_policy_key_waits_for_who_slept_through_the_last_change(tmp_path: Path) -> None:
    """A third key would leave a sleeper with settings that announce what is destroyed by the time it wakes."""
    async with desk(tmp_path) as made:
        ring = await keyring(made)
        awake, asleep = ring.nodes
        ring.rotate(KeyUse.POLICY)
        for _ in range(3):
            await ring.look()
            awake.wake()
        made.centre.clock.step(days=14)
        for _ in range(3):
            await ring.look()
            awake.wake()
        assert ring.asleep() == [asleep.node_id]
        with pytest.raises(RotationError, match=f"{asleep.node_id}.*leave-behind"):
            ring.rotate(KeyUse.POLICY)
        assert ring.steps(KeyUse.POLICY) == [Step.SIGNING], "nothing began"
        ring.rotate(KeyUse.DISPATCH)
        for _ in range(2):
            asleep.wake()
            await ring.look()
        assert ring.asleep() == []
        ring.rotate(KeyUse.POLICY)
        for _ in range(3):
            await ring.look()
            for node in ring.nodes:
                node.wake()
        assert {key.kid for key in asleep.trusts} == {key.kid for key in made.keys.trusted}


async def test_who_is_left_behind_is_not_waited_for_and_who_is_removed_neither(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        ring = await keyring(made)
        awake, asleep = ring.nodes
        ring.rotate(KeyUse.POLICY)
        await ring.look()
        awake.wake()
        with pytest.raises(RotationError, match="already"):
            ring.rotate(KeyUse.POLICY)
        ring.rotate(KeyUse.POLICY, leave_behind=True)
        assert ring.steps(KeyUse.POLICY) == [Step.LEAVING, Step.SIGNING]
        await ring.look()
        assert awake.wake().trusted_keys == made.keys.trusted
        made.centre.clock.step(days=14)
        for _ in range(2):
            await ring.look()
            awake.wake()
        assert ring.asleep() == [asleep.node_id]
        await made.centre.services.revocations.revoke(made.centre.actor, asleep.node_id, "Bị lấy cắp")
        await ring.look()
        assert ring.asleep() == []
        ring.rotate(KeyUse.POLICY)


async def test_settings_of_a_node_are_signed_by_what_it_holds(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        ring = await keyring(made)
        awake, asleep = ring.nodes
        old = made.keys.policy.kid
        ring.rotate(KeyUse.POLICY)
        await ring.look()
        assert {signer_of(node.retained("settings")) for node in ring.nodes} == {old}
        awake.wake()
        await ring.look()
        assert signer_of(awake.retained("settings")) == made.keys.policy.kid
        assert signer_of(asleep.retained("settings")) == old


async def test_a_stolen_dispatch_key_is_believed_no_more_at_once(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        ring = await keyring(made)
        stolen = made.keys.dispatch
        ring.rotate(KeyUse.DISPATCH, stolen=True)
        await ring.look()
        for node in ring.nodes:
            assert node.wake().revoked_keys == (stolen.kid,)
            node.takes(ring.area, "plan")
        forged = stolen.sign(made.last(ring.area, "hold"))
        with pytest.raises(UnknownKeyError):
            open_document(forged, BY_WORD[Word.HOLD], audience=ring.area, trust=TrustStore(ring.nodes[0].trusts))


async def test_a_stolen_policy_key_is_not_mended_by_a_message(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        ring = await keyring(made)
        with pytest.raises(RotationError, match="adopt"):
            ring.rotate(KeyUse.POLICY, stolen=True)


async def test_one_rotation_waits_for_the_other(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        ring = await keyring(made)
        ring.rotate(KeyUse.DISPATCH)
        with pytest.raises(RotationError, match="already"):
            ring.rotate(KeyUse.DISPATCH)


@pytest.mark.parametrize("apart", [False, True], ids=["here", "apart"])
@pytest.mark.parametrize("use", [KeyUse.DISPATCH, KeyUse.POLICY])
async def test_people_are_told_90_30_and_7_days_before_a_key_ends(tmp_path: Path, use: KeyUse, *, apart: bool) -> None:
    async with desk(tmp_path) as made:
        ring = await keyring(made)
        ledger, centre = Ledger(tmp_path / "signer.db"), made.centre
        keys = RemoteKeys(Direct(Strongroom(made.keys, ledger, centre.clock))) if apart else made.keys
        ledger.close()
        ring.rotation = Rotation(centre.database, centre.clock, keys, centre.services.live, centre.services.alarms)
        end = made.keys.ring.signing(use).ends_at
        for left in (91, 90, 89, 30, 29, 7, 1):
            made.centre.clock.step(days=(end - made.centre.clock()).days - left)
            await ring.look()
        said = [told["days"] for told in await ring.alarms(ENDS) if told["name"] == f"{use}_key"]
        assert said == [90, 30, 7]


async def test_a_centre_that_was_down_goes_on_with_the_rotation(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        ring = await keyring(made)
        ring.rotate(KeyUse.DISPATCH)
        again = Rotation(
            made.centre.database, made.centre.clock, made.keys, made.centre.services.live, made.centre.services.alarms
        )
        ring.rotation = again
        await ring.look()
        assert {key.kid for key in ring.nodes[0].wake().trusted_keys} == {key.kid for key in made.keys.trusted}


async def test_nodes_that_obey_a_later_life_of_the_centre_are_told_of(tmp_path: Path) -> None:
    """Rows and keys of a year ago, both put back by hand: only the nodes know better."""
    async with desk(tmp_path) as made:
        ring = await keyring(made)
        await ring.look()
        assert await ring.alarms(BEHIND) == []
        held = {ring.area: {"hold": {"epoch": made.keys.epoch + 2, "version": 1}}}
        made.signer._live.note(ring.nodes[0].node_id, health={"keys": [], "held": held})
        for _ in range(2):
            await ring.look()
        assert await ring.alarms(BEHIND) == [{"count": made.keys.epoch + 2, "epoch": made.keys.epoch}]


def test_a_ring_whose_key_is_gone_stops_the_start_and_makes_none(tmp_path: Path) -> None:
    load_keys(tmp_path)
    (tmp_path / "policy.key").unlink()
    with pytest.raises(KeyFileError, match=r"policy\.key"):
        load_keys(tmp_path)
    assert not (tmp_path / "policy.key").exists()


def test_a_key_that_cannot_be_read_for_a_while_changes_nothing_until_it_can(tmp_path: Path) -> None:
    keys = load_keys(tmp_path)
    before = keys.dispatch.kid
    new = new_key(tmp_path, KeyUse.DISPATCH, datetime.now(UTC))
    write_ring(tmp_path, begin(keys.ring, new))
    (tmp_path / new.file).rename(tmp_path / "gone")
    for _ in range(2):
        with pytest.raises(KeyFileError, match=new.file):
            keys.refresh()
        assert (keys.dispatch.kid, len(keys.trusted)) == (before, 2)
    (tmp_path / "gone").rename(tmp_path / new.file)
    assert keys.refresh()
    assert keys.named(new.kid).kid == new.kid


def test_keys_are_rotated_by_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "list", "--state", str(tmp_path)]) == 1, "nothing is made by a slip"
    keys = load_keys(tmp_path / "keys")
    assert main(["keys", "rotate", "dispatch", "--state", str(tmp_path)]) == 0
    assert keys.refresh()
    assert [key.step for key in keys.ring.keys if key.use is KeyUse.DISPATCH] == [Step.SIGNING, Step.COMING]
    assert main(["keys", "rotate", "dispatch", "--state", str(tmp_path)]) == 1
    assert "already" in capsys.readouterr().err
    assert len(list((tmp_path / "keys").glob("dispatch*.key"))) == 2, "no key is left over"


def test_keys_of_a_signer_apart_are_rotated_where_it_stands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "signer"
    keys = load_keys(folder)
    assert main(["signer", "--folder", str(folder), "rotate", "policy"]) == 0
    assert keys.refresh()
    assert main(["signer", "--folder", str(folder), "list"]) == 0
    assert keys.policy.kid in capsys.readouterr().out
    assert main(["signer", "--folder", str(folder), "raise-epoch", "7"]) == 0
    assert load_keys(folder).epoch == 7
    assert main(["signer", "--folder", str(folder), "raise-epoch", "7"]) == 1, "an epoch never falls"
    monkeypatch.setenv("LOA_SIGNER", str(tmp_path / "signer.sock"))
    assert main(["keys", "rotate", "policy", "--state", str(tmp_path / "centre")]) == 1
    assert "loa signer" in capsys.readouterr().err
    assert not (tmp_path / "centre" / "keys").exists(), "the centre needs no keys of its own for that"


def test_the_update_key_is_kept_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "update.key"
    assert main(["keys", "make-update-key", str(path)]) == 0
    public = msgspec.json.decode((tmp_path / "update.key.pub").read_bytes(), type=TrustedKey)
    assert public.use is KeyUse.UPDATE
    assert path.stat().st_mode & 0o777 == 0o600
    assert main(["keys", "make-update-key", str(path)]) == 1


def _retained(made: Desk) -> Iterable[bytes]:
    newest = {(scope, word): token for scope, word, token in made.broker.published}
    return newest.values()
