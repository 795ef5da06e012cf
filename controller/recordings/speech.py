"""Text read aloud by a machine: it becomes a recording like any other, and is marked for good.

The words are kept with it when it is made, and never taken from anybody afterwards: who is asked for a yes reads them.
"""

import asyncio
from collections.abc import AsyncIterator

from audio.errors import ToolFailedError, ToolMissingError, UnspeakableTextError
from audio.reading import expanded
from audio.speech import MAX_CHARACTERS, Voice, speak, speakable
from controller.db import Database
from controller.errors import BusyError, InvalidError
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import Act

from .schemas import ReadingIn, ReadingOut, RecordingOut, SpeechIn
from .service import Recordings
from .states import RecordingOrigin

TITLE = 60
"""Characters of a text that make its title, where none was given."""
MOST_WAITING = 4
"""Texts that wait for the one that is being spoken."""


class Speech:
    """Speaks one text at a time: the machine has other work."""

    def __init__(self, database: Database, recordings: Recordings) -> None:
        self._database, self._recordings = database, recordings
        self._speaking, self._waiting = asyncio.Lock(), 0

    async def read(self, actor: Actor, wanted: ReadingIn) -> ReadingOut:
        """Show a text word for word as it would be read.

        Raises:
            InvalidError: nothing in it can be read aloud, it is too long, or there is no such voice.
            ForbiddenError: no role of the person allows it.
        """
        async with self._database.reading() as session:
            await rights.require(session, actor, Act.RECORDINGS_UPLOAD)
        return ReadingOut(said=_said(wanted.text, _voice(wanted.voice)))

    async def speak(self, actor: Actor, wanted: SpeechIn) -> RecordingOut:
        """Read a text aloud into a recording; it is processed afterwards.

        Raises:
            InvalidError: nothing in it can be read aloud, it is too long, or another field is wrong.
            ForbiddenError: no role of the person allows it there.
            BusyError: others are being spoken, or the machine cannot speak now.
            TooLargeError, TooSlowError, NoSpaceError, TooManyAttemptsError, UploadQuotaError: see
                ``Recordings.upload``.
        """
        voice = _voice(wanted.voice)
        said = _said(wanted.text, voice)
        async with self._database.reading() as session:
            area_id = await rights.home(session, actor, Act.RECORDINGS_UPLOAD, wanted.area_id)
        sound = await self._sound(said, voice, wanted.words_per_minute)
        return await self._recordings.upload(
            actor,
            title=wanted.title.strip() or title_of(wanted.text),
            file_name="",
            body=_once(sound),
            language="en" if voice is Voice.ENGLISH else "vi",
            declared_bytes=len(sound),
            area_id=area_id,
            origin=RecordingOrigin.MACHINE,
            voice=f"espeak-ng {voice}",
            words=speakable(wanted.text),
        )

    async def _sound(self, said: str, voice: Voice, words_per_minute: int) -> bytes:
        if self._waiting >= MOST_WAITING:
            raise BusyError("other texts are being read aloud; try again in a few seconds")
        self._waiting += 1
        try:
            async with self._speaking:
                return await speak(said, voice, words_per_minute=words_per_minute)
        except ToolMissingError:
            raise BusyError("espeak-ng is not installed (apt install espeak-ng)", problem="no_voice") from None
        except ToolFailedError as error:
            raise BusyError(f"the text could not be read aloud: {error}", problem="no_voice") from error
        finally:
            self._waiting -= 1


def are_words_of(text: str, words: str) -> bool:
    """Say whether ``words`` are those of a recording that a machine read from ``text``; spaces make no other one."""
    try:
        return words.split() == speakable(text).split()
    except UnspeakableTextError:
        return False


def title_of(text: str) -> str:
    """Give the first words of a text."""
    line = " ".join(text.split())
    if len(line) <= TITLE:
        return line
    return line[: TITLE + 1].rpartition(" ")[0].rstrip(",;:.") + "…" if " " in line[:TITLE] else line[:TITLE] + "…"


def _said(text: str, voice: Voice) -> str:
    try:
        plain = speakable(text)
        said = plain if voice is Voice.ENGLISH else expanded(plain)
        return speakable(said)
    except UnspeakableTextError:
        problem = "long" if len(text) > MAX_CHARACTERS // 2 else "empty"
        most = f"text: at least one word, at most {MAX_CHARACTERS} characters when written out"
        raise InvalidError(most, field="text", problem=problem) from None


def _voice(name: str) -> Voice:
    try:
        return Voice(name)
    except ValueError:
        known = ", ".join(Voice)
        raise InvalidError(f"voice: one of {known}", field="voice", problem="unknown") from None


async def _once(sound: bytes) -> AsyncIterator[bytes]:
    yield sound
