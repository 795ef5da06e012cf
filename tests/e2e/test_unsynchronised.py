"""A machine whose kernel knows the time must not lend it to an agent that is to be without."""

import subprocess
import sys

import pytest

from tests.e2e import unsynchronised

ASK = """
import ctypes
libc, room = ctypes.CDLL(None, use_errno=True), ctypes.create_string_buffer(512)
print(libc.adjtimex(room), ctypes.get_errno())
"""


@pytest.mark.parametrize("words", [[sys.executable, "-c", ASK], ["sh", "-c", '"$0" -c "$1"', sys.executable, ASK]])
def test_neither_a_program_nor_what_it_starts_learns_whether_the_clock_is_synchronised(words: list[str]) -> None:
    done = subprocess.run(unsynchronised.command(words), capture_output=True, check=True, text=True)
    assert done.stdout.split() == ["-1", "1"]
