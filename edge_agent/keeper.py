"""Keeps what the centre has ordered: plans, urgents, holds, stops, settings. Stored first, then in effect.

It trusts what it is given: signatures, versions and windows are checked by ``inbox`` before. It decides nothing about
sound; ``listings``, ``holds`` and ``stops`` are what the player's timeline is fed with.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from edge_agent.errors import CorruptError
from edge_agent.protocol import topics
from edge_agent.protocol.content import Broadcast, PlanBody, still_listed, unpack_body
from edge_agent.protocol.documents import BY_WORD, Hold, Plan, Settings, Signed, TrustedKey, Urgent
from edge_agent.protocol.errors import MalformedError, ProtocolError
from edge_agent.protocol.listings import Listing, merge
from edge_agent.protocol.reports import Held
from edge_agent.protocol.signing import TrustStore, open_document
from edge_agent.protocol.states import KeyUse
from edge_agent.protocol.topics import Word
from edge_agent.protocol.versions import Version
from edge_agent.shelf import Shelf
from edge_agent.store import Store

log = logging.getLogger(__name__)

HELD, COMING = "held", "coming"
"""Slots of a document: obeyed, and (plans only) waiting for its body."""
KEEP = timedelta(days=31)
"""How long stops and commands are remembered: a day more than receipts (``ledger.KEEP``)."""
MAX_RELEASES = 4096
"""Released names remembered; the centre repeats a name until every node has let go."""

FAR_AT = datetime(9000, 1, 1, tzinfo=UTC)
"""Nothing is scheduled beyond; instants at the calendar's very end cannot be reckoned with."""

_KEYS, _FORMER = "trusted_keys", "former_keys"
MAX_FORMER = 64
"""Keys remembered that are trusted no more: what they signed while they were is read again at a restart."""


