"""Bundles for a node in a box: the agent as it is here, and with one thing broken in it."""

import io
import lzma
import re
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

from tests.box.machine import ROOT, run
from tests.box.package import LIBS


def environment(folder: Path) -> Path:
    """Make the agent's environment; gives the folder that a bundle holds."""
    arch = run("dpkg", "--print-architecture").strip()
    run(ROOT / "deploy" / "debian" / "environment", arch, folder)
    return folder / LIBS


def pack(libs: Path, target: Path, *, broken: Callable[[Path], None] | None = None) -> Path:
    """Pack a bundle as ``deploy/debian/bundle`` does, but quickly; ``broken`` is given a copy of the agent to break."""
    spoilt = target.with_suffix(".edge_agent")
    if broken is not None:
        shutil.copytree(libs / "edge_agent", spoilt)
        broken(spoilt)
    with (
        lzma.open(target, "wb", preset=0) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for path in sorted(libs.rglob("*")):
            found = path.relative_to(libs)
            source = spoilt / found.relative_to("edge_agent") if broken and found.parts[0] == "edge_agent" else path
            info = tarfile.TarInfo(str(found))
            if source.is_dir():
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
                continue
            data = source.read_bytes()
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    if broken is not None:
        shutil.rmtree(spoilt)
    return target


def crashing(agent: Path) -> None:
    """It dies when it is to run, and not when it is looked at."""
    put(agent / "agent.py", '        systemd.notify("READY=1")\n', '        raise SystemExit("this one crashes")\n')


def hanging(agent: Path) -> None:
    """It is ready, and then nothing moves."""
    line = '        systemd.notify("READY=1")\n'
    put(agent / "agent.py", line, f"{line}                time.sleep(1e6)\n")


def offline(agent: Path) -> None:
    """Everything works but that nobody is ever reached."""
    line = "        async with self._new_client() as client:\n"
    put(agent / "link.py", line, f'        raise OSError("this one has no link")\n{line}')


def put(path: Path, old: str, new: str) -> None:
    """Replace a line that is there once, whatever its depth."""
    text = path.read_text("utf-8")
    pattern = re.compile(rf"^( *){re.escape(old.strip())}$", re.MULTILINE)
    found = pattern.findall(text)
    assert len(found) == 1, f"{path.name}: {old!r} is there {len(found)} times"
    lines = [line.strip() for line in new.splitlines()]
    path.write_text(pattern.sub(lambda at: "\n".join(at[1] + line for line in lines), text), "utf-8")
