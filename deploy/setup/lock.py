"""Writes ``requirements/*.txt`` from pyproject.toml: every version pinned, every file's hash, no addresses.

Keeps out: installing (``deploy/setup/venv``) and judging the result (``tests/test_repository.py``).
``make lock`` keeps what is pinned as long as pyproject.toml allows it, ``make lock UPGRADE=1`` takes the newest.
"""

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ROOT / "requirements"
# The widest first: the others may only pick from it, so one environment can serve them all.
EXTRAS = {
    "dev": ("controller", "edge", "dev"),
    "controller": ("controller", "edge"),
    "edge": ("edge",),
    "node": ("edge", "ears"),
}
NOTHING_IS_BUILT = {"node"}
"""What a node carries: its package comes with the wheel already made."""
HEADER = """\
# Made by `make lock` from pyproject.toml (extras: {extras}{build}). Do not edit.
# For every Python from 3.11 and every Linux that the packages ship wheels for.
"""


def wanted(extras: tuple[str, ...], *, build: bool) -> str:
    """Name the requirements of some extras, and of the build where asked, one a line."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    optional = project["project"]["optional-dependencies"]
    names = [*project["project"]["dependencies"], *(project["build-system"]["requires"] if build else ())]
    return "\n".join(names + [name for extra in extras for name in optional[extra]])


def compile_lock(name: str, *, constraint: Path | None, upgrade: bool) -> Path:
    """Write one lock.

    Raises:
        subprocess.CalledProcessError: no set of versions fits, or the registry does not answer.
    """
    target = LOCKS / f"{name}.txt"
    command = [
        Path(sys.executable).with_name("uv"),
        *("pip", "compile", "-", "--output-file", target, "--universal", "--python-version", "3.11"),
        *("--generate-hashes", "--no-header", "--no-annotate", "--no-config", "--quiet"),
        *("--no-emit-index-url", "--no-emit-find-links"),
    ]
    if constraint:
        command += ["--constraint", constraint]
    if upgrade:
        command += ["--upgrade"]
    build = name not in NOTHING_IS_BUILT
    # Away from the project, so that no path of this machine and no other configuration can reach the lock.
    with tempfile.TemporaryDirectory() as elsewhere:
        subprocess.run(command, input=wanted(EXTRAS[name], build=build), text=True, check=True, cwd=elsewhere)
    header = HEADER.format(extras=", ".join(EXTRAS[name]), build=", and what builds the wheel" if build else "")
    target.write_text(header + target.read_text())
    return target


def main() -> None:
    """Write all locks; ``--upgrade`` takes the newest versions instead of keeping what is pinned."""
    constraint = None
    for name in EXTRAS:
        print(f"locking requirements/{name}.txt", file=sys.stderr)
        path = compile_lock(name, constraint=constraint, upgrade="--upgrade" in sys.argv[1:])
        constraint = constraint or path


if __name__ == "__main__":
    main()
