"""Errors of the centre in words that say what would be right, each at the field where it is mended. Pure."""

from collections.abc import Callable
from datetime import timedelta

from controller.errors import (
    ForbiddenError,
    GoneError,
    InvalidError,
    LoaError,
    NotFoundError,
    NotSignedInError,
    TooManyAttemptsError,
)
from controller.names import ZoneGoneError
from controller.people.proof import FIELD
from controller.sent_forms.service import SentOtherwiseError, SentShownError, SentUnclearError
from web.formats import Formats
from web.i18n import Catalogue

Problems = dict[str, str]
"""Field → what is wrong with it; ``form`` for what belongs to no field."""

_TEXTS = {
    ("recordings", "empty"): "wrong.recording",
    ("recordings", "not_ready"): "wrong.recording_processing",
    ("recordings", "withdrawn"): "wrong.recording_gone",
    ("recordings", "unknown"): "wrong.recording_gone",
    ("title", "empty"): "wrong.title_empty",
    ("name", "empty"): "wrong.name_empty",
    ("targets", "empty"): "wrong.targets",
    ("targets", "no_nodes"): "wrong.targets_empty",
    ("targets", "unknown"): "wrong.targets_gone",
    ("start_at", "past"): "wrong.hour_past",
    ("start_at", "too_far"): "wrong.too_far",
    ("starts_at_local", "past"): "wrong.first_past",
    ("starts_at_local", "less_than_equal"): "wrong.too_far",
    ("moved_to_local", "less_than_equal"): "wrong.too_far",
    ("last_date", "less_than_equal"): "wrong.too_far",
    ("starts_at_local", "greater_than_equal"): "wrong.day",
    ("moved_to_local", "past"): "wrong.move_past",
    ("moved_to_local", "empty"): "wrong.move_empty",
    ("ends_at_local", "empty"): "wrong.end_empty",
    ("filler_recording_id", "unknown"): "wrong.filler",
    ("filler_recording_id", "not_ready"): "wrong.filler",
    ("rule", "too_long"): "wrong.rule_too_long",
    ("rule", "too_many"): "wrong.rule_too_many",
    ("rule", "empty"): "wrong.rule_empty",
    ("targets", "too_long"): "wrong.targets_too_long",
    ("programme_id", "empty"): "wrong.replacing_empty",
    ("items", "empty"): "wrong.programme_silent",
    ("items", "too_long"): "wrong.programme_too_long",
    ("file", "too_large"): "wrong.ics_too_large",
    ("file", "too_many"): "wrong.ics_too_many",
    ("programme_id", "unknown"): "wrong.programme_gone",
    ("programme_id", "archived"): "wrong.programme_gone",
    ("login", "characters"): "people.login_hint",
    ("items", "nothing_chosen"): "wrong.nothing_chosen",
    ("last_date", "before_start"): "wrong.before_start",
    ("area_id", "unknown"): "adopt.area_empty",
    ("claim_code", "unknown"): "adopt.no_code",
    (FIELD, "needed"): "proof.needed",
    (FIELD, "wrong"): "proof.wrong",
    (FIELD, "locked"): "proof.locked",
    (FIELD, "not_enrolled"): "proof.not_enrolled",
    (FIELD, "place"): "proof.place",
    (FIELD, "span"): "proof.span",
}
_SAME = {"string_too_long": "too_long", "tuple_too_long": "too_long", "string_too_short": "too_short"}
"""Complaints of the schemas that ours have words for."""
_PLACES = {
    "recordings": "recording",
    "start_at": "hour",
    "starts_at_local": "hour",
    "claim_code": "code",
    "programme_id": "programme",
    "last_date": "last_day",
    "ends_at_local": "ends",
    "filler_recording_id": "filler",
    "late_ms": "late",
    "rule": "weekday",
    "message_id": "message",
    "repeats": "times",
}


