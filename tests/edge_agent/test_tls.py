"""Whom the node believes: its centre's authority alone; dates count only when it knows the date."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge_agent import tls
from edge_agent.config import StateDir
from edge_agent.errors import ConfigError
from tests.edge_agent.centre import Authority


@contextlib.asynccontextmanager
async def server(root: Path) -> AsyncIterator[int]:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(root / "server.crt", root / "server.key")
    listening = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=made)
    async with listening:
        yield listening.sockets[0].getsockname()[1]


async def hello(port: int, context: ssl.SSLContext, host: str = "127.0.0.1") -> str:
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=host)
    version = writer.get_extra_info("ssl_object").version()
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return str(version)


@pytest.mark.parametrize("days", [(-400, -1), (1, 400)])
async def test_a_node_that_does_not_know_the_date_does_not_ask_for_it(tmp_path: Path, days: tuple[int, int]) -> None:
    Authority(tmp_path).server(tmp_path, days=days)
    state = StateDir(tmp_path)
    async with server(tmp_path) as port:
        assert await hello(port, tls.context(state, check_dates=False, as_node=False)) == "TLSv1.3"
        with pytest.raises(ssl.SSLCertVerificationError):
            await hello(port, tls.context(state, check_dates=True, as_node=False))


@pytest.mark.parametrize("check_dates", [True, False])
async def test_authority_and_name_are_checked_whatever_the_date(tmp_path: Path, *, check_dates: bool) -> None:
    Authority(tmp_path).server(tmp_path)
    context = tls.context(StateDir(tmp_path), check_dates=check_dates, as_node=False)
    async with server(tmp_path) as port:
        await hello(port, context)
        with pytest.raises(ssl.SSLCertVerificationError, match="match"):
            await hello(port, context, host="another.example")
    (tmp_path / "other").mkdir()
    Authority(tmp_path / "other").server(tmp_path / "other")
    async with server(tmp_path / "other") as port:
        with pytest.raises(ssl.SSLCertVerificationError):
            await hello(port, context)


def test_a_missing_certificate_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="enrol this node again"):
        tls.context(StateDir(tmp_path), check_dates=True, as_node=True)
