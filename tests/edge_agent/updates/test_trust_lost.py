"""What cannot be read is not what was never there: whoever asks next does not become the one who is believed."""

from pathlib import Path

import pytest

from edge_agent.protocol.states import KeyUse
from edge_agent.protocol.updates import UpdateState
from edge_agent.updates.layout import TrustLostError, write
from tests.edge_agent.updates.making import NEXT, STRANGER, UPDATE, Node, release
from tests.edge_agent.updates.test_service import World, world
from tests.edge_agent.updates.test_slots import make_good

__all__ = ["world"]

LEFT = (b"", b"\x00" * 300, b'{"pins": [], "taken"')


def believed(node: Node) -> list[str]:
    return [key.kid for key in node.opt.told().pins]


def ask_as_a_stranger(node: Node) -> None:
    node.keys = (STRANGER.trusted_as(KeyUse.UPDATE),)
    node.ask(release=node.offer(release(9), key=STRANGER), wish="c9")


@pytest.mark.parametrize("left", [*LEFT, None], ids=["empty", "zeros", "torn", "gone"])
@pytest.mark.fault("F24", "F27")
def test_one_of_two_files_may_be_lost(tmp_path: Path, left: bytes | None) -> None:
    node = Node(tmp_path)
    make_good(node, 2)
    whole = node.opt.told()
    for path in (node.opt.told_path, node.opt.copy_path):
        path.write_bytes(left) if left is not None else path.unlink()
        ask_as_a_stranger(node)
        assert node.refused() == "unknown_key"
        assert (believed(node), node.opt.told().good) == ([UPDATE.kid], whole.good)
        node.keys = (UPDATE.trusted_as(KeyUse.UPDATE),)
        node.ask(release=node.offer(release(2)), wish="old")
        assert node.refused() == "not_newer"
        assert node.opt.copy_path.read_bytes() == node.opt.told_path.read_bytes()


@pytest.mark.parametrize("left", [*LEFT, None], ids=["empty", "zeros", "torn", "gone"])
@pytest.mark.fault("F24", "F27")
def test_with_both_lost_nobody_is_believed_any_more(tmp_path: Path, left: bytes | None) -> None:
    node = Node(tmp_path)
    make_good(node, 2)
    for path in (node.opt.told_path, node.opt.copy_path):
        path.write_bytes(left) if left is not None else path.unlink()
    with pytest.raises(TrustLostError):
        ask_as_a_stranger(node)
    assert believed(node) == []
    assert node.current() == node.opt.root / "b", "what runs, runs on"
    assert not (node.opt.root / "a" / "release.json").exists()


def test_a_pin_alone_that_cannot_be_read_is_lost_too(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.ask()
    for path in (node.opt.told_path, node.opt.copy_path):
        path.write_bytes(b"")
    with pytest.raises(TrustLostError):
        ask_as_a_stranger(node)


@pytest.mark.parametrize("when", ["before", "while it fetches"])
@pytest.mark.fault("F27")
async def test_the_agent_says_that_nobody_is_believed(world: World, when: str) -> None:
    world.near = True
    world.node.opt.told_path.write_bytes(b"")
    if when == "before":
        world.tell(release(2))
    else:
        world.node.opt.told_path.unlink()
        world.tell(release(2))
        world.node.opt.told_path.write_bytes(b"")
        world.shelf.clear()
        world.node.inbox.bundle(release(2).sha256).write_bytes(b"whole")
        world.updates.look()
    assert world.state == (UpdateState.REFUSED, "trust_lost")
    assert world.stands() == {"update_refused"}


def test_a_card_that_was_made_with_a_key_believes_nobody_who_asks_first(tmp_path: Path) -> None:
    node = Node(tmp_path)
    write(node.card_key, UPDATE.trusted_as(KeyUse.UPDATE))
    ask_as_a_stranger(node)
    assert (node.refused(), believed(node)) == ("unknown_key", [UPDATE.kid])
    make_good(node, 2, keys=(NEXT.trusted_as(KeyUse.UPDATE),))
    node.ask(release=node.offer(release(3)), wish="c3")
    assert (node.refused(), believed(node)) == ("unknown_key", [NEXT.kid]), "what a release handed on goes before"


@pytest.mark.parametrize("left", LEFT)
def test_a_cards_key_that_cannot_be_read_is_nobodys_to_replace(tmp_path: Path, left: bytes) -> None:
    node = Node(tmp_path)
    node.card_key.write_bytes(left)
    ask_as_a_stranger(node)
    assert (node.refused(), believed(node)) == ("unknown_key", [])
