"""What it means for a play that a sound of it was cut: by a restart, by the output, by the end of the agent. Pure."""

from datetime import datetime

import msgspec

from edge_agent.ledger import Play
from edge_agent.protocol.standing import noted
from edge_agent.protocol.states import Level, Reason
from edge_agent.protocol.timeline import Progress, after_restart


def is_emergency(play: Play) -> bool:
    """Tell whether what was begun is of the highest level."""
    return play.broadcast is not None and play.broadcast.level is Level.EMERGENCY


def cut_short(play: Play, reason: Reason, at: datetime) -> Progress:
    """Give how a play stands whose last item did not sound to its end, for ``reason``."""
    emergency, progress = is_emergency(play), play.progress
    level, last = Level.EMERGENCY if emergency else Level.NORMAL, progress.next_item - 1
    proven = any(one.whole for one in play.heard if one.item == last)
    ended = progress.sounding is None  # by the timeline, which decides ahead of the output
    progress = after_restart(progress, level, at)
    if ended and last >= 0 and not proven:
        if emergency and progress.may_repeat(last):
            progress = msgspec.structs.replace(progress, outcome=None, suspended=False, next_item=last, repeated=last)
        else:
            progress = noted(progress, reason)
    if emergency and progress.outcome is None:
        progress = _from_the_first_unheard(play, progress)
    if play.progress.cut_by is None and progress.cut_by is Reason.POWER:
        progress = msgspec.structs.replace(progress, cut_by=reason)
    return progress


def _from_the_first_unheard(play: Play, progress: Progress) -> Progress:
    """Step back by an item that nobody has weighed: the one after it is placed before its last sound has left."""
    before = progress.next_item - 1
    if before < 0 or not play.progress.may_repeat(before) or any(one.item == before for one in play.heard):
        return progress
    return msgspec.structs.replace(progress, next_item=before, repeated=max(before, progress.repeated or 0))


def shut_down(play: Play) -> Progress:
    """Give how a play stands whose item ends with the agent.

    An emergency's item sounds once more after the restart: then nothing was taken away, and nothing is noted.
    """
    sounds_again = is_emergency(play) and play.progress.may_repeat(play.progress.next_item - 1)
    return play.progress if sounds_again else noted(play.progress, Reason.SHUTDOWN)
