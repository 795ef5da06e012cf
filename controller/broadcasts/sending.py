"""Sends a draft, within somebody's transaction: with the yes that the author's act is, or with a request for one."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from controller.alarms.service import Alarms
from controller.approvals import asking, listening
from controller.approvals.asking import Matter
from controller.approvals.needs import Said
from controller.approvals.yeses import Bound, Yes
from controller.areas.targets import Targets
from controller.db import Transaction
from controller.events import Event, Topic
from controller.people.actor import Actor
from controller.people.models import Person
from controller.plans.service import Documents
from controller.policies.rules import EffectivePolicy
from edge_agent.protocol.topics import Word

from .drafts import Draft
from .models import Broadcast
from .rules import END_MARGIN, LATEST_START_AFTER_NOW, Window
from .saving import save

BY_AUTHOR = "approvals.by_author"
"""Kind of the alarm."""
NOW_WAITS = timedelta(minutes=30)
"""What was to be said "now" and needs another person's yes is said when it comes, if it comes this soon."""


async def send(
    tx: Transaction,
    documents: Documents,
    alarms: Alarms,
    actor: Actor,
    draft: Draft,
    *,
    now: datetime,
    key: str | None = None,
    request_sha256: str | None = None,
) -> str:
    """Save a draft and let nodes know it, or ask those who must approve it first; gives its id."""
    matter = matter_of(draft)
    yeses = await asking.of_the_author(tx.session, actor, matter, now=now)
    if draft.urgent and not yeses:
        draft = replace(draft, window=patient(draft.window, draft.length_ms))
        matter = matter_of(draft)
    if yeses:
        word = Word.URGENT if draft.urgent else Word.PLAN
        for scope in sorted(draft.targets.scopes):  # documents before audit, as everywhere: no two wait crosswise
            await documents.touch(tx, scope, word)
        await listening.note_approved(tx, yeses[0].person_id, matter.recordings, now=now)
    broadcast_id = await save(tx, actor, draft, yeses=yeses, now=now, key=key, request_sha256=request_sha256)
    if not yeses and actor.person_id is not None:
        await asking.ask(tx, matter.of(f"broadcasts/{broadcast_id}"), actor.person_id, now=now)
    await _tell_of_self_approval(tx, alarms, draft, yeses, broadcast_id)
    tx.tell(Event(Topic.BROADCAST, broadcast_id))
    return broadcast_id


async def _tell_of_self_approval(
    tx: Transaction, alarms: Alarms, draft: Draft, yeses: Iterable[Yes], broadcast_id: str
) -> None:
    """Raise an alarm for each author who did without the person whom the policy asks for."""
    for person_id in [yes.person_id for yes in yeses if yes.by_author]:
        by = (await tx.session.get_one(Person, person_id)).name
        detail = {"title": draft.title, "by": by, "category": draft.category}
        await alarms.raise_(tx, BY_AUTHOR, draft.targets.area_id, f"broadcasts/{broadcast_id}", detail)


def matter_of(draft: Draft) -> Matter:
    """Say what those who may have to agree are asked about."""
    window, targets = draft.window, draft.targets
    return Matter(
        subject="",
        title=draft.title,
        bound=Bound(draft.content_sha256, tuple(targets.scopes), window.start_at, window.latest_end_at),
        said=Said(draft.categories, draft.level, draft.length_ms, claimed=draft.claimed),
        recordings=tuple(dict.fromkeys(voice.sha256 for item in draft.items for voice in item.voices)),
        area_id=targets.area_id,
        aimed_at=targets.area_ids,
        policies=policies_of(targets),
        first_start_at=window.start_at,
        shown=draft.shown,
    )


def policies_of(targets: Targets) -> tuple[EffectivePolicy, ...]:
    """Give the policies of all places that would hear it, each once."""
    places = targets.area_ids.union(node.area_id for node in targets.nodes)
    return tuple(dict.fromkeys(targets.tree.effective(area_id) for area_id in sorted(places)))


def patient(window: Window, length_ms: int) -> Window:
    """Give what is to be said "now" the time that somebody needs to hear and approve it."""
    latest_start_at = max(window.latest_start_at, window.start_at + NOW_WAITS)
    least_end_at = latest_start_at + timedelta(milliseconds=length_ms) + END_MARGIN
    return Window(window.start_at, latest_start_at, max(window.latest_end_at, least_end_at))


def at_once(row: Broadcast, lead: timedelta, *, now: datetime) -> None:
    """Have what was to be said "now" begin now that it is approved, everywhere at the same time."""
    if row.urgent:
        row.start_at = begins_at(row, lead, now=now)
        row.latest_start_at = min(row.latest_start_at, row.start_at + LATEST_START_AFTER_NOW)


def begins_at(row: Broadcast, lead: timedelta, *, now: datetime) -> datetime:
    """Say when it begins if it is approved now."""
    return max(row.start_at, now + lead) if row.urgent else row.start_at
