"""Who may import whom: the arrows between the rooms, and what a node has to install.

The sources are read, not imported, so a forbidden import is found wherever it hides: in a function, behind
``TYPE_CHECKING``, or as a name given to ``import_module``.
"""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
EARS = ROOT / "edge_agent" / "ears.py"
"""A process of its own: whatever it needs, the agent does not load."""
ROOMS = ("audio", "edge_agent", "controller", "web")


@dataclass(frozen=True)
class Rule:
    """What one room may not import; the longest room name that fits a module is its room."""

    ours: tuple[str, ...]  # all that it may import of ours
    never: tuple[str, ...] = ()  # what it may not import of others


FRAMEWORKS = ("fastapi", "starlette", "uvicorn", "sqlalchemy", "alembic", "apscheduler", "pydantic", "jinja2")
NETWORK = ("socket", "ssl", "http", "urllib", "httpx", "aiomqtt", "paho")
DATABASE = ("sqlite3", "psycopg", "aiosqlite", "sqlalchemy", "alembic")
CALENDAR = ("datetime", "zoneinfo")
MACHINE = (
    "os",
    "io",
    "pathlib",
    "shutil",
    "tempfile",
    "subprocess",
    "threading",
    "multiprocessing",
    "select",
    "signal",
)

RULES = {
    # audio keeps `asyncio` and `time`: it starts tools as processes and limits how long they may run.
    "audio": Rule(ours=("audio",), never=(*NETWORK, *DATABASE, *CALENDAR, *FRAMEWORKS)),
    "edge_agent.protocol": Rule(
        ours=("edge_agent.protocol",),
        never=(*NETWORK, *DATABASE, *MACHINE, *FRAMEWORKS, "asyncio", "time", "logging", "av"),
    ),
    "edge_agent": Rule(ours=("audio", "edge_agent"), never=FRAMEWORKS),
    "controller": Rule(ours=("audio", "edge_agent.protocol", "edge_agent.version", "controller")),
    "web": Rule(ours=("web", "controller"), never=(*DATABASE, "aiomqtt", "paho")),
}
# Roles whose file is not for the pages: tables, SQL, and whatever speaks MQTT.
NOT_FOR_PAGES = (
    "models",
    "tables",
    "db",
    "repository",
    "migrations",
    "dispatch",
    "dispatcher",
    "bridge",
    "broker",
    "mqtt",
)
# The composition root hands the pages their services and mounts them.
EXCEPTIONS = {("controller.main", "web")}


@dataclass(frozen=True)
class Import:
    """One name that one module imports."""

    module: str
    name: str
    line: int


def starts_with(name: str, prefixes: Iterable[str]) -> bool:
    return any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)


def module_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def names_in(node: ast.AST, package: str) -> Iterator[str]:
    """Name what one node of the tree imports: ``from a import b`` in full, since ``a.b`` may be a module."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
        base += [node.module] if node.module else []
        yield from (".".join([*base, alias.name]) for alias in node.names)
    elif isinstance(node, ast.Call) and re.search(r"\b(import_module|__import__)$", ast.unparse(node.func)):
        yield from (a.value for a in node.args[:1] if isinstance(a, ast.Constant) and isinstance(a.value, str))


def imports_of(path: Path, root: Path) -> Iterator[Import]:
    module = module_name(path, root)
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path))):
        for name in names_in(node, package):
            yield Import(module, name, getattr(node, "lineno", 0))


def all_imports(root: Path) -> list[Import]:
    files = sorted(path for room in ROOMS for path in (root / room).rglob("*.py"))
    return [found for path in files for found in imports_of(path, root)]


def why_not(found: Import) -> str | None:
    """Say what is wrong with an import, None when nothing is."""
    rule = RULES[max((room for room in RULES if starts_with(found.module, [room])), key=len)]
    if starts_with(found.name, ROOMS):
        if any(found.module == module and starts_with(found.name, [target]) for module, target in EXCEPTIONS):
            return None
        if not starts_with(found.name, rule.ours):
            return "points against the arrows between the rooms"
        if starts_with(found.module, ["web"]) and set(found.name.split(".")[1:]) & set(NOT_FOR_PAGES):
            return "gives the pages tables, SQL or MQTT"
    return "is not for this room" if starts_with(found.name, rule.never) else None


def violations(root: Path) -> list[str]:
    found = ((each, why_not(each)) for each in all_imports(root))
    return [f"{each.module}:{each.line} imports {each.name}: {why}" for each, why in found if why]


def importable(extras: Iterable[str]) -> set[str]:
    """Name the packages that a deployment with these extras of ours declares, as code imports them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = project["dependencies"] + [line for extra in extras for line in project["optional-dependencies"][extra]]
    plain = {re.split(r"[^\w.-]", line, maxsplit=1)[0].lower().replace("_", "-") for line in wanted}
    installed = packages_distributions().items()
    return {name for name, owners in installed if plain & {owner.lower().replace("_", "-") for owner in owners}}


def files_behind(module: str, root: Path) -> Iterator[Path]:
    """Find the files that importing a name runs: the module's own and the ``__init__`` of every package above it."""
    parts = module.split(".")
    for depth in range(1, len(parts) + 1):
        here = root.joinpath(*parts[:depth])
        yield from (path for path in (here / "__init__.py", here.with_suffix(".py")) if path.is_file())


