"""The node's book of faults: what is wrong now. Raised and cleared by code; it decides nothing."""

import logging
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

from edge_agent.protocol.reports import FaultReport

log = logging.getLogger(__name__)

_DETAIL = 500
"""Characters of free words that a health report takes (``fields.Text``)."""


class Fault(StrEnum):
    """What can be wrong with a node."""

    OUTPUT_LOST = "output_lost"
    """No sound card, or it hangs, or it takes sound faster than it can be heard."""
    OUTPUT_MUTED = "output_muted"
    """The card's mixer lets nothing through."""
    OUTPUT_UNDERRUNS = "output_underruns"
    """The card runs dry again and again."""
    CLOCK_UNTRUSTED = "clock_untrusted"
    """Nothing scheduled will sound."""
    CLOCK_OFFSET = "clock_offset"
    """The centre's signed time is another than the node's."""
    BAD_MESSAGE = "bad_message"
    """Somebody sends what does not parse, is not signed by a trusted key, or is meant for another."""
    BROKER_REFUSED = "broker_refused"
    """The broker denies a topic or a message."""
    FETCH_FAILED = "fetch_failed"
    MEDIA_MISSING = "media_missing"
    MEDIA_CORRUPT = "media_corrupt"
    PINNED_MISSING = "pinned_missing"
    """A recording that is to lie here always, for an emergency, does not."""
    DISK_LOW = "disk_low"
    STORAGE_FAILING = "storage_failing"
    """The memory card refuses writes, hangs, or the kernel has counted errors on it."""
    STORE_RESET = "store_reset"
    """The store was damaged and has been started anew."""
    NO_SETTINGS = "no_settings"
    """Without the last guard's rules nothing sounds."""
    LEASE_ENDED = "lease_ended"
    """Cut off for so long that the plan may no longer be played."""
    LEASE_ENDING = "lease_ending"
    """Cut off for so long that the plan may be played for less than a day."""
    CACHE_INCOMPLETE = "cache_incomplete"
    """What is due within a day is not here."""
    CERTIFICATE_ENDING = "certificate_ending"
    """The node's certificate comes near its end, and no new one has come."""
    UNDER_VOLTAGE = "under_voltage"
    TOO_HOT = "too_hot"
    LINK_POOR = "link_poor"
    """The link breaks again and again, or takes seconds to answer."""
    LINK_WEAK = "link_weak"
    """The radio that carries the link hears its other end only just."""
    AMPLIFIER_FAILING = "amplifier_failing"
    """The pin that powers it cannot be switched."""
    BUTTON_FAILING = "button_failing"
    """The button at the node cannot be read: whoever presses it ends nothing."""
    LOCAL_STOP = "local_stop"
    """Somebody has pressed the button at the node, not long ago."""
    INPUT_LOST = "input_lost"
    """There should be a microphone or a line that listens, and is not."""
    NOT_HEARD = "not_heard"
    """What was played last was not heard: an amplifier or the horns are dead, or the sensor is."""
    HORN_CHANGED = "horn_changed"
    """The tune did not sound as it did at installation: one of several horns may be dead, or was moved."""
    UPDATE_REFUSED = "update_refused"
    """A release was told that is not for this node, or not to be believed."""
    UPDATE_RETURNED = "update_returned"
    """A release did not do what the one before it did, which runs again."""


class FaultBook:
    """Standing faults, each with the instant since when."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._standing: dict[Fault, FaultReport] = {}
        self.on_change: Callable[[], None] = lambda: None

    def put(self, fault: Fault, detail: str = "") -> None:
        """Raise a fault; raising it again only renews the words."""
        old = self._standing.get(fault)
        if old is not None and old.detail == detail[:_DETAIL]:
            return
        since_at = old.since_at if old else self._now()
        self._standing[fault] = FaultReport(code=fault.value, since_at=since_at, detail=detail[:_DETAIL])
        log.warning("fault %s: %s", fault.value, detail)
        self.on_change()

    def clear(self, fault: Fault) -> None:
        """End a fault, if it stands."""
        if self._standing.pop(fault, None) is not None:
            log.info("fault %s is over", fault.value)
            self.on_change()

    def turn(self, fault: Fault, wrong: bool, detail: str = "") -> None:  # noqa: FBT001 - the second word is the state
        """Raise or clear by what is found."""
        if wrong:
            self.put(fault, detail)
        else:
            self.clear(fault)

    def stands(self, fault: Fault) -> bool:
        """Say whether it stands now."""
        return fault in self._standing

    def standing(self) -> tuple[FaultReport, ...]:
        """Give the faults of now, oldest first."""
        return tuple(sorted(self._standing.values(), key=lambda report: report.since_at))
