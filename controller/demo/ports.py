"""Ports of this machine's loopback that nobody uses, for programs that cannot be handed a socket."""

import socket
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

_HOST = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """Find free TCP ports on loopback."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind((_HOST, 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


@contextmanager
def held(ports: Iterable[int]) -> Iterator[None]:
    """Keep ports for programs that say that theirs may be taken twice, as we do, who never listen.

    Whatever starts, ends and starts again there finds them free. Otherwise the system gives them to others meanwhile,
    also to whoever tries to connect to them: he is then connected to himself.
    """
    with ExitStack() as stack:
        for port in ports:
            one = stack.enter_context(socket.socket())
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind((_HOST, port))
        yield
