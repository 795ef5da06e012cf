"""An agent takes a release, tries it, and goes back: its own half, together with the one that lays updates down."""

import asyncio
import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from edge_agent import download
from edge_agent.errors import FetchError, NoSpaceError
from edge_agent.faults import FaultBook
from edge_agent.protocol.documents import Command, CommandAction, TrustedKey
from edge_agent.protocol.reports import FaultReport
from edge_agent.protocol.signing import SigningKey
from edge_agent.protocol.states import KeyUse
from edge_agent.protocol.updates import Release, UpdateState
from edge_agent.store import Store
from edge_agent.updates import asking, belief, fetch, service
from edge_agent.updates.gate import Signs
from edge_agent.updates.layout import Opt, Verdict
from edge_agent.updates.service import Updates
from tests.e2e.waiting import until
from tests.edge_agent.updates.making import GOOD, NOON_S, PI, STRANGER, UPDATE, Node, release

S = UpdateState


class World:
    """One node whose clocks are stepped and whose starts are told by hand."""

    def __init__(self, folder: Path) -> None:
        self.node = Node(folder)
        self.folder, self.now = folder, datetime.fromtimestamp(NOON_S, UTC)
        self.seconds, self.rounds = 0.0, 0
        self.linked = self.output = self.moves = True
        self.busy = self.near = self.waits = False
        self.listens: tuple[str, ...] = ("nodes/n1", "areas/xa", "areas/thon")
        self.scopes = 3
        """What it hears, and of how many of these it holds orders."""
        self.keys: tuple[TrustedKey, ...] = (UPDATE.trusted_as(KeyUse.UPDATE), UPDATE.trusted_as(KeyUse.POLICY))
        self.shelf: dict[str, bytes] = {}
        self.error: Exception | None = None
        self.left = 0
        self.start()

    def start(self) -> None:
        """Start the agent as the starter does: of what is on trial, or of what was good last."""
        self.store = Store.open(self.folder / "agent.db")
        self.faults = FaultBook(lambda: self.now)
        opt = self.node.opt
        trial, starts = opt.on_trial(), 0
        if trial is not None:
            tries = self.node.inbox.tries(trial)
            starts = tries.stat().st_size if tries.exists() else 0
            over = self.node.inbox.over(trial)
            word = over.read_text().strip() if over.exists() else ""
            later = self.node.inbox.later(trial).exists()
            if word == "" and starts < 3 and not later:
                tries.write_bytes(b"x" * (starts + 1))
            elif word != "good":
                trial = None
        prefix = opt.root / ("trial" if trial else "current")
        self.updates = Updates(
            Opt(opt.root),
            self.node.inbox,
            self.store,
            self.faults,
            trusted=lambda: self.keys,
            now=lambda: self.now,
            knows_date=lambda: True,
            linked=lambda: self.linked,
            signs=self.signs,
            is_near=lambda within: self.near and within == timedelta(minutes=10),
            is_busy=lambda: self.busy,
            bring=self.bring,
            yields=lambda: self.waits,
            trial_s=900,
            prefix=prefix.resolve(),
            monotonic_s=lambda: self.seconds,
        )
        self.updates.on_leave = self.leave
        self.updates.begin()  # what `run` does first; its clock is the wall's

    def leave(self) -> None:
        self.left += 1

    def restart(self) -> None:
        self.store.close()
        self.start()

    def signs(self) -> Signs:
        self.rounds += self.moves
        held = frozenset(self.listens[: self.scopes])
        return Signs(self.rounds, self.rounds, self.output, self.linked, held, frozenset(self.listens))

    def bring(self, one: Release, _: download.Throttle) -> None:
        def copy(wanted: Release, part: Path) -> None:
            if self.error is not None:
                raise self.error
            part.write_bytes(self.shelf[wanted.sha256])

        fetch.bring(self.node.inbox, one, copy)

    def tell(self, one: Release, *, key: SigningKey = UPDATE, command_id: str = "c1", bundle: bytes = GOOD) -> bool:
        """Let the centre tell it; the bundle can be fetched."""
        self.shelf[hashlib.sha256(bundle).hexdigest()] = bundle
        window: dict[str, Any] = {"epoch": 1, "version": 1, "iat": NOON_S, "nbf": NOON_S, "exp": NOON_S + 60}
        told = Command(
            aud="nodes/n1", command_id=command_id, action=CommandAction.UPDATE, release=key.sign(one).decode(), **window
        )
        return self.updates.take(told)

    async def pass_(self, seconds: float = 2.0) -> None:
        """Let time go by, and both halves do their work."""
        for _ in range(max(1, round(seconds / 2))):
            self.seconds += 2
            self.now += timedelta(seconds=2)
            self.updates.look()
            if self.updates._bringing.task is not None:
                await asyncio.wait([self.updates._bringing.task])
            self.node.work()

    async def until_left(self) -> None:
        """Go on until the agent gives way to another release."""
        before = self.left
        for _ in range(10):
            if self.left > before:
                return
            await self.pass_()
        raise AssertionError(f"it has not left: {self.updates.report}")

    @property
    def state(self) -> tuple[str | None, str | None]:
        report = self.updates.report
        return (report.state if report else None, report.reason if report else None)

    def stands(self) -> set[str]:
        reports: tuple[FaultReport, ...] = self.faults.standing()
        return {one.code for one in reports}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(belief, "this_machine", lambda: PI)
    made = World(tmp_path)
    yield made
    made.store.close()


