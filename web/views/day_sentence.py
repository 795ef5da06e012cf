"""Hôm nay in one sentence: whether what should have sounded did. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from controller.broadcasts.schemas import BroadcastOut
from controller.schedules.schemas import UnairedOut
from web.formats import Formats
from web.i18n import Catalogue
from web.views import unaired
from web.views.runs import kind_of
from web.words import NOT_WELL, Mark, in_words, run_mark


def is_not_well(run: BroadcastOut) -> bool:
    """Tell whether somewhere it did not sound as it should, or nobody knows."""
    return any(run.counts.get(name) for name in NOT_WELL)


class _Failure(NamedTuple):
    """Something of the day that did not sound as it should, or of which nobody knows."""

    start_at: datetime
    said: str
    mark: Mark


def sentence(runs: Sequence[BroadcastOut], unmade: Sequence[UnairedOut], form: Formats) -> Mark | None:
    """Answer whether what should have sounded did: what did not is named first, else the last one stands for all."""
    text = form.text
    over = [run for run in runs if run.phase == "over"]
    well = [run for run in over if _is_well(run, text)]
    failed = sorted([*_failures(runs, form), *_never_made(unmade, form)], key=lambda each: each.start_at)
    open_yet = [_failure(run, form) for run in over if _is_unverified(run, text)]
    if failed or open_yet:
        last = (failed or open_yet)[-1]
        said = [last.said]
        if len(failed) > 1:
            said.append(text("today.sentence_failed_more", count=len(failed) - 1))
        if rest := len(open_yet) - (not failed):
            said.append(text("today.sentence_unverified", count=rest))
        if well:
            said.append(text("today.sentence_others_well", count=len(well)))
        icon, tone = ("triangle", "care") if failed else (last.mark.icon, last.mark.tone)
        return Mark(icon, tone, " ".join(said))
    if not well:
        return None
    last_run, mark = well[-1], run_mark(well[-1], text)
    played = {"played": last_run.counts.get("played", 0), "count": last_run.node_count}
    grade = min((int(name[1]) for name in last_run.grades), default=0)
    said = [text("today.sentence_all_well", count=len(well))] if len(well) > 1 else []
    said.append(text(f"today.sentence_e{grade}", what=_called(last_run, form), **played))
    return Mark(mark.icon, "good", " ".join(said), simulated=mark.simulated)


def _is_well(run: BroadcastOut, text: Catalogue) -> bool:
    """Tell whether every node gave evidence that it sounded. Without any nobody can say so, whatever the level."""
    return run_mark(run, text).tone == "good"


def _is_unverified(run: BroadcastOut, text: Catalogue) -> bool:
    """Tell of what did not fail whether yet nobody can say that it was heard, as nothing or too little shows it."""
    aimed = run.node_count or run.unreporting_count
    return bool(aimed) and not is_not_well(run) and not _is_well(run, text)


def _failures(runs: Iterable[BroadcastOut], form: Formats) -> list[_Failure]:
    return [
        _failure(run, form) for run in runs if run.phase == "not_approved" or (run.phase == "over" and is_not_well(run))
    ]


def _failure(run: BroadcastOut, form: Formats) -> _Failure:
    mark = run_mark(run, form.text)
    word = in_words(mark, form.text)
    return _Failure(run.start_at, form.text("today.sentence_failed", what=_called(run, form), word=word), mark)


def _never_made(unmade: Iterable[UnairedOut], form: Formats) -> list[_Failure]:
    """Name what should have sounded by now and never became a broadcast."""
    found = []
    for each in unmade:
        if each.start_at <= form.now:
            mark = unaired.mark_of(each, form)
            what = f"{form.hour(each.start_at)} {each.title}"
            said = form.text("today.sentence_failed", what=what, word=mark.word)
            found.append(_Failure(each.start_at, f"{said} {unaired.why_said(each, form)}", mark))
    return found


def _called(run: BroadcastOut, form: Formats) -> str:
    """Name a run inside a sentence: what it is and its title, without a colon that would end the clause."""
    kind = kind_of(run, form)
    return f"{form.hour(run.start_at)} {kind} “{run.title}”" if kind else f"{form.hour(run.start_at)} {run.title}"
