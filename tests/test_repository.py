"""What may be committed: locks without addresses, no traces of one machine, no keys, no stray vendored file.

Everything is asked of the files that git tracks, as they stand in the work tree.
"""

import hashlib
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LOCKS = {
    "dev": ("controller", "edge", "dev"),
    "controller": ("controller", "edge"),
    "edge": ("edge",),
    "node": ("edge",),
}
TOP_LEVEL = {
    *("audio", "edge_agent", "controller", "web", "deploy", "tests", "docs", "requirements", ".ci"),
    *("pyproject.toml", "README.md", "SECURITY.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile"),
    *(".gitignore", ".gitattributes", ".pre-commit-config.yaml", ".editorconfig"),
}
TRACES = {
    "a package registry's host": re.compile(
        r"\b(?:pypi\.org|pythonhosted\.org|piwheels\.org|npmjs\.(?:org|com)|deb\.debian\.org|crates\.io)\b"
    ),
    "a path of one machine": re.compile(r"(?<![\w.}/-])/(?:work|root|home/\w+|tmp/loa)/"),
    "a private key": re.compile(
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:\\n|\s)*[A-Za-z0-9+/]{20}"  # PEM with a body, not its mere header
        r"|\"d\"\s*:\s*\"[A-Za-z0-9_-]{43}\""  # the secret half of an Ed25519 JWK
    ),
}


def tracked() -> list[Path]:
    """List the tracked files that still stand in the work tree."""
    # The checkout may belong to somebody else than who runs the tests, as in a container.
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def traces(text: str) -> Iterator[str]:
    for what, pattern in TRACES.items():
        for found in pattern.finditer(text):
            yield f"line {text.count(chr(10), 0, found.start()) + 1}: {what}: {found.group()[:40]}"


def entries(lock: str) -> list[str]:
    """Split a lock into its requirements, each with its hashes, comments left out."""
    lines = [line for line in lock.replace("\\\n", " ").splitlines() if line.strip()]
    return [line for line in lines if not line.startswith("#")]


def faults_of_lock(lock: str) -> Iterator[str]:
    """Say what is wrong with a lock: anything but exact versions with hashes."""
    if "://" in lock or "file:" in lock or " @ " in lock:
        yield "holds an address"
    for entry in entries(lock):
        if entry.startswith("-"):
            yield f"holds an option: {entry}"
        elif not re.match(r"^[a-z0-9-]+==[\w.+!]+(?: ;[^#]*?)?(?:\s+--hash=sha256:[0-9a-f]{64})+\s*$", entry):
            yield f"not an exact version with hashes: {entry[:60]}"


def pins(lock: str) -> dict[str, str]:
    """Read the version that this Python installs of each package."""
    found = (Requirement(entry.split("--hash")[0]) for entry in entries(lock))
    chosen = (each for each in found if not each.marker or each.marker.evaluate())
    return {canonicalize_name(each.name): str(each.specifier).removeprefix("==") for each in chosen}


def read_lock(name: str) -> str:
    return (ROOT / "requirements" / f"{name}.txt").read_text("utf-8")


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_exact_versions_with_hashes_and_no_address(name: str) -> None:
    assert list(faults_of_lock(read_lock(name))) == []
    assert len(pins(read_lock(name))) >= 10


