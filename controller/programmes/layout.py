"""A programme as nodes get it: its parts end to end, with gaps, and every language in its turn. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from controller.errors import InvalidError
from edge_agent.protocol.content import Item, Voice, content_hash

LONGEST_MS = 12 * 3_600_000
"""A session of more than half a day is a slip; the wire takes up to a day."""
MOST_SLOTS = 500
"""As many as ``edge_agent.protocol.content.Broadcast`` takes."""


class NotAirableError(InvalidError):
    """The programme cannot be aired as it is. ``problem`` says why, ``position`` and ``title`` say which item.

    ``problem`` is one of ``empty``, ``unfilled``, ``not_approved``, ``archived``, ``not_offered``, ``no_voice``,
    ``withdrawn``, ``not_ready``, ``too_long``.
    """

    code = "not_airable"


class Spoken(NamedTuple):
    """A recording at hand for one item, in one language."""

    recording_id: str
    language: str
    sha256: str
    bytes: int
    length_ms: int


@dataclass(frozen=True)
class Part:
    """One item of a programme with all that could be heard of it."""

    position: int
    title: str = ""
    voices: tuple[Spoken, ...] = ()
    """In the order in which they stand: a node that knows none of the languages plays the first. Empty: a pause."""
    pause_ms: int = 0
    gain_mb: int = 0
    bulletin_id: str | None = None
    """None: a tune, a recording or a pause. Those sound everywhere, whatever language an area asks for."""
    bulletin_version: int | None = None
    category: str | None = None
    """Of the bulletin; policies ask for a second person by it."""


@dataclass(frozen=True)
class Slot:
    """One slot on the wire, with where its voices come from."""

    item: Item
    part: Part
    recording_ids: tuple[str, ...]
    """Of the voices, one for each."""

    @property
    def bulletin_id(self) -> str | None:
        """Give the bulletin that it is out of."""
        return self.part.bulletin_id

    @property
    def bulletin_version(self) -> int | None:
        """Give the version of that bulletin."""
        return self.part.bulletin_version


class Missing(NamedTuple):
    """A language that an area asks for and a bulletin does not speak: there its first voice is heard."""

    position: int
    title: str
    language: str


@dataclass(frozen=True)
class LaidOut:
    """A programme, ready to be made a broadcast that starts ``lead_in_ms`` after the session does."""

    slots: tuple[Slot, ...]
    lead_in_ms: int
    """Silence before the first slot, with pauses at the beginning. The wire wants the first slot at 0."""
    tail_ms: int
    """Pauses at the end. Not on the wire; they count for the session's length."""
    missing: tuple[Missing, ...]

    @property
    def items(self) -> tuple[Item, ...]:
        """Give the items of the broadcast."""
        return tuple(slot.item for slot in self.slots)

    @property
    def recordings(self) -> tuple[str, ...]:
        """Give the ids of all recordings that can be heard, each once, in order of appearance."""
        return tuple(dict.fromkeys(each for slot in self.slots for each in slot.recording_ids))

    @property
    def categories(self) -> frozenset[str | None]:
        """Give the categories of the bulletins in it; None with them where something else sounds, be it a tune."""
        return frozenset(slot.part.category for slot in self.slots)

    @property
    def content_sha256(self) -> str:
        """Give the hash that approvals bind."""
        return content_hash(self.items)

    @property
    def length_ms(self) -> int:
        """From the start of the first slot to the end of the last, as on the wire."""
        last = self.items[-1]
        return last.offset_ms + last.slot_ms

    @property
    def session_ms(self) -> int:
        """Give the whole session's length, with the silence before and after."""
        return self.lead_in_ms + self.length_ms + self.tail_ms


def lay_out_parts(
    parts: Sequence[Part], languages: Collection[tuple[str, ...]], *, gap_ms: int = 0, lead_in_ms: int = 0
) -> LaidOut:
    """Lay parts end to end. ``languages``: each order of languages that an area of the target asks for.

    A bulletin that an area asks for in several languages takes one slot for the first of them, one for the second…
    The gap stands between slots; a pause stands in its place.

    Raises:
        NotAirableError: nothing would sound, or it would take too long.
    """
    slots: list[Slot] = []
    free_ms, silence_ms, before_ms = 0, 0, lead_in_ms
    for part in parts:
        if not part.voices:
            silence_ms += part.pause_ms
            continue
        if not slots:
            before_ms, silence_ms = before_ms + silence_ms, 0
        voices, turns = _turns(part, languages)
        for choice in range(turns):
            offset_ms = free_ms + (silence_ms or gap_ms) if slots else 0
            _check_length(len(slots) + 1, before_ms + offset_ms + max(each.length_ms for each in voices))
            item = Item(offset_ms=offset_ms, choice=choice, voices=tuple(_voice(each, part) for each in voices))
            slots.append(Slot(item, part, tuple(each.recording_id for each in voices)))
            free_ms, silence_ms = offset_ms + item.slot_ms, 0
    if not slots:
        raise NotAirableError("the programme has nothing that sounds", field="items", problem="empty")
    return LaidOut(tuple(slots), before_ms, silence_ms, tuple(_missing(parts, languages)))


def _turns(part: Part, languages: Collection[tuple[str, ...]]) -> tuple[tuple[Spoken, ...], int]:
    """Give the voices that somebody hears, in their order, and in how many turns."""
    spoken = {voice.language for voice in part.voices}
    fitting = [[each for each in dict.fromkeys(order) if each in spoken] for order in languages]
    heard = {language for order in fitting for language in order}
    if not fitting or not all(fitting):
        heard.add(part.voices[0].language)  # somewhere none fits: there the first is heard
    voices = tuple(voice for voice in part.voices if voice.language in heard)
    return voices, max((len(order) for order in fitting), default=1) or 1


def _missing(parts: Sequence[Part], languages: Collection[tuple[str, ...]]) -> list[Missing]:
    asked = sorted({language for order in languages for language in order})
    return [
        Missing(part.position, part.title, language)
        for part in parts
        if part.bulletin_id is not None
        for language in asked
        if language not in {voice.language for voice in part.voices}
    ]


def _voice(spoken: Spoken, part: Part) -> Voice:
    return Voice(
        language=spoken.language,
        sha256=spoken.sha256,
        bytes=spoken.bytes,
        length_ms=spoken.length_ms,
        gain_mb=part.gain_mb,
    )


def _check_length(slots: int, ends_ms: int) -> None:
    if slots > MOST_SLOTS or ends_ms > LONGEST_MS:
        raise NotAirableError(
            f"the programme is longer than {LONGEST_MS // 3_600_000} h or has more than {MOST_SLOTS} slots",
            field="items",
            problem="too_long",
        )
