"""Bugs that somebody might make, each a few lines over the product, and the invariant that must notice.

A suite that does not see these would not see the real ones either.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from edge_agent import cuts
from edge_agent.clock import Clock
from edge_agent.evidence import conclude
from edge_agent.faults import FaultBook
from edge_agent.keeper import Keeper
from edge_agent.ledger import Ledger
from edge_agent.player import Player
from edge_agent.protocol import guards, timeline
from edge_agent.protocol.content import Broadcast
from edge_agent.protocol.listings import Listing, merge
from edge_agent.protocol.signing import TrustStore, open_document
from edge_agent.protocol.standing import Standing
from edge_agent.protocol.states import ClockState, Grade, Level, Outcome
from edge_agent.shelf import Shelf
from edge_agent.stage import Stage
from edge_agent.voucher import Voucher

Patch = pytest.MonkeyPatch


@dataclass(frozen=True)
class Planted:
    """One bug."""

    invariant: int
    plant: Callable[[Patch], None]
    seed: int = 1
    """A history that has shown it; others follow if it does not, for threads and faults move."""


def _begins_twice_after_a_crash(patch: Patch) -> None:
    whole = timeline.after_restart
    patch.setattr(cuts, "after_restart", lambda progress, _level, at: whole(progress, Level.EMERGENCY, at))


def _plays_past_the_latest_start(patch: Patch) -> None:
    whole, later = merge, timedelta(hours=1)

    def merged(*given: Any) -> dict[str, Listing]:
        found = whole(*given)
        return {name: msgspec.structs.replace(one, broadcast=put_off(one.broadcast)) for name, one in found.items()}

    def put_off(one: Broadcast) -> Broadcast:
        approvals = tuple(msgspec.structs.replace(yes, not_after_at=yes.not_after_at + later) for yes in one.approvals)
        until = {"latest_start_at": one.latest_start_at + later, "latest_end_at": one.latest_end_at + later}
        return msgspec.structs.replace(one, approvals=approvals, **until)

    patch.setattr("edge_agent.keeper.merge", merged)


def _tells_played_without_frames(patch: Patch) -> None:
    def concluded(*given: Any, **more: Any) -> Any:
        found = conclude(*given, **more)
        if found.outcome is Outcome.INTERRUPTED:
            return msgspec.structs.replace(found, outcome=Outcome.PLAYED, reason=None, grade=Grade.E1)
        return found

    patch.setattr("edge_agent.stage.conclude", concluded)


def _takes_any_signature(patch: Patch) -> None:
    def payload(_self: TrustStore, token: bytes, **_: Any) -> bytes:
        body = token.split(b".")[1]
        return base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4))

    patch.setattr(TrustStore, "payload", payload)


def _needs_no_approval(patch: Patch) -> None:
    patch.setattr(Broadcast, "approved_for", lambda _self, _scopes: True)


def _knows_no_quiet_hours(patch: Patch) -> None:
    patch.setattr(guards, "_hours_blocker", lambda _one: None)


def _believes_any_clock(patch: Patch) -> None:
    patch.setattr(Clock, "_judge", lambda _self: ClockState.TRUSTED)


def _tells_every_outcome_twice(patch: Patch) -> None:
    whole = Stage.report

    def report(self: Stage, *given: Any, **more: Any) -> None:
        whole(self, *given, **more)
        whole(self, *given, **more)

    patch.setattr(Stage, "report", report)


def _keeps_interruptions_to_itself(patch: Patch) -> None:
    whole = Ledger.write_event

    def write_event(self: Ledger, at: Any, name: str, **fields: Any) -> None:
        if fields.get("outcome") is not Outcome.INTERRUPTED:
            whole(self, at, name, **fields)

    patch.setattr(Ledger, "write_event", write_event)


def _lets_emergencies_sleep(patch: Patch) -> None:
    patch.setattr(Standing, "is_emergency", property(lambda _self: False))


def _never_reads_files_again(patch: Patch) -> None:
    async def look(_self: Voucher) -> None:
        pass

    patch.setattr(Voucher, "look", look)


def _believes_its_disk(patch: Patch) -> None:
    patch.setattr(Shelf, "is_vouched", Shelf.has)
    patch.setattr(Shelf, "source", lambda self, sha256: self.path(sha256).read_bytes())


def _keeps_faults_to_itself(patch: Patch) -> None:
    patch.setattr(FaultBook, "put", lambda *_given: None)


def _hears_a_stop_and_plays_on(patch: Patch) -> None:
    whole = Player._view

    def view(self: Player, *given: Any) -> Any:
        return msgspec.structs.replace(whole(self, *given), holds=frozenset())

    patch.setattr(Player, "_view", view)
    patch.setattr(Player, "silence", lambda _self: None)


def _forgets_a_stop_in_a_restart(patch: Patch) -> None:
    whole = Keeper._load

    def load(self: Keeper) -> None:
        whole(self)
        self._held = set()

    patch.setattr(Keeper, "_load", load)


def _plays_what_is_meant_for_its_neighbours(patch: Patch) -> None:
    """Believes whoever brings it, and asks for no approval of its own place."""

    def opened(token: bytes, kind: Any, *, audience: str, trust: TrustStore) -> Any:
        body = token.split(b".")[1]
        told = msgspec.json.decode(base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4)))["aud"]
        return open_document(token, kind, audience=told or audience, trust=trust)

    patch.setattr("edge_agent.inbox.open_document", opened)
    _needs_no_approval(patch)


def _keeps_a_copy_of_all_it_tells(patch: Patch) -> None:
    whole = Ledger.write_event

    def write_event(self: Ledger, at: Any, name: str, **fields: Any) -> None:
        whole(self, at, name, **fields)
        self._store.put_meta(f"copy-{self.last_seq}", bytes(50_000))

    patch.setattr(Ledger, "write_event", write_event)


def answers_before_it_commits(patch: Patch) -> None:
    """Of the centre: what was written is there until its process dies."""
    patch.setattr(AsyncSession, "commit", AsyncSession.flush)


BUGS: dict[str, Planted] = {
    "begins twice after a crash": Planted(3, _begins_twice_after_a_crash, seed=4),
    "plays past the latest start": Planted(2, _plays_past_the_latest_start),
    "tells played without frames": Planted(6, _tells_played_without_frames, seed=2),
    "takes any signature": Planted(1, _takes_any_signature, seed=2),
    "needs no approval": Planted(1, _needs_no_approval),
    "knows no quiet hours": Planted(13, _knows_no_quiet_hours),
    "believes any clock": Planted(2, _believes_any_clock, seed=2),
    "tells every outcome twice": Planted(10, _tells_every_outcome_twice),
    "keeps interruptions to itself": Planted(7, _keeps_interruptions_to_itself, seed=2),
    "lets emergencies sleep": Planted(5, _lets_emergencies_sleep),
    "never reads files again": Planted(4, _never_reads_files_again),
    "believes its disk": Planted(1, _believes_its_disk, seed=6),
    "keeps faults to itself": Planted(11, _keeps_faults_to_itself),
    "hears a stop and plays on": Planted(8, _hears_a_stop_and_plays_on),
    "forgets a stop in a restart": Planted(8, _forgets_a_stop_in_a_restart),
    "keeps a copy of all it tells": Planted(14, _keeps_a_copy_of_all_it_tells),
    "plays what is meant for its neighbours": Planted(12, _plays_what_is_meant_for_its_neighbours),
}
