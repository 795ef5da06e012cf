"""Which yes lets which run sound: none is good for more than was agreed to. Pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from edge_agent.protocol.content import Broadcast, content_hash

from .ledger import Given, Used
from .rules import Refusal, YesFact, covers, decide, run_of

GLASS_WAITS = timedelta(seconds=30)
"""The cancel window (DESIGN section 7), kept here too."""
OVER_AFTER = timedelta(minutes=5)
"""What ended so lately may still stand in a document that was begun before."""


class Tally:
    """Judges the broadcasts of one document, one after the other."""

    def __init__(self, scope: str, given: Iterable[Given], used: Iterable[Used], now: datetime) -> None:
        self._scope, self._now = scope, now
        self._by_content: dict[str, list[tuple[Given, YesFact]]] = {}
        for each in given:
            found = self._by_content.setdefault(each.agreed.content_sha256, [])
            found.append((each, _fact(each, now)))
        self._used = {(each.seq, each.run): each.run_id for each in used}
        self._counts: dict[int, int] = {}
        for seq, _ in self._used:
            self._counts[seq] = self._counts.get(seq, 0) + 1
        self.new: list[Used] = []
        """What has to be kept if the document is signed."""

    def judge(self, broadcast: Broadcast) -> Refusal | None:
        """Say why a broadcast may not be signed; None: it may, and its yeses are used."""
        if broadcast.latest_end_at <= self._now - OVER_AFTER:
            return Refusal.OVER
        known = self._by_content.get(content_hash(broadcast.items, broadcast.drill), [])
        covering = [pair for pair in known if covers(self._scope, broadcast, pair[1])]
        free = [pair for pair in covering if self._is_free(pair[0], broadcast)]
        why = decide(broadcast, [fact for _, fact in free])
        if why is not None:
            return Refusal.USED if covering and not free else why
        self._use(broadcast, [given for given, _ in free])
        return None

    def _is_free(self, given: Given, broadcast: Broadcast) -> bool:
        """Say whether a yes was used for nothing else, and often enough is not too often."""
        runs = given.agreed.runs
        known = self._used.get((given.seq, run_of(broadcast, runs) or ""))
        left = (1 if runs is None else runs.count) - self._counts.get(given.seq, 0)
        return known == broadcast.run_id or (known is None and left > 0)

    def _use(self, broadcast: Broadcast, given: Iterable[Given]) -> None:
        """Use one yes of each person, that of this run if it has one."""
        by_person: dict[str, Given] = {}
        for each in given:
            if each.person_id not in by_person or self._is_of(each, broadcast):
                by_person[each.person_id] = each
        for each in by_person.values():
            if not self._is_of(each, broadcast):
                used = Used(each.seq, run_of(broadcast, each.agreed.runs) or "", broadcast.run_id)
                self._used[used.seq, used.run] = used.run_id
                self._counts[used.seq] = self._counts.get(used.seq, 0) + 1
                self.new.append(used)

    def _is_of(self, given: Given, broadcast: Broadcast) -> bool:
        return self._used.get((given.seq, run_of(broadcast, given.agreed.runs) or "")) == broadcast.run_id


def _fact(given: Given, now: datetime) -> YesFact:
    agreed = given.agreed
    return YesFact(
        given.person_id,
        agreed.content_sha256,
        frozenset(agreed.scopes),
        agreed.not_before_at,
        agreed.not_after_at,
        level=agreed.level,
        runs=agreed.runs,
        glass=agreed.glass,
        waited=agreed.glass and given.given_at + GLASS_WAITS <= now,
    )
