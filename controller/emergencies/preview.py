"""What an emergency would do, before anybody proposes it."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from controller.approvals.needs import Need
from controller.broadcasts.foreseeing import foresee
from controller.broadcasts.policed import Verdict
from controller.broadcasts.preview import describe
from controller.nodes.live import LiveNodes
from controller.nodes.rules import HEARD, NodeStatus
from controller.people import rights
from controller.people.actor import Actor
from edge_agent.protocol.documents import TrustedKey

from . import attention
from .drafting import make_wish
from .pinning import missing_messages
from .proposing import check_fits
from .rules import frozen, signal_state
from .schemas import EmergencyIn, EmergencyPreview
from .sounds import sounds_of
from .states import SignalState
from .views import holds_in_the_way, refs, spots_of

_UNHEARD_OF = frozenset({NodeStatus.OFFLINE, NodeStatus.NEVER_SEEN})


async def previewed(
    session: AsyncSession,
    live: LiveNodes,
    trusted_keys: tuple[TrustedKey, ...],
    actor: Actor,
    wanted: EmergencyIn,
    *,
    now: datetime,
    may_come: bool,
) -> EmergencyPreview:
    """Say what it would do. ``may_come``: a signal that is made later still goes before it.

    Raises:
        InvalidError, ForbiddenError: see ``make_wish``.
        UrgentFullError: see ``check_fits``.
    """
    wish = await make_wish(session, wanted, await rights.sight(session, actor))
    nodes, draft = wish.targets.nodes, wish.draft(now)
    await check_fits(session, draft, now)
    found, titles = await foresee(session, live, draft, trusted_keys, now=now, released=wanted.release_holds)
    holds, silent = await holds_in_the_way(session, live, actor, nodes, wanted.release_holds)
    chain = [place.id for place in wish.targets.tree.chain(wish.area_id)]
    missing = (await missing_messages(session, {wish.area_id: chain}))[wish.area_id]
    signals, is_made = await attention.ids(session), await attention.find(session) is not None
    state = signal_state(wish.slots, signals, may_come=may_come and not is_made)
    spoken = [slot for slot in wish.slots if signals.isdisjoint(slot.recording_ids)]
    statuses = {node.id: live.status(node, now) for node in nodes}
    online = sum(status in HEARD for status in statuses.values())
    return EmergencyPreview(
        broadcast=describe(draft, found, titles, Verdict(), need=Need.ANOTHER, online_count=online, full=None),
        drill=wish.drill,
        languages=tuple(dict.fromkeys(voice.language for slot in spoken for voice in slot.item.voices)),
        offline=refs(node for node in nodes if statuses[node.id] in _UNHEARD_OF),
        holds=tuple(holds),
        held=refs(node for node in nodes if node.id in silent),
        spots=spots_of(nodes, statuses, silent),
        unreporting_count=sum(status is NodeStatus.UNREPORTING for status in statuses.values()),
        missing_messages=missing,
        signal=SignalState.NONE if wish.drill else state,
        sounds=await sounds_of(session, wish.slots, frozen(wish.slots, wish.words)),
    )
