"""Writes a draft to the database, with the yeses that it has, all in one transaction."""

from collections.abc import Sequence
from datetime import datetime

from controller.approvals import yeses as approvals
from controller.approvals.yeses import Bound, Yes
from controller.audit import service as audit
from controller.db import Transaction
from controller.ids import new_broadcast_id
from controller.people.actor import Actor
from controller.people.rights import Act
from controller.plays import service as plays

from .drafts import Draft
from .items import item_rows
from .models import Broadcast, BroadcastTarget
from .room import wire_bytes


async def save(
    tx: Transaction,
    actor: Actor,
    draft: Draft,
    *,
    yeses: Sequence[Yes],
    now: datetime,
    key: str | None = None,
    request_sha256: str | None = None,
) -> str:
    """Write the broadcast, its items, targets, approvals and plays; gives its id. Without a yes it awaits one."""
    broadcast_id, window, scopes = new_broadcast_id(now), draft.window, draft.targets.scopes
    tx.session.add(
        Broadcast(
            id=broadcast_id,
            title=draft.title,
            level=draft.level,
            urgent=draft.urgent,
            start_at=window.start_at,
            latest_start_at=window.latest_start_at,
            latest_end_at=window.latest_end_at,
            position=0,
            start_mode=draft.start_mode,
            drill=draft.drill,
            category=draft.category,
            replays_id=draft.replays_id,
            run_id=draft.run_id,
            awaits_approval=not yeses,
            area_id=draft.targets.area_id,
            length_ms=draft.length_ms,
            wire_bytes=wire_bytes(draft),
            created_by=actor.person_id,
            created_at=now,
            idempotency_key=key,
            request_sha256=request_sha256,
        )
    )
    await tx.session.flush()
    tx.session.add_all(item_rows(broadcast_id, draft.slots))
    tx.session.add_all(BroadcastTarget(broadcast_id=broadcast_id, scope=scope) for scope in scopes)
    bound = Bound(draft.content_sha256, tuple(scopes), window.start_at, window.latest_end_at)
    for yes in yeses:
        approvals.prove(tx, yes, f"broadcasts/{broadcast_id}", bound, draft.level)
    await approvals.write(tx, f"broadcasts/{broadcast_id}", bound, yeses, now=now, shown=draft.shown)
    await plays.plan(tx, broadcast_id, [node.id for node in draft.targets.nodes], now=now)
    detail = {
        "title": draft.title,
        "scopes": list(scopes),
        "start_at": window.start_at.isoformat(),
        "content_sha256": draft.content_sha256,
        "nodes": len(draft.targets.nodes),
        "awaits_approval": not yeses,
    }
    subject = f"broadcasts/{broadcast_id}"
    await audit.write(tx, actor, Act.BROADCASTS_CREATE, subject, detail, at=now, area_id=draft.targets.area_id)
    return broadcast_id
