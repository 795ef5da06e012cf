"""What people type, and what they read when it cannot work."""

import errno
import io
import os
import sys
from pathlib import Path

import pytest

from controller.cli import COMMANDS, main
from tests.controller import factories


@pytest.fixture(autouse=True)
def nobody_types(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LOA_STATE", str(tmp_path / "state"))
    for name in ("LOA_PORT", "LOA_MEDIA_PORT", "LOA_BROKER_PORT"):
        monkeypatch.setenv(name, "0")
    monkeypatch.delenv("LOA_PASSWORD", raising=False)
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))


@pytest.mark.parametrize(
    ("arguments", "env", "words"),
    [
        (("person", "add", "--login", "lan"), {}, "no password"),
        (("person", "list"), {}, "holds no database"),
        (("audit", "verify"), {}, "holds no database"),
        (("serve", "--port", "70000"), {}, "LOA_PORT"),
        (("serve",), {"LOA_LOG": "loud"}, "LOA_LOG"),
        (("serve",), {"LOA_DATABASE_URL": "garbage"}, "postgresql+psycopg://"),
        (("serve",), {"LOA_DATABASE_URL": "mysql+nosuch://x"}, "postgresql+psycopg://"),
        (("serve",), {"LOA_DATABASE_URL": "postgresql+psycopg://lan:secret@127.0.0.1:1/loa"}, "cannot be used"),
        (("serve", "--host", "300.1.1.1"), {}, "LOA_HOST"),
        (("serve", "--node-host", "300.1.1.1"), {}, "LOA_NODE_HOST"),
        (("serve",), {"LOA_LEAD_MS": "soon", "LOA_PORT": "-1"}, "LOA_LEAD_MS"),
    ],
)
def test_a_command_that_cannot_work_says_so_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    env: dict[str, str],
    words: str,
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert main(arguments) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("loa: ")
    assert said.err.count("\n") == 1
    assert all(name in said.err for name in env)
    assert words in said.err
    assert "secret" not in said.err


@pytest.mark.parametrize("arguments", [("serve",), ("person", "add", "--login", "lan")])
@pytest.mark.parametrize("state", ["a file", "/proc/loa"])
def test_a_state_that_can_be_no_folder_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: tuple[str, ...],
    state: str,
) -> None:
    monkeypatch.setenv("LOA_PASSWORD", factories.PASSWORD)
    path = tmp_path / state  # an absolute one stays what it is
    if path.is_relative_to(tmp_path):
        path.touch()
    assert main([*arguments, "--state", str(path)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"loa: {path}: ")
    assert "--state" in said
    assert said.count("\n") == 1


def test_a_full_disk_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "mkdir", full)
    assert main(["serve"]) == 1
    assert capsys.readouterr().err == "loa: No space left on device; make room on the disk and start again\n"


def test_people_are_added_and_the_audit_knows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{factories.PASSWORD}\n"))
    assert main(["person", "add", "--login", "lan"]) == 0
    monkeypatch.setenv("LOA_PASSWORD", factories.PASSWORD)
    assert main(["person", "add", "--login", "lan"]) == 1
    assert main(["audit", "verify"]) == 0
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("lan can sign in now; within 24 hours a second factor")
    assert "taken" in said[1]
    assert said[2] == "1 entries, all hold."


def test_people_get_roles_lose_factors_and_are_closed_on_the_machine_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOA_PASSWORD", factories.PASSWORD)

    def types(*arguments: str) -> tuple[int, str, str]:
        status = main(["person", *arguments])
        said = capsys.readouterr()
        return status, said.out, said.err

    assert types("add", "--login", "lan", "--name", "Nguyễn Thị Lan")[0] == 0
    assert types("add", "--login", "binh", "--role", "observer")[2] == "binh can sign in now.\n"
    assert types("grant", "--login", "Binh", "--role", "operator")[0] == 0
    assert types("grant", "--login", "binh", "--role", "operator")[0] == 1
    assert "no area called 'Xã A'" in types("grant", "--login", "binh", "--role", "operator", "--area", "Xã A")[2]
    assert "nobody has the login 'chi'" in types("disable", "--login", "chi")[2]
    assert types("reset-factor", "--login", "binh")[0] == 0
    assert types("disable", "--login", "binh")[0] == 0
    status, _, problem = types("disable", "--login", "lan")
    assert (status, "last administrator" in problem) == (1, True)
    assert [line.split("\t", 1)[1] for line in types("list")[1].splitlines()] == [
        "binh\tbinh\tobserver (everywhere), operator (everywhere)\tclosed",
        "lan\tNguyễn Thị Lan\tadministrator (everywhere)\tpassword only",
    ]
    assert types("enable", "--login", "binh")[0] == 0
    assert "\tpassword only" in types("list")[1].splitlines()[0]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(capsys: pytest.CaptureFixture[str], command: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert f"usage: loa {command}" in capsys.readouterr().out


def test_the_description_of_the_api_is_json_and_makes_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["openapi"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("{")
    assert '"/api/v1/broadcasts"' in said
    assert not (tmp_path / "state").exists()
