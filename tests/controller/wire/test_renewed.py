"""A node's next certificate over the whole way: real centre, real broker, the agent's own code."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import func, select, update

from controller.nodes.models import Node
from controller.nodes.rules import NodeStatus
from controller.receipts.models import Receipt
from controller.renewals.models import NodeCertificate
from edge_agent.agent import Agent
from edge_agent.config import Options, StateDir, load_key
from edge_agent.enroll import enroll
from edge_agent.protocol.renewal import RenewalRequest
from edge_agent.protocol.signing import SigningKey, public_x
from tests.controller import factories
from tests.controller.factories import SYSTEM

from .live import Live, event, live_centre
from .test_two_ends import say_now, until

pytestmark = pytest.mark.broker
LATER = timedelta(days=300)


async def grow_old(live: Live) -> None:
    """Let two thirds of every certificate's life be over; the broker, which looks at the file, still takes them."""
    async with live.centre.services.database.transaction() as tx:
        await tx.session.execute(update(NodeCertificate).values(issued_at=datetime.now(UTC) - timedelta(days=800)))


@asynccontextmanager
async def agent_of(live: Live, state: StateDir, area_id: str, **given: Any) -> AsyncIterator[Agent]:
    """A whole agent in this process, enrolled as a person would; ``given`` are further options."""
    state.root.mkdir()
    codes: list[str] = []
    options = Options(state=state, output="virtual", **given)
    enrolling = asyncio.create_task(
        enroll(
            options,
            server=live.centre.node_url,
            ca_sha256=live.centre.authority.ca_sha256,
            timeout_s=20,
            show=lambda line: codes.append(line.removeprefix("Claim code: ")),
        )
    )

    async def shown() -> bool:
        return bool(codes) and bool(await live.centre.services.enrolments.waiting(live.rows.actor))

    await until(shown)
    await live.centre.services.enrolments.adopt(live.rows.actor, claim_code=codes[0], area_id=area_id, name="Cụm 1")
    await enrolling
    agent = Agent(options)
    running = asyncio.create_task(agent.run())
    try:
        yield agent
    finally:
        agent.leave("shutdown")
        await running


async def test_an_agent_changes_its_certificate_and_plays_on(tmp_path: Path) -> None:
    async with live_centre(tmp_path) as live:
        hamlet, state = await live.area(), StateDir(tmp_path / "node")
        async with agent_of(live, state, hamlet.id) as agent:
            [node] = await live.centre.services.nodes.all(SYSTEM)

            async def settled() -> bool:
                found = await live.centre.services.nodes.get(SYSTEM, node.id)
                return found.status is NodeStatus.ONLINE and found.held_up_to_date

            await until(settled)
            await grow_old(live)
            before, anew = load_key(state).public_key(), asyncio.Event()
            connected = agent.parts.link.on_connected

            def reconnected() -> None:
                connected()
                anew.set()

            agent.parts.link.on_connected = reconnected
            agent.parts.renewer._now = lambda: datetime.now(UTC) + LATER
            await agent.parts.renewer.look()
            async with asyncio.timeout(10):
                await anew.wait()
            assert load_key(state).public_key() != before
            broadcast = await say_now(live, f"areas/{hamlet.id}")

            async def told() -> bool:
                async with live.centre.services.database.reading() as session:
                    row = await session.get_one(Node, node.id)
                    plays = await live.centre.services.broadcasts.plays(SYSTEM, broadcast.id)
                    return row.previous_public_key is None and plays[0].state != "planned"

            await until(told)
            async with live.centre.services.database.reading() as session:
                row = await session.get_one(Node, node.id)
            assert row.public_key == public_x(load_key(state).public_key())


async def test_receipts_count_by_either_key_until_the_new_one_is_used(tmp_path: Path) -> None:
    async with live_centre(tmp_path) as live:
        node, following = await live.node(await live.area()), Ed25519PrivateKey.generate()
        await grow_old(live)
        wanted = RenewalRequest(iss=node.node_id, iat=1, csr_pem=factories.csr(following))
        renewals = live.centre.services.renewals
        status = await renewals.ask(node.node_id, SigningKey(node.key).sign(wanted), factories.ADDRESS)
        old, ingest = node.key, live.centre.ingest
        node.key, node.certificate_pem = following, status.certificate_pem or ""

        async def stored(count: int) -> None:
            async def reached() -> bool:
                async with live.centre.services.database.reading() as session:
                    return await session.scalar(select(func.count()).select_from(Receipt)) == count

            await until(reached)

        async with node.connected():  # with the new certificate
            await node.report(event(1), key=old)
            await stored(1)
            await node.report(event(2))
            await stored(2)
            await node.report(event(3), key=old)

            async def refused() -> bool:
                return ingest.dropped["unknown_key"] == 1

            await until(refused)
