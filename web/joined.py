"""Static files that are joined from several, and what stands in them.

On a slow link each file asked for costs a way there and back, and a browser asks one origin for six at a time: what a
page is made of has to fit in that. Each part stays a file of its own, which is written and read for itself; its
comments are for who reads it there, and are not sent.
"""

import re
from functools import cache
from pathlib import Path

STATIC = Path(__file__).parent / "static"
STYLES = "css/site.css"
"""What every page looks like."""
JOINED = {
    STYLES: ("css/tokens.css", "css/base.css", "css/parts.css"),
    "css/pages/speak.css": ("css/recorder.css", "css/pages/say.css", "css/pages/whom.css"),
    "css/pages/alarming.css": ("css/recorder.css", "css/pages/whom.css", "css/emergency.css"),
    "css/pages/sounds.css": ("css/recorder.css", "css/pages/library.css"),
    "js/ahead.js": ("js/ahead.js",),
    "js/site.js": tuple(f"js/{part}.js" for part in ("kit", "later", "once", "asked", "menu", "begin", "shell")),
    "js/then.js": ("js/live.js", "js/draft_words.js", "js/draft_own.js", "js/draft.js"),
    "js/bring.js": ("js/keep.js", "js/upload.js", "js/listen.js"),
    "js/voices.js": ("js/record.js", "js/move.js"),
    "js/record.js": ("js/record.js",),
    "js/speak.js": ("js/keep.js", "js/upload.js", "js/listen.js", "js/tree.js"),
    "js/sign_in.js": ("js/ended.js", "js/keep.js", "js/left.js"),
    "js/approve.js": ("js/listen.js", "js/heard.js", "js/scan.js"),
}
"""By address below /static. Parts run in their order: kit.js gives ``loa``. What later.js asks for comes after them."""
KINDS = {".css": "text/css", ".js": "text/javascript"}
# Why no minifier: docs/decisions/0047.
_STYLE_SAID = re.compile(r"/\*.*?\*/", re.DOTALL)
_SCRIPT_SAID = re.compile(r"""^[ \t]*//.*|(?<=[;,{}()\[\]])[ \t]+//[ ][^"'`\n]*$""", re.MULTILINE)
"""A line of its own, or the end of one. Behind a string there would be its end: what has a quote is left as it is."""

_MARGIN = re.compile(r"^[ \t]+", re.MULTILINE)


def lean(path: str) -> str:
    """Give a file without comments and margins, line by line where it was: what fails there is found in the file."""
    text, said = (STATIC / path).read_text("utf-8"), _STYLE_SAID if path.endswith(".css") else _SCRIPT_SAID
    return _MARGIN.sub("", said.sub(lambda found: "\n" * found[0].count("\n"), text))


@cache
def joined(path: str) -> str:
    """Give the content of one of ``JOINED``; a script that fails ends none of those behind it, as if it stood alone."""
    texts = [lean(part) for part in JOINED[path]]
    if path.endswith(".js"):
        texts = [f"try {{\n{text}}} catch (error) {{ reportError(error); }}\n" for text in texts]
    return "".join(texts)
