"""The API, asked by its own description for what fits it and for what does not. The whole: ``make hostile``."""

import asyncio
import os
from pathlib import Path

import pytest

from tests.controller.two_communes import Kept, keep
from tests.hostile.described import MODES, NAMES, WHO, attack, opened

EXAMPLES = int(os.environ.get("LOA_HOSTILE_EXAMPLES", "20"))
"""Of each operation, for each person: so many that fit and so many that do not, of what is there and of what is not."""
SEED = int(os.environ.get("LOA_HOSTILE_SEED", "0"))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return asyncio.run(keep(tmp_path_factory.mktemp("described")))


def test_every_twentieth_operation_asked_once_breaks_nothing(kept: Kept, tmp_path: Path) -> None:
    """With a request that fits or one that does not; what changes things last."""
    with opened(kept, tmp_path / "world") as asked:
        sent = 0
        for number, name in enumerate(sorted(NAMES[::20], key=lambda name: (not name.startswith("GET"), name))):
            sent += attack(asked, name, "everywhere", examples=1, modes=[MODES[number % 2]])
    assert sent > len(NAMES) / 30  # of what takes nothing, nothing can be wrong


@pytest.mark.long
@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("name", NAMES)
def test_every_operation_answers_as_described_whatever_it_is_asked(
    kept: Kept, tmp_path: Path, name: str, who: str
) -> None:
    with opened(kept, tmp_path / "world") as asked:
        attack(asked, name, who, examples=EXAMPLES, seed=SEED)
