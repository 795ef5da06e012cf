"""The link to a broker that does not grant everything."""

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from typing import cast

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from edge_agent import link as link_module
from edge_agent.faults import Fault, FaultBook
from edge_agent.link import Link, _Client
from edge_agent.protocol.enrolment import Adoption
from edge_agent.protocol.reports import Abilities, Online
from edge_agent.protocol.states import Grade
from tests.edge_agent.centre import SCOPE, Keys
from tests.edge_agent.fakes import NODE, NOON, until

PLAN = "areas/thon-1/plan"


class StrictBroker:
    """Grants every subscription but one, until it is told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.grants_plans = False

    async def subscribe(self, topics: list[tuple[str, int]]) -> list[ReasonCode]:
        names = [name for name, _ in topics]
        self.asked += names
        granted = [self.grants_plans or not name.endswith(PLAN) for name in names]
        return [ReasonCode(PacketTypes.SUBACK, identifier=1 if one else 0x87) for one in granted]

    async def publish(self, *_: object, **__: object) -> None:
        """Take it."""


def link_of(
    faults: FaultBook, *, port: int = 1, context: Callable[[], ssl.SSLContext] = ssl.create_default_context
) -> Link:
    adoption = Adoption(
        node_id=NODE,
        name="",
        certificate_pem="",
        ca_pem="",
        broker_host="127.0.0.1",
        broker_port=port,
        media_url="",
        trusted_keys=Keys().trusted,
    )
    return Link(
        adoption,
        faults,
        boot_id="boot-1",
        tls=context,
        online=lambda: Online(
            boot_id="boot-1",
            connected_at=NOON,
            abilities=Abilities(software="a", output="virtual", best_grade=Grade.E1),
        ),
        nonce=lambda: "0" * 32,
        scopes=lambda: (f"nodes/{NODE}", SCOPE),
        take=lambda *_: None,
    )


async def test_a_refused_subscription_is_tried_again_and_the_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "RETRY_S", 0.02)
    faults, broker, connected = FaultBook(lambda: NOON), StrictBroker(), []
    link = link_of(faults)
    link.on_connected = lambda: connected.append(True)
    task = asyncio.create_task(link._introduce(cast("_Client", broker)))
    await until(lambda: sum(name.endswith(PLAN) for name in broker.asked) >= 3)
    assert {fault.code for fault in faults.standing()} == {Fault.BROKER_REFUSED}
    assert len(connected) == 1
    others = [name for name in broker.asked if not name.endswith(PLAN)]
    assert len(others) == len(set(others))
    broker.grants_plans = True
    await until(lambda: len(connected) == 2)
    assert faults.standing() == ()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
