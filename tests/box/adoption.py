"""How a card becomes a node: by its boot file and a person who types its code; and what is seen of it then."""

from controller.demo.commune import Commune
from tests.box.card import Card
from tests.box.machine import HOST, Machine
from tests.e2e.waiting import until

AGENT = "loa-agent.service"
CODE = "ABCD-2345"
READY_S = 60
"""Until a node's agent is ready, or asks for adoption, on a busy machine."""


async def start(card: Card, node: Machine, centre: Commune) -> None:
    """Write the boot file, as a person does, and switch the node on for the first time."""
    port = centre.env["LOA_MEDIA_PORT"]
    text = f'server = "https://{HOST}:{port}"\nca_sha256 = "{centre.ca_sha256()}"\nclaim = "{CODE}"\n'
    (card.boot / "loa.toml").write_text(text)
    (card.boot / "loa.toml").chmod(0o600)  # as the boot partition is mounted
    await node.switch_on()


async def adopt(node: Machine, centre: Commune) -> None:
    """Type its code at the centre, once it asks."""

    async def waiting() -> bool:
        return bool(await centre.call("GET", "/enrolments"))

    await until(waiting, READY_S, "a node that asks for adoption")
    body = {"claim_code": CODE, "area_id": centre.areas["commune"], "name": "Cột loa đầu làng"}
    await centre.call("POST", "/enrolments/adopt", json=body)
    await until_ready(node)


async def until_ready(node: Machine) -> int:
    """Wait for its agent; gives the process."""
    return await until(lambda: node.serving(AGENT), READY_S, "an agent that is ready")


async def until_online(centre: Commune) -> None:
    """Wait until the centre hears it."""

    async def online() -> bool:
        (row,) = await centre.call("GET", "/nodes")
        return bool(row["status"] == "online")

    await until(online, READY_S, "a node that is online")