async def test_a_release_is_fetched_tried_and_good(world: World) -> None:
    assert world.updates.report is None
    assert world.tell(release(2))
    assert world.state == (S.FETCHING, None)
    await world.until_left()
    assert world.state == (S.WAITING, None)
    world.restart()
    assert world.updates.release == 2
    await world.pass_(890)
    assert world.state == (S.TRYING, None)
    assert world.node.current() == world.node.package
    await world.pass_(20)
    assert world.state == (S.GOOD, None)
    assert world.node.current() == world.node.opt.root / "b"
    await world.pass_(4)
    assert sorted(path.name for path in world.node.inbox.root.iterdir()) == ["ask.json"]
    world.restart()
    assert (world.updates.release, world.state) == (2, (S.GOOD, None))
    assert world.stands() == set()


async def test_the_switch_waits_until_nothing_sounds_and_nothing_starts_soon(world: World) -> None:
    world.near = True
    world.tell(release(2))
    await world.pass_(600)
    assert (world.state, world.left) == ((S.WAITING, None), 0)
    assert world.node.opt.on_trial() is None
    world.near, world.busy = False, True
    await world.pass_(60)
    assert (world.left, world.node.opt.on_trial()) == (0, None)
    world.busy = False
    await world.until_left()
    assert world.node.opt.on_trial() == "2-1"


async def test_what_begins_between_the_word_and_the_switch_is_played_to_its_end(world: World) -> None:
    world.tell(release(2))
    while world.node.opt.on_trial() is None:
        await world.pass_()
    world.left, world.busy = 0, True
    await world.pass_(300)
    assert world.left == 0
    world.busy = False
    await world.until_left()


async def test_a_verdict_waits_for_the_end_of_what_sounds(world: World) -> None:
    world.tell(release(2))
    await world.until_left()
    world.restart()
    world.busy, world.linked = True, False
    await world.pass_(1200)
    assert (world.state, world.left) == ((S.TRYING, None), 1)
    world.busy = False
    await world.until_left()


@pytest.mark.fault("F27")
async def test_a_release_that_ends_three_times_is_left(world: World) -> None:
    world.tell(release(2))
    await world.until_left()
    for _ in range(3):
        world.restart()
        assert world.updates.release == 2
        assert world.state == (S.TRYING, None)
    world.restart()
    assert world.updates.release == 0
    assert world.state == (S.RETURNED, "crashed")
    await world.pass_()
    assert world.stands() == {"update_returned"}
    assert world.node.opt.on_trial() is None
    world.now += timedelta(hours=23, minutes=59)
    await world.pass_()
    assert world.stands() == {"update_returned"}
    world.now += timedelta(minutes=1)
    await world.pass_()
    assert world.stands() == set()


@pytest.mark.fault("F27")
async def test_a_release_that_dies_before_its_first_word_is_left_too(world: World) -> None:
    world.tell(release(2))
    await world.until_left()
    world.node.inbox.tries("2-1").write_bytes(b"xxx")
    world.restart()
    assert world.state == (S.RETURNED, "crashed")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"linked": False}, "no_link"),
        ({"output": False}, "unhealthy"),
        ({"scopes": 2}, "unhealthy"),
        ({"moves": False}, "unhealthy"),
    ],
    ids=["no link", "no sound", "plan lost", "nothing moves"],
)
@pytest.mark.fault("F27")
async def test_a_release_that_does_less_than_the_one_before_is_left(
    world: World, change: dict[str, object], reason: str
) -> None:
    world.tell(release(2))
    await world.until_left()
    for name, value in change.items():
        setattr(world, name, value)
    world.restart()
    await world.pass_(898)
    assert world.left == 1
    await world.until_left()
    world.restart()
    assert (world.updates.release, world.state) == (0, (S.RETURNED, reason))
    assert world.updates.report is not None
    assert (world.updates.report.release, world.updates.report.command_id) == (2, "c1")


