"""What a node says of its device: card, supply, link, amplifier. Only what it tells is named. Pure."""

from controller.nodes.schemas import ConditionOut, LackOut, NodeOut
from web.formats import Formats
from web.views.places import is_heard

Facts = list[tuple[str, str]]
"""Name and value, in words."""


def device(node: NodeOut, form: Formats) -> Facts:
    """Name what a technician looks at. What a lost node said of the moment may no longer be true and is left out."""
    last, text = node.condition or ConditionOut(), form.text
    said = last if is_heard(node) else ConditionOut(storage_errors=last.storage_errors)
    heat, free = (node.temperature_c, node.disk_free_bytes) if is_heard(node) else (None, None)
    ends_at = node.certificate_expires_at
    found = {
        "disk": form.size(free) if free is not None else "",
        "storage": _storage(said.storage_errors, form),
        "temperature": text("device.degrees", count=f"{heat:.0f}") if heat is not None else "",
        "supply": _either(said.supply_low, "supply_low", "supply_well", form),
        "link": _link(said, form),
        "muted": _either(said.muted, "card_muted", "card_open", form),
        "amplifier": _either(said.amplifier_on, "amplifier_on", "amplifier_off", form),
        "certificate": "" if ends_at is None else form.written(ends_at.astimezone(form.zone).date()),
        "software": node.software or "",
        "since_enrolled": form.written(node.enrolled_at.astimezone(form.zone).date()),
    }
    return [(text(f"device.{name}"), value) for name, value in found.items() if value]


def clock(node: NodeOut, form: Formats) -> str:
    """Say how far its clock is believed, and why it is not."""
    if node.clock_state is None:
        return ""
    why = node.condition.clock_why if node.condition and node.clock_state == "untrusted" else None
    return form.text.word("clock_why", why) if why else form.text(f"clock.{node.clock_state}")


def plan(node: NodeOut, form: Formats) -> str:
    """Say whether the newest plan is there, and until when it may be played without the centre."""
    said = form.text("node.plan_current") if node.held_up_to_date else form.text("node.plan_old")
    lease_until = node.condition.lease_until if node.condition else None
    return f"{said}. {form.text('node.lease', when=form.since(lease_until))}" if lease_until else said


def cache(node: NodeOut, form: Formats) -> str:
    """Say whether the audio of the next 24 hours is there; nothing when none is due."""
    told = node.condition.cache if node.condition else None
    if told is None or not told.due:
        return ""
    which = "cache_whole" if told.here == told.due else "cache_lacks"
    return form.text(f"node.{which}", here=told.here, due=told.due)


def lacks(node: NodeOut, form: Formats) -> list[str]:
    """Name what is to begin within minutes and lacks a file there, while somebody can still act."""
    told = node.condition.cache if node.condition and is_heard(node) else None
    return [_lack(each, form) for each in told.lacks] if told else []


def _lack(lack: LackOut, form: Formats) -> str:
    reason, at = form.text.word("reason", lack.reason), form.when(lack.start_at)
    if lack.title is None:
        return form.text("node.lacks_other", at=at, reason=reason)
    return form.text("node.lacks", title=lack.title, at=at, reason=reason)


def _storage(errors: int | None, form: Formats) -> str:
    if errors is None:
        return ""
    return form.text("device.storage_errors", count=errors) if errors else form.text("device.storage_well")


def _link(said: ConditionOut, form: Formats) -> str:
    text, parts = form.text, []
    if said.link_kind is not None:
        parts.append(text.word("link_kind", said.link_kind))
    if said.link_signal is not None:
        parts.append(text("device.signal", percent=said.link_signal))
    if said.link_rtt_ms is not None:
        parts.append(text("device.answers", ms=round(said.link_rtt_ms)))
    if said.link_reconnects:
        parts.append(text("device.reconnects", count=said.link_reconnects))
    return ", ".join(parts)


def _either(told: bool | None, yes: str, no: str, form: Formats) -> str:  # noqa: FBT001 - the words are the rest
    return "" if told is None else form.text(f"device.{yes if told else no}")
