"""What the tests of a node share: package and image, made once; and for each file a card, a machine, a centre."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from controller.demo.commune import Commune
from tests.box import card as cards
from tests.box.card import Card
from tests.box.machine import HOST, Machine, cable, cgroup
from tests.box.package import build


@pytest.fixture(scope="session")
def package() -> Path:
    return build()


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory, package: Path) -> Iterator[Path]:
    """No node has it yet: for whom to write it to a card."""
    made = cards.prepare(tmp_path_factory.mktemp("image"), package)
    yield made
    made.unlink()


@pytest.fixture(scope="module")
def card(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Card]:
    written = Card.write(image, tmp_path_factory.mktemp("card"))
    with written.mounted():
        yield written
    written.image.unlink()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node(card: Card) -> AsyncIterator[Machine]:
    name = f"loabox{os.getpid()}"
    with cable(name) as network, cgroup(name) as members:
        machine = Machine(card.root, network, members, log=card.folder / "console.log", binds=card.binds())
        try:
            yield machine
        finally:
            await machine.cut_power()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def centre(card: Card) -> AsyncIterator[Commune]:
    folder = card.folder / "commune"
    folder.mkdir()
    async with Commune(folder, (), env={"LOA_NODE_HOST": HOST, "LOA_PUBLIC_NAME": HOST}) as commune:
        yield commune