@pytest.mark.parametrize(
    "listens", [("nodes/n1", "areas/xa", "areas/other"), ("nodes/n1", "areas/xa")], ids=["moved", "an area less"]
)
async def test_a_node_that_is_moved_meanwhile_has_lost_nothing(world: World, listens: tuple[str, ...]) -> None:
    world.tell(release(2))
    await world.until_left()
    world.restart()
    await world.pass_(600)
    world.listens, world.scopes = listens, 2  # of where it is now there may be no orders
    await world.pass_(310)
    assert world.state == (S.GOOD, None)


@pytest.mark.fault("F27")
async def test_without_a_link_before_none_is_asked_of_the_next_and_nothing_flips(world: World) -> None:
    """A node in a valley that was last reached two hours ago: going back would mend nothing."""
    world.near = True
    world.tell(release(2))
    await world.pass_(60)
    world.linked = False
    await world.pass_()
    world.seconds += 3600
    world.near = False
    await world.until_left()
    world.restart()
    await world.pass_(910)
    assert world.state == (S.GOOD, None)
    assert world.left == 1


async def test_a_release_that_was_left_is_tried_again_when_it_is_told_anew_and_not_by_itself(world: World) -> None:
    world.tell(release(2))
    await world.until_left()
    world.node.inbox.over("2-1").write_text("overdue\n")  # the starter's word
    world.restart()
    assert world.state == (S.RETURNED, "overdue")
    await world.pass_(3600)
    assert (world.left, world.node.opt.on_trial()) == (1, None)
    assert world.tell(release(2), command_id="c2")
    assert world.stands() == set()
    await world.until_left()
    world.restart()
    assert world.updates.release == 2


async def test_the_release_that_it_is_at_told_again_changes_nothing_but_who_is_answered(world: World) -> None:
    world.near = True
    for number in range(3):
        assert world.tell(release(2), command_id=f"c{number}")
        await world.pass_(10)
    assert world.node.opt.told().attempts == 1
    world.near = False
    await world.until_left()
    world.restart()
    await world.pass_(910)
    assert world.tell(release(2), command_id="c9")
    report = world.updates.report
    assert report is not None
    assert (report.state, report.command_id, report.release) == (S.GOOD, "c9", 2)


async def test_while_one_is_on_trial_another_has_no_effect(world: World) -> None:
    world.tell(release(2))
    await world.until_left()
    assert not world.tell(release(3), command_id="c2")
    world.restart()
    assert not world.tell(release(3), command_id="c3")
    await world.pass_(910)
    assert world.tell(release(3), command_id="c4")


# Refusals.


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"board": "amd64"}, "wrong_board"),
        ({"python": "3.13"}, "wrong_python"),
        ({"exp": NOON_S, "iat": NOON_S - 9}, "expired"),
        ({"release": 1}, "not_newer"),
        ({"release": 2, "version": "2b"}, "not_newer"),
    ],
    ids=["other board", "other python", "expired", "older", "the same number"],
)
@pytest.mark.fault("F27")
async def test_a_release_that_is_not_for_this_node_is_refused_and_not_fetched(
    world: World, changes: dict[str, object], code: str
) -> None:
    world.tell(release(2))
    await world.until_left()
    world.restart()
    await world.pass_(910)
    world.shelf.clear()
    world.tell(release(3, **changes), command_id="c2")
    assert world.state == (S.REFUSED, code)
    assert world.stands() == {"update_refused"}
    await world.pass_(300)
    assert world.stands() == {"update_refused"}
    await world.pass_(310)
    assert world.stands() == set()
    assert world.updates.release == 2


@pytest.mark.fault("F27")
async def test_a_release_of_a_foreign_key_is_refused_and_its_number_not_repeated(world: World) -> None:
    world.tell(release(7), key=STRANGER)
    assert world.state == (S.REFUSED, "unknown_key")
    assert world.updates.report is not None
    assert world.updates.report.release == 0
    world.keys = (UPDATE.trusted_as(KeyUse.DISPATCH),)
    world.tell(release(7), command_id="c2")
    assert world.state == (S.REFUSED, "unknown_key")


