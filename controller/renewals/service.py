"""Renewals: the next certificate of a node, for a new key that its old key vouches for.

By itself while the old certificate stands, with a person's yes when it has ended. The node keeps its name and history.
"""

from datetime import datetime, timedelta

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from controller.alarms.service import Alarms
from controller.audit import service as audit
from controller.clock import Clock
from controller.db import Database, Transaction
from controller.enrolments.authority import Authority
from controller.errors import ConflictError, InvalidError, NotFoundError, TooManyAttemptsError
from controller.events import Event, Topic
from controller.ids import new_id
from controller.nodes.live import LiveNodes
from controller.nodes.models import Node
from controller.nodes.rules import CLONED, NodeKind
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import Act
from controller.ratelimit import RateLimit, network_of
from edge_agent.protocol.errors import ProtocolError
from edge_agent.protocol.renewal import RenewalRequest, RenewalStatus
from edge_agent.protocol.signing import TrustStore, key_id_of, open_renewal, signer_of

from .keys import requested_key
from .models import NodeCertificate, Renewal
from .rules import ANSWER_WITHIN, Standing, standing
from .schemas import RenewalOut

MAX_WISHES = 3
"""Waiting at once in the name of one node: more than one is a second machine with its key, or a lost request."""
RENEWED = "renewals.given"
"""In the audit, by nobody: the node's own key asked for it."""


