"""Ports that are found for programs are given to nobody else while these start, or are gone for a while."""

import socket
from pathlib import Path

import pytest

from controller.demo.commune import Commune
from controller.demo.processes import ProgramFailedError
from controller.http_server import bind


async def test_the_ports_of_a_small_commune_are_kept_for_it_and_it_may_listen_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def start(made: Commune, *, first: bool) -> None:
        assert first
        for name in ("LOA_PORT", "LOA_MEDIA_PORT", "LOA_BROKER_PORT"):
            address = ("127.0.0.1", int(made.env[name]))
            with socket.socket() as other, pytest.raises(OSError, match="in use"):
                other.bind(address)
            with bind(*address, setting=name) as ours:
                ours.listen()
                socket.create_connection(address).close()
        raise ProgramFailedError("looked at")

    monkeypatch.setattr(Commune, "start_centre", start)
    with pytest.raises(ProgramFailedError, match="looked at"):
        await Commune(tmp_path).__aenter__()
