"""Where the nodes of an emergency stand, drawn to scale on plain ground: no library, no tiles, no script. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from controller.emergencies.schemas import Spot

WIDTH, HEIGHT, EDGE = 320, 200, 18
LEAST = 0.004
"""Degrees that the picture shows at least: some 440 m, so that one node does not fill it."""


@dataclass(frozen=True)
class Point:
    """A node in the picture."""

    x: float
    y: float
    name: str
    is_heard: bool
    """In contact, and kept silent by nothing."""


@dataclass(frozen=True)
class ScopeMap:
    """All of them."""

    points: tuple[Point, ...]
    reached: int
    doubtful: int
    unplaced: int
    """Nodes whose position nobody noted."""


def scope_map(spots: Sequence[Spot], node_count: int) -> ScopeMap | None:
    """Draw them; None: no position is known. ``node_count``: of all that are meant."""
    if not spots:
        return None
    middle = math.radians(sum(spot.latitude for spot in spots) / len(spots))
    east = [spot.longitude * math.cos(middle) for spot in spots]
    north = [spot.latitude for spot in spots]
    wide, high = max(LEAST, max(east) - min(east)), max(LEAST, max(north) - min(north))
    scale = min((WIDTH - 2 * EDGE) / wide, (HEIGHT - 2 * EDGE) / high)
    centre = (max(east) + min(east)) / 2, (max(north) + min(north)) / 2
    points = tuple(
        Point(
            round(WIDTH / 2 + (x - centre[0]) * scale, 1),
            round(HEIGHT / 2 - (y - centre[1]) * scale, 1),
            spot.name,
            spot.heard_from,
        )
        for spot, x, y in zip(spots, east, north, strict=True)
    )
    reached = sum(point.is_heard for point in points)
    return ScopeMap(points, reached, len(points) - reached, max(0, node_count - len(points)))
