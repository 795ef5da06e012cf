"""A trial that was asked for while it was quiet does not begin in the middle of what has come since."""

import pytest

from edge_agent.protocol.updates import UpdateState
from edge_agent.updates.layout import Verdict
from tests.edge_agent.updates.making import Node, release
from tests.edge_agent.updates.test_service import World, world

__all__ = ["world"]

S = UpdateState


async def armed(world: World) -> None:
    """Go on until the trial could begin, and something has."""
    world.tell(release(2))
    while world.node.opt.on_trial() is None:
        await world.pass_()
    world.left = 0


@pytest.mark.parametrize("what", ["busy", "near"])
@pytest.mark.fault("F27")
async def test_a_crash_in_a_play_does_not_begin_what_was_asked_for_before_it(world: World, what: str) -> None:
    await armed(world)
    setattr(world, what, True)
    await world.pass_(4)
    assert world.node.opt.on_trial() is None
    world.restart()  # a flicker, the watchdog, or `restart`
    assert (world.updates.release, world.state) == (0, (S.WAITING, None))
    await world.pass_(300)
    assert world.left == 0
    setattr(world, what, False)
    await world.until_left()
    assert world.node.opt.told().attempts == 1, "nothing is laid down again"
    world.restart()
    assert world.updates.release == 2
    await world.pass_(910)
    assert world.state == (S.GOOD, None)


@pytest.mark.fault("F27")
async def test_before_it_is_taken_back_the_starter_is_told_to_wait(world: World) -> None:
    """A flicker in the moment between: who lays down has not looked yet."""
    await armed(world)
    world.busy = True
    world.updates.look()
    assert world.node.opt.on_trial() == "2-1"
    world.restart()
    assert (world.updates.release, world.state) == (0, (S.WAITING, None))
    world.busy = False
    await world.until_left()
    assert not world.node.inbox.later("2-1").exists()
    world.restart()
    assert world.updates.release == 2


async def test_quiet_again_before_it_is_taken_back_nothing_begins_that_is_about_to_go(world: World) -> None:
    await armed(world)
    world.busy = True
    world.updates.look()
    world.busy = False
    world.updates.look()
    assert world.left == 0
    await world.until_left()
    world.restart()
    assert world.updates.release == 2


async def test_a_store_lost_meanwhile_leaves_no_trial_behind(world: World) -> None:
    await armed(world)
    world.busy = True
    world.updates.look()
    world.store.close()
    (world.folder / "agent.db").unlink()
    world.start()
    assert world.state == (S.RETURNED, "crashed")
    await world.pass_(4)
    assert world.node.opt.on_trial() is None


def test_what_is_taken_back_stays_laid_down(tmp_path_factory: pytest.TempPathFactory) -> None:
    node = Node(tmp_path_factory.mktemp("node"))
    token = node.offer(release(2))
    node.ask(release=token)
    node.ask(release=token, go="2-1")
    node.ask(release=token, verdict=Verdict("2-1", "not_quiet"))
    assert (node.opt.on_trial(), node.opt.told().ready) == (None, "2-1")
    node.ask(release=token, go="2-1")
    assert node.opt.on_trial() == "2-1"
