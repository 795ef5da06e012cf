"""A PostgreSQL server of our own: a fresh cluster on a socket in a temporary folder, gone afterwards."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WAIT_S = "30"


@contextmanager
def postgres() -> Iterator[str]:
    """Run a server for the length of the block; gives the URL of its empty database.

    Fails, and does not skip, when PostgreSQL is not installed: what cannot be tested must be seen.
    """
    programs = _programs()
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    folder = Path(tempfile.mkdtemp(prefix="loa-pg-"))  # a socket's path has at most 107 characters
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        account = pwd.getpwnam(user)
        os.chown(folder, account.pw_uid, account.pw_gid)
    data, log = folder / "data", folder / "log"
    try:
        _run(
            user, programs / "initdb", "-D", data, "-U", "loa", "--auth=trust", "--no-sync", "-E", "UTF8", "--no-locale"
        )
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        _run(user, programs / "pg_ctl", "-D", data, "-l", log, "-w", "-t", WAIT_S, "-o", options, "start")
        try:
            yield f"postgresql+psycopg://loa@/postgres?host={folder}"
        finally:
            _run(user, programs / "pg_ctl", "-D", data, "-m", "immediate", "-w", "-t", WAIT_S, "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    here = shutil.which("initdb")
    assert here is not None, "PostgreSQL is not installed: apt install postgresql"
    return Path(here).parent


def _run(user: str, *argv: object) -> None:
    done = subprocess.run(
        [str(part) for part in argv],
        user=user if os.geteuid() == 0 else None,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode(errors="replace")
