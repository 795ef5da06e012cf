"""What the centre of a stepped world orders, and says of it; each order is noted as a fact."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from edge_agent.protocol.content import Broadcast
from edge_agent.protocol.documents import Signed
from edge_agent.protocol.states import Level
from tests.edge_agent.centre import SCOPE, Keys, Orders, broadcast
from tests.faults.history import Approved, History, Order, Span
from tests.faults.machine import NODE
from tests.faults.truth import Recording, pool

SELF = f"nodes/{NODE}"
ELSEWHERE = "areas/thon-9"
"""Of a commune that is no concern of this node."""


class SteppedCentre:
    """Orders for one node and its area. ``send`` signs and publishes."""

    def __init__(
        self,
        keys: Keys,
        orders: Orders,
        history: History,
        *,
        now: Callable[[], datetime],
        send: Callable[[Signed], None],
        settings: dict[str, Any],
    ) -> None:
        self._keys, self._orders, self._history, self._now, self._send = keys, orders, history, now, send
        self._settings = settings
        self.planned: dict[str, Broadcast] = {}
        self.urgent: dict[str, Broadcast] = {}
        self.stops: tuple[str, ...] = ()
        self.active: tuple[str, ...] = ()
        self.released: tuple[str, ...] = ()
        self._free = iter(pool())

    def say_all(self) -> None:
        """Say what stands before anything is ordered."""
        self.settle()
        self.send_plan()
        self.send_urgent()
        self.send_hold()

    def settle(self, **changes: Any) -> None:
        """Say the node's settings."""
        self._settings.update(changes)
        self._send(self._orders.settings(SELF, self._keys, **self._settings))

    def recording(self) -> Recording:
        """Give a recording that nothing else has."""
        return next(self._free)

    def forget_day(self) -> None:
        """Give the recordings out anew, and keep nothing of what is over: that would be our own growth."""
        self._free = iter(pool())
        self.planned = {name: one for name, one in self.planned.items() if one.latest_end_at > self._now()}

    def order(
        self,
        name: str,
        start_at: datetime,
        *,
        items: int = 1,
        late_s: float = 30,
        level: Level = Level.NORMAL,
        approved: bool = True,
        send: bool = True,
        **fields: Any,
    ) -> Broadcast:
        """Order a broadcast, by the plan or, when it is an emergency, as urgent."""
        recordings = [self.recording() for _ in range(items)]
        voices = [one.voice for one in recordings]
        late = timedelta(seconds=late_s)
        made = broadcast(name, start_at, *voices, level=level, late=late, approved=approved, **fields)
        names = tuple(voice.sha256 for voice in voices)
        window = Span(made.start_at, made.latest_end_at)
        self._history.orders.append(
            Order(
                broadcast_id=name,
                recordings=names,
                length=timedelta(milliseconds=made.length_ms),
                level=level,
                start_at=made.start_at,
                latest_start_at=made.latest_start_at,
                latest_end_at=made.latest_end_at,
                scopes=frozenset({SCOPE}),
                approvals=(Approved(frozenset(names), frozenset({SCOPE}), window),) if approved else (),
                run=made.run_id,
                told_at=self._now(),
            )
        )
        if level is Level.EMERGENCY:
            self.urgent[name] = made
        else:
            self.planned[name] = made
        if send:
            self.send_urgent() if level is Level.EMERGENCY else self.send_plan()
        return made

    def stranger_broadcast(self) -> Broadcast:
        """Give what nobody here has ordered, and what would sound at once."""
        start_at = self._now() + timedelta(seconds=2)
        return broadcast("b-stranger", start_at, self.recording().voice, level=Level.EMERGENCY)

    def order_elsewhere(self) -> Broadcast:
        """Order and approve for another commune."""
        made = broadcast(
            "b-elsewhere",
            self._now() + timedelta(seconds=1.5),
            pool()[-2].voice,
            level=Level.EMERGENCY,
            scopes=(ELSEWHERE,),
        )
        names, window = frozenset({pool()[-2].voice.sha256}), Span(made.start_at, made.latest_end_at)
        self._history.orders.append(
            Order(
                broadcast_id=made.broadcast_id,
                recordings=tuple(names),
                length=timedelta(milliseconds=made.length_ms),
                level=made.level,
                start_at=made.start_at,
                latest_start_at=made.latest_start_at,
                latest_end_at=made.latest_end_at,
                scopes=frozenset({ELSEWHERE}),
                approvals=(Approved(names, frozenset({ELSEWHERE}), window),),
                told_at=self._now(),
            )
        )
        return made

    def cancel(self, name: str) -> None:
        """Take a broadcast back: out of its plan, with an explicit stop."""
        self.withdraw(name)
        self.stops = (*self.stops, name)
        self.send_plan()
        self.send_urgent()

    def withdraw(self, name: str) -> None:
        """Take a broadcast out of the plan, to be said with the next one."""
        for index, order in enumerate(self._history.orders):
            if order.broadcast_id == name:
                self._history.orders[index] = replace(order, withdrawn_at=self._now())
        self.planned.pop(name, None)
        self.urgent.pop(name, None)

    def send_plan(self, **fields: Any) -> None:
        """Say the plan as it stands, a body of what is not long over."""
        listed = [one for one in self.planned.values() if one.latest_end_at > self._now()]
        self._send(self._orders.plan(*listed, lease=fields.pop("lease", timedelta(days=3)), **fields))

    def send_urgent(self) -> None:
        """Say what must sound now, and what must stop."""
        listed = [one for one in self.urgent.values() if one.latest_end_at > self._now()]
        self._send(self._orders.urgent(*listed, stops=self.stops))

    def send_hold(self) -> None:
        """Say the STOPs of the area, and those that are over."""
        self._send(self._orders.hold(*self.active, released=self.released))

    def hold(self, name: str) -> None:
        """STOP."""
        self.active = (*self.active, name)
        self.send_hold()

    def release(self, name: str) -> None:
        """Let sound again."""
        self.active = tuple(one for one in self.active if one != name)
        self.released = (*self.released, name)
        self.send_hold()
