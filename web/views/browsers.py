"""Browsers by the names that their owners know. Pure."""

from web.i18n import Catalogue

_BROWSERS = (("Edg/", "Edge"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (
    *(("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad")),
    *(("Windows", "Windows"), ("Mac OS", "Mac"), ("Linux", "Linux")),
)
"""In this order: each calls itself by the names of those after it."""


def browser_of(agent: str, text: Catalogue) -> str:
    """Name a browser as its owner would; its own words where it is none of the known."""
    names = [next((name for sign, name in each if sign in agent), "") for each in (_BROWSERS, _SYSTEMS)]
    return ", ".join(name for name in names if name) or agent[:60] or text("settings.some_browser")
