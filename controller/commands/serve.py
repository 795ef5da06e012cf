"""``loa serve``: the whole centre on one machine."""

import argparse
import asyncio
import sys

from controller.main import Centre, serve

from .settings import add_state, read_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_state(parser)
    parser.add_argument("--host", help="where pages and API listen (LOA_HOST, 127.0.0.1)")
    parser.add_argument("--port", type=int, help="their port (LOA_PORT, 8080); 0 takes a free one")
    parser.add_argument("--node-host", help="where broker and media listen for nodes (LOA_NODE_HOST, 127.0.0.1)")
    parser.add_argument("--broker-port", type=int, help="MQTT over TLS (LOA_BROKER_PORT, 8883); 0 takes a free one")
    parser.add_argument("--media-port", type=int, help="HTTPS for nodes (LOA_MEDIA_PORT, 8443); 0 takes a free one")
    parser.add_argument("--public-name", help="name by which nodes reach this machine (LOA_PUBLIC_NAME, localhost)")


def run(options: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT.

    Raises:
        LoaError: it cannot start, or a part of it died.
    """
    config = read_config(options, "host", "port", "node_host", "broker_port", "media_port", "public_name")
    greeting: list[asyncio.Task[None]] = []

    def greet(centre: Centre) -> None:
        greeting.append(asyncio.get_running_loop().create_task(_greet(centre), name="greeting"))

    asyncio.run(serve(config, greet))
    return 0


async def _greet(centre: Centre) -> None:
    config = centre.config
    lines = [
        f"Loa is ready: {centre.url}",
        f"Nodes enrol and fetch at {centre.node_url}, MQTT at port {config.broker_port}.",
        f"A new node knows this centre by --ca-sha256 {centre.authority.ca_sha256}",
    ]
    if not await centre.services.people.any():
        lines.append(f"Nobody can sign in yet: loa person add --state {config.state} --login NAME")
    sys.stderr.write("\n".join(lines) + "\n")
    sys.stderr.flush()
