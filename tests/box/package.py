"""The agent's Debian package: as it is built here, and as the next one would be."""

import re
from pathlib import Path

from tests.box.machine import ROOT, run

LIBS = "lib/python3.11/site-packages"
PLACE = "usr/lib/loa-agent"


def build() -> Path:
    """Build it for this processor."""
    return Path(run(ROOT / "deploy" / "debian" / "build").strip())


def field(package: Path, name: str) -> str:
    """Give what it says of itself."""
    return run("dpkg-deb", "--field", package, name).strip()


def newer(package: Path, target: Path) -> str:
    """Make the one of the next version, in which that number alone is another; gives the number."""
    version, tree = f"{field(package, 'Version')}.1", target.with_suffix(".tree")
    run("dpkg-deb", "--raw-extract", package, tree)
    for path, pattern, line in (
        (tree / "DEBIAN/control", "^Version: .*$", f"Version: {version}"),
        (tree / PLACE / LIBS / "edge_agent/version.py", "^__version__ = .*$", f'__version__ = "{version}"'),
    ):
        text, count = re.subn(pattern, line, path.read_text("utf-8"), flags=re.MULTILINE)
        assert count == 1, path
        path.write_text(text, "utf-8")
    run("dpkg-deb", "--root-owner-group", "-Zzstd", "-z1", "--build", tree, target)
    run("rm", "-r", tree)
    return version
