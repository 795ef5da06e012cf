"""Enrolments: a new node asks, a person who reads its code adopts it, it gets its certificate."""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.alarms.service import Alarms
from controller.areas.targets import require_place
from controller.audit import service as audit
from controller.clock import Clock
from controller.config import Config
from controller.db import Database, Transaction
from controller.errors import ConflictError, InvalidError, NotFoundError, TooManyAttemptsError
from controller.events import Event, Topic
from controller.ids import new_id
from controller.names import clean_name
from controller.nodes.models import Node
from controller.nodes.schemas import NodeOut
from controller.nodes.service import Nodes
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import Act
from controller.plans.service import Documents
from controller.plays import service as plays
from controller.ratelimit import RateLimit, network_of
from controller.renewals.keys import requested_key
from controller.renewals.service import keep_certificate, refuse_stolen
from edge_agent.protocol.enrolment import Adoption, EnrolmentRequest, EnrolmentStatus, EnrolmentTicket, claim_hash
from edge_agent.protocol.signing import key_id_of
from edge_agent.protocol.topics import Word

from .authority import Authority
from .models import Enrolment
from .schemas import WaitingOut

VALID_FOR = timedelta(hours=24)
"""A claim code that was not typed by then is worth nothing."""

MAX_WAITING = 1000
"""More new nodes than a province puts up in a day; beyond, somebody is filling the table."""
MAX_WAITING_OF_ORIGIN = 200
"""A commune behind one address; nobody alone can keep others from enrolling."""

CONTESTED = "enrolments.contested"
"""Alarm: a second device asks with a code that is another's."""

NODE_DOCUMENTS = (Word.HOLD, Word.URGENT, Word.PLAN, Word.SETTINGS)