@pytest.mark.fault("F27")
async def test_a_key_that_is_believed_no_more_begins_nothing_that_waits(world: World) -> None:
    world.near = True
    world.tell(release(2))
    await world.pass_(10)
    assert S.WAITING in world.state
    world.keys, world.near = (STRANGER.trusted_as(KeyUse.UPDATE),), False
    await world.pass_(60)
    assert world.state == (S.REFUSED, "unknown_key")
    assert (world.left, world.node.opt.on_trial()) == (0, None)


@pytest.mark.fault("F27")
async def test_a_bundle_that_is_no_agent_is_refused(world: World) -> None:
    junk = b"\xfd7zXZ\x00 not really"
    world.tell(release(2, junk), bundle=junk)
    await world.pass_(10)
    assert world.state == (S.REFUSED, "bad_bundle")
    assert world.stands() == {"update_refused"}
    assert world.left == 0


@pytest.mark.fault("F27")
async def test_wrong_bytes_are_never_handed_on(world: World) -> None:
    world.tell(release(2))
    world.shelf = dict.fromkeys(world.shelf, GOOD[:-1] + b"?")
    await world.pass_(4)
    assert world.state == (S.FETCHING, "malformed")
    assert list(world.node.inbox.root.glob("*.tar.xz")) == list(world.node.inbox.root.glob("*.part")) == []


async def test_a_download_that_fails_is_tried_again_after_a_restart_too(world: World) -> None:
    world.error = FetchError("503")
    world.tell(release(2))
    await world.pass_(60)
    assert world.state == (S.FETCHING, "fetch_failed")
    world.error = NoSpaceError("full")
    await world.pass_(600)
    assert world.state == (S.FETCHING, "disk_low")
    world.restart()
    assert world.state == (S.FETCHING, "disk_low")
    world.error = None
    await world.pass_(600)
    assert world.left


async def test_after_the_loss_of_the_store_a_trial_goes_on_to_its_verdict(world: World) -> None:
    world.tell(release(2))
    await world.until_left()
    world.store.close()
    (world.folder / "agent.db").unlink()
    world.start()
    assert world.updates.release == 2
    assert world.state == (S.TRYING, None)
    await world.pass_(910)
    assert world.state == (S.GOOD, None)
    assert world.node.opt.told().good == 2


async def test_a_cut_between_the_word_good_and_the_store_is_gone_on_from(world: World) -> None:
    world.tell(release(2))
    await world.until_left()
    world.restart()
    world.node.inbox.over("2-1").write_text("good\n")
    world.restart()
    assert (world.updates.release, world.state) == (2, (S.GOOD, None))
    await world.pass_(4)
    assert world.node.current() == world.node.opt.root / "b"


async def test_a_disk_that_takes_no_write_ends_no_node(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried again, and goes on where it was."""

    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(service, "LOOK_S", 0.001)
    world.tell(release(2))
    world.node.inbox.bundle(release(2).sha256).write_bytes(GOOD)
    with monkeypatch.context() as patch:
        patch.setattr(asking, "write", refuse)
        patch.setattr(Path, "chmod", refuse)
        task = asyncio.create_task(world.updates.run())
        done, _ = await asyncio.wait([task], timeout=0.1)
        assert not done
    await until(world.node.inbox.ask.exists, 30, "what was to be asked")
    task.cancel()
    await asyncio.wait([task])
    assert world.state == (S.FETCHING, None)


def test_what_the_agent_wants_is_said_again_while_nothing_is_done(world: World) -> None:
    """The one who is asked may look away in the very moment."""
    assert Verdict("a", "good") != Verdict("b", "good")
    world.tell(release(2))
    world.node.inbox.bundle(release(2).sha256).write_bytes(GOOD)
    world.updates.look()
    first = world.node.inbox.ask.stat().st_mtime_ns
    world.node.inbox.ask.unlink()
    world.seconds += 59
    world.updates.look()
    assert not world.node.inbox.ask.exists()
    world.seconds += 2
    world.updates.look()
    assert world.node.inbox.ask.stat().st_mtime_ns > first


async def test_while_it_waits_for_a_quiet_moment_it_writes_nothing(world: World) -> None:
    """Hours may pass until then; a card wears out by what is written."""
    world.near = True
    world.tell(release(2))
    await world.pass_(120)
    first = world.node.inbox.ask.stat().st_mtime_ns
    await world.pass_(600)
    assert world.node.inbox.ask.stat().st_mtime_ns == first