def problem_text(error: LoaError, form: Formats) -> str:
    """Say one error in words."""
    text, code, fields = form.text, error.code, error.fields
    values = {
        "least": fields.get("least", ""),
        "most": fields.get("most", ""),
        "place": fields.get("place", ""),
        "now": form.hour(form.now),
        "hours": fields.get("hours", ""),
        "hour": fields.get("hour", ""),
        "rules": form.names([text.word("rule", rule) for rule in fields.get("rules", ())]),
        "rule": text.word("rule", fields.get("rule", "")) if "rule" in fields else "",
        "area": fields.get("area", ""),
        "code": code,
        "title": fields.get("title", ""),
        "calendars": ", ".join(fields.get("calendars", ())),
        "field": fields.get("field", ""),
        "line": fields.get("line", ""),
        "quoted": fields.get("quoted", ""),
        "part": text.word("rule_part", fields["part"]) if "part" in fields else "",
    }
    values["sent"] = form.when(fields["sent_at"]) if "sent_at" in fields else ""
    values["wait"] = form.about(timedelta(seconds=fields.get("retry_after_s", 60)))
    problem = _SAME.get(fields.get("problem", ""), fields.get("problem", ""))
    field = "items" if fields.get("field", "").startswith("items.") else fields.get("field", "")
    own = f"wrong.{field}_{problem}"
    key = own if text.has(own) else _TEXTS.get((field, problem))
    if key is None and text.has(f"wrong.{problem}"):
        key = f"wrong.{problem}"
    if code == "not_airable" and problem:
        return text.word("why_not", problem, title=values["title"])
    if code == "refused_by_all":
        reason = fields.get("reason", "")
        return text("wrong.held") if reason == "held" else text.word("reason", reason)
    key = key or f"wrong.{code}"
    return text(key if text.has(key) else "wrong.other", **values)


def problems_of(error: LoaError, form: Formats, known: frozenset[str]) -> Problems:
    """Put an error where it is mended: at one of the ``known`` fields, else at the form. With all others it names.

    Raises:
        NotSignedInError: no form mends that.
    """
    if isinstance(error, NotSignedInError):
        raise error
    place = _place_of(error)
    found = {place if place in known else "form": problem_text(error, form)}
    for other in error.others if isinstance(error, InvalidError) else ():
        if (place := _place_of(other)) in known:
            found.setdefault(place, problem_text(other, form))
    return found


def typed_again(problems: Problems, form: Formats) -> Problems:
    """Say of a password, which no page gives back, that it is to be typed once more with what else is mended."""
    return {"password": form.text("wrong.password_again")} | problems


def _place_of(error: LoaError) -> str:
    field = str(error.fields.get("field", ""))
    return _PLACES.get(field, field)


_SENT_BEFORE: dict[type[LoaError], tuple[int, str]] = {
    SentUnclearError: (202, "problem.sent_before"),
    SentShownError: (202, "problem.sent_before"),
    SentOtherwiseError: (409, "problem.sent_before"),
}
"""202: what was typed was sent, or may have been; of a refusal a draft would say that it was not (draft.js)."""


def page_said(text: Catalogue, error: LoaError, form: Callable[[], Formats], *, acted: bool) -> tuple[int, str, str]:
    """Give the status, the heading and the words of a page about an error; ``form``: only where zones are known.

    ``acted``: something was asked to be done, which it was not; else a page was asked for.
    """
    if isinstance(error, TooManyAttemptsError):
        wait = form().about(timedelta(seconds=wait_s(error)))
        return 429, text("problem.too_many"), text("problem.too_many_said", wait=wait)
    if isinstance(error, NotFoundError | GoneError):
        return 404, text("problem.not_done" if acted else "problem.not_found"), text("problem.not_found_said")
    if isinstance(error, ForbiddenError):
        return 403, text("problem.not_done" if acted else "problem.forbidden"), text("problem.forbidden_said")
    if isinstance(error, ZoneGoneError):
        return 409, text("problem.broken"), text("wrong.zone_gone", **error.fields)
    if text.has(f"wrong.{error.code}") or isinstance(error, InvalidError):
        status, heading = _SENT_BEFORE.get(type(error), (409, "problem.not_done"))
        return status, text(heading), problem_text(error, form())
    return 409, text("problem.broken"), text("problem.broken_said")


def wait_s(error: TooManyAttemptsError) -> int:
    """Give how long to wait before it is asked again, in seconds."""
    return int(error.fields.get("retry_after_s", 60))
