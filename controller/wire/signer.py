"""Signs: the retained documents from their rows, and one-off answers from what is given."""

import asyncio
import base64
import logging
from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.alarms.service import Alarms
from controller.areas.rules import Tree
from controller.broadcasts.models import Broadcast
from controller.clock import Clock
from controller.config import Config
from controller.db import Transaction
from controller.emergencies.pinning import pinned
from controller.nodes.live import LiveNodes
from controller.nodes.models import Node
from controller.plans import repository
from controller.plans.build import (
    RELEASE_KEPT,
    NodeFacts,
    Stamp,
    build_hold,
    build_plan,
    build_settings,
    build_urgent,
    inline_wanted,
    says_the_same,
)
from controller.plans.models import Document, PlanBody, PlanVersion
from controller.signing.desk import Desk, OwnDesk
from controller.signing.holder import KeyHolder, Named
from controller.signing.rules import Refusal, RefusedError
from edge_agent.protocol.content import Body, Voice
from edge_agent.protocol.documents import Membership, Settings, Signed
from edge_agent.protocol.signing import signer_of
from edge_agent.protocol.states import KeyUse
from edge_agent.protocol.topics import Word

from .keys import Keys

REFUSED = "broadcasts.not_signed"
"""Kind of the alarm."""

PLAN_RENEWED_AFTER = timedelta(hours=6)
"""DESIGN section 4: re-signing renews the lease."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Built:
    document: Signed
    body: Body | None = None
    held: Collection[str] = ()
    """Of settings: the keys that the node says that it trusts."""


class Signer:
    """Turns rows into signed documents."""

    def __init__(
        self,
        config: Config,
        keys: KeyHolder,
        clock: Clock,
        live: LiveNodes,
        *,
        desk: Desk | None = None,
        alarms: Alarms | None = None,
    ) -> None:
        """``desk``: where it is signed, in this process if not said; ``alarms``: where people are told of refusals."""
        self._desk, self._alarms = desk or _own_desk(keys), alarms
        self._keys, self._clock, self._live = keys, clock, live
        self._last_answer = 0
        self._let_go: set[str] = set()
        self._media: Path = config.media
        self._covers, self._lease = timedelta(days=config.plan_days), timedelta(days=config.lease_days)

    @property
    def epoch(self) -> int:
        """The epoch in which it signs."""
        return self._keys.epoch

    async def sign(self, tx: Transaction, row: Document, tree: Tree) -> bool:
        """Bring one document up to date within the transaction; say whether there is a new version to publish.

        ``tree`` is needed for settings and plans, whose lease is the area's to say.
        """
        refused: dict[str, Refusal] = {}
        while True:
            try:
                return await self._sign(tx, row, tree, frozenset(refused))
            except RefusedError as error:
                if not error.refused.keys() - refused.keys():
                    raise
                refused |= error.refused
                await self._tell_refused(tx, row.scope, error.refused)

    async def _sign(self, tx: Transaction, row: Document, tree: Tree, without: frozenset[str]) -> bool:
        now = self._clock()
        stamp = Stamp(row.scope, self._keys.epoch, (row.version or 0) + 1, now)
        built = await self._build(tx.session, stamp, row, tree, without)
        row.dirty_since = None
        if built is None:
            return False
        due = row.word == Word.PLAN and row.signed_at is not None and now - row.signed_at >= PLAN_RENEWED_AFTER
        key = self._key(built)
        if _is_last_word(row, built, key):
            return False
        if (
            row.token is not None
            and not due
            and signer_of(row.token) == key.kid
            and says_the_same(built.document, own_document(row.token, type(built.document)))
        ):
            return False
        await self._store(tx, row, built, key, now)
        return True

    @property
    def let_go(self) -> AbstractSet[str]:
        """Released holds that the documents of their scopes need not name any more."""
        return self._let_go

    async def find_let_go(self, session: AsyncSession) -> None:
        """Find out which released holds need not be named any more. Their documents change with their next change."""
        before = self._clock() - RELEASE_KEPT
        self._let_go |= await repository.find_let_go(session, self._live, before, self._let_go)

    async def _store(self, tx: Transaction, row: Document, built: _Built, key: Named, now: datetime) -> None:
        document, body = built.document, built.body
        packed = body.packed if body is not None else None
        facts = await self._desk.facts(tx.session, document, packed, now)
        token = await self._desk.sign(document, key.kid, body=packed, facts=facts)
        if body is not None and await tx.session.get(PlanBody, body.sha256) is None:
            tx.session.add(PlanBody(sha256=body.sha256, packed=body.packed, created_at=now))
        row.token = token
        row.epoch, row.version, row.signed_at = document.epoch, document.version, now
        row.body_sha256 = body.sha256 if body is not None else None
        tx.session.add(
            PlanVersion(
                scope=row.scope,
                word=row.word,
                epoch=document.epoch,
                version=document.version,
                token=row.token,
                body_sha256=row.body_sha256,
                signed_at=now,
            )
        )

    def _key(self, built: _Built) -> Named:
        """Choose the key that whoever it is for can check."""
        return self._keys.named(self._keys.ring.for_holder(built.document.key_use, built.held).kid)

    async def _tell_refused(self, tx: Transaction, scope: str, refused: Mapping[str, Refusal]) -> None:
        """Raise an alarm for each broadcast that is left out: somebody counts on it."""
        for broadcast_id, why in refused.items():
            _log.error("broadcast %s is left out of what %s is told: %s", broadcast_id, scope, why)
            if self._alarms is None:
                continue
            broadcast = await tx.session.get(Broadcast, broadcast_id)
            area_id, title = (broadcast.area_id, broadcast.title) if broadcast is not None else (None, broadcast_id)
            subject, detail = f"broadcasts/{broadcast_id}", {"title": title, "problem": why}
            await self._alarms.raise_(tx, REFUSED, area_id, subject, detail, unless_open=True)

    async def _build(
        self, session: AsyncSession, stamp: Stamp, row: Document, tree: Tree, without: frozenset[str]
    ) -> _Built | None:
        match Word(row.word):
            case Word.HOLD:
                return _Built(
                    build_hold(stamp, await repository.holds_of(session, row.scope, self._let_go, self._live))
                )
            case Word.URGENT:
                return await self._urgent(session, stamp, without)
            case Word.PLAN:
                return await self._plan(session, stamp, tree, without)
            case _:
                return await self._settings(session, stamp, row, tree)

    async def _urgent(self, session: AsyncSession, stamp: Stamp, without: frozenset[str]) -> _Built:
        found = await repository.broadcasts_of(session, stamp.scope, urgent=True, now=stamp.now)
        broadcasts = [each for each in found if each.broadcast_id not in without]
        stops = await repository.stops_of(session, stamp.scope, stamp.now)
        inline = await asyncio.to_thread(_read_media, self._media, inline_wanted(broadcasts)) if broadcasts else {}
        return _Built(build_urgent(stamp, broadcasts, stops, inline))

    async def _plan(self, session: AsyncSession, stamp: Stamp, tree: Tree, without: frozenset[str]) -> _Built:
        lease = await self._lease_of(session, stamp.scope, tree)
        covers_until = stamp.now + self._covers
        found = await repository.broadcasts_of(
            session, stamp.scope, urgent=False, now=stamp.now, start_before=covers_until
        )
        broadcasts = [each for each in found if each.broadcast_id not in without]
        plan, body = build_plan(stamp, broadcasts, covers_until=covers_until, lease_until=stamp.now + lease)
        return _Built(plan, body)

    async def _lease_of(self, session: AsyncSession, scope: str, tree: Tree) -> timedelta:
        kind, _, key = scope.partition("/")
        if kind == "nodes":
            node = await session.get(Node, key)
            key = node.area_id if node is not None else ""
        hours = tree.effective(key).lease_hours
        return self._lease if hours is None else timedelta(hours=hours)

    async def _settings(self, session: AsyncSession, stamp: Stamp, row: Document, tree: Tree) -> _Built | None:
        node = await session.get(Node, stamp.scope.removeprefix("nodes/"))
        if node is None or node.removed_at is not None:
            return None
        chain = [place.id for place in tree.chain(node.area_id)]
        before = own_document(row.token, Settings).areas if row.token is not None else ()
        facts = NodeFacts(
            volume_mb=node.volume_mb,
            trim_mb=node.trim_mb,
            clock_battery=bool((node.abilities or {}).get("clock_battery", False)),
            pinned=await _pinned(session, tuple(chain)),
        )
        areas = await _memberships(session, chain, {area.area_id: area for area in before})
        local = tree.effective(node.area_id)
        ring, health = self._keys.ring, self._live.over(node).health or {}
        settings = build_settings(stamp, facts, areas, local, ring.trusted, revoked_keys=ring.revoked)
        return _Built(settings, held=health.get("keys", ()) or _held_of_old(health, row))

    # One-off messages: not stored, each with a version above the last.

    async def answer(self, kind: type[Signed], scope: str, life: timedelta, **fields: Any) -> bytes:
        """Sign an answer that is readable for ``life``.

        Raises:
            BusyError: the signer stands apart, and does not answer.
            ValueError: it does not sign that.
        """
        now = self._clock()
        # Milliseconds since 1970 rise through restarts too, and need no row.
        self._last_answer = max(self._last_answer + 1, int(now.timestamp() * 1000))
        document = kind(**Stamp(scope, self._keys.epoch, self._last_answer, now).claims(now + life), **fields)
        return await self._desk.sign(document, self._key(_Built(document)).kid, body=None, facts={})


def _own_desk(keys: KeyHolder) -> OwnDesk:
    if not isinstance(keys, Keys):
        raise TypeError("private halves are elsewhere: say at which desk it is signed")
    return OwnDesk(keys)


def _is_last_word(row: Document, built: _Built, key: Named) -> bool:
    """Tell whether settings stay as they are: a key signed them that is gone, and whoever slept can check no other."""
    if row.token is None or built.document.key_use is not KeyUse.POLICY:
        return False
    return key.kid not in built.held and signer_of(row.token) != key.kid


def _held_of_old(health: Mapping[str, Any], row: Document) -> Collection[str]:
    """Give the keys of a node that is too old to name them, by the settings that it obeys."""
    obeyed = health.get("held", {}).get(row.scope, {}).get(Word.SETTINGS)
    if obeyed is None or row.token is None or (obeyed["epoch"], obeyed["version"]) != (row.epoch, row.version):
        return ()
    return [key.kid for key in own_document(row.token, Settings).trusted_keys]


_SignedT = TypeVar("_SignedT", bound=Signed)


def own_document(token: bytes, kind: type[_SignedT]) -> _SignedT:
    """Read a document that we signed ourselves."""
    payload = token.split(b".")[1]
    return msgspec.json.decode(base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)), type=kind)


async def _pinned(session: AsyncSession, chain: tuple[str, ...]) -> tuple[Voice, ...]:
    """Give what lies ready in an area. Read once in a transaction: in it, hundreds of nodes ask for the same."""
    known: dict[tuple[str, ...], tuple[Voice, ...]] = session.info.setdefault("pinned", {})
    if chain not in known:
        known[chain] = await pinned(session, chain)
    return known[chain]


async def _memberships(session: AsyncSession, chain: list[str], before: Mapping[str, Membership]) -> list[Membership]:
    """Name the areas; one that is new to the node begins with the plan version of this moment."""
    new = [f"areas/{area_id}" for area_id in chain if area_id not in before]
    query = select(Document.scope, Document.version).where(Document.word == Word.PLAN, Document.scope.in_(new))
    versions = {row.scope: row.version for row in await session.execute(query)}
    return [
        before.get(area_id) or Membership(area_id=area_id, plan_from_version=versions.get(f"areas/{area_id}") or 1)
        for area_id in chain
    ]


def _read_media(folder: Path, wanted: list[str]) -> dict[str, bytes]:
    """Read short audio; what cannot be read is fetched by the nodes like any other."""
    found: dict[str, bytes] = {}
    for sha256 in wanted:
        try:
            found[sha256] = (folder / f"{sha256}.opus").read_bytes()
        except OSError:
            continue
    return found
