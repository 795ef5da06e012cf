"""The map of an emergency: to scale, all of it inside, and honest about nodes without a position."""

from hypothesis import given, settings
from hypothesis import strategies as some

from controller.emergencies.schemas import Spot
from web.views.scope_map import EDGE, HEIGHT, WIDTH, scope_map


def spot(latitude: float, longitude: float, *, heard_from: bool = True) -> Spot:
    return Spot(node_id="n", name="Cụm", latitude=latitude, longitude=longitude, heard_from=heard_from)


def test_without_a_position_there_is_no_map() -> None:
    assert scope_map([], 4) is None


def test_one_node_stands_in_the_middle_and_the_others_are_counted() -> None:
    found = scope_map([spot(21.5, 105.9, heard_from=False)], 4)
    assert found is not None
    assert [(point.x, point.y) for point in found.points] == [(WIDTH / 2, HEIGHT / 2)]
    assert (found.reached, found.doubtful, found.unplaced) == (0, 1, 3)


def test_north_is_above_and_east_to_the_right() -> None:
    found = scope_map([spot(21.50, 105.90), spot(21.51, 105.92)], 2)
    assert found is not None
    south_west, north_east = found.points
    assert north_east.y < south_west.y
    assert north_east.x > south_west.x


@settings(deadline=None, max_examples=50)
@given(some.lists(some.tuples(some.floats(8, 24), some.floats(102, 110)), min_size=1, max_size=30))
def test_every_node_stands_inside(places: list[tuple[float, float]]) -> None:
    found = scope_map([spot(*place) for place in places], len(places))
    assert found is not None
    assert all(EDGE - 1 <= point.x <= WIDTH - EDGE + 1 for point in found.points)
    assert all(EDGE - 1 <= point.y <= HEIGHT - EDGE + 1 for point in found.points)
