"""A broadcast being written: what was typed, what it means, and the sentence of what will happen."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from controller.approvals.needs import Need
from controller.areas.schemas import AreaOut
from controller.broadcasts.schemas import ConflictOut, CutOut, ForecastOut, PreviewOut, ReplayPreviewOut
from controller.ids import new_id
from web.formats import Formats
from web.forms import Form, Unclear, hour_of
from web.views.dated import breaches, unusual_said
from web.views.hours import hour_wrong
from web.words import Mark, held_said

DAYS_AHEAD = 14
FULL = frozenset({"plan_full", "urgent_full"})
"""Refusals that no node's forecast tells of."""
DURING = ("after_item", "fade")
"""As ``BroadcastIn.during``."""


@dataclass(frozen=True)
class Draft:
    """What was typed, as it was typed."""

    key: str
    """Makes sending twice be once."""
    recording: str = ""
    bulletin: str = ""
    """Said instead of a recording, in all its languages."""
    programme: str = ""
    title: str = ""
    targets: tuple[str, ...] = ()
    """With ``whole``, that alone."""
    whole: str = ""
    """The place that was chosen as one; empty: what is chosen in the tree."""
    text: str = ""
    voice: str = "vi"
    when: str = "now"
    day: str = ""
    hour: str = ""
    category: str = ""
    during: str = ""
    """What becomes of a session that sounds; empty: it is waited for."""
    level: str = "normal"
    """Or ``priority``, of what has no level of its own."""
    edits: str = ""
    """The broadcast that it changes; empty: it is a new one."""
    keeps: bool = False
    """What that one says stays."""
    confirm_unusual: bool = False
    confirm_conflicts: bool = False

    @property
    def content(self) -> dict[str, Any]:
        """Give what is to be said, as ``BroadcastIn`` takes it; empty: nothing was chosen."""
        given: dict[str, Any] = {
            "recordings": (self.recording,) if self.recording else (),
            "bulletins": (self.bulletin,) if self.bulletin else (),
            "programme_id": self.programme or None,
        }
        return {field: chosen for field, chosen in given.items() if chosen}


@dataclass(frozen=True)
class Preview:
    """What will happen, or what is still missing."""

    button: str
    sentence: str = ""
    missing: str = ""
    warnings: tuple[Mark, ...] = ()
    unusual: str = ""
    """What is to be confirmed once more; empty when nothing is."""
    confirmed: bool = False
    conflicts: bool = False
    """Whether it is to be confirmed that others are planned there, or on air."""
    conflicts_confirmed: bool = False
    during: str | None = None
    """How it comes into what sounds there, to be chosen; None: nothing sounds."""
    leave: str = "/today"
    """Where who sends nothing goes on."""


def read_draft(typed: Form) -> Draft:
    """Take what was typed."""
    whole = typed.one("whole")
    return Draft(
        key=typed.key(),
        recording=typed.one("recording"),
        bulletin=typed.one("bulletin"),
        programme=typed.one("programme")[:64],
        title=typed.one("title").strip(),
        targets=(whole,) if whole else tuple(typed.many("target")),
        whole=whole,
        text=typed.one("text"),
        voice=typed.one("voice") or "vi",
        when="later" if typed.one("when") == "later" else "now",
        day=typed.one("day"),
        hour=typed.one("hour").strip(),
        category=typed.one("category"),
        during=typed.one("during") if typed.one("during") in DURING else "",
        level="priority" if typed.one("level") == "priority" else "normal",
        keeps=typed.one("keep") == "yes",
        confirm_unusual=typed.one("confirm_unusual") == "yes",
        confirm_conflicts=typed.one("confirm_conflicts") == "yes",
    )


def covered(targets: Sequence[str], areas: Sequence[AreaOut]) -> tuple[str, ...]:
    """Leave out areas that lie in another chosen area: the upper one reaches them."""
    parents = {area.scope: f"areas/{area.parent_id}" if area.parent_id else None for area in areas}

    def under_chosen(scope: str) -> bool:
        above = parents.get(scope)
        while above is not None:
            if above in targets:
                return True
            above = parents.get(above)
        return False

    return tuple(scope for scope in targets if not under_chosen(scope))


def start_of(draft: Draft, form: Formats) -> datetime | None:
    """Tell when it is to start; None is now.

    Raises:
        Unclear: day or hour cannot be understood, or lie in the past.
    """
    if draft.when == "now":
        return None
    hour = hour_of(draft.hour)
    if hour is None:
        raise Unclear({"hour": hour_wrong(draft.hour, form)})
    try:
        start = form.at(date.fromisoformat(draft.day), *hour)
    except (ValueError, OverflowError):
        raise Unclear({"day": form.text("wrong.day")}) from None
    if start < form.now - timedelta(minutes=1):
        raise Unclear({"hour": form.text("wrong.hour_past", now=form.hour(form.now))})
    return start


