"""Keeps a walk through days short: each instant is shown no more than counts then. It decides nothing."""

from datetime import datetime

import msgspec

from .guards import HOUR
from .listings import Listing
from .moment import Step, View, runs_begun
from .states import ClockState


class Ahead:
    """Hands out what counts at an instant: of a month a broadcast or two. A step looks at all that it is given."""

    def __init__(self, view: View) -> None:
        self.view, self.progress, self.open = view, dict(view.progress), dict[str, Listing]()
        self.begun_runs = runs_begun(view.begun_runs, view.listings, view.progress)
        touched = view.progress.keys() | view.stops
        untrusted = view.clock is ClockState.UNTRUSTED
        far: list[tuple[datetime, str]] = []
        for key, listing in view.listings.items():
            if untrusted or key in touched:
                self.open[key] = listing
            else:
                far.append((listing.broadcast.start_at, key))
        self.far = sorted(far, reverse=True)
        """What nothing can happen to before its start; the first to begin stands last."""

    def near(self, at: datetime) -> View:
        """Give the view of one instant; ``at`` never goes back."""
        while self.far and self.far[-1][0] <= at:
            key = self.far.pop()[1]
            self.open[key] = self.view.listings[key]
        return msgspec.structs.replace(
            self.view, listings=dict(self.open), progress=dict(self.progress), begun_runs=self.begun_runs
        )

    def next_after(self, found: Step) -> datetime | None:
        """Give the instant to look at after this step."""
        begins = [self.far[-1][0]] if self.far else []
        return min([*begins, *([found.next_at] if found.next_at else [])], default=None)

    def keep(self, found: Step) -> None:
        """Take over what has changed, and leave out what is over; what began within the hour still counts."""
        self.progress.update(found.changes)
        self.begun_runs = runs_begun(self.begun_runs, self.view.listings, found.changes)
        for conclusion in found.conclusions:
            self.open.pop(conclusion.broadcast_id, None)
        past = [
            key
            for key, progress in self.progress.items()
            if key not in self.open and (progress.began_at is None or progress.began_at <= found.at - HOUR)
        ]
        for key in past:
            del self.progress[key]
