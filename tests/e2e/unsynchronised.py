"""Starts a program to which the kernel does not say whether its clock is synchronised, as on a machine without NTP.

Usage: ``unsynchronised.py COMMAND ...``. A filter of the kernel's own (seccomp), which the program cannot take off,
refuses it ``adjtimex`` and ``clock_adjtime`` with EPERM. Without root, and with no sign to the program.
"""

import ctypes
import errno
import os
import platform
import struct
import sys

_CALLS = {"x86_64": (0xC000003E, 159, 305), "aarch64": (0xC00000B7, 171, 266)}
"""Architecture (linux/audit.h), and the numbers of adjtimex and clock_adjtime there."""
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2  # linux/prctl.h, linux/seccomp.h
_LOAD, _IF_EQUAL, _RETURN = 0x20, 0x15, 0x06  # linux/bpf_common.h: ld w abs, jeq k, ret k
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000  # linux/seccomp.h
_NUMBER, _ARCHITECTURE = 0, 4  # offsets in struct seccomp_data


class _Program(ctypes.Structure):
    """``struct sock_fprog``."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def command(words: list[str]) -> list[str]:
    """Give the command line that runs ``words`` so."""
    return [sys.executable, __file__, *words]


def _refuse_adjtimex() -> None:
    architecture, *calls = _CALLS[platform.machine()]
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_IF_EQUAL, 0, 3, architecture),
        (_LOAD, 0, 0, _NUMBER),
        (_IF_EQUAL, 2, 0, calls[0]),
        (_IF_EQUAL, 1, 0, calls[1]),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _ERRNO | errno.EPERM),
    ]
    packed = b"".join(struct.pack("=HBBI", *step) for step in steps)
    program = _Program(len(steps), packed)
    libc = ctypes.CDLL(None, use_errno=True)
    for words in ((_PR_SET_NO_NEW_PRIVS, 1, 0), (_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program))):
        if libc.prctl(*words, 0, 0):
            raise OSError(ctypes.get_errno(), "the kernel takes no filter")


if __name__ == "__main__":
    _refuse_adjtimex()
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - the test's own command line
