"""The highest ``(epoch, version)`` rules, and nothing of an older life of the centre has effect."""

import msgspec
import pytest

from edge_agent.protocol.documents import Hold
from edge_agent.protocol.errors import StaleError
from edge_agent.protocol.versions import Version, check_newer
from tests.edge_agent.protocol.samples import BY_NAME


@pytest.mark.parametrize(
    ("epoch", "version", "held", "floor", "rules"),
    [
        (1, 1, None, 1, True),
        (1, 2, (1, 1), 1, True),
        (1, 1, (1, 1), 1, False),
        (1, 1, (1, 2), 1, False),
        (2, 1, (1, 99), 1, True),
        (1, 99, (2, 1), 1, False),
        (2, 1, (1, 99), 2, True),
        (1, 99, (1, 1), 2, False),
        (1, 99, None, 2, False),
        (3, 1, None, 2, True),
    ],
)
def test_the_higher_epoch_then_the_higher_version_rules(
    *, epoch: int, version: int, held: tuple[int, int] | None, floor: int, rules: bool
) -> None:
    hold = msgspec.structs.replace(BY_NAME["Hold"], epoch=epoch, version=version)
    assert isinstance(hold, Hold)
    old = Version(*held) if held else None

    if rules:
        assert check_newer(hold, old, floor_epoch=floor) == Version(epoch, version)
    else:
        with pytest.raises(StaleError):
            check_newer(hold, old, floor_epoch=floor)
