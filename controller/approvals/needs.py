"""Whether the author's act is enough, or another person must agree. Pure; no clock, no database."""

from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import NamedTuple

from controller.policies.rules import EffectivePolicy
from edge_agent.protocol.states import Level


class Need(StrEnum):
    """Whose yes it takes."""

    AUTHOR = "author"
    """Sending it is the approval."""
    ALONE = "alone"
    """Another person's, were it not for the bounds within which an author may do without."""
    ANOTHER = "another"


class Said(NamedTuple):
    """What is to be heard, as far as policies tell things apart."""

    categories: frozenset[str | None]
    """None: what has no category."""
    level: Level
    length_ms: int
    recurs: bool = False
    """It is a series: nobody bounds how often an author would have said it alone."""
    claimed: frozenset[str] = frozenset()
    """Those of the categories that nobody but the author named: of recordings, which no bulletin vouches for."""

    def known(self, category: str | None, *, author_may_give: bool) -> str | None:
        """Give a category if it is to be believed; None if whoever may approve nothing merely claims it."""
        return None if category in self.claimed and not author_may_give else category


class Place(NamedTuple):
    """A policy of the target, and how often the author approved alone since its local midnight."""

    policy: EffectivePolicy
    used_today: int = 0


def asks_another(policies: Iterable[EffectivePolicy], categories: Collection[str | None], level: Level) -> bool | None:
    """Say whether one of them asks for somebody other than the author; None where that is left to rights.

    False only when every policy says that nobody else is asked.
    """
    said = {policy.takes_second_person(category, level) for policy in policies for category in categories}
    if True in said:
        return True
    return None if None in said or not said else False


def decide(places: Collection[Place], said: Said, *, author_may_give: bool) -> Need:
    """Say whose yes it takes. ``author_may_give``: the author may approve in every area of the target."""
    known = {said.known(each, author_may_give=author_may_give) for each in said.categories}
    asks = asks_another((place.policy for place in places), known, said.level)
    if asks is False or (asks is None and author_may_give):
        return Need.AUTHOR
    alone = all(_may_alone(place, said, author_may_give=author_may_give) for place in places)
    return Need.ALONE if alone else Need.ANOTHER


def _may_alone(place: Place, said: Said, *, author_may_give: bool) -> bool:
    """Say whether a policy that asks for another person, or leaves it to rights, leaves this to the author.

    Here a claim is taken at its word: that is what the bounds are for, and why each use is listed.
    """
    enough = {False, None} if author_may_give else {False}
    known = {each: said.known(each, author_may_give=author_may_give) for each in said.categories}
    asking = [each for each in known if place.policy.takes_second_person(known[each], said.level) not in enough]
    return not asking or (
        not said.recurs
        and all(place.policy.may_approve_alone(each, said.level, said.length_ms, place.used_today) for each in asking)
    )
