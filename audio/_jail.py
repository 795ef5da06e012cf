"""Puts on the limits, then becomes the program: started by ``_tools`` in a fresh interpreter, never imported.

A separate start instead of ``preexec_fn``: code between fork and exec may deadlock in a process with threads, and
the controller has threads. Standard library only, so it also starts with ``-I -S`` in about 15 ms.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import resource
import signal
import sys

CLONE_NEWNET, CLONE_NEWUSER, CLONE_NEWIPC = 0x40000000, 0x10000000, 0x08000000  # linux/sched.h
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38  # linux/prctl.h
NOBODY = 65534  # the kernel's overflow id, and Debian's nobody

_libc = ctypes.CDLL(None, use_errno=True)


POLITE = 10
"""So much it gives way: whoever uploads without end must not keep the centre from a STOP."""


def leave_network() -> bool:
    """Move into an empty network namespace (not even loopback is up); False where the kernel forbids it."""
    flags = CLONE_NEWNET | CLONE_NEWIPC
    if os.geteuid() != 0:
        flags |= CLONE_NEWUSER
    return bool(_libc.unshare(flags) == 0)


def drop_root() -> None:
    """Become nobody if we are root; a container may forbid it, then the other limits must do."""
    if os.geteuid() != 0:
        return
    try:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    except OSError:
        return


def limit(kind: int, value: int) -> None:
    """Lower one limit, soft and hard; never raise above what we were given ourselves."""
    hard = resource.getrlimit(kind)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))


def widen_output() -> None:
    """Let the pipe to the parent hold a second of work: fewer turns between the two on one core."""
    with contextlib.suppress(OSError):
        fcntl.fcntl(1, fcntl.F_SETPIPE_SZ, 1 << 20)


def main() -> None:
    if sys.argv[1] == "--probe":
        sys.exit(0 if leave_network() else 1)
    order = json.loads(sys.argv[1])
    os.nice(POLITE)
    widen_output()
    leave_network()
    drop_root()
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_CPU, order["cpu_s"])
    limit(resource.RLIMIT_AS, order["memory"])
    limit(resource.RLIMIT_FSIZE, order["file_bytes"])
    limit(resource.RLIMIT_NOFILE, order["files"])
    limit(resource.RLIMIT_NPROC, order["processes"])
    _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # After the changes of identity, which clear it; then look whether the parent went before we asked.
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != order["parent"]:
        os._exit(1)
    os.chdir("/")
    os.closerange(3, 4096)
    try:
        os.execve(order["argv"][0], order["argv"], order["env"])  # noqa: S606 - what this file is for
    except OSError as error:
        sys.exit(f"cannot start {order['argv'][0]}: {error.strerror}")


if __name__ == "__main__":
    main()
