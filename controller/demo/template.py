"""A template that can be planned for tomorrow, made as a person makes one: approved words, and a slot for them."""

import asyncio
from pathlib import Path
from typing import Any

from .commune import Commune
from .notice import TEXT, TITLE

TEMPLATE = "Bản tin sáng"
CATEGORY = "notice"


async def make_template(commune: Commune, recording: dict[str, Any], *, tune: Path, words: Path | None) -> None:
    """Have a template of our tune and a slot, and an approved bulletin that fits into it. Nothing is planned.

    ``words``: the bulletin's, spoken; None: it is ``recording``, which somebody brought.

    Raises:
        ProgramFailedError: the centre refused, or does not answer.
    """
    uploads = [commune.upload(tune, "Nhạc hiệu")]
    if words is not None:
        uploads.append(commune.upload(words, f"{TITLE} (lời đọc)"))
    opening, *spoken = await asyncio.gather(*uploads)
    said = {"recording_id": spoken[0]["id"], "text": TEXT.strip()} if spoken else {"recording_id": recording["id"]}
    await _approved(commune, {"language": "vi", **said})
    items = [{"kind": "tune", "recording_id": opening["id"]}, {"kind": "slot", "category": CATEGORY}]
    wanted = {"area_id": commune.areas["commune"], "title": TEMPLATE, "is_template": True, "items": items}
    await commune.call("POST", "/programmes", json=wanted)


async def _approved(commune: Commune, voice: dict[str, Any]) -> None:
    """Write a bulletin, submit it, and say yes to it: the commune asks no second person for what is routine."""
    wanted = {"area_id": commune.areas["commune"], "title": TITLE, "category": CATEGORY, "voices": [voice]}
    written = await commune.call("POST", "/bulletins", json=wanted)
    for act in ("submit", "approve"):
        await commune.call("POST", f"/bulletins/{written['id']}/{act}", json={"version": written["version"]})
