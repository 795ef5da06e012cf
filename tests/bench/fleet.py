"""Light nodes: real certificates and connections, real signature checks, but no store and no sound.

All share one key pair, each has its own certificate. They live in a process of their own (``light.py``).
"""

import json
import stat
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from controller.clock import system_clock
from controller.config import Config
from controller.db import Database
from controller.enrolments.service import NODE_DOCUMENTS
from controller.events import EventBus
from controller.ids import new_id
from controller.nodes.models import Node
from controller.plans.service import Documents
from controller.wire.keys import load_keys, private_pem
from controller.wire.pki import Authority
from edge_agent.protocol import topics

ROWS = 100
"""Nodes added in one transaction."""


@dataclass(frozen=True)
class LightNode:
    """A node that the centre knows."""

    node_id: str
    pem: str
    """Its certificate and the key that all share."""


class LightFleet:
    """Light nodes of one authority, as files for the process that plays them."""

    def __init__(self, folder: Path, authority: Authority, count: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.key = folder, Ed25519PrivateKey.generate()
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "light")])
        request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(self.key, None)
        csr, secret = request.public_bytes(Encoding.PEM).decode(), private_pem(self.key).decode()
        self.nodes: list[LightNode] = []
        self.issued = {}
        for _ in range(count):
            node_id = new_id()
            issued = self.issued[node_id] = authority.issue_node_certificate(csr, node_id)
            self.nodes.append(LightNode(node_id, issued.pem + secret))
        self._ca, self._trusted = authority.ca_pem, authority.trusted_keys

    def write_order(self, port: int, areas: list[str]) -> Path:
        """Write what ``light.py`` is to be: broker, certificates, areas to listen to, keys to trust."""
        order = {
            "port": port,
            "ca": self._ca,
            "scopes": [topics.area(area) for area in areas],
            "trusted": [{"kid": key.kid, "use": str(key.use), "x": key.x} for key in self._trusted],
            "nodes": [{"id": node.node_id, "pem": node.pem} for node in self.nodes],
        }
        path = self.folder / "order.json"
        path.write_text(json.dumps(order))
        path.chmod(stat.S_IRUSR | stat.S_IWUSR)
        return path


async def add_to_centre(state: Path, folder: Path, area_id: str, count: int) -> LightFleet:
    """Put light nodes into the rows of a centre that does not run, as adopting them one by one would."""
    config, now = Config(state=state), system_clock()
    authority = Authority(config.keys, load_keys(config.keys), system_clock, names=("127.0.0.1", "localhost"))
    fleet = LightFleet(folder, authority, count)
    database, documents = Database(config.database, EventBus()), Documents(system_clock)
    try:
        for at in range(0, count, ROWS):
            async with database.transaction() as tx:
                for number, node in enumerate(fleet.nodes[at : at + ROWS], start=at + 1):
                    issued = fleet.issued[node.node_id]
                    tx.session.add(
                        Node(
                            id=node.node_id,
                            area_id=area_id,
                            name=f"Cụm nhẹ {number}",
                            public_key=issued.public_key_x,
                            certificate_serial=issued.serial,
                            certificate_expires_at=issued.expires_at,
                            enrolled_at=now,
                        )
                    )
                await tx.session.flush()
                for node in fleet.nodes[at : at + ROWS]:
                    for word in NODE_DOCUMENTS:
                        await documents.touch(tx, topics.node(node.node_id), word)
    finally:
        await database.close()
    return fleet
