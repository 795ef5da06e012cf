"""The logs that a node sent, as lines of its page."""

from dataclasses import dataclass

from controller.nodes.schemas import LogOut
from web.formats import Formats


@dataclass(frozen=True)
class Log:
    """One of them."""

    id: str
    said: str
    is_here: bool


def log_said(log: LogOut, form: Formats) -> Log:
    """Say who asked for it when, and what became of it."""
    by = log.asked_by_name or form.text("node_log.nobody")
    said = form.text(f"node_log.{log.state}", when=form.when(log.asked_at), by=by, lines=log.lines or 0)
    return Log(log.id, said, log.state == "here")