class Renewals:
    """Certificates after the first one."""

    def __init__(self, database: Database, clock: Clock, live: LiveNodes, authority: Authority, alarms: Alarms) -> None:
        self._database, self._clock, self._live, self._authority = database, clock, live, authority
        self._alarms = alarms
        self._asking = RateLimit(burst=150, every=timedelta(seconds=2), clock=clock)  # a commune behind one address

    async def ask(self, node_id: str, token: bytes, origin: str) -> RenewalStatus:
        """Take in what a node asks with its key; the same request again gives the same answer.

        Whoever asks with a key that another one has followed has it from a copy, or is the node whose copy was quicker:
        people are told, and decide.

        Raises:
            NotFoundError: there is no such node, or it is not its key: strangers are not told which.
            InvalidError: the certificate request is not one, or its key is not new.
            TooManyAttemptsError: too many from this address, or in the name of this node.
        """
        self._asking.take(network_of(origin))
        try:
            async with self._database.transaction() as tx:
                node = await tx.session.get(Node, node_id, with_for_update=True)
                request, signer = _opened(node, token)
                assert node is not None  # noqa: S101  it was opened with its key
                if signer == key_id_of(node.public_key):
                    node.previous_public_key = None  # it has the new one and uses it
                key = requested_key(request.csr_pem)
                known = await _known(tx.session, node_id, key)
                if known is not None:
                    return RenewalStatus(state="renewed", certificate_pem=known.pem)
                return await self._next(tx, node, request, key=key, signer=signer, origin=origin)
        except NotFoundError:
            await self._look_for_a_copy(node_id, token)
            raise

    async def waiting(self, actor: Actor) -> list[RenewalOut]:
        """Give the nodes that wait for a yes, the newest first, where the person may say it."""
        async with self._database.reading() as session:
            places = await rights.reach(session, actor, Act.NODES_CONFIRM)
            query = (
                select(Renewal, Node)
                .join(Node, Node.id == Renewal.node_id)
                .where(Renewal.decided_at.is_(None), Renewal.asked_at > self._clock() - ANSWER_WITHIN)
                .where(places.where(Node.area_id))
                .order_by(Renewal.created_at.desc(), Renewal.id)
                .limit(200)
            )
            return [self._out(wish, node) for wish, node in (await session.execute(query)).all()]

    async def answer(self, actor: Actor, renewal_id: str, *, confirmed: bool) -> RenewalOut:
        """Say whether a node is still the one on the pole. With a yes it gets its certificate when it asks again.

        Raises:
            NotFoundError: nothing waits under this id where the person sees.
            ForbiddenError: the person may not say that there.
            ConflictError: somebody has said something already.
        """
        now = self._clock()
        async with self._database.transaction() as tx:
            seen = await rights.sight(tx.session, actor)
            wish = await tx.session.get(Renewal, renewal_id, with_for_update=True)
            node = await tx.session.get(Node, wish.node_id) if wish is not None else None
            if wish is None or node is None or node.removed_at is not None or not seen.sees(node.area_id):
                raise NotFoundError("nothing waits under this id", resource="renewals", id=renewal_id[:64])
            await rights.require(tx.session, actor, Act.NODES_CONFIRM, [node.area_id])
            if wish.decided_at is not None:
                raise ConflictError("somebody has answered already", problem="answered")
            wish.decided_at, wish.decided_by, wish.confirmed = now, actor.person_id, confirmed
            if confirmed:  # only one of several can be the one on the pole
                rivals = (Renewal.node_id == node.id) & (Renewal.id != wish.id) & Renewal.decided_at.is_(None)
                await tx.session.execute(update(Renewal).where(rivals).values(decided_at=now, confirmed=False))
            detail = {"confirmed": confirmed, "key": key_id_of(wish.new_key), "origin": wish.origin}
            subject = f"nodes/{node.id}"
            await audit.write(tx, actor, Act.NODES_CONFIRM, subject, detail, at=now, area_id=node.area_id)
            tx.tell(Event(Topic.NODE, node.id))
        return self._out(wish, node)

    async def _next(
        self, tx: Transaction, node: Node, request: RenewalRequest, *, key: str, signer: str, origin: str
    ) -> RenewalStatus:
        now = self._clock()
        wish = await _wish(tx.session, node.id, key, now)
        if wish is not None and wish.confirmed is not None:
            return (
                await self._give(tx, node, request, signer, now) if wish.confirmed else RenewalStatus(state="refused")
            )
        stands = await _stands(tx.session, node, now)
        if stands is Standing.EARLY and signer != key_id_of(node.public_key):  # its key was followed by another one
            await self._tell_of_a_copy(tx, node)
            stands = Standing.ENDED
        match stands:
            case Standing.EARLY:
                return RenewalStatus(state="early")
            case Standing.DUE:
                return await self._give(tx, node, request, signer, now)
            case Standing.ENDED:
                await _wait(tx, node, request, key=key, origin=origin, wish=wish, now=now)
                return RenewalStatus(state="waiting")
            case _:
                return RenewalStatus(state="refused")

    async def _give(
        self, tx: Transaction, node: Node, request: RenewalRequest, signer: str, now: datetime
    ) -> RenewalStatus:
        """Certify the new key. The one that asked for it stays good until the new one is used."""
        issued = self._authority.issue_node_certificate(request.csr_pem, node.id)
        old = node.previous_public_key
        node.previous_public_key = old if old is not None and key_id_of(old) == signer else node.public_key
        node.public_key, node.certificate_serial = issued.public_key_x, issued.serial
        node.certificate_expires_at = issued.expires_at
        keep_certificate(tx.session, node, issued.pem, now)
        detail = {"certificate": issued.serial, "until": issued.expires_at.isoformat()}
        nobody = Actor(None, f"nodes/{node.id}")
        await audit.write(tx, nobody, RENEWED, f"nodes/{node.id}", detail, at=now, area_id=node.area_id)
        await tx.session.flush()
        tx.tell(Event(Topic.NODE, node.id))
        return RenewalStatus(state="renewed", certificate_pem=issued.pem)

    async def _look_for_a_copy(self, node_id: str, token: bytes) -> None:
        """Tell people when who was sent away has a key that this node had."""
        async with self._database.transaction() as tx:
            node = await tx.session.get(Node, node_id)
            if node is None or node.removed_at is not None:
                return
            own = (NodeCertificate.node_id == node_id) & NodeCertificate.revoked_at.is_(None)
            keys = set(await tx.session.scalars(select(NodeCertificate.public_key).where(own)))
            try:
                open_renewal(token, node_id=node_id, trust=TrustStore.of_node(*keys))
            except ProtocolError:
                return
            await self._tell_of_a_copy(tx, node)

    async def _tell_of_a_copy(self, tx: Transaction, node: Node) -> None:
        subject, detail = f"nodes/{node.id}", {"name": node.name}
        await self._alarms.raise_(tx, CLONED, node.area_id, subject, detail, unless_open=True)

    def _out(self, wish: Renewal, node: Node) -> RenewalOut:
        return RenewalOut(
            id=wish.id,
            node_id=node.id,
            node_name=node.name,
            area_id=node.area_id,
            last_heard_at=self._live.over(node).last_heard_at,
            expired_at=node.certificate_expires_at or wish.created_at,
            fingerprint=key_id_of(wish.new_key),
            origin=wish.origin,
            created_at=wish.created_at,
            asked_at=wish.asked_at,
        )