def undeclared(root: Path, starts: Iterable[Path], declared: set[str]) -> list[str]:
    """Follow our own imports from some files; list what is neither declared nor Python's own."""
    queue, seen, wrong = list(starts), set[Path](), list[str]()
    while queue:
        path = queue.pop()
        if path in seen:
            continue
        seen.add(path)
        for found in imports_of(path, root):
            if starts_with(found.name, ROOMS):
                queue += files_behind(found.name, root)
            elif found.name.partition(".")[0] not in declared | sys.stdlib_module_names:
                wrong.append(f"{found.module}:{found.line} imports {found.name}")
    return wrong


def test_every_import_follows_the_arrows_between_the_rooms() -> None:
    assert violations(ROOT) == []


def test_the_reader_sees_the_whole_project() -> None:
    """A reader that finds no file would let everything pass."""
    modules = {found.module.partition(".")[0] for found in all_imports(ROOT)}
    assert modules == set(ROOMS)


def test_a_node_needs_nothing_beyond_the_edge_extra() -> None:
    """Neither the agent nor any part of `audio` that it reaches may need what only the centre installs."""
    declared = importable(["edge"])
    assert "msgspec" in declared
    assert {"sqlalchemy", "numpy"}.isdisjoint(declared)
    agent = [path for path in (ROOT / "edge_agent").rglob("*.py") if path != EARS]
    assert undeclared(ROOT, agent, declared) == []
    assert undeclared(ROOT, [EARS], importable(["edge", "ears"])) == []


def test_the_centre_imports_only_what_it_declares() -> None:
    # What the centre needs of `audio` is followed from its imports: the decoder is the node's.
    starts = [path for room in ("controller", "web") for path in (ROOT / room).rglob("*.py")]
    assert undeclared(ROOT, starts, importable(["controller"])) == []


def test_the_stranger_agent_is_written_from_the_protocol_page_alone() -> None:
    own = "tests.e2e.tiny_agent"
    files = sorted((ROOT / "tests" / "e2e" / "tiny_agent").rglob("*.py"))
    assert ROOT / "tests" / "e2e" / "tiny_agent" / "keeper.py" in files
    found = [each for path in files for each in imports_of(path, ROOT)]
    ours = [each for each in found if starts_with(each.name, (*ROOMS, "tests")) and not starts_with(each.name, [own])]
    assert ours == []
    assert any(starts_with(each.name, [own]) for each in found), "the reader sees what it imports of itself"


PLANTED = [
    ("audio/mix.py", "import socket"),
    ("audio/mix.py", "from datetime import datetime"),
    ("audio/mix.py", "from edge_agent.protocol import topics"),
    ("edge_agent/protocol/codec.py", "from pathlib import Path"),
    ("edge_agent/protocol/codec.py", "from audio import units"),
    ("edge_agent/protocol/codec.py", "from ..link import Link"),
    ("edge_agent/player.py", "def late():\n    import fastapi"),
    ("edge_agent/player.py", "from controller.areas import service"),
    ("controller/nodes/service.py", "import edge_agent"),
    ("controller/nodes/service.py", "from edge_agent.player import Player"),
    ("controller/nodes/service.py", "if TYPE_CHECKING:\n    from edge_agent import link"),
    ("controller/nodes/service.py", "import importlib\nimportlib.import_module('web.pages')"),
    ("controller/cli.py", "import web"),
    ("web/pages/today.py", "from controller.nodes.models import Node"),
    ("web/pages/today.py", "from controller.nodes import models"),
    ("web/pages/today.py", "from controller import db"),
    ("web/pages/today.py", "from edge_agent.protocol import states"),
    ("web/pages/today.py", "import paho.mqtt.client"),
    ("web/pages/today.py", "from sqlalchemy import select"),
]
ALLOWED = [
    ("audio/mix.py", "from audio import errors\nfrom . import errors\nimport numpy, subprocess"),
    ("edge_agent/protocol/codec.py", "from .topics import Topic\nfrom datetime import datetime\nimport msgspec"),
    ("edge_agent/player.py", "from audio import mix\nfrom edge_agent.protocol.topics import Topic\nimport asyncio"),
    ("controller/nodes/service.py", "from edge_agent.version import VERSION\nfrom edge_agent.protocol import topics"),
    ("controller/main.py", "from web.app import mount"),
    ("web/pages/today.py", "from controller.nodes import service\nfrom controller.nodes.schemas import NodeRead"),
]


def plant(root: Path, where: str, source: str) -> None:
    path = root / where
    path.parent.mkdir(parents=True)
    path.write_text(source, "utf-8")


@pytest.mark.parametrize(("where", "source"), PLANTED)
def test_a_planted_bad_import_is_caught(tmp_path: Path, where: str, source: str) -> None:
    plant(tmp_path, where, source)
    assert len(violations(tmp_path)) == 1


@pytest.mark.parametrize(("where", "source"), ALLOWED)
def test_what_the_arrows_allow_passes(tmp_path: Path, where: str, source: str) -> None:
    plant(tmp_path, where, source)
    assert violations(tmp_path) == []


def test_an_undeclared_package_is_found_through_another_room(tmp_path: Path) -> None:
    """The agent imports a part of `audio`, whose package imports what a node does not install."""
    plant(tmp_path, "edge_agent/player.py", "from audio.mix import join")
    plant(tmp_path, "audio/mix.py", "import msgspec")
    (tmp_path / "audio" / "__init__.py").write_text("import numpy")
    wrong = undeclared(tmp_path, [tmp_path / "edge_agent" / "player.py"], {"msgspec"})
    assert wrong == ["audio:1 imports numpy"]
