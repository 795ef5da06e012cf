"""Errors of the centre in words that say what would be right, each at the field where it is mended. Pure."""

from datetime import timedelta

from controller.errors import LoaError, NotSignedInError
from web.formats import Formats

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
    ("starts_at_local", "past"): "wrong.hour_past",
    ("programme_id", "unknown"): "wrong.programme_gone",
    ("programme_id", "archived"): "wrong.programme_gone",
    ("login", "characters"): "people.login_hint",
    ("items", "nothing_chosen"): "wrong.nothing_chosen",
    ("last_date", "before_start"): "wrong.before_start",
    ("area_id", "unknown"): "adopt.area_empty",
    ("claim_code", "unknown"): "adopt.no_code",
}
_PLACES = {
    "recordings": "recording",
    "start_at": "hour",
    "starts_at_local": "hour",
    "claim_code": "code",
    "programme_id": "programme",
    "last_date": "last_day",
    "rule": "weekday",
    "message_id": "message",
    "voices": "text",
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
    }
    values["wait"] = form.about(timedelta(seconds=fields.get("retry_after_s", 60)))
    key = _TEXTS.get((fields.get("field", ""), fields.get("problem", "")))
    if key is None and text.has(f"wrong.{fields.get('problem')}"):
        key = f"wrong.{fields.get('problem')}"
    if code == "refused_by_all":
        reason = fields.get("reason", "")
        return text("wrong.held") if reason == "held" else text.word("reason", reason)
    key = key or f"wrong.{code}"
    return text(key if text.has(key) else "wrong.other", **values)


def problems_of(error: LoaError, form: Formats, known: frozenset[str]) -> Problems:
    """Put an error where it is mended: at one of the ``known`` fields, else at the form.

    Raises:
        NotSignedInError: no form mends that.
    """
    if isinstance(error, NotSignedInError):
        raise error
    field = str(error.fields.get("field", ""))
    field = _PLACES.get(field, field)
    return {field if field in known else "form": problem_text(error, form)}
