"""The supervisor hears that the node lives only while its player and its output move."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from edge_agent.checks import runner
from edge_agent.checks.runner import Checks
from edge_agent.protocol.states import ClockState
from tests.edge_agent.fakes import running, until


class Bench:
    """A player and an output that a test lets move, and what the supervisor was told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.told: list[str] = []
        monkeypatch.setattr("edge_agent.systemd.notify", self.told.append)
        self.player, self.output, self.calls = SimpleNamespace(rounds=0), SimpleNamespace(available=True), 0
        others: dict[str, Any] = dict.fromkeys(
            ("rounds", "clock", "faults", "inbox", "keeper", "ledger", "link", "review"), None
        )
        player: Any = self.player
        output: Any = self.output
        self.checks = Checks(**others, player=player, output=output, output_calls=lambda: self.calls)

    def move(self) -> None:
        """Let both move."""
        self.player.rounds += 1
        self.calls += 1

    def look(self, *, player: bool, output: bool) -> bool:
        """Let a second pass in which they moved or not; says whether the supervisor was told."""
        self.player.rounds += player
        self.calls += output
        before = len(self.told)
        self.checks._feed_watchdog()
        return self.told[before:] == ["WATCHDOG=1"]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    bench = Bench(monkeypatch)
    bench.look(player=True, output=True)
    return bench


@pytest.mark.parametrize(("player", "output"), [(True, True), (False, True), (True, False), (False, False)])
def test_one_that_stands_still_in_a_living_loop_is_not_said_to_live(
    bench: Bench, *, player: bool, output: bool
) -> None:
    assert bench.look(player=player, output=output) is (player and output)
    assert bench.look(player=True, output=True)


def test_a_node_whose_card_is_known_to_be_gone_lives(bench: Bench) -> None:
    bench.output.available = False
    assert bench.look(player=True, output=False)
    assert not bench.look(player=False, output=False)


async def test_a_link_that_lets_a_question_wait_does_not_keep_the_supervisor_waiting(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link that is dead and does not know it yet takes 15 s for each; the supervisor ends the node after 30."""
    monkeypatch.setattr(runner, "EVERY_S", 0)
    monkeypatch.setattr(runner, "TIDY_EVERY", 10**9)
    asked = 0

    async def wait_for_ever() -> None:
        nonlocal asked
        asked += 1
        await asyncio.Event().wait()

    checks = bench.checks
    clock = SimpleNamespace(check=lambda: None, state=ClockState.UNTRUSTED)
    monkeypatch.setattr(checks, "_clock", clock)
    monkeypatch.setattr(checks, "_inbox", SimpleNamespace(check=bench.move))
    monkeypatch.setattr(checks, "_review", lambda: None)
    monkeypatch.setattr(checks, "_rounds", SimpleNamespace(run=asyncio.Event().wait))
    monkeypatch.setattr(checks, "_link", SimpleNamespace(connected=True, ask_time=wait_for_ever))
    checks._asked_s = float("-inf")
    before = len(bench.told)
    async with running(checks):
        await until(lambda: asked == 1)
        await until(lambda: len(bench.told) >= before + 5)
    assert asked == 1
