"""A rollout that is to begin: what was typed, what is wanted by it, and what it would do. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.nodes.rules import HEARD
from controller.updates.schemas import MAX_NUMBER, ForecastNodeOut, ForecastOut, ReleaseOut, RolloutIn
from controller.updates.waves import ERROR_PERCENT, MAX_WAVES, SOAK, WAVES, check_waves
from web.formats import Formats
from web.forms import Form, Unclear, number_of
from web.views.places import Choice
from web.words import Mark

MOST_NAMED = 100
"""Nodes named on the page; the others are counted."""
MOST_PAUSE_MINUTES = 30 * 24 * 60
MOST_ERROR_PERCENT = 50
MOST_CHOSEN = 4096
_USUAL = (", ".join(WAVES), str(int(SOAK.total_seconds()) // 60), str(ERROR_PERCENT))


@dataclass(frozen=True)
class Draft:
    """What was typed, as it was typed."""

    release: str = ""
    targets: tuple[str, ...] = ()
    waves: str = _USUAL[0]
    pause: str = _USUAL[1]
    """Minutes between the end of a wave and the next."""
    errors: str = _USUAL[2]
    """Percent."""

    @property
    def is_usual(self) -> bool:
        """Tell whether it goes its way as rollouts mostly do."""
        return (self.waves, self.pause, self.errors) == _USUAL


@dataclass(frozen=True)
class Named:
    """A node that would get the release."""

    name: str
    mark: Mark | None
    """Why not at once; None: nothing is in the way."""


@dataclass(frozen=True)
class Forecast:
    """What it would do, in words."""

    said: str
    how: tuple[str, ...]
    """When it goes on, and when it stops by itself."""
    besides: tuple[str, ...]
    """Nodes that get it later, or not."""
    nodes: tuple[Named, ...]
    more: int
    """Besides ``nodes``."""


def read(typed: Form) -> Draft:
    """Take what was typed."""
    words = {name: typed.one(name).strip() for name in ("release", "waves", "pause", "errors")}
    return Draft(targets=tuple(typed.many("target")), **words)


def offered(found: Iterable[ReleaseOut], now: datetime, form: Formats) -> list[Choice]:
    """List the releases that nodes still take, the newest first: one line for the bundles of all boards."""
    by_number: dict[int, list[ReleaseOut]] = {}
    for each in found:
        by_number.setdefault(each.release, []).append(each)
    lines: list[Choice] = []
    for number in sorted(by_number, reverse=True):
        of = by_number[number]
        until = min(each.expires_at for each in of)
        if until <= now:
            continue
        title = form.text("updates.title", version=of[0].version, release=number)
        boards = form.names(sorted({each.board for each in of}))
        day = form.written(until.astimezone(form.zone).date())
        lines.append(Choice(str(number), form.text("rollout.offered", title=title, boards=boards, until=day)))
    return lines


def wanted(draft: Draft, form: Formats) -> RolloutIn:
    """Give what the service is to be asked for.

    Raises:
        Unclear: something cannot be understood, or was not chosen.
    """
    text, problems = form.text, dict[str, str]()
    release = number_of(draft.release, MAX_NUMBER)
    waves = tuple(re.split(r"[\s,;]+", draft.waves.strip(" ,;")))
    pause, errors = number_of(draft.pause, MOST_PAUSE_MINUTES), number_of(draft.errors, MOST_ERROR_PERCENT)
    if not release:
        problems["release"] = text("wrong.release_unknown")
    if not draft.targets:
        problems["targets"] = text("rollout.no_targets")
    elif len(draft.targets) > MOST_CHOSEN:
        problems["targets"] = text("wrong.targets_too_long", most=MOST_CHOSEN)
    if not check_waves(waves):
        problems["waves"] = text("wrong.waves_malformed", most=MAX_WAVES)
    if pause is None:
        problems["pause"] = text("wrong.number", most=MOST_PAUSE_MINUTES)
    if errors is None:
        problems["errors"] = text("wrong.number", most=MOST_ERROR_PERCENT)
    if problems or release is None or pause is None or errors is None:
        raise Unclear(problems)
    said = {"waves": waves, "soak_s": pause * 60, "error_percent": errors}
    return RolloutIn.model_validate({"release": release, "targets": draft.targets} | said)


def forecast(found: ForecastOut, asked: RolloutIn, form: Formats) -> Forecast:
    """Say what a rollout would do."""
    nodes = sorted(found.nodes, key=lambda each: (each.able, each.status in HEARD))
    named = tuple(Named(each.node_name, _why_not_now(each, form)) for each in nodes[:MOST_NAMED])
    return Forecast(
        _said(found, form),
        tuple(_how(found, asked, form)),
        tuple(_besides(found, form)),
        named,
        len(nodes) - len(named),
    )


def _said(found: ForecastOut, form: Formats) -> str:
    text = form.text
    title = text("updates.title", version=found.version, release=found.release)
    steps = list(dict.fromkeys(found.told))
    if len(steps) == 1:
        return text("rollout.at_once", title=title, nodes=text("count.nodes", count=found.total))
    first, *between = steps[:-1]
    return text(
        "rollout.in_waves" if between else "rollout.in_two",
        title=title,
        nodes=text("count.nodes", count=found.total),
        first=text("count.nodes", count=first),
        between=", ".join(map(str, between)),
    )


def _how(found: ForecastOut, asked: RolloutIn, form: Formats) -> Iterable[str]:
    text = form.text
    if len(set(found.told)) > 1:
        yield text("rollout.drawn")
        if asked.soak_s:
            pause = timedelta(seconds=asked.soak_s)
            least = pause * (len(asked.waves) - 1)
            yield text("rollout.pauses", length=form.about(pause), least=form.about(least))
        yield text("rollout.stops", percent=asked.error_percent)
    yield text("rollout.never_while_speaking")


def _besides(found: ForecastOut, form: Formats) -> Iterable[str]:
    for key in ("away", "unable", "already", "reporting_nothing"):
        count = getattr(found, key)
        if count:
            yield form.text(f"rollout.{key}", count=count)


def _why_not_now(each: ForecastNodeOut, form: Formats) -> Mark | None:
    if not each.able:
        return Mark("triangle", "care", form.text("rollout.is_unable"))
    return None if each.status in HEARD else Mark("cut", "unsure", form.text("rollout.is_away"))
