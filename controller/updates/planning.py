"""What a rollout would do: whom it is for, who has the release, who cannot take it. It begins by the same."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.targets import Targets, resolve
from controller.db import in_pieces
from controller.errors import InvalidError
from controller.nodes.live import LiveNodes
from controller.nodes.models import Node
from controller.nodes.rules import HEARD, NodeKind, status_of
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import Act

from .errors import RolloutError
from .models import Release
from .repository import Bundles, bundle_for, bundles_of, busy_elsewhere, running_on
from .schemas import ForecastNodeOut, ForecastOut, RolloutIn
from .waves import check_waves, reach


@dataclass(frozen=True)
class Planned:
    """A rollout that may begin."""

    targets: Targets
    bundles: Bundles
    agents: tuple[str, ...]
    """All nodes there that report."""
    needing: frozenset[str]
    """Those of them that do not run the release, or a later one."""

    @property
    def release(self) -> Release:
        """Give one of the bundles: what is said of the release is the same in all."""
        return next(iter(self.bundles.values()))

    @property
    def expires_at(self) -> datetime:
        """From then on some node would not begin with it."""
        return min(each.expires_at for each in self.bundles.values())


async def planned(session: AsyncSession, live: LiveNodes, actor: Actor, wanted: RolloutIn, now: datetime) -> Planned:
    """Check a rollout against the rows, and that the person may.

    Raises:
        ForbiddenError: the person may not there.
        InvalidError: no such release or target, the waves are none, or no node there would get anything.
    """
    if not check_waves(wanted.waves):
        said = 'waves: numbers or shares such as "1" or "5%", the last "100%"'
        raise InvalidError(said, field="waves", problem="malformed")
    targets = await resolve(session, wanted.targets, await rights.sight(session, actor))
    await rights.require(session, actor, Act.ROLLOUTS_START, targets.area_ids)
    bundles = await bundles_of(session, wanted.release)
    agents = tuple(node.id for node in targets.nodes if node.kind == NodeKind.AGENT)
    running = await running_on(session, live, agents)
    needing = frozenset(node_id for node_id in agents if running.get(node_id, 0) < wanted.release)
    found = Planned(targets, bundles, agents, needing)
    if not bundles or found.expires_at <= now:
        said = f"release: there is no release {wanted.release} that nodes still take; see: loa updates list"
        raise InvalidError(said, field="release", problem="unknown")
    if not needing:
        raise InvalidError("targets: no node there needs this release", field="targets", problem="none_needs")
    return found


async def require_free(session: AsyncSession, node_ids: Sequence[str]) -> None:
    """See to it that no node is in another rollout.

    Raises:
        RolloutError: one is.
    """
    elsewhere = await busy_elsewhere(session, node_ids)
    if elsewhere:
        rollout_id = min(elsewhere.values())
        said = f"{len(elsewhere)} of these nodes are in rollout {rollout_id}; let it end, or stop it"
        raise RolloutError(said, id=rollout_id, count=len(elsewhere), problem="overlap")


async def forecast(
    session: AsyncSession, live: LiveNodes, found: Planned, wanted: RolloutIn, now: datetime
) -> ForecastOut:
    """Say what a rollout would do."""
    nodes = [node for node in found.targets.nodes if node.id in found.needing]
    abilities = await _abilities(session, live, [node.id for node in nodes])
    lines = []
    for node in nodes:
        contact = live.contact(node)
        status = status_of(contact.presence, contact.presence_at, contact.last_heard_at, now).status
        able = bundle_for(abilities.get(node.id, {}), found.bundles) is not None
        lines.append(
            ForecastNodeOut(node_id=node.id, node_name=node.name, area_id=node.area_id, status=status, able=able)
        )
    return ForecastOut(
        release=wanted.release,
        version=found.release.version,
        total=len(lines),
        told=tuple(reach(wave, len(lines)) for wave in wanted.waves),
        already=len(found.agents) - len(lines),
        reporting_nothing=len(found.targets.nodes) - len(found.agents),
        away=sum(each.able and each.status not in HEARD for each in lines),
        unable=sum(not each.able for each in lines),
        nodes=tuple(lines),
    )


async def _abilities(session: AsyncSession, live: LiveNodes, node_ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """Read what nodes can do; those of which nothing is known are left out."""
    found = {node_id: said for node_id in node_ids if (said := live.heard(node_id).abilities) is not None}
    for some in in_pieces([node_id for node_id in node_ids if node_id not in found]):
        rows = await session.execute(select(Node.id, Node.abilities).where(Node.id.in_(some)))
        found |= {node_id: said for node_id, said in rows if said}
        await asyncio.sleep(0)  # as ``running_on``: decoding thousands keeps nobody waiting
    return found
