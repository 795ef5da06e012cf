"""Keys that change in the middle of a day, on one node in a stepped world, judged by the checker (case C38)."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.protocol.documents import TrustedKey
from edge_agent.protocol.signing import SigningKey
from edge_agent.protocol.states import KeyUse
from tests.edge_agent.centre import Keys
from tests.faults.stepped import ended, minutes
from tests.faults.stepped_centre import SELF
from tests.faults.test_orders import heard
from tests.faults.world import World, world

DAY = [f"b-{number}" for number in range(6)]


@pytest.fixture
async def one(ram: Path) -> AsyncIterator[World]:
    """A node with something to say every ten minutes; plans that come later are ordered when the key has changed."""
    async with world(ram / "node") as made:
        yield made


class Rotation:
    """What a centre does to replace a key, step by step, as ``controller.wire.rotation`` does it with rows."""

    def __init__(self, one: World, use: KeyUse) -> None:
        self.one, self.use = one, use
        self.old, self.new = Keys(), SigningKey(Ed25519PrivateKey.generate())
        self.old.dispatch, self.old.policy = one.keys.dispatch, one.keys.policy

    @property
    def both(self) -> tuple[TrustedKey, ...]:
        return (*self.old.trusted, self.new.trusted_as(self.use))

    def announce(self) -> None:
        """Settings of the old policy key name the new one."""
        self.one.centre.settle(trusted_keys=self.both)

    def switch(self) -> None:
        """Sign all with the new key; both are believed."""
        if self.use is KeyUse.POLICY:
            self.one.keys.policy = self.new
            self.one.centre.settle(trusted_keys=self.both)
            return
        self.one.keys.dispatch = self.new
        for send in (self.one.centre.send_hold, self.one.centre.send_urgent, self.one.centre.send_plan):
            send()

    def drop(self) -> None:
        """Believe the old one no more."""
        self.one.centre.settle(trusted_keys=self.one.keys.trusted)


@pytest.mark.fault("C38")
@pytest.mark.parametrize("use", [KeyUse.DISPATCH, KeyUse.POLICY])
async def test_c38_a_key_that_changes_in_the_middle_of_a_day_leaves_no_gap(one: World, use: KeyUse) -> None:
    rotation = Rotation(one, use)
    for number in range(3):
        one.centre.order(DAY[number], minutes(10 * (number + 1)))
    one.at(minutes(11), rotation.announce)
    one.at(minutes(15), rotation.switch)
    one.at(minutes(25), rotation.drop)
    await one.run(minutes(32))
    for number in range(3, 6):
        one.centre.order(DAY[number], minutes(10 * (number + 1)))
    await one.run(minutes(34))
    version = {"version": 9000}
    if use is KeyUse.DISPATCH:
        one.send(one.orders.urgent(one.centre.stranger_broadcast(), claims=version), keys=rotation.old)
    else:
        one.send(one.orders.settings(SELF, rotation.old, claims=version, volume_mb=-6000), keys=rotation.old)
    await one.run(minutes(65))
    assert one.agent is not None
    assert one.agent.parts.inbox.dropped["unknown_key"] == 1, "what the old key still signs is of no effect"
    history = await ended(one)
    assert heard(history) == DAY


@pytest.mark.fault("C38")
@pytest.mark.parametrize("use", [KeyUse.DISPATCH, KeyUse.POLICY])
async def test_c38_a_node_away_through_a_rotation_plays_its_plan_and_takes_the_next_one(
    one: World, use: KeyUse
) -> None:
    """Its retained settings stay those of the old policy key, as the centre leaves them for who did not answer."""
    rotation = Rotation(one, use)
    for number in range(3):
        one.centre.order(DAY[number], minutes(10 * (number + 1)))
    one.at(minutes(5), one.cut)
    one.at(minutes(11), rotation.announce)
    if use is KeyUse.DISPATCH:
        one.at(minutes(15), rotation.switch)
    one.at(minutes(35), one.heal)
    if use is KeyUse.POLICY:
        one.at(minutes(36), rotation.switch)
    one.at(minutes(37), rotation.drop)
    await one.run(minutes(38))
    for number in range(3, 6):
        one.centre.order(DAY[number], minutes(10 * (number + 1)))
    await one.run(minutes(65))
    history = await ended(one)
    assert heard(history) == DAY
