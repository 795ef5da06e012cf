"""PortAudio's life in the process, with a library that a test lets fail."""

import sys
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from edge_agent import portaudio
from edge_agent.errors import DeviceError


class PortAudioError(Exception):
    """As the package's own."""


class Library:
    """Counts how often it was begun; strict about its end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.fails = 1, False
        module = SimpleNamespace(PortAudioError=PortAudioError, _terminate=self.end, _initialize=self.begin)
        monkeypatch.setitem(sys.modules, "sounddevice", module)

    def begin(self) -> None:
        if self.fails:
            raise PortAudioError("Error initializing PortAudio: Unanticipated host error")
        self.begun += 1

    def end(self) -> None:
        if not self.begun:
            raise PortAudioError("Error terminating PortAudio: PortAudio not initialized")
        self.begun -= 1


def test_one_that_does_not_begin_is_a_clear_error_and_is_begun_by_the_next_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ended the whole node: only a card that does not open was an error of the output."""
    library = Library(monkeypatch)
    library.fails = True
    for _ in range(2):
        with pytest.raises(DeviceError, match="does not begin"), portaudio.opening(anew=True):
            pytest.fail("it has begun")
    library.fails = False
    with portaudio.opening(anew=True):
        assert library.begun == 1


def test_a_stream_that_is_forgotten_in_the_moment_in_which_it_closes_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ear closes its card in one thread while the output, in another, begins the library anew and forgets all."""

    class Forgetful(list[Callable[[], None]]):
        def __contains__(self, one: object) -> bool:
            found = super().__contains__(one)
            self.clear()
            return found

        def remove(self, one: Callable[[], None]) -> None:
            self.clear()
            super().remove(one)

    def close() -> None:
        """Nothing is open."""

    streams = Forgetful([close])
    monkeypatch.setattr(portaudio, "_closers", streams)
    portaudio.closed(close)
    assert streams == []
