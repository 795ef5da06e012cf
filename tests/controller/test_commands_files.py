"""A file or folder that a command cannot use: status 1 and one line that names it and says what helps."""

from collections.abc import Callable
from pathlib import Path

import pytest

from controller.cli import main
from tests.controller.factories import Centre
from tests.controller.test_commands_rows import Types, run, types

__all__ = ["types"]

NOBODYS = Path("/sys/kernel")
"""A folder in which nobody makes files, root among them."""

GIVEN = ["missing", "folder", "empty", "letter"]
COMMANDS: dict[str, Callable[[Path], tuple[str, ...]]] = {
    "restore": lambda file: ("restore", str(file), "--by", "lan"),
    "import": lambda file: (
        *("schedules", "import", str(file)),
        *("--login", "lan", "--programme", "p"),
        "--area",
        "Xã",
    ),
    "trust": lambda file: ("keys", "trust-update-key", str(file)),
    "add": lambda file: ("updates", "add", str(file)),
    "added release": lambda file: ("updates", "add", str(file.with_name("letter")), str(file)),
    "backup": lambda file: ("backup", str(file / "copy")),
}


def things(folder: Path) -> None:
    (folder / "folder").mkdir()
    (folder / "empty").touch()
    (folder / "letter").write_text("hello\n")


@pytest.mark.parametrize("given", GIVEN)
async def test_a_file_that_cannot_be_used_is_named_in_one_line(
    lite: Centre, types: Types, tmp_path_factory: pytest.TempPathFactory, given: str
) -> None:
    await lite.area("Xã")
    folder = tmp_path_factory.mktemp("elsewhere")
    things(folder)
    file = folder / given
    for name, words in COMMANDS.items():
        if (name, given) == ("backup", "folder"):
            continue  # a copy may go there
        status, out, problem = await run(types, *words(file))
        assert (status, out, problem.count("\n")) == (1, "", 1), (name, problem)
        assert problem.startswith("loa: "), name
        assert "--state" not in problem, (name, problem)
        if name in {"restore", "trust", "backup"}:
            assert str(file) in problem, (name, problem)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("keys", "make-update-key", "FOLDER/none/k"), "FOLDER/none: there is no such folder"),
        (("keys", "make-update-key", "FOLDER/letter/k"), "FOLDER/letter: there is no such folder"),
        (("keys", "make-update-key", "FOLDER/letter"), "FOLDER/letter: is there already"),
        (("keys", "make-update-key", f"{NOBODYS}/k"), f"{NOBODYS}: "),
        (("updates", "sign", "FOLDER/none", "--key", "FOLDER/k", "--release", "1"), "FOLDER/none: No such file"),
        (("updates", "sign", "FOLDER/folder", "--key", "FOLDER/k", "--release", "1"), "FOLDER/folder: is a folder"),
        (("person", "list", "--state", "FOLDER/letter"), "FOLDER/letter holds no database; give --state"),
        (("restore", "FOLDER/empty", "--by", "lan", "--state", "FOLDER/letter"), "FOLDER/letter/lock: Not a directory"),
        (("serve", "--state", "FOLDER/letter"), "FOLDER/letter: File exists; give a folder that can be made"),
        (("serve", "--state", f"{NOBODYS}/state"), f"{NOBODYS}/state: "),
        (("signer", "--folder", "FOLDER/letter", "yeses"), "(--folder)"),
    ],
)
def test_a_place_that_cannot_be_used_is_named_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    things(tmp_path)
    assert main([word.replace("FOLDER", str(tmp_path)) for word in words]) == 1
    out, problem = capsys.readouterr()
    assert (out, problem.count("\n")) == ("", 1)
    assert said.replace("FOLDER", str(tmp_path)) in problem, problem
    assert ("--state" in problem) == ("--state" in words), problem
