"""What a person may ask of a node: who, of which node, and that it is written down."""

import re
from typing import Any

import pytest

from controller.audit.schemas import AuditOut
from controller.errors import BusyError, NotFoundError
from controller.nodes.acts import NodeAwayError, NodeUnableError
from controller.nodes.schemas import NodeOut
from edge_agent.protocol.calling import call_number
from edge_agent.protocol.documents import CommandAction
from tests.controller.factories import Centre


class Wire:
    """Takes commands instead of a broker."""

    def __init__(self, here: Centre) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        here.services.node_acts.send = self.send

    async def send(self, scope: str, fields: dict[str, Any]) -> None:
        self.sent.append((scope, fields))


async def able(here: Centre, *commands: str, online: bool = True) -> NodeOut:
    node = await here.node(await here.area(), online=online)
    here.services.live.note(node.id, abilities={"commands": list(commands), "best_grade": 3, "input_simulated": True})
    return await here.services.nodes.get(here.actor, node.id)


async def entries(here: Centre) -> list[AuditOut]:
    return [one for one in await here.services.audit.list(here.actor) if one.action == "nodes.test"]


async def test_a_self_test_goes_to_the_node_and_into_the_audit(here: Centre) -> None:
    node, wire = await able(here, "restart", "self_test"), Wire(here)
    asked = await here.services.node_acts.self_test(here.actor, node.id)
    assert wire.sent == [(node.scope, {"command_id": asked.command_id, "action": CommandAction.SELF_TEST})]
    (entry,) = await entries(here)
    assert (entry.subject, entry.detail["command_id"]) == (node.scope, asked.command_id)


async def test_a_node_is_asked_for_its_number_which_its_entry_shows(here: Centre) -> None:
    node, wire = await able(here, "identify"), Wire(here)
    asked = await here.services.node_acts.identify(here.actor, node.id)
    assert wire.sent == [(node.scope, {"command_id": asked.command_id, "action": CommandAction.IDENTIFY})]
    assert node.call_number == call_number(node.id)
    assert re.fullmatch(r"\d{6}", node.call_number)
    here.hears(node.id, identified={"command_id": asked.command_id, "at": here.clock(), "result": "heard"})
    said = (await here.services.nodes.get(here.actor, node.id)).identified
    assert said is not None
    assert (said.command_id, said.result) == (asked.command_id, "heard")


async def test_a_reference_names_the_tune_by_its_hash(here: Centre) -> None:
    node, wire = await able(here, "reference"), Wire(here)
    tune = await here.recording("Nhạc hiệu")
    await here.services.node_acts.reference(here.actor, node.id, tune)
    ((_, fields),) = wire.sent
    assert fields["sha256"] == (await here.services.recordings.get(here.actor, tune)).sha256
    with pytest.raises(NotFoundError):
        await here.services.node_acts.reference(here.actor, node.id, "nothing")


async def test_nothing_is_sent_to_a_node_that_is_away_or_does_not_offer_it(here: Centre) -> None:
    old, wire = await able(here, "restart"), Wire(here)
    with pytest.raises(NodeUnableError):
        await here.services.node_acts.self_test(here.actor, old.id)
    here.clock.step(minutes=5)
    with pytest.raises(NodeAwayError):
        await here.services.node_acts.self_test(here.actor, old.id)
    assert (wire.sent, await entries(here)) == ([], [])


async def test_a_centre_without_its_broker_says_so(here: Centre) -> None:
    node = await able(here, "self_test")
    with pytest.raises(BusyError):
        await here.services.node_acts.self_test(here.actor, node.id)


async def test_what_a_node_found_is_shown(here: Centre) -> None:
    node = await able(here, "self_test", "reference")
    at = here.clock()
    assert (node.self_test, node.reference, node.simulated_input) == (None, None, True)
    said = {"command_id": "c-1", "at": at, "result": "refused", "reason": "quiet_hours"}
    here.hears(node.id, self_test=said, reference={"wanted": True})
    found = await here.services.nodes.get(here.actor, node.id)
    assert found.self_test is not None
    assert (found.self_test.result, found.self_test.reason, found.self_test.at) == ("refused", "quiet_hours", at)
    assert found.reference is not None
    assert (found.reference.wanted, found.reference.change) == (True, None)
