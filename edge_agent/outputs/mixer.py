"""Reads back whether the card's mixer lets sound through, by ALSA's own library: the only module that knows it.

Nothing is changed: a person may have turned it down on purpose, and is told what that means.
"""

import ctypes
import functools
import re
from collections.abc import Iterator

_FIRST, _LAST = 0, 1
"""Channels that are looked at: left (or mono) and right (``snd_mixer_selem_channel_id_t``)."""
MAIN = frozenset({"Master", "PCM", "Digital"})
"""All sound goes through these: one that is off is enough. Of the others (Speaker, Headphone…) one may be on."""
_CARD = re.compile(r"\bhw:(\d+)")
"""As PortAudio names an ALSA device: ``USB Audio: - (hw:1,0)``."""


def mixer_of(device: str | None) -> str:
    """Give the mixer that belongs to a sound card, as it was named to us."""
    found = _CARD.search(device or "")
    return f"hw:{found[1]}" if found else "default"


def silenced_by(mixer: str) -> str | None:
    """Name the control that lets nothing through; None when sound passes, or the card has no mixer."""
    asound = _library()
    if asound is None:
        return None
    handle = ctypes.c_void_p()
    if asound.snd_mixer_open(ctypes.byref(handle), 0) < 0:
        return None
    try:
        if (
            asound.snd_mixer_attach(handle, mixer.encode()) < 0
            or asound.snd_mixer_selem_register(handle, None, None) < 0
            or asound.snd_mixer_load(handle) < 0
        ):
            return None
        return judge({name: _is_silent(asound, element) for name, element in _outputs(asound, handle)})
    finally:
        asound.snd_mixer_close(handle)


def judge(silent: dict[str, bool]) -> str | None:
    """Name what keeps the card silent, of its controls for playing and whether each lets nothing through."""
    main = [name for name, is_silent in silent.items() if is_silent and name in MAIN]
    ends = {name: is_silent for name, is_silent in silent.items() if name not in MAIN}
    if main:
        return main[0]
    return ", ".join(ends) if ends and all(ends.values()) else None


def _outputs(asound: ctypes.CDLL, handle: ctypes.c_void_p) -> Iterator[tuple[str, ctypes.c_void_p]]:
    element = ctypes.c_void_p(asound.snd_mixer_first_elem(handle))
    while element:
        if asound.snd_mixer_selem_has_playback_switch(element) or asound.snd_mixer_selem_has_playback_volume(element):
            yield asound.snd_mixer_selem_get_name(element).decode(errors="replace"), element
        element = ctypes.c_void_p(asound.snd_mixer_elem_next(element))


def _is_silent(asound: ctypes.CDLL, element: ctypes.c_void_p) -> bool:
    channels = [one for one in (_FIRST, _LAST) if asound.snd_mixer_selem_has_playback_channel(element, one)]
    if not channels:
        return False
    return all(_is_off(asound, element, one) or _is_down(asound, element, one) for one in channels)


def _is_off(asound: ctypes.CDLL, element: ctypes.c_void_p, channel: int) -> bool:
    on = ctypes.c_int(1)
    if asound.snd_mixer_selem_has_playback_switch(element):
        asound.snd_mixer_selem_get_playback_switch(element, channel, ctypes.byref(on))
    return not on.value


def _is_down(asound: ctypes.CDLL, element: ctypes.c_void_p, channel: int) -> bool:
    if not asound.snd_mixer_selem_has_playback_volume(element):
        return False
    least, most, found = ctypes.c_long(), ctypes.c_long(), ctypes.c_long()
    asound.snd_mixer_selem_get_playback_volume_range(element, ctypes.byref(least), ctypes.byref(most))
    asound.snd_mixer_selem_get_playback_volume(element, channel, ctypes.byref(found))
    return most.value > least.value and found.value <= least.value


@functools.cache
def _library() -> ctypes.CDLL | None:
    """Load ALSA; None where it is not: PortAudio brings it where there is a card."""
    try:
        asound = ctypes.CDLL("libasound.so.2")
    except OSError:
        return None
    for name in ("snd_mixer_first_elem", "snd_mixer_elem_next"):
        getattr(asound, name).restype = ctypes.c_void_p
    asound.snd_mixer_selem_get_name.restype = ctypes.c_char_p
    return asound