class Keeper:
    """The orders held, and the store under them."""

    def __init__(
        self,
        node_id: str,
        store: Store,
        shelf: Shelf,
        *,
        first_keys: Iterable[TrustedKey],
        begun: Callable[[], Iterable[tuple[Broadcast, bool]]],
        now: Callable[[], datetime],
    ) -> None:
        """``begun`` gives what is under way, as it was begun; ``first_keys`` are those of the adoption."""
        self.own = topics.node(node_id)
        self._store, self._shelf, self._begun, self._now = store, shelf, begun, now
        self.trust = TrustStore(self._saved_keys(_KEYS) or tuple(first_keys))
        self._former = self._saved_keys(_FORMER)
        self.settings: Settings | None = None
        self.on_change: Callable[[], None] = lambda: None
        """Called after anything that the player, the fetcher or the link may want to know."""
        self.on_hold: Callable[[], None] = lambda: None
        """Called when holds silence the node, before the store is written."""
        self._documents: dict[tuple[str, Word], Signed] = {}
        self._coming: dict[str, Plan] = {}
        self._bodies: dict[str, PlanBody] = {}
        """By scope, of the plans obeyed."""
        self._left_out: set[tuple[str, Word]] = set()
        """Documents stored that are not believed any more, or cannot be read."""
        self._listings: dict[str, Listing] = {}
        self._held = {row[0] for row in store.rows("SELECT hold_id FROM holds")}
        self._released = {row[0] for row in store.rows("SELECT hold_id FROM releases")}
        self.stops = frozenset(row[0] for row in store.rows("SELECT broadcast_id FROM stops"))
        self._load()

    # What others read.

    @property
    def holds(self) -> frozenset[str]:
        """Holds that silence this node."""
        return frozenset(self._held - self._released)

    @property
    def listings(self) -> Mapping[str, Listing]:
        """All broadcasts of the plans and urgents held, merged."""
        return self._listings

    @property
    def knows_all(self) -> bool:
        """Whether what is listed nowhere was withdrawn; not while a document is left out that may have listed it."""
        return not any(scope in self.scopes for scope, _ in self._left_out - set(self._documents))

    @property
    def scopes(self) -> tuple[str, ...]:
        """Whom to listen to: the node, its areas, and areas it has left whose plan still stands in."""
        areas = [topics.area(member.area_id) for member in self.settings.areas] if self.settings else []
        return (self.own, *areas, *sorted(self._lingering()))

    @property
    def floor_epoch(self) -> int:
        """Nothing of an older life of the centre has effect."""
        return self.settings.epoch if self.settings else 1

    def version(self, scope: str, word: Word) -> Version | None:
        """Give the newest version held of a document, with or without its body."""
        found = (self._coming.get(scope) if word is Word.PLAN else None) or self._documents.get((scope, word))
        return None if found is None else Version(found.epoch, found.version)

    def held(self) -> dict[str, dict[str, Held]]:
        """Give all versions obeyed, for the health report."""
        found: dict[str, dict[str, Held]] = {}
        for (scope, word), document in self._documents.items():
            found.setdefault(scope, {})[word] = Held(epoch=document.epoch, version=document.version)
        for scope, plan in self._coming.items():
            found.setdefault(scope, {})[Word.PLAN] = Held(epoch=plan.epoch, version=plan.version, complete=False)
        return found

    def leases(self) -> list[tuple[datetime, datetime]]:
        """Give of each plan when it was signed, and until when it may be played."""
        plans = [document for document in self._documents.values() if isinstance(document, Plan)]
        return [(datetime.fromtimestamp(plan.iat, UTC), plan.lease_until) for plan in plans]

    def bodies_wanted(self) -> list[Plan]:
        """Give the plans whose body is still to be fetched."""
        return list(self._coming.values())

    # What changes it.

    def accept(self, scope: str, document: Signed, token: bytes) -> None:
        """Take a checked document: store it, then let it act.

        Raises:
            MalformedError: settings name a zone that this node does not know.
        """
        if isinstance(document, Settings):
            _check_zone(document)
        if isinstance(document, Hold):
            self._obey(document)
            if self.holds:
                self.on_hold()  # silence first: the store may be slow
        with self._store.writing():
            if isinstance(document, Settings):
                self._change_keys(document)
            if isinstance(document, Plan) and not self._has_body(scope, document):
                self._coming[scope] = document
                self._write(scope, document, token, slot=COMING)
            else:
                self._take(scope, document)
                self._write(scope, document, token, slot=HELD)
                self._keep_parts(scope, document)
        self._renew()

    @staticmethod
    def open_body(plan: Plan, packed: bytes) -> PlanBody:
        """Read a body. Slow (0.3 ms a broadcast on a PC): not for the event loop.

        Raises:
            CorruptError: the bytes are not the body that the manifest names.
        """
        try:
            return unpack_body(packed, sha256=plan.body_sha256, scope=plan.aud)
        except MalformedError as error:
            raise CorruptError(str(error)) from None

    def body_arrived(self, plan: Plan, packed: bytes, body: PlanBody) -> None:
        """Let a plan act whose body has come, unless a newer one is awaited."""
        if self._coming.get(plan.aud) != plan:
            return
        with self._store.writing():
            self._store.run("INSERT OR REPLACE INTO bodies VALUES (?, ?)", plan.body_sha256, packed)
            self._store.run("DELETE FROM documents WHERE scope = ? AND word = 'plan' AND slot = 'held'", plan.aud)
            self._store.run("UPDATE documents SET slot = 'held' WHERE scope = ? AND word = 'plan'", plan.aud)
            del self._coming[plan.aud]
            self._bodies[plan.aud] = body
            self._documents[plan.aud, Word.PLAN] = plan
            self._forget_bodies()
        self._renew()

    def stop_here(self, broadcast_ids: Iterable[str]) -> None:
        """Stop broadcasts for good by this node's own word; stored, so that a restart does not begin them again."""
        names = frozenset(broadcast_ids)
        with self._store.writing():
            for name in names:
                values = (name, int(self._now().timestamp()))
                self._store.run("INSERT OR IGNORE INTO stops VALUES (?, ?)", *values)
        self.stops |= names

    def is_new_command(self, command_id: str, now: datetime) -> bool:
        """Remember a command; False when it was seen before."""
        seen = "INSERT OR IGNORE INTO commands VALUES (?, ?)"
        return self._store.run(seen, command_id, int(now.timestamp())).rowcount == 1

    def relist(self) -> None:
        """Leave out what is over, to keep the lists short."""
        self._listings = self._merge()

    def forget(self) -> None:
        """Let go of stops and commands that are long over: what they name can come again no more."""
        oldest_s = int(self._now().timestamp() - KEEP.total_seconds())
        with self._store.writing():
            self._store.run("DELETE FROM commands WHERE seen_s < ?", oldest_s)
            self._store.run("DELETE FROM stops WHERE seen_s < ?", oldest_s)
            urgents = [document for document in self._documents.values() if isinstance(document, Urgent)]
            listed = frozenset(stop.broadcast_id for urgent in urgents for stop in urgent.stops)
            self.stops = listed | {row[0] for row in self._store.rows("SELECT broadcast_id FROM stops")}

    # Keys.

    def _saved_keys(self, name: str) -> tuple[TrustedKey, ...]:
        saved = self._store.meta(name)
        return () if saved is None else msgspec.json.decode(saved, type=tuple[TrustedKey, ...])

    def _change_keys(self, settings: Settings) -> None:
        """Trust the keys that settings name; believe what others signed before, unless they are revoked."""
        known, trusted = {*self.trust.keys, *self._former}, set(settings.trusted_keys)
        revoked = {key for key in known if key.kid in settings.revoked_keys}
        former = dict.fromkeys(key for key in (*self.trust.keys, *self._former) if key.use is KeyUse.DISPATCH)
        self._former = tuple(key for key in former if key not in trusted | revoked)[:MAX_FORMER]
        self.trust = TrustStore(settings.trusted_keys)
        self._store.put_meta(_KEYS, msgspec.json.encode(settings.trusted_keys))
        self._store.put_meta(_FORMER, msgspec.json.encode(self._former))
        if revoked:
            self._leave_out_unbelieved(settings)

    def _believed(self) -> TrustStore:
        """Give the keys by which what is stored is read again, but for settings: those need a key of their own."""
        return TrustStore(dict.fromkeys((*self.trust.keys, *self._former)))

    def _leave_out_unbelieved(self, settings: Settings) -> None:
        """Void what a revoked key signed. What sounds by it alone is stopped; what it listed may be listed again."""
        trust = self._believed()
        for scope, word, slot, token in self._stored():
            try:
                if word is not Word.SETTINGS:
                    open_document(token, BY_WORD[word], audience=scope, trust=trust)
            except ProtocolError as error:
                self._leave_out(scope, word, error)
                if slot == COMING:
                    self._coming.pop(scope, None)
                else:
                    self._documents.pop((scope, word), None)
        listed = self._merge()
        for name in [one.broadcast_id for one, _ in self._begun() if not listed[one.broadcast_id].scopes]:
            self._store.run("INSERT OR IGNORE INTO stops VALUES (?, ?)", name, settings.iat)
            self.stops |= {name}

    def _leave_out(self, scope: str, word: Word, error: ProtocolError) -> None:
        log.error("stored %s of %s is left out: %s", word, scope, error)
        if word in {Word.PLAN, Word.URGENT}:
            self._left_out.add((scope, word))

    # Inside.

    def _obey(self, hold: Hold) -> None:
        self._held |= {order.hold_id for order in hold.active}
        self._released |= set(hold.released)

    def _take(self, scope: str, document: Signed) -> None:
        self._documents[scope, document.word] = document
        if isinstance(document, Settings):
            self.settings = document
        elif isinstance(document, Hold):
            self._obey(document)
        elif isinstance(document, Urgent):
            self.stops |= {stop.broadcast_id for stop in document.stops}
        elif isinstance(document, Plan):
            self._coming.pop(scope, None)

    def _keep_parts(self, scope: str, document: Signed) -> None:
        """Store what outlives the document that brought it."""
        run = self._store.run
        if isinstance(document, Hold):
            for order in document.active:
                run("INSERT OR IGNORE INTO holds VALUES (?, ?, ?)", order.hold_id, scope, order.ordered_at.isoformat())
            for hold_id in document.released:
                run("INSERT OR IGNORE INTO releases VALUES (?, ?)", hold_id, document.iat)
                run("DELETE FROM holds WHERE hold_id = ?", hold_id)
            oldest_out = "DELETE FROM releases WHERE hold_id IN (SELECT hold_id FROM releases ORDER BY seen_s DESC"
            run(f"{oldest_out} LIMIT -1 OFFSET {MAX_RELEASES})")
        elif isinstance(document, Urgent):
            for stop in document.stops:
                run("INSERT OR IGNORE INTO stops VALUES (?, ?)", stop.broadcast_id, document.iat)
            for sha256, data in document.inline.items():
                self._keep_inline(sha256, data)
        elif isinstance(document, Plan):
            run("DELETE FROM documents WHERE scope = ? AND word = 'plan' AND slot = 'coming'", scope)
            self._forget_bodies()

    def _keep_inline(self, sha256: str, data: bytes) -> None:
        try:
            self._shelf.put(sha256, data)
        except (CorruptError, OSError) as error:
            log.error("%s", error)  # noqa: TRY400 - the fetcher will get it; the way here does not matter

    def _write(self, scope: str, document: Signed, token: bytes, *, slot: str) -> None:
        values = (scope, document.word.value, slot, document.epoch, document.version, token)
        self._store.run("INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?, ?)", *values)

    def _has_body(self, scope: str, plan: Plan) -> bool:
        held = self._documents.get((scope, Word.PLAN))
        return isinstance(held, Plan) and held.body_sha256 == plan.body_sha256

    def _renew(self) -> None:
        self._drop_left_scopes()
        self._listings = self._merge()
        self.on_change()

    def _merge(self) -> dict[str, Listing]:
        heard, now = set(self.scopes), self._now()
        plans = [
            (scope, plan.lease_until, _playable(self._bodies[scope].broadcasts, now))
            for (scope, _), plan in self._documents.items()
            if isinstance(plan, Plan) and scope in heard
        ]
        urgents = [
            (scope, _playable(urgent.broadcasts, now))
            for (scope, _), urgent in self._documents.items()
            if isinstance(urgent, Urgent) and scope in heard
        ]
        return merge(plans, urgents, self._begun())

    def _lingering(self) -> set[str]:
        """Give areas left whose plan stands in until every present area's plan is here."""
        if self.settings is None:
            return set()
        members = {topics.area(member.area_id): member.plan_from_version for member in self.settings.areas}
        missing = [scope for scope, least in members.items() if not self._has_plan(scope, least)]
        with_plan = {scope for scope, word in self._documents if word is Word.PLAN}
        return with_plan - set(members) - {self.own} if missing else set()

    def _has_plan(self, scope: str, least: int) -> bool:
        plan = self._documents.get((scope, Word.PLAN))
        return plan is not None and (plan.version >= least or plan.epoch > self.floor_epoch)

    def _drop_left_scopes(self) -> None:
        """Forget documents of areas that the node has left for good. Holds stay: they end by their release only."""
        if self.settings is None:
            return
        for scope in {scope for scope, _ in {*self._documents, *self._left_out}} - set(self.scopes):
            for word in (Word.PLAN, Word.URGENT, Word.HOLD):
                self._documents.pop((scope, word), None)
            self._bodies.pop(scope, None)
            self._coming.pop(scope, None)
            self._left_out -= {(scope, Word.PLAN), (scope, Word.URGENT)}
            self._store.run("DELETE FROM documents WHERE scope = ?", scope)

    def _forget_bodies(self) -> None:
        used = {plan.body_sha256 for plan in self._documents.values() if isinstance(plan, Plan)}
        for (sha256,) in self._store.rows("SELECT sha256 FROM bodies"):
            if sha256 not in used:
                self._store.run("DELETE FROM bodies WHERE sha256 = ?", sha256)

    # Reading the store again.

    def _load(self) -> None:
        """Take up what is stored; each document is verified again, and left out if it does not hold."""
        trust = self._believed()
        for scope, word, slot, token in self._stored():
            try:
                keys = self.trust if word is Word.SETTINGS else trust
                document = open_document(token, BY_WORD[word], audience=scope, trust=keys)
                self._load_one(scope, document, slot)
            except ProtocolError as error:
                self._leave_out(scope, word, error)
        self._listings = self._merge()

    def _stored(self) -> list[tuple[str, Word, str, bytes]]:
        rows = self._store.rows("SELECT scope, word, slot, token FROM documents")
        return [(scope, Word(word), slot, bytes(token)) for scope, word, slot, token in rows]

    def _load_one(self, scope: str, document: Signed, slot: str) -> None:
        if isinstance(document, Plan):
            if slot == COMING:
                self._coming[scope] = document
                return
            row = self._store.rows("SELECT packed FROM bodies WHERE sha256 = ?", document.body_sha256)
            if not row:
                raise MalformedError("its body is gone")
            self._bodies[scope] = unpack_body(bytes(row[0][0]), sha256=document.body_sha256, scope=scope)
            self._documents[scope, Word.PLAN] = document
            return
        self._take(scope, document)


def _playable(broadcasts: Iterable[Broadcast], now: datetime) -> Iterable[Broadcast]:
    return [one for one in still_listed(broadcasts, now) if one.latest_end_at < FAR_AT]


def _check_zone(settings: Settings) -> None:
    """Refuse what would end the player at every start, before it could hear of better settings."""
    try:
        ZoneInfo(settings.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise MalformedError(f"Settings.zone: {settings.zone} is not known here ({error})") from None
