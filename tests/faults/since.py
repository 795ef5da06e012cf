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
    """Count the product's files that are another now than at a commit; None when git does not know it."""
    git = ["git", "-C", str(root), "diff", "--name-only", "--no-renames", commit.removesuffix("+"), "HEAD", "--"]
    asked = subprocess.run([*git, *rooms], capture_output=True, text=True, check=False)
    return len(asked.stdout.splitlines()) if asked.returncode == 0 else None
