"""What must be true after every cut of the power: each promise a function from the lives to what breaks it."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec

from edge_agent.protocol.content import Broadcast
from edge_agent.protocol.reports import Receipts
from edge_agent.protocol.states import Level
from tests.power.lives import Life

MARGIN = timedelta(seconds=1)
"""Between what the node decides and what is seen from outside."""
SURELY_UP = {"moment", "begin"}
"""Lives that ended when the agent was at work, or should have been."""
Place = tuple[str, int]
"""A broadcast and its item."""


@dataclass
class Story:
    """All that is known of a node's lives."""

    lives: list[Life]
    orders: Mapping[str, Broadcast]
    batches: Iterable[Receipts]
    """What the centre has received."""
    places: dict[str, Place] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Say where each recording belongs: each is in one place."""
        for name, one in self.orders.items():
            for index, item in enumerate(one.items):
                self.places[item.voices[0].sha256] = (name, index)

    def routine(self, life: Life) -> list[Place]:
        """Give the routine items that sounded in a life, in their order."""
        found = [self.places[one.recording] for one in life.sounds if one.recording in self.places]
        return [one for one in found if not self.is_emergency(one)]

    def is_emergency(self, place: Place) -> bool:
        """Whether it belongs to one."""
        return self.orders[place[0]].level is Level.EMERGENCY


def violations(lives: list[Life], orders: Mapping[str, Broadcast], batches: Iterable[Receipts]) -> list[str]:
    """Give all that is not as promised."""
    story = Story(lives, orders, batches)
    return [f"{promise.__name__}: {one}" for promise in PROMISES for one in promise(story)]


def disk_and_store_are_whole(story: Story) -> Iterator[str]:
    """The file system is clean, or mended by its journal; the store is whole, and the same."""
    for life in story.lives:
        yield from (f"{life}: fsck {one}" for one in life.said("f") if one["status"] not in {0, 1})
        yield from (f"{life}: store {one['check']}" for one in life.said("s") if one["check"] != "ok")
    if len(names := {one["store_id"] for life in story.lives for one in life.said("s")}) > 1:
        yield f"the store was lost: {names}"


def what_was_half_written_goes(story: Story) -> Iterator[str]:
    """No start leaves behind what an earlier cut has left."""
    left: set[str] = set()
    for life in story.lives:
        for store in life.said("s"):
            half = {name for name in store["files"] if "/." in f"/{name}"}
            yield from (f"{life}: {name} has outlived a start" for name in half & left)
            left = half if life.ready_at is not None else set()


def the_agent_comes_up_and_stays(story: Story) -> Iterator[str]:
    """Nothing ends it but the power."""
    for life in story.lives:
        yield from (f"{life}: the agent ended by itself, {ended}" for ended in life.said("x"))
        if life.aim.kind in SURELY_UP and not life.sounds and life.ready_at is None:
            yield f"{life}: the agent was not there"


def nothing_routine_begins_twice(story: Story) -> Iterator[str]:
    """Whatever the store had kept when the power went."""
    seen: dict[Place, Life] = {}
    for life in story.lives:
        for place in story.routine(life):
            if place in seen:
                yield f"{place} began in life {seen[place].number} and in {life}"
            seen[place] = life


def an_emergency_sounds_once_more_at_most(story: Story) -> Iterator[str]:
    """However often the power goes."""
    sounds = Counter(story.places[one.recording] for life in story.lives for one in life.sounds if one.recording)
    yield from (f"{place} began {n} times" for place, n in sounds.items() if story.is_emergency(place) and n > 2)


def routine_goes_on_with_its_next_item(story: Story) -> Iterator[str]:
    """What was under way goes on at its first item whose time has not passed, and never before where it stood.

    Two may be under way, when an emergency cut one: then the one that comes first by the node's rule goes on.
    """
    for life in story.lives:
        heard, ready_at = story.routine(life), life.ready_at
        if not heard or ready_at is None:
            continue
        first, item = heard[0]
        going = list(_under_way(story, life))
        before = {name: _rank(story.orders[name]) for name, _, _ in going}
        for name, progress, files in going:
            due = _still_due(story.orders[name], progress, files, ready_at + MARGIN)
            gives_way = first in before and before[first] < before[name]
            if due and not gives_way and (first != name or item > due[0]):
                yield f"{life}: {heard[0]} sounded first, due of {name} were {due}"
            if first == name and item < progress["next_item"]:
                yield f"{life}: {heard[0]} sounded, the next of {name} was {progress['next_item']}"


def _rank(one: Broadcast) -> tuple[int, str]:
    """Give what decides between two of one level: the operator's order, then the id."""
    return one.order, one.broadcast_id


def _under_way(story: Story, life: Life) -> Iterator[tuple[str, dict[str, Any], list[str]]]:
    """Give the routine broadcasts that a life found begun, and the files it found."""
    for store in life.said("s"):
        for name, progress in store["plays"].items():
            begun = progress.get("began_at") and not progress.get("outcome")
            if begun and not story.is_emergency((name, 0)):
                yield name, progress, store["files"]


def _still_due(one: Broadcast, progress: dict[str, Any], files: list[str], at: datetime) -> list[int]:
    """Give the items whose time is to come and whose file is there."""
    anchor_at = datetime.fromisoformat(progress["anchor_at"])
    return [
        index
        for index, item in list(enumerate(one.items))[progress["next_item"] :]
        if anchor_at + timedelta(milliseconds=item.offset_ms) >= at and f"media/{item.voices[0].sha256}.opus" in files
    ]


def nothing_routine_sounds_by_a_wrong_clock(story: Story) -> Iterator[str]:
    """A clock that nobody has set is not played by."""
    for life in story.lives:
        if life.clock == "none" and (heard := story.routine(life)):
            yield f"{life}: {heard}"


def receipts_stay_as_they_were_told(story: Story) -> Iterator[str]:
    """No number is used twice or left out, and what the centre has heard is kept."""
    known: dict[tuple[str, int], Any] = {}
    last: Counter[str] = Counter()
    for life in story.lives:
        for store in life.said("s"):
            name, seqs = store["store_id"], [seq for seq, _ in store["events"]]
            if seqs != list(range(1, len(seqs) + 1)) or len(seqs) < last[name]:
                yield f"{life}: receipts {seqs} after {last[name]}"
            last[name] = max(last[name], len(seqs))
            for seq, event in store["events"]:
                if known.setdefault((name, seq), event) != event:
                    yield f"{life}: receipt {seq} was {known[name, seq]}, is {event}"
    for batch in story.batches:
        for told in batch.events:
            event = json.loads(msgspec.json.encode(told))
            kept = known.setdefault((batch.store_id, told.seq), event)
            if kept != event:
                yield f"receipt {told.seq} was told as {event}, is kept as {kept}"


PROMISES: tuple[Callable[[Story], Iterator[str]], ...] = (
    disk_and_store_are_whole,
    what_was_half_written_goes,
    the_agent_comes_up_and_stays,
    nothing_routine_begins_twice,
    an_emergency_sounds_once_more_at_most,
    routine_goes_on_with_its_next_item,
    nothing_routine_sounds_by_a_wrong_clock,
    receipts_stay_as_they_were_told,
)
