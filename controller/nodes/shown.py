"""Whose certificate was shown at the nodes' port: what a node alone may fetch or bring."""

from dataclasses import dataclass

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncSession

from controller.renewals.models import NodeCertificate

from .models import Node
from .rules import NodeKind


@dataclass(frozen=True)
class Shown:
    """Who asks, by a certificate that was checked."""

    node_id: str
    serial: str
    """Hexadecimal, in small letters."""


def shown(request: Request) -> Shown | None:
    """Give whose certificate was shown on this connection, and checked (``http_server``)."""
    found = getattr(request.state, "peer", None)
    return Shown(*found) if found else None


async def node_of(session: AsyncSession, asks: Shown | None) -> Node | None:
    """Give the node, if it is one of ours now and its certificate is not void."""
    if asks is None:
        return None
    node = await session.get(Node, asks.node_id)
    if node is None or node.removed_at is not None or node.kind != NodeKind.AGENT:
        return None
    issued = await session.get(NodeCertificate, asks.serial)
    return node if issued is not None and issued.node_id == node.id and issued.revoked_at is None else None
