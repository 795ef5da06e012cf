"""Has the signal before every emergency made, by the way that every recording goes."""

import logging
from collections.abc import AsyncIterator

from audio import tune
from controller.db import Database
from controller.errors import LoaError
from controller.people.actor import Actor
from controller.recordings.service import Recordings

from . import attention

TITLE = "Tín hiệu báo động"

_log = logging.getLogger(__name__)


async def ensure_signal(database: Database, recordings: Recordings, actor: Actor, area_id: str) -> None:
    """Have the signal made if there is none, in the name of who needs it first. An emergency goes out without, too."""
    async with database.reading() as session:
        if await attention.is_known(session):
            return
    sound = tune.attention()
    try:
        await recordings.upload(
            actor,
            title=TITLE,
            file_name="attention.wav",
            body=_whole(sound),
            declared_bytes=len(sound),
            area_id=area_id,
            is_signal=True,
        )
    except LoaError as error:
        _log.warning("the attention signal cannot be made now: %s", error.message)


async def _whole(sound: bytes) -> AsyncIterator[bytes]:
    yield sound
