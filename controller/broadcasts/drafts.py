"""Checks what was asked before anything is saved, and works out the rest: window, items, nodes."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from controller.approvals.shown import Shown, shown
from controller.areas.targets import Targets, resolve
from controller.errors import InvalidError
from controller.names import clean_name
from controller.people.rights import Sight
from edge_agent.protocol.content import Item, content_hash
from edge_agent.protocol.states import Drill, Level, StartMode

from .contents import Content, read_content
from .kept import kept
from .models import Broadcast
from .rules import (
    END_MARGIN,
    FARTHEST,
    LATEST_START_AFTER,
    LATEST_START_AFTER_NOW,
    LONGEST_WINDOW,
    START_GRACE,
    Slot,
    Window,
)
from .schemas import BroadcastIn, WindowIn


@dataclass(frozen=True)
class Draft:
    """A broadcast that could be saved."""

    title: str
    level: Level
    urgent: bool
    window: Window
    slots: tuple[Slot, ...]
    targets: Targets
    category: str | None = None
    drill: Drill | None = None
    start_mode: StartMode = StartMode.SOFT
    replays_id: str | None = None
    run_id: str | None = None
    replaces_id: str | None = None
    """The version whose place it takes: when this one is there, that one is not."""

    @property
    def items(self) -> tuple[Item, ...]:
        """Give what is to sound, as on the wire."""
        return tuple(slot.item for slot in self.slots)

    @property
    def categories(self) -> frozenset[str | None]:
        """Give what it is about, as policies tell things apart; None: of some of it that was not said."""
        named = {self.category} - {None}
        return frozenset(named.union(slot.category or self.category for slot in self.slots))

    @property
    def claimed(self) -> frozenset[str]:
        """Give those of the categories that are nothing but what the author says of recordings."""
        raw = any(slot.bulletin_id is None for slot in self.slots)
        return frozenset([self.category] if raw and self.category is not None else [])

    @property
    def length_ms(self) -> int:
        """From the start of the first slot to the end of the last."""
        last = self.slots[-1].item
        return last.offset_ms + last.slot_ms

    @property
    def content_sha256(self) -> str:
        """Give the hash that approvals bind."""
        return content_hash(self.items, self.drill)

    @property
    def shown(self) -> Shown:
        """Give what is put before whoever approves it."""
        return shown(
            self.slots,
            title=self.title,
            scopes=sorted(self.targets.scopes),
            level=self.level,
            category=self.category,
            start_at=None if self.urgent else self.window.start_at.isoformat(),
            start_mode=self.start_mode,
            drill=self.drill,
        )


async def make_draft(
    session: AsyncSession,
    wanted: BroadcastIn,
    *,
    now: datetime,
    lead: timedelta,
    seen: Sight,
    edited: Broadcast | None = None,
) -> Draft:
    """Check what was asked against the rows in sight; ``edited``: what it says stays where nothing else is given.

    Raises:
        InvalidError: a field is wrong; nothing that could be sent.
        NotAirableError: a bulletin or programme may not be heard as it is.
        ForbiddenError: aimed at an area above what is in sight.
    """
    title = clean_name(wanted.title, field="title")
    targets = await resolve(session, wanted.targets, seen)
    if not targets.nodes:
        raise InvalidError("targets: there is no node at or under them", field="targets", problem="no_nodes")
    _check_category(targets, wanted.category)
    at = wanted.start_at or now
    if edited is not None and not wanted.says:
        content = await kept(session, edited, targets, at=at, seen=seen)
    else:
        content = await read_content(session, wanted, targets, at=at, seen=seen)
    window = window_of(wanted, now, lead, content)
    return Draft(title, Level(wanted.level), wanted.start_at is None, window, content.slots, targets, wanted.category)


def _check_category(targets: Targets, category: str | None) -> None:
    """Refuse what a place does not broadcast about, as its bulletins are refused."""
    known = (targets.tree.effective(area_id).knows_category(category or "") for area_id in targets.area_ids)
    if category is not None and not all(known):
        raise InvalidError(f"category: nothing there is about {category!r}", field="category", problem="unknown")


def window_of(wanted: WindowIn, now: datetime, lead: timedelta, content: Content) -> Window:
    """Say when it may sound.

    Raises:
        InvalidError: a field is wrong.
    """
    start_at = (now + lead if wanted.start_at is None else wanted.start_at) + content.lead_in
    length = content.length
    if start_at < now - START_GRACE:
        raise InvalidError("start_at: lies in the past", field="start_at", problem="past")
    if start_at > now + FARTHEST:
        raise InvalidError("start_at: more than a year ahead", field="start_at", problem="too_far")
    after = LATEST_START_AFTER_NOW if wanted.start_at is None else LATEST_START_AFTER
    latest_start_at = wanted.latest_start_at or start_at + after
    latest_end_at = wanted.latest_end_at or latest_start_at + length + END_MARGIN
    if not start_at <= latest_start_at <= start_at + LONGEST_WINDOW:
        raise InvalidError(
            "latest_start_at: from start_at to a day after it", field="latest_start_at", problem="before_start"
        )
    if not start_at + length <= latest_end_at or latest_end_at < latest_start_at:
        raise InvalidError("latest_end_at: it would not fit before", field="latest_end_at", problem="too_short")
    if latest_end_at > latest_start_at + length + LONGEST_WINDOW:
        raise InvalidError("latest_end_at: more than a day late", field="latest_end_at", problem="too_far")
    return Window(start_at, latest_start_at, latest_end_at)