class Enrolments:
    """New nodes on their way in."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        documents: Documents,
        *,
        nodes: Nodes,
        authority: Authority,
        config: Config,
        alarms: Alarms,
    ) -> None:
        self._database, self._clock, self._documents = database, clock, documents
        self._nodes, self._authority, self._config, self._alarms = nodes, authority, config, alarms
        self._asking = RateLimit(burst=150, every=timedelta(seconds=2), clock=clock)  # a commune behind one address
        self._typing = RateLimit(burst=20, every=timedelta(seconds=10), clock=clock)

    async def ask(self, request: EnrolmentRequest, origin: str) -> EnrolmentTicket:
        """Let a node wait for a person. The same request again gives the same ticket.

        Raises:
            InvalidError: the certificate request is not one, its key is not Ed25519, or was revoked.
            ConflictError: another node waits with this code; the node makes a new one.
            TooManyAttemptsError: too many from this address, or in all.
        """
        self._asking.take(network_of(origin))
        key, now = requested_key(request.csr_pem), self._clock()
        async with self._database.transaction() as tx:
            await refuse_stolen(tx.session, key)
            await tx.session.execute(
                delete(Enrolment).where(Enrolment.expires_at <= now, Enrolment.adopted_at.is_(None))
            )
            query = select(Enrolment).where(Enrolment.claim_sha256 == request.claim_sha256)
            known = await tx.session.scalar(query)
            if known is not None and known.csr_pem == request.csr_pem:
                return self._ticket(known.id)
            if known is not None:
                await self._tell_of_two(tx, known, origin)
            else:
                await _make_room(tx.session, origin)
                return self._ticket(await self._add(tx, request, origin, now))
        raise ConflictError("this claim code is taken; make a new one", problem="claim_code")

    async def status(self, enrolment_id: str) -> EnrolmentStatus:
        """Say how an enrolment stands.

        Raises:
            NotFoundError: there is none, or it ended long ago.
        """
        async with self._database.reading() as session:
            row = await session.get(Enrolment, enrolment_id)
            if row is None:
                raise NotFoundError("there is no such enrolment", resource="enrolments", id=enrolment_id[:64])
            if row.node_id is not None and row.certificate_pem is not None:
                node = await session.get_one(Node, row.node_id)
                return EnrolmentStatus(state="adopted", adoption=self._adoption(node, row.certificate_pem))
        return EnrolmentStatus(state="expired" if row.expires_at <= self._clock() else "waiting")

    async def waiting(self, actor: Actor) -> list[WaitingOut]:
        """Give the nodes that wait for a person, the newest first; none to those who may adopt none.

        A node that waits stands in no area yet: it is seen by all who may adopt, and adopted by who reads its code.
        """
        query = (
            select(Enrolment)
            .where(Enrolment.adopted_at.is_(None), Enrolment.expires_at > self._clock())
            .order_by(Enrolment.created_at.desc())
            .limit(200)
        )
        async with self._database.reading() as session:
            if not await rights.places_for(session, actor, Act.NODES_ADOPT):
                return []
            return [_out(row) for row in await session.scalars(query)]

    async def adopt(self, actor: Actor, *, claim_code: str, area_id: str, name: str) -> NodeOut:
        """Make the node that shows ``claim_code`` one of ours. A code counts once.

        Raises:
            InvalidError: no node waits with this code, or a field is wrong.
            TooManyAttemptsError: too many codes were tried.
        """
        self._typing.take(actor.person_id or actor.origin)
        name, now = clean_name(name), self._clock()
        async with self._database.transaction() as tx:
            tree = await require_place(tx.session, actor, Act.NODES_ADOPT, area_id)
            row = await _claimed(tx.session, claim_code, now)
            node = await self._make_node(tx, row, area_id, name)
            row.node_id, row.adopted_at = node.id, now
            await tx.session.flush()
            for word in NODE_DOCUMENTS:
                await self._documents.touch(tx, f"nodes/{node.id}", word)
            await plays.join(tx, node.id, tree.scopes(node.id, area_id), now=now)
            detail = {"name": name, "area_id": area_id, "certificate": node.certificate_serial}
            await audit.write(tx, actor, Act.NODES_ADOPT, f"nodes/{node.id}", detail, at=now, area_id=area_id)
            tx.tell(Event(Topic.NODE, node.id))
            tx.tell(Event(Topic.ENROLMENT, row.id))
        return await self._nodes.get(actor, node.id)

    async def _tell_of_two(self, tx: Transaction, known: Enrolment, origin: str) -> None:
        """Two that know one code: whoever asked first with it may be a stranger who read it from a box."""
        node = None if known.node_id is None else await tx.session.get(Node, known.node_id)
        area_id, name = (None, "") if node is None else (node.area_id, node.name)
        detail = {"name": name, "first": known.origin, "then": origin[:64]}
        await self._alarms.raise_(tx, CONTESTED, area_id, f"enrolments/{known.id}", detail, unless_open=True)

    def _ticket(self, enrolment_id: str) -> EnrolmentTicket:
        pages = self._config.pages_url
        return EnrolmentTicket(enrolment_id=enrolment_id, adopt_url=f"{pages.rstrip('/')}/nodes" if pages else None)

    async def _add(self, tx: Transaction, request: EnrolmentRequest, origin: str, now: datetime) -> str:
        row = Enrolment(
            id=new_id(),
            claim_sha256=request.claim_sha256,
            csr_pem=request.csr_pem,
            abilities=msgspec.to_builtins(request.abilities),
            origin=origin[:64],
            created_at=now,
            expires_at=now + VALID_FOR,
        )
        tx.session.add(row)
        await tx.session.flush()
        tx.tell(Event(Topic.ENROLMENT, row.id))
        return row.id

    async def _make_node(self, tx: Transaction, row: Enrolment, area_id: str, name: str) -> Node:
        node_id = new_id()
        issued = self._authority.issue_node_certificate(row.csr_pem, node_id)
        row.certificate_pem = issued.pem
        node = Node(
            id=node_id,
            area_id=area_id,
            name=name,
            public_key=issued.public_key_x,
            certificate_serial=issued.serial,
            certificate_expires_at=issued.expires_at,
            volume_mb=0,
            trim_mb=0,
            enrolled_at=self._clock(),
            abilities=row.abilities,
        )
        tx.session.add(node)
        await tx.session.flush()
        keep_certificate(tx.session, node, issued.pem, node.enrolled_at)
        return node

    def _adoption(self, node: Node, certificate_pem: str) -> Adoption:
        config = self._config
        return Adoption(
            node_id=node.id,
            name=node.name,
            certificate_pem=certificate_pem,
            ca_pem=self._authority.ca_pem,
            broker_host=config.public_name,
            broker_port=config.broker_port,
            media_url=f"https://{config.public_name}:{config.media_port}",
            trusted_keys=self._authority.trusted_keys,
        )


async def _claimed(session: AsyncSession, claim_code: str, now: datetime) -> Enrolment:
    query = (
        select(Enrolment)
        .where(Enrolment.claim_sha256 == claim_hash(claim_code), Enrolment.expires_at > now)
        .where(Enrolment.adopted_at.is_(None))
        .with_for_update()
    )
    row = await session.scalar(query)
    if row is None:
        raise InvalidError(
            "claim_code: no node waits with this code; read it again from the node, it is valid for 24 hours",
            field="claim_code",
            problem="unknown",
        )
    return row


async def _make_room(session: AsyncSession, origin: str) -> None:
    """See that one more may wait: at its address, and in all, where the fullest network's oldest makes room for it.

    Raises:
        TooManyAttemptsError: too many at this address.
    """
    query = select(Enrolment.id, Enrolment.origin).where(Enrolment.adopted_at.is_(None)).order_by(Enrolment.created_at)
    waiting: dict[str, list[str]] = defaultdict(list)
    for enrolment_id, other in await session.execute(query):
        waiting[network_of(other)].append(enrolment_id)
    if len(waiting[network_of(origin)]) >= MAX_WAITING_OF_ORIGIN:
        raise TooManyAttemptsError("too many nodes wait at this address; adopt some first", retry_after_s=600)
    if sum(map(len, waiting.values())) >= MAX_WAITING:
        oldest = max(waiting.values(), key=len)[0]
        await session.execute(delete(Enrolment).where(Enrolment.id == oldest))


def _out(row: Enrolment) -> WaitingOut:
    abilities: dict[str, Any] = row.abilities
    return WaitingOut(
        id=row.id,
        software=abilities.get("software", ""),
        output=abilities.get("output", ""),
        fingerprint=key_id_of(requested_key(row.csr_pem)),
        origin=row.origin,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )
