"""Whether the disk has room for what comes. The fetcher asks: it raises the fault also for a download that did not fit.

Looked at every second.
"""

import os
from pathlib import Path

LEAST_BYTES = 64 * 1024 * 1024
"""What downloads leave free for the store and the system."""
LEAST_INODES = 1000
"""A file system may have bytes left and no names: each recording, receipt journal and temporary file needs one."""


def shortage(free_bytes: int, free_inodes: int | None) -> str | None:
    """Say what is short; ``free_inodes`` is None where the file system does not count them."""
    if free_bytes < LEAST_BYTES:
        return f"less than {LEAST_BYTES // 2**20} MiB are free"
    if free_inodes is not None and free_inodes < LEAST_INODES:
        return f"only {free_inodes} more files fit, whatever their size"
    return None


def free_files(directory: Path) -> int | None:
    """How many more files fit; None where the file system does not count them."""
    found = os.statvfs(directory)
    return found.f_favail if found.f_files else None
