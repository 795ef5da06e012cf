"""The benchmarks must not rot unseen: the parts that need no broker and no sound, tried in a moment."""

from pathlib import Path

import numpy as np
import pytest

from controller.demo.check import Instants
from tests.bench import mqtt5, slow
from tests.bench.__main__ import BENCHES, write_page
from tests.bench.figures import MISSED, REACHED, UNMEASURED, Result, quantile
from tests.bench.machine import QUIET_PERCENT
from tests.bench.orders import _silence_ms
from tests.e2e.journeys import figures as journeys
from tests.sounds import RATE


def result(**given: object) -> Result:
    return Result("starts", "Start error", "1 s", **given)  # type: ignore[arg-type]  # fields of the test


def test_a_quantile_is_never_better_than_what_was_seen() -> None:
    values = [float(number) for number in range(1, 61)]
    assert quantile(values, 0.5) == 30
    assert quantile(values, 0.99) == 60
    assert quantile([7.0], 0.99) == 7.0


def test_no_measurement_has_no_quantile() -> None:
    with pytest.raises(ValueError, match="no measurement"):
        quantile([], 0.99)


def test_a_target_that_could_not_be_told_is_not_reached() -> None:
    found = result()
    found.add("a", "1 ms", target="≤ 5 ms", good=True)
    found.add("b", "9 ms", target="≤ 5 ms", good=False)
    found.add("c", "no sound", target="≤ 5 ms")
    found.add("d", "3 ms")
    assert [row.verdict for row in found.rows] == [REACHED, MISSED, UNMEASURED, ""]


def test_the_page_shows_misses_load_and_what_was_not_measured(tmp_path: Path) -> None:
    found = result(busy_before=QUIET_PERCENT + 1)
    found.add("start error", "p99 28.27 ms", samples=66, target="p99 ≤ 5 ms", good=False)
    found.save(tmp_path, tmp_path / "raw")
    (tmp_path / "machine.json").write_text('{"cores": "2"}')
    write_page(tmp_path, tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text()
    assert "0 reached, 1 not reached, 0 not measured" in page
    assert "| start error | p99 28.27 ms | 66 | p99 ≤ 5 ms | **not reached** |" in page
    assert "was not quiet" in page
    assert f"10,000 virtual nodes | ≤ 1 core, ≤ 400 MB | – | {UNMEASURED}" in page


def test_what_the_journeys_measured_is_a_part_of_the_page_that_a_benchmark_leaves_there(tmp_path: Path) -> None:
    page, kept = tmp_path / "page.md", tmp_path / "journeys.json"
    row = {"journey": "say now", "look": "phone-vi", "taps": 4, "besides": 0, "seconds": 2.9, "sound_s": 1.7}
    journeys.keep_figures([row | {"seconds": 40.0}, row | journeys.now() | {"issue": "4 taps, 15 s"}], kept)
    part = journeys.section(journeys.kept(kept), {"cores": "2"})
    (tmp_path / "machine.json").write_text('{"cores": "2"}')
    page.write_text(journeys.put("# Old", part))
    result().save(tmp_path, tmp_path / "raw")
    for _ in range(2):
        write_page(tmp_path, page)
        assert page.read_text().count(journeys.HEADING) == 1
    assert "| say now | phone-vi | 4 |  | 2.9 s | 1.7 s | 4 taps, 15 s | 20" in page.read_text()
    assert page.read_text().startswith("# Benchmarks")
    assert "40.0" not in page.read_text()


def test_a_journey_far_beyond_what_the_issue_allows_is_named() -> None:
    row = {"journey": "say now", "seconds": 29.9, "sound_s": 5.9}
    assert journeys.beyond(row) == []
    assert len(journeys.beyond(row | {"seconds": 30.1, "sound_s": 6.1})) == 2
    assert journeys.beyond({"journey": "STOP", "seconds": 300}) == []
    slow = {"journey": "slow link /say", "usable_s": 4.0}
    assert journeys.beyond(slow) == []
    assert journeys.beyond(slow | {"usable_s": 4.1}) == ["usable_s: 4.1, of 2"]
    page = slow | {"look": "pc-vi", "bytes": 1, "requests": 2, "usable_s": 4.1, "whole_s": 5.2, "issue": "2 s"}
    assert "| slow link /say | pc-vi | 1 | 2 | 4.1 s | 5.2 s | 2 s | not known |" in journeys.section([page], {})


def test_packets_survive_being_cut_anywhere() -> None:
    sent = mqtt5.publish("loa/v1/areas/a/urgent", b"x" * 300, packet_id=7) + mqtt5.puback(9)
    for size in (1, 2, 3, 150, len(sent)):
        packets = mqtt5.Packets()
        came: list[tuple[int, int, bytes]] = []
        for at in range(0, len(sent), size):
            came += packets.feed(sent[at : at + size])
        assert [kind for kind, _, _ in came] == [mqtt5.PUBLISH, mqtt5.PUBACK]
        assert mqtt5.read_publish(*came[0][1:]) == mqtt5.Publish("loa/v1/areas/a/urgent", b"x" * 300, 7, retained=False)


def test_silence_is_measured_to_the_last_sample_after_the_click(tmp_path: Path) -> None:
    pcm = np.zeros(10 * RATE, np.int16)
    pcm[RATE : 3 * RATE] = 1000
    pcm[5 * RATE : 6 * RATE] = 1000
    marks = tmp_path / "instants"
    marks.write_text('{"frame": 0, "at_ns": 1000000000000}\n')
    instants = Instants(marks)
    assert _silence_ms(pcm, instants, 1002.75) == pytest.approx(250, abs=0.1)
    assert _silence_ms(pcm, instants, 1007.0) is None


def test_a_click_after_the_download_says_nothing_about_a_click_during_one() -> None:
    verdicts = []
    clicks: list[tuple[list[float | None], list[bool]]] = [
        ([800.0, 1190.0, 300.0], [True, True, False]),
        ([800.0, 1190.0, None], [True, True, False]),
        ([800.0, 1190.0, None], [True, True, True]),
        ([800.0, 5001.0, 300.0], [True, True, False]),
    ]
    for found, busy in clicks:
        judged = result()
        slow.tell(judged, "STOP", found, busy)
        verdicts.append((judged.rows[0].samples, judged.rows[0].verdict))
    assert verdicts == [(2, REACHED), (2, REACHED), (2, MISSED), (2, MISSED)]
    with pytest.raises(RuntimeError, match="during a download"):
        slow.tell(result(), "STOP", [800.0], [False])


@pytest.mark.parametrize("name", ["schedules", "day"])
async def test_what_needs_neither_broker_nor_sound_is_measured(name: str) -> None:
    found = await BENCHES[name](quick=True)
    assert [row.what for row in found.rows if row.target]
    assert UNMEASURED not in {row.verdict for row in found.rows}


def test_every_benchmark_has_a_name_to_call_it_by() -> None:
    assert set(BENCHES) >= {"starts", "fanout", "armed", "stop", "transcode", "agent", "controller", "receipts"}