def days(form: Formats) -> list[tuple[str, str]]:
    """List the days that can be chosen, in words."""
    words = {0: "say.day_today", 1: "say.day_tomorrow"}
    every = [form.today() + timedelta(days=ahead) for ahead in range(DAYS_AHEAD)]
    said = (
        form.text(words[ahead], day=form.day(day)) if ahead in words else form.day(day)
        for ahead, day in enumerate(every)
    )
    return [(day.isoformat(), words) for day, words in zip(every, said, strict=True)]


def button(draft: Draft, form: Formats, found: PreviewOut | None = None, whole: str = "") -> str:
    """Name the act, and as soon as that is known what it reaches; ``whole``: the name of the place chosen as one."""
    text = form.text
    saves = bool(draft.edits) and draft.when != "now"  # a change that is heard at once says so
    plain = "changing.save" if saves else "say.send" if draft.when == "now" else "say.plan"
    if found is None or found.refusal:
        return text(plain)
    count = found.played_count + _unreported(found)
    if not count and found.approval is not Need.ANOTHER:
        return text(plain)
    nodes = text("count.nodes", count=count)
    if found.approval is Need.ANOTHER:
        return text("say.send_asks", nodes=nodes)
    if saves:
        return text("changing.save_to", nodes=nodes)
    if draft.when != "now":
        return text("say.plan_to", nodes=nodes)
    return text("say.send_whole", place=whole, nodes=nodes) if whole else text("say.send_to", nodes=nodes)


def nothing_said(draft: Draft, form: Formats) -> str:
    """Say how there comes to be something to hear; words that were typed are not yet."""
    return form.text("say.missing_reading" if draft.text.strip() else "say.missing_recording")


def missing(draft: Draft, form: Formats, *, processing: bool) -> str:
    """Say what the form still lacks, step by step; empty when nothing."""
    if not draft.content and not draft.keeps:
        return nothing_said(draft, form)
    if processing:
        return form.text("say.missing_processing")
    if not draft.targets:
        return form.text("say.missing_targets")
    return form.text("say.missing_hour") if draft.when == "later" and not draft.hour else ""


def preview(draft: Draft, found: PreviewOut, form: Formats, whole: str = "") -> Preview:
    """Say in one sentence what will happen, and below it what will not."""
    if found.refusal in FULL:
        full = Mark("triangle", "care", form.text(f"wrong.{found.refusal}", **found.refusal_fields))
        return Preview(button=button(draft, form), missing=form.text("say.to_mend"), warnings=(full,))
    text, key = form.text, "say.sentence_later" if draft.when == "later" else "say.sentence_now"
    if found.approval is Need.ANOTHER:
        key = "say.sentence_asks"
    sentence = text(
        key if found.played_count or _unreported(found) else "say.sentence_none",
        length=form.length(found.length_ms),
        start=form.when(found.start_at),
        nodes=text("count.nodes", count=found.played_count + _unreported(found)),
        areas=text("count.areas", count=len(found.area_names)),
        names=form.names(found.area_names),
        online=text("count.nodes", count=found.online_count),
    )
    during = draft.during if draft.when == "now" and (found.yields or found.cuts) else None
    said_apart = {"held"} if found.held_by else set()
    failing = [each for each in found.forecasts if each.outcome != "played" and each.reason not in said_apart]
    warnings = [*_held(found, form), *_breaches(found, form), *_absent(found, form), *_refusals(failing, form)]
    if not found.played_count and any(each.reason == "busy" for each in found.forecasts):
        warnings.append(Mark("part", "unsure", text("say.busy_now" if during == "" else "say.busy")))
    if found.unreporting_count:
        warnings.append(Mark("empty", "unsure", text("emergency.unreporting", count=found.unreporting_count)))
    if found.late_count:
        warnings.append(Mark("part", "unsure", text("say.late", count=found.late_count)))
    warnings += [_cut(each, form) for each in found.cuts]
    if found.conflicts:
        warnings += conflicts(found.conflicts, form)
    elif found.yields and not found.cuts:
        warnings.append(Mark("part", "unsure", text("say.yields", titles=form.names(found.yields))))
    return Preview(
        button=button(draft, form, found, whole),
        sentence=sentence,
        warnings=tuple(warnings),
        unusual=_unusual(found, form),
        confirmed=draft.confirm_unusual,
        conflicts=_asks_of_conflicts(found),
        conflicts_confirmed=draft.confirm_conflicts,
        during=during,
    )


