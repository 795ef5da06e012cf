"""How far the product has gone on since a test of it ran, by git: a result is of the product that it was given by."""

import subprocess
from functools import cache
from pathlib import Path

PRODUCT = ("audio", "edge_agent", "controller", "web", "deploy")
OF_THE_NODE = ("audio", "edge_agent", "deploy")
"""All that a test below ``tests/edge_agent`` can reach: none of them imports the centre or its pages."""


def rooms_of(nodeid: str) -> tuple[str, ...]:
    """Say which of the product a test may rest on; tests that start programs of both sides rest on all."""
    return OF_THE_NODE if nodeid.startswith("tests/edge_agent/") else PRODUCT


@cache
def changed_since(root: Path, commit: str, rooms: tuple[str, ...]) -> int | None:
    """Count the product's files that are another here, committed or not, than at a commit; None: git knows it not."""
    git = ["git", "-C", str(root)]
    changed = [*git, "diff", "--name-only", "--no-renames", commit.removesuffix("+"), "--", *rooms]
    new = [*git, "ls-files", "--others", "--exclude-standard", "--", *rooms]
    asked = [subprocess.run(words, capture_output=True, text=True, check=False) for words in (changed, new)]
    if any(each.returncode != 0 for each in asked):
        return None
    return len({name for each in asked for name in each.stdout.splitlines()})
