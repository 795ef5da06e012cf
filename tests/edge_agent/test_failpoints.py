"""Wherever the agent makes something last, the power can be cut before and after by name: tests die there."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import edge_agent
from edge_agent import failpoints
from edge_agent.store import Store

AGENT = Path(edge_agent.__file__).parent
SYNCS = {"fsync", "fdatasync", "syncfs", "sync"}
RENAMES = {"replace", "rename", "link", "symlink", "exchange"}
"""Of ``os``, or of a path."""


def functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path in sorted(AGENT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path.relative_to(AGENT)}:{node.name}", node


def is_boundary(call: ast.Call) -> bool:
    """Tell a sync, a rename (one name given, no fields: neither a text's nor an instant's) or a commit."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    of = ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""
    texts = [one.value for one in ast.walk(call) if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    if name in {"execute", "executescript"}:
        return any("COMMIT" in text.upper() for text in texts)
    if name in SYNCS or name == "commit":
        return of == "os" or name == "commit"
    wanted = 2 if of == "os" else 1
    return name in RENAMES and len(call.args) == wanted and not call.keywords


def is_point(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return name == "reach" and len(call.args) == 1 and isinstance(call.args[0], ast.Constant)


def unguarded(function: ast.AST) -> list[str]:
    """Give the boundaries without a named point before and after them, in the order of their lines."""
    calls = sorted(
        (one for one in ast.walk(function) if isinstance(one, ast.Call)), key=lambda one: (one.lineno, one.col_offset)
    )
    points = [call.lineno for call in calls if is_point(call)]
    found = [call for call in calls if is_boundary(call)]
    return [
        ast.unparse(call)
        for call in found
        if not (any(line < call.lineno for line in points) and any(line > call.lineno for line in points))
    ]


@pytest.mark.fault("F24")
def test_every_sync_rename_and_commit_of_the_agent_has_a_named_point_before_and_after() -> None:
    bare = {name: missing for name, function in functions() if (missing := unguarded(function))}
    assert bare == {}, "say failpoints.reach(...) before and after: a power cut is tried there"


def test_what_makes_something_last_is_told_from_what_only_reads_so() -> None:
    """The test above sees what it is to see."""
    lasting = ("os.fsync(3)", "os.replace(a, b)", "path.replace(other)", "path.rename(x)", "db.commit()")
    passing = ("text.replace('a', 'b')", "at.replace(tzinfo=UTC)", "msgspec.structs.replace(play, said=s)", "f.read()")
    assert [bool(unguarded(ast.parse(line))) for line in lasting] == [True] * len(lasting)
    assert unguarded(ast.parse("connection.execute('COMMIT')")) == ["connection.execute('COMMIT')"]
    assert [unguarded(ast.parse(line)) for line in passing] == [[]] * len(passing)
    assert unguarded(ast.parse("reach('a')\nos.fsync(3)\nreach('b')")) == []
    assert unguarded(ast.parse("reach('a')\nos.fsync(3)")) == ["os.fsync(3)"]


def test_what_the_store_writes_outside_a_transaction_passes_the_same_points(tmp_path: Path) -> None:
    store, seen = Store.open(tmp_path / "agent.db"), list[str]()
    failpoints.arm(seen.append)
    try:
        store.put_meta("a", b"1")
        store.run("DELETE FROM meta WHERE key = 'a'")
    finally:
        failpoints.arm(None)
        store.close()
    assert seen == ["store.before_commit", "store.after_commit"] * 2
