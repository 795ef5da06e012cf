"""The signer's log: whoever changes it, or cuts it off, is found out."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from controller.cli import main
from controller.people.proof import CodeError
from controller.signing import log as logs
from controller.signing.apart import Strongroom
from controller.signing.ledger import Ledger
from controller.signing.log import FILE, Log, LogError, verify
from controller.signing.remote import RemoteDesk, RemoteKeys
from controller.signing.rules import RefusedError
from controller.wire.keys import load_keys
from tests.controller.factories import SteppedClock
from tests.controller.signing.test_apart import Apart, Direct

AT = datetime(2026, 3, 9, tzinfo=UTC)


def written(path: Path, *whats: str) -> Path:
    log = Log(path)
    for what in whats:
        log.write(what, AT, sure=True, person_id="lan")
    log.close()
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_log_goes_on_where_it_ended_and_holds(tmp_path: Path) -> None:
    path = tmp_path / FILE
    assert verify(written(path)) is None
    written(path, "yes", "signed")
    written(path, "signed")
    head = verify(path)
    assert head is not None
    assert (head.seq, [each["what"] for each in lines(path)]) == (3, ["yes", "signed", "signed"])
    assert verify(written(path, "turned"), head) != head
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("spoil", ["change", "remove", "add", "cut", "forge"])
def test_a_changed_log_does_not_hold(tmp_path: Path, spoil: str) -> None:
    path = written(tmp_path / FILE, *(f"act {number}" for number in range(5)))
    head, kept = verify(path), path.read_text().splitlines(keepends=True)
    match spoil:
        case "change":
            kept[2] = kept[2].replace("lan", "nam")
        case "remove":
            del kept[2]
        case "add":
            kept.insert(2, kept[1])
        case "cut":
            del kept[3:]
        case "forge":  # all of it anew, so that it fits together: only what was written down tells
            written(tmp_path / "other", *(f"other {number}" for number in range(5)))
            kept = [(tmp_path / "other").read_text()]
    path.write_text("".join(kept))
    with pytest.raises(LogError):
        verify(path, head)


def test_half_a_line_of_a_power_cut_is_taken_off_and_what_is_no_log_stops_the_start(tmp_path: Path) -> None:
    path = written(tmp_path / FILE, "yes", "signed")
    with path.open("a") as file:
        file.write('{"seq": 3, "at"')
    written(path, "signed")
    head = verify(path)
    assert head is not None
    assert head.seq == 3
    path.write_text("something else\n")
    with pytest.raises(LogError, match="last line"):
        Log(path)


def test_the_tail_is_found_in_a_long_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "TAIL_BYTES", 400)
    for _ in range(5):
        written(tmp_path / FILE, "signed")
    head = verify(tmp_path / FILE)
    assert head is not None
    assert head.seq == 5


def test_what_is_done_at_the_console_is_written_in_the_chain_of_the_signer_that_runs(tmp_path: Path) -> None:
    path, folder = tmp_path / FILE, ["signer", "--folder", str(tmp_path)]
    running = Log(path)
    running.write("signed", AT)
    assert main([*folder, "enrol", "mallory", "--everywhere"]) == 0
    running.write("signed", AT)
    assert main([*folder, "remove", "mallory"]) == 0
    running.write("yes", AT, sure=True)
    running.write("signed", AT)
    running.close()
    assert [each["what"] for each in lines(path)] == ["signed", "enrolled", "signed", "removed", "yes", "signed"]
    assert [each["detail"].get("person_id") for each in lines(path)][1::2] == ["mallory", "mallory", None]
    head = verify(path)
    assert head is not None
    assert head.seq == 6


async def test_yeses_refusals_and_signatures_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clock, ledger, log = SteppedClock(), Ledger(tmp_path / "signer.db"), Log(tmp_path / FILE)
    wire = Direct(Strongroom(load_keys(tmp_path), ledger, clock, log))
    ledger.enrol("lan", None, clock())
    apart = Apart(clock, wire.room, ledger, RemoteDesk(wire), RemoteKeys(wire))
    due = apart.due()
    with pytest.raises(RefusedError):
        await apart.sign(due)
    with pytest.raises(CodeError):
        await apart.approve("lan", due, "000000")
    await apart.approve("lan", due)
    await apart.sign(due)
    log.close()
    ledger.close()
    refused, wrong, yes, signed = lines(tmp_path / FILE)
    assert refused["detail"]["why"] == {"b-1": "no_yes"}
    assert (wrong["what"], wrong["detail"]["problem"]) == ("code_refused", "wrong")
    assert (yes["what"], yes["detail"]["person_id"]) == ("yes", "lan")
    assert (signed["what"], signed["detail"]["broadcasts"]) == ("signed", 1)
    assert "secret" not in (tmp_path / FILE).read_text()
    assert main(["signer", "--folder", str(tmp_path), "log", "verify"]) == 0
    head = capsys.readouterr().out.strip()
    assert main(["signer", "--folder", str(tmp_path), "log", "verify", "--head", head]) == 0
    (tmp_path / FILE).write_text("")
    assert main(["signer", "--folder", str(tmp_path), "log", "verify", "--head", head]) == 1