@pytest.mark.parametrize(("name", "extras"), LOCKS.items())
def test_a_lock_answers_what_pyproject_asks_for(name: str, extras: tuple[str, ...]) -> None:
    """Who changes pyproject.toml runs `make lock`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    asked = project["project"]["dependencies"] + (project["build-system"]["requires"] if name != "node" else [])
    asked += [line for extra in extras for line in project["project"]["optional-dependencies"][extra]]
    locked = pins(read_lock(name))
    wanted = [each for each in map(Requirement, asked) if not each.marker or each.marker.evaluate()]
    wrong = [str(each) for each in wanted if not each.specifier.contains(locked.get(canonicalize_name(each.name), "0"))]
    assert wrong == []


@pytest.mark.parametrize("name", ["controller", "edge", "node"])
def test_the_small_locks_agree_with_the_large_one(name: str) -> None:
    """What is tested is what is deployed."""
    assert pins(read_lock(name)).items() <= pins(read_lock("dev")).items()


def test_a_node_locks_no_web_framework_no_orm_and_nothing_that_builds() -> None:
    assert not {"fastapi", "starlette", "sqlalchemy", "pydantic", "uvicorn"} & pins(read_lock("edge")).keys()
    node, edge = pins(read_lock("node")).keys(), pins(read_lock("edge")).keys()
    assert "numpy" not in edge
    assert node - {"numpy"} < edge - {"hatchling", "pluggy"}  # numpy: for what listens


@pytest.mark.parametrize(
    "entry",
    [
        "fastapi>=0.165 --hash=sha256:" + "0" * 64,
        "fastapi==0.165.0",
        "fastapi @ https://example.org/fastapi.whl --hash=sha256:" + "0" * 64,
        "--index-url https://example.org/simple",
        "--find-links wheels",
        "-e .",
    ],
)
def test_a_planted_fault_in_a_lock_is_caught(entry: str) -> None:
    assert list(faults_of_lock(f"# a comment\n{entry}\n")) != []


def test_no_tracked_file_tells_of_a_registry_a_machine_or_a_key() -> None:
    found = [
        f"{path.relative_to(ROOT)} {trace}"
        for path in tracked()
        for trace in traces(path.read_bytes().decode("utf-8", "replace"))
    ]
    assert found == []


def test_the_place_of_this_checkout_is_in_no_tracked_file() -> None:
    place = f"{ROOT}/".encode()
    assert [str(path.relative_to(ROOT)) for path in tracked() if place in path.read_bytes()] == []


@pytest.mark.parametrize(
    "text",
    [
        "see https://" + "pypi" + ".org/project/loa",
        "url: https://registry." + "npmjs" + ".org/htmx",
        "state = '/" + "root/loa'",
        "cd /" + "home/lan/loa",
        "-----BEGIN PRIVATE" + " KEY-----\nMC4CAQAwBQYDK2VwBCIEIAAAAAAAAAAAAAAAAAAA",
        '{"kty":"OKP","crv":"Ed25519","d"' + ':"' + "A" * 43 + '"}',
    ],
)
def test_a_planted_trace_is_caught(text: str) -> None:
    assert len(list(traces(f"first line\n{text}"))) == 1


@pytest.mark.parametrize("text", ["teamwork/homework/", "b'-----BEGIN PRIVATE KEY-----'", "../root/x", "loa/v1/areas/"])
def test_ordinary_text_is_no_trace(text: str) -> None:
    assert list(traces(text)) == []


def test_the_top_level_holds_only_what_the_design_names() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in tracked()} <= TOP_LEVEL


def test_whatever_judges_sound_is_where_make_looks_for_it() -> None:
    """The rest of ``make test`` leaves it out, so what is elsewhere would never run."""
    makefile = (ROOT / "Makefile").read_text("utf-8").replace("\\\n", " ")
    (named,) = re.findall(r"^LISTENING := (.+)$", makefile, re.MULTILINE)
    judging = [path for path in (ROOT / "tests").rglob("test_*.py") if "mark.listening" in path.read_text("utf-8")]
    assert [path for path in judging if not any(path.is_relative_to(ROOT / place) for place in named.split())] == (
        [ROOT / "tests" / "test_repository.py"]  # it names the mark
    )
    assert len(judging) > 3


def test_every_script_may_be_run() -> None:
    scripts = [path for path in tracked() if path.read_bytes().startswith(b"#!")]
    assert ROOT / ".ci" / "run" in scripts
    assert [str(path.relative_to(ROOT)) for path in scripts if not path.stat().st_mode & 0o100] == []


def vendored_faults(folder: Path) -> Iterator[str]:
    """Compare a folder of other people's files with its list, ``vendored.toml``."""
    listing = folder / "vendored.toml"
    if not listing.is_file():
        yield f"{folder.name}: vendored.toml is missing"
        return
    rows = {row["path"]: row for row in tomllib.loads(listing.read_text("utf-8")).get("file", [])}
    here = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file() and path != listing}
    yield from (f"{name}: not listed" for name in sorted(here.keys() - rows.keys()))
    yield from (f"{name}: listed, but not there" for name in sorted(rows.keys() - here.keys()))
    for name in sorted(rows.keys() & here.keys()):
        if lacking := {"package", "version", "licence", "sha256"} - {key for key, value in rows[name].items() if value}:
            yield f"{name}: lists no {', '.join(sorted(lacking))}"
        elif rows[name]["sha256"] != hashlib.sha256(here[name].read_bytes()).hexdigest():
            yield f"{name}: is not the file that was listed"


def test_every_vendored_file_is_listed_with_version_licence_and_hash() -> None:
    folders = {
        parent for path in tracked() for parent in path.parents if parent.name in {"vendor", "vendored", "third_party"}
    }
    assert ROOT / "web" / "static" / "vendor" in folders
    assert [fault for folder in sorted(folders) for fault in vendored_faults(folder)] == []


def listed(name: str, content: str, **changed: str) -> str:
    row = {"path": name, "package": "map", "version": "1.0", "licence": "MIT"}
    row |= {"sha256": hashlib.sha256(content.encode()).hexdigest()} | changed
    return "[[file]]\n" + "".join(f'{key} = "{value}"\n' for key, value in row.items())


@pytest.mark.parametrize(
    ("listing", "fault"),
    [
        (listed("map.js", "code"), None),
        (listed("map.js", "other code"), "is not the file that was listed"),
        (listed("map.js", "code", licence=""), "lists no licence"),
        ("", "not listed"),
        (listed("map.js", "code") + listed("gone.js", "code"), "listed, but not there"),
    ],
)
def test_a_vendored_file_that_differs_from_its_list_is_caught(tmp_path: Path, listing: str, fault: str | None) -> None:
    (tmp_path / "map.js").write_text("code")
    (tmp_path / "vendored.toml").write_text(listing)
    found = list(vendored_faults(tmp_path))
    assert len(found) == (fault is not None)
    assert fault is None or fault in found[0]


def test_each_decision_has_a_number_of_its_own() -> None:
    numbers = [
        path.name[:5] for path in tracked() if re.match(r"\d{4}-", path.name) and path.parent.name == "decisions"
    ]
    assert "0001-" in numbers
    assert sorted(numbers) == sorted(set(numbers))
