"""The pieces that a node may sound of itself (``own``): the glide of its self-test, and its number in words."""

import shutil
from datetime import timedelta

from audio.glide import LENGTH_MS, glide
from edge_agent.own import Piece
from edge_agent.protocol.calling import call_number
from edge_agent.stage import IDENTIFY, SELF_TEST
from edge_agent.threads import in_thread

WORDS_PER_MINUTE = 90
"""Slow: it is written down while it is heard."""
QUIET_MB = -1200
"""A quarter of full scale: for who stands below the horns, not for the hamlet."""
LONGEST = timedelta(seconds=30)
"""Twelve digits at that pace take some 15 s."""
_BLOCK = 1920
"""Bytes: 20 ms."""


def tone() -> Piece:
    """Give the glide, which an ear can tell from everything else."""

    async def make(gain_mb: int) -> list[bytes]:
        return await in_thread(lambda: list(glide(gain_mb / 100)))

    return Piece(SELF_TEST, timedelta(milliseconds=LENGTH_MS), make)


def number(node_id: str) -> Piece:
    """Give the number by which people know the node on its page, said twice.

    Never its name: that is free text, which nobody has approved to be heard.
    """

    async def make(gain_mb: int) -> list[bytes]:
        # Loaded for whoever asks: speech is asked for once in a year.
        from audio.decode import fade_out, pcm_of  # noqa: PLC0415 - see above
        from audio.speech import Voice, speak  # noqa: PLC0415 - see above

        words = spelled("Cụm loa số", call_number(node_id))
        wav, level = await speak(words, Voice.NORTH, words_per_minute=WORDS_PER_MINUTE), 10 ** (gain_mb / 2000)

        def blocks() -> list[bytes]:
            pcm = pcm_of(wav)
            return [fade_out(pcm[at : at + _BLOCK], start=level, end=level) for at in range(0, len(pcm), _BLOCK)]

        return await in_thread(blocks)

    return Piece(IDENTIFY, LONGEST, make, cap_mb=QUIET_MB)


def can_speak() -> bool:
    """Say whether there is what reads words aloud."""
    return shutil.which("espeak-ng") is not None


def spelled(what: str, code: str) -> str:
    """Give the words for a code: each letter and digit by itself, twice over."""
    letters = ". ".join(letter for letter in code if letter.isalnum())
    return f"{what}:\n{letters}.\nXin nhắc lại:\n{letters}."
