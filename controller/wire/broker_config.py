"""What mosquitto is told: one TLS listener, certificates as names, and who may write where. Pure text, no I/O."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edge_agent.protocol import topics
from edge_agent.protocol.topics import NODE_WRITES, Word

from .pki import CENTRE

MAX_PACKET_BYTES = 2 * 1024 * 1024
"""Twice the largest signed message (``MAX_TOKEN_BYTES``)."""
MAX_INFLIGHT = 1_000
"""QoS 1 messages on their way to one client. The centre takes the receipts of a whole province through one."""
MAX_QUEUED = 100_000
MAX_QUEUED_BYTES = 64 * 1024 * 1024
MAX_KEEPALIVE_S = 25
"""A silent link is noticed after 1.5 times this and mosquitto's sweep of 5 s: below promise P6's 45 s."""


@dataclass(frozen=True)
class Listener:
    """Where the broker listens, and the files it reads."""

    host: str
    port: int
    folder: Path
    """Holds ``acl``, ``ca.crt``, ``revoked.crl``, ``server.crt`` and ``server.key``."""


def configuration(listener: Listener) -> str:
    """Write ``mosquitto.conf``."""
    folder = listener.folder
    lines = [
        "per_listener_settings false",
        f"listener {listener.port} {listener.host}",
        f"cafile {folder / 'ca.crt'}",
        f"crlfile {folder / 'revoked.crl'}",
        f"certfile {folder / 'server.crt'}",
        f"keyfile {folder / 'server.key'}",
        "tls_version tlsv1.3",
        "require_certificate true",
        # The certificate's common name is the name, and the client id too: nobody can take another's session.
        "use_identity_as_username true",
        "use_username_as_clientid true",
        "allow_anonymous false",
        f"acl_file {folder / 'acl'}",
        "persistence false",
        f"max_packet_size {MAX_PACKET_BYTES}",
        f"max_inflight_messages {MAX_INFLIGHT}",
        f"max_queued_messages {MAX_QUEUED}",
        f"max_queued_bytes {MAX_QUEUED_BYTES}",
        f"max_keepalive {MAX_KEEPALIVE_S}",
        "set_tcp_nodelay true",
        "sys_interval 0",
        "log_dest stderr",
        "log_timestamp false",
        "log_type error",
        "log_type warning",
        "connection_messages false",
    ]
    return "\n".join(lines) + "\n"


def access_rules(revoked: Iterable[str] = ()) -> str:
    """Write the access rules. An empty file would allow everything to everybody, so they are never optional.

    ``revoked`` nodes reach nothing, also in a session that stood before: a denial goes before every other rule.
    """
    lines = [f"user {CENTRE}", f"topic readwrite {topics.ROOT}/#", ""]
    for node_id in sorted(set(revoked)):
        lines += [f"user {node_id}", "topic deny #", ""]
    for word in Word:
        access = "write" if word in NODE_WRITES else "read"
        lines.append(f"pattern {access} {topics.ROOT}/nodes/%u/{word}")
    # Any node may hear any area. Mosquitto warns that the pattern names nobody; that is what is meant.
    lines.append(f"pattern read {topics.ROOT}/areas/#")
    return "\n".join(lines) + "\n"
