"""What a node remembers of the last release that it was told to take, and which faults stand for it."""

from datetime import datetime, timedelta

import msgspec

from edge_agent.faults import Fault, FaultBook
from edge_agent.protocol.updates import UpdateReport, UpdateState
from edge_agent.updates.gate import Before

STANDS = {UpdateState.RETURNED: timedelta(hours=24), UpdateState.REFUSED: timedelta(minutes=10)}
"""So long an end that was none stands among the faults, or until another release is told. A refusal as long as a bad
message does: a person must have had time to see it."""
FAULTS = {UpdateState.RETURNED: Fault.UPDATE_RETURNED, UpdateState.REFUSED: Fault.UPDATE_REFUSED}
UNDER_WAY = frozenset({UpdateState.FETCHING, UpdateState.WAITING, UpdateState.TRYING})


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """One release; in the store, so that the next process knows where it is."""

    command_id: str
    """Empty when nobody knows it any more."""
    token: str
    state: UpdateState
    release: int = 0
    version: str = ""
    reason: str | None = None
    detail: str = ""
    """The reason in words."""
    attempt: str | None = None
    """The one that was asked to begin, with what was before it."""
    before: Before | None = None
    ended_at: datetime | None = None

    @property
    def report(self) -> UpdateReport:
        """Tell the centre."""
        return UpdateReport(
            command_id=self.command_id or None,
            release=self.release,
            version=self.version,
            state=self.state,
            reason=self.reason,
        )

    def show(self, faults: FaultBook, now: datetime) -> None:
        """Raise and clear what stands for it."""
        for state, fault in FAULTS.items():
            stands = state is self.state and self.ended_at is not None and now - self.ended_at < STANDS[state]
            name = f"release {self.release} ({self.version})" if self.release else "a release"
            faults.turn(fault, stands, f"{name}: {self.reason}. {self.detail}")
