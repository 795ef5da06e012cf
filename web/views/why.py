"""Why a node sounds or does not: the rules in order, the first that blocks marked, in words. Pure."""

from dataclasses import dataclass, replace

from controller.plays.why_schemas import ByOut, SaidOut, WhyNoteOut, WhyOut, WhyRuleOut
from web.formats import Formats
from web.words import Mark, evidence_mark, reason_said

_VERDICTS = {"passed": ("tick", "good"), "blocks": ("triangle", "care"), "not_reached": ("empty", "unsure")}


@dataclass(frozen=True)
class Rule:
    """One rule."""

    mark: Mark
    more: str
    """Who or what is behind it."""
    reached: bool
    """Whether it was asked at all: behind the one that blocks none is."""


@dataclass(frozen=True)
class Why:
    """The whole answer."""

    title: str
    sentence: Mark
    rules: tuple[Rule, ...]
    notes: tuple[str, ...]
    said: tuple[str, ...]
    """What the node reported."""


def why(found: WhyOut, node_name: str, form: Formats) -> Why:
    """Put an answer into words."""
    return Why(
        title=found.title,
        sentence=_sentence(found, node_name, form),
        rules=tuple(_rule(each, form, cut=_is_cut(found)) for each in found.rules),
        notes=tuple(_note(each, form) for each in found.notes),
        said=tuple(_said(each, form) for each in found.said),
    )


def _sentence(found: WhyOut, node_name: str, form: Formats) -> Mark:
    text = form.text
    tense = "past" if found.is_past else "coming"
    if found.is_past and found.outcome == "played" and found.blocker is None:
        known = evidence_mark(found.grade or 0, text, simulated=found.simulated, level=found.level)
        said = text("why.past_sounds", node=node_name, when=form.when(found.at))
        return replace(known, word=f"{said} {known.word}.")
    if found.blocker is None and found.outcome in {None, "played"}:
        return Mark("ready", "good", text(f"why.{tense}_sounds", node=node_name, when=form.when(found.at)))
    if found.blocker is None:
        return Mark("unknown", "unsure", text("why.nobody_knows", node=node_name))
    if found.blocker == "signed_off" and not found.is_past:
        return Mark("triangle", "care", text("why.coming_unapproved", node=node_name))
    reason = next((_stopped(each, form, cut=_is_cut(found)) for each in found.rules if each.verdict == "blocks"), "")
    became = "cut" if _is_cut(found) else "silent"
    return Mark("triangle", "care", text(f"why.{tense}_{became}", node=node_name, reason=reason))


def _is_cut(found: WhyOut) -> bool:
    return found.is_past and found.outcome == "interrupted"


def _stopped(each: WhyRuleOut, form: Formats, *, cut: bool) -> str:
    """Say what stood against it: in the node's word, else in the centre's."""
    if each.reason:
        return reason_said(each.reason, form.text, cut=cut)
    is_gone = each.name == "current" and each.by is None  # nothing stands in its place
    return form.text.word("why_stop", "taken_out" if is_gone else each.name)


def _rule(each: WhyRuleOut, form: Formats, *, cut: bool) -> Rule:
    text = form.text
    icon, tone = _VERDICTS[each.verdict]
    word = text.word("why_rule", each.name)
    if each.verdict == "blocks":
        word = text("why.blocks", why=_stopped(each, form, cut=cut))
    return Rule(
        Mark(icon, tone, word), _by(each.by, form) if each.by is not None else "", each.verdict != "not_reached"
    )


def _by(by: ByOut, form: Formats) -> str:
    return form.text(f"why.by_{by.kind}", name=by.name or form.text("why.out_of_sight"))


def _note(each: WhyNoteOut, form: Formats) -> str:
    return form.text.word("why_note", each.code)


def _said(each: SaidOut, form: Formats) -> str:
    text = form.text
    if each.outcome == "played":
        word = text("why.played")
    elif each.outcome is not None:
        word = text(f"outcome.{each.outcome}")
    else:
        word = text(f"state.{each.state}") if each.state else ""
    reason = f" {text.word('reason', each.reason)}" if each.reason else ""
    return text("why.said", at=form.second(each.at), word=word) + reason