def _unreported(found: PreviewOut) -> int:
    """Count the clusters that report nothing and are reached, unless all of it is refused."""
    return 0 if found.refusal else found.unreporting_count


def replay(found: ReplayPreviewOut, form: Formats) -> Preview:
    """Say at which nodes it would be heard again."""
    text, run = form.text, found.broadcast
    names = form.names([each.name for each in found.missed])
    nodes = text("count.nodes", count=len(found.missed))
    return Preview(
        button=text("replay.go"),
        sentence=text("replay.sentence", length=form.length(run.length_ms), nodes=nodes, names=names),
        warnings=(
            *_held(run, form),
            *_breaches(run, form),
            *_absent(run, form),
            *conflicts(run.conflicts, form),
        ),
        conflicts=_asks_of_conflicts(run),
        unusual=_unusual(run, form),
    )


def _unusual(found: PreviewOut, form: Formats) -> str:
    """Ask once more about the hour, unless it is refused anyway."""
    return unusual_said(None if found.refusal else found.unusual, form)


def _asks_of_conflicts(found: PreviewOut) -> bool:
    return bool(found.conflicts) and not found.refusal


def conflicts(found: Sequence[ConflictOut], form: Formats) -> list[Mark]:
    """Say what one meets, and which of the two is heard first, or is cut."""
    return [_conflict(each, form) for each in found]


def _conflict(each: ConflictOut, form: Formats) -> Mark:
    key = {"ours": "say.conflict_cut", "other": "say.conflict_cuts"}.get(each.cut or "", f"say.conflict_{each.first}")
    return Mark(
        "triangle",
        "care",
        form.text(
            key,
            title=each.title or form.text("schedules.other_place"),
            when=form.when(each.other_start_at),
            nodes=form.text("count.nodes", count=each.node_count),
        ),
    )


def _cut(each: CutOut, form: Formats) -> Mark:
    """Say what gives way, what of it is lost, and when it goes on."""
    text = form.text
    key = "say.cut_item" if each.lost_ms else "say.cut_after"
    said = text(key, title=each.title, at=form.second(each.at), lost=form.length(each.lost_ms))
    goes_on = text("say.resumes", at=form.second(each.resumes_at)) if each.resumes_at else text("say.never_resumes")
    return Mark("part", "unsure", f"{said} {goes_on}")


def _breaches(found: PreviewOut, form: Formats) -> list[Mark]:
    """Name the rules of policies that it breaks; what nodes tell of themselves stands in their forecasts."""
    return [told.mark for told in breaches([each for each in found.breaches if each.rule != "quiet_hours"], form)]


def _held(found: PreviewOut, form: Formats) -> list[Mark]:
    """Say where silence stands that nothing passes."""
    return [Mark("square", "stop", said) for said in held_said(found.held_by, form)]


def _absent(found: PreviewOut, form: Formats) -> list[Mark]:
    absent = found.node_count - found.online_count
    if not absent:
        return []
    until = form.when(found.latest_start_at)
    alone = form.text("say.none_online") if not found.online_count else ""
    return [Mark("triangle", "care", alone or form.text("say.some_offline", count=absent, until=until))]


def _refusals(failing: Sequence[ForecastOut], form: Formats) -> list[Mark]:
    """Name who will not play it, those together of which the same is said."""
    alike: dict[tuple[str | None, str | None], list[str]] = {}
    for each in failing:
        alike.setdefault((each.reason, each.quiet_hours), []).extend(node.name for node in each.nodes)
    return [_refusal(names, *why, form) for why, names in alike.items()]


def _refusal(nodes: Sequence[str], why: str | None, hours: str | None, form: Formats) -> Mark:
    names = form.names(nodes)
    if hours:
        return Mark("triangle", "care", form.text("say.refused_quiet", names=names, hours=hours))
    reason = form.text.word("reason", why) if why else ""
    return Mark("triangle", "care", form.text("say.refused_by", names=names, reason=reason))


def empty_draft(when: str, form: Formats, whole: str = "") -> Draft:
    """Begin a new broadcast; ``whole``: the place that is chosen unless the person chooses otherwise."""
    targets = (whole,) if whole else ()
    when = "later" if when == "later" else "now"
    return Draft(key=new_id(), when=when, day=form.today().isoformat(), targets=targets, whole=whole)


def with_title(draft: Draft, title: str) -> Draft:
    """Fill in a title where none was typed."""
    return draft if draft.title else replace(draft, title=title)