def keep_certificate(session: AsyncSession, node: Node, pem: str, now: datetime) -> None:
    """Write down that a node's present certificate was issued."""
    session.add(
        NodeCertificate(
            serial=node.certificate_serial,
            node_id=node.id,
            public_key=node.public_key,
            pem=pem,
            issued_at=now,
            expires_at=node.certificate_expires_at,
        )
    )


async def refuse_stolen(session: AsyncSession, key: str) -> None:
    """Let a key pass that was never in strange hands.

    Raises:
        InvalidError: it belonged to a node that was revoked.
    """
    stolen = (NodeCertificate.public_key == key) & NodeCertificate.revoked_at.is_not(None)
    if await session.scalar(select(NodeCertificate.serial).where(stolen).limit(1)) is not None:
        raise InvalidError("csr_pem: this key was revoked; make a new one", field="csr_pem", problem="revoked")


def _opened(node: Node | None, token: bytes) -> tuple[RenewalRequest, str]:
    """Check what a node signed; give it, and the name of the key that did."""
    if node is not None and node.removed_at is None and node.kind == NodeKind.AGENT:
        keys = dict.fromkeys(key for key in (node.public_key, node.previous_public_key) if key)
        try:
            return open_renewal(token, node_id=node.id, trust=TrustStore.of_node(*keys)), signer_of(token)
        except ProtocolError:
            pass
    raise NotFoundError("there is no such node, or this is not its key", resource="nodes")


async def _known(session: AsyncSession, node_id: str, key: str) -> NodeCertificate | None:
    """Give the certificate that a key got before: its answer was lost.

    Raises:
        InvalidError: the key is another node's, was revoked, or is the one that is to be replaced.
    """
    await refuse_stolen(session, key)
    found = (await session.scalars(select(NodeCertificate).where(NodeCertificate.public_key == key))).all()
    mine = [each for each in found if each.node_id == node_id and each.pem]
    if len(mine) < len(found):
        raise InvalidError("csr_pem: this key is in use; make a new one", field="csr_pem", problem="key")
    return max(mine, key=lambda each: each.expires_at, default=None)


async def _stands(session: AsyncSession, node: Node, now: datetime) -> Standing:
    row = await session.get(NodeCertificate, node.certificate_serial)
    return Standing.GONE if row is None else standing(row.issued_at, row.expires_at, now)


async def _wish(session: AsyncSession, node_id: str, key: str, now: datetime) -> Renewal | None:
    """Give what was asked for this key before, if it is not too old; what is, goes."""
    stale = Renewal.decided_at.is_(None) & (Renewal.asked_at <= now - ANSWER_WITHIN)
    await session.execute(delete(Renewal).where(Renewal.node_id == node_id, stale))
    query = select(Renewal).where(Renewal.node_id == node_id, Renewal.new_key == key)
    still = or_(Renewal.confirmed.is_not(True), Renewal.decided_at > now - ANSWER_WITHIN)
    found: Renewal | None = await session.scalar(query.where(still).limit(1))
    return found


async def _wait(
    tx: Transaction,
    node: Node,
    request: RenewalRequest,
    *,
    key: str,
    origin: str,
    wish: Renewal | None,
    now: datetime,
) -> None:
    """Note that a node waits for a person, or that it still does."""
    if wish is not None:
        wish.asked_at = now
        return
    query = select(func.count()).where(Renewal.node_id == node.id, Renewal.decided_at.is_(None))
    if (await tx.session.scalar(query) or 0) >= MAX_WISHES:
        raise TooManyAttemptsError("too many wait in the name of this node; answer them first", retry_after_s=3600)
    tx.session.add(
        Renewal(
            id=new_id(),
            node_id=node.id,
            csr_pem=request.csr_pem,
            new_key=key,
            origin=origin[:64],
            created_at=now,
            asked_at=now,
        )
    )
    await tx.session.flush()
    tx.tell(Event(Topic.NODE, node.id))
