"""The checks of a node, put together: what is looked at, and by whose word."""

import time
from collections.abc import Callable
from pathlib import Path

from edge_agent import identity
from edge_agent.checks.base import Check
from edge_agent.checks.cache import Cache
from edge_agent.checks.certificate import Certificate
from edge_agent.checks.lease import LeaseEnded, LeaseEnding
from edge_agent.checks.settings import NoSettings
from edge_agent.checks.storage import Storage
from edge_agent.checks.temperature import Temperature
from edge_agent.checks.underruns import Underruns
from edge_agent.clock import Clock
from edge_agent.config import StateDir
from edge_agent.fetcher import Fetcher
from edge_agent.keeper import Keeper
from edge_agent.protocol.states import ClockState
from edge_agent.renderer import Renderer
from edge_agent.shelf import Shelf

SYS = Path("/sys")


def all_checks(
    *,
    state: StateDir,
    clock: Clock,
    keeper: Keeper,
    shelf: Shelf,
    fetcher: Fetcher,
    renderer: Renderer,
    told: tuple[Check, ...],
    is_over: Callable[[str], bool],
    sys: Path = SYS,
) -> tuple[Check, ...]:
    """Make every check of this node; ``told`` are those that somebody else reads too.

    Not among them is what tells by itself: the output (``outputs.watch``), the clock, the inbox, downloads, the ears.
    """
    return (
        NoSettings(lambda: keeper.settings is not None),
        LeaseEnded(keeper.leases, now=clock.surely),
        LeaseEnding(keeper.leases, now=clock.surely),
        Cache(
            keeper,
            shelf,
            now=clock.surely,
            monotonic_s=time.monotonic,
            failed=fetcher.failed,
            is_over=is_over,
            fetch=fetcher.nudge,
        ),
        *told,
        Underruns(time.monotonic, frames=lambda: renderer.frames, lost=lambda: renderer.lost),
        Storage(state.root, sys=sys),
        Temperature(sys=sys),
        Certificate(
            lambda: identity.own_certificate(state),
            now=clock.now,
            knows_date=lambda: clock.state is not ClockState.UNTRUSTED,
        ),
    )
