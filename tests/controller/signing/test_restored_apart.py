"""A restore beside a signer that stands apart: its epoch counts, and the centre makes no keys of its own."""

import asyncio
import os
from pathlib import Path

import pytest

from controller.cli import main
from controller.signing.apart import Strongroom
from controller.signing.ledger import Ledger
from controller.signing.process import listening
from controller.wire.keys import load_keys, write_epoch
from tests.controller import factories
from tests.controller.test_restoring import backed_up
from tests.controller.wire.test_dispatcher import desk


async def test_a_restore_asks_the_signer_and_says_what_it_has_to_be_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with desk(tmp_path) as made:
        _, copy = await backed_up(made, tmp_path)
        person = made.centre.person
    folder, socket = tmp_path / "signer", tmp_path / "s"
    await asyncio.to_thread((tmp_path / "keys").rename, folder)
    write_epoch(folder, 4)
    ledger = Ledger(folder / "signer.db")
    monkeypatch.setenv("LOA_SIGNER", str(socket))
    arguments = ["restore", "--state", str(tmp_path), str(copy), "--by", person.login]
    async with listening(socket, Strongroom(load_keys(folder), ledger, factories.SteppedClock()), {os.getuid()}):
        assert await asyncio.to_thread(main, arguments) == 0
    ledger.close()
    said = capsys.readouterr()
    assert "\nepoch 5\t" in said.out
    assert "raise-epoch 5" in said.err
    assert not list((tmp_path / "keys").glob("*.key")), "the keys are the signer's"
    assert await asyncio.to_thread(main, ["signer", "--folder", str(folder), "raise-epoch", "5"]) == 0
    assert load_keys(folder).epoch == 5
