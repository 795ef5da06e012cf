"""The checks of a node, put together: what is looked at, and by whose word."""

import time
from pathlib import Path
from typing import NamedTuple

from edge_agent import identity
from edge_agent.checks.base import Check
from edge_agent.checks.cache import Cache
from edge_agent.checks.certificate import Certificate
from edge_agent.checks.lease import LeaseEnded, LeaseEnding
from edge_agent.checks.link_quality import LinkQuality
from edge_agent.checks.muted import Muted
from edge_agent.checks.settings import NoSettings
from edge_agent.checks.signal import SignalStrength
from edge_agent.checks.storage import Storage
from edge_agent.checks.supply import Supply
from edge_agent.checks.temperature import Temperature
from edge_agent.checks.underruns import Underruns
from edge_agent.clock import Clock
from edge_agent.config import StateDir
from edge_agent.keeper import Keeper
from edge_agent.protocol.states import ClockState
from edge_agent.renderer import Renderer

SYS = Path("/sys")


class Watched(NamedTuple):
    """Those that somebody else reads too: what they last saw is told with the health of the node."""

    supply: Supply
    quality: LinkQuality
    signal: SignalStrength
    muted: Muted
    storage: Storage
    cache: Cache


def all_checks(
    *,
    state: StateDir,
    clock: Clock,
    keeper: Keeper,
    renderer: Renderer,
    watched: Watched,
    sys: Path = SYS,
) -> tuple[Check, ...]:
    """Make every check of this node.

    Not among them is what tells by itself: the output (``outputs.watch``), the clock, the inbox, downloads, the ears.
    """
    return (
        NoSettings(lambda: keeper.settings is not None),
        LeaseEnded(keeper.leases, now=clock.surely),
        LeaseEnding(keeper.leases, now=clock.surely),
        *watched,
        Underruns(time.monotonic, frames=lambda: renderer.frames, lost=lambda: renderer.lost),
        Temperature(sys=sys),
        Certificate(
            lambda: identity.own_certificate(state),
            now=clock.now,
            knows_date=lambda: clock.state is not ClockState.UNTRUSTED,
        ),
    )
