"""Whoever lays updates down believes a pinned key and nobody else, and leaves something that runs at every moment."""

import lzma
import os
import re
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_agent import failpoints
from edge_agent.protocol import bundles
from edge_agent.protocol.states import KeyUse
from edge_agent.updates.layout import CURRENT, TRIAL, Verdict
from edge_agent.updates.slots import NotStartedError
from tests.edge_agent.updates.making import (
    FILES,
    GOOD,
    NEXT,
    STRANGER,
    UPDATE,
    Node,
    member,
    release,
    tar_of,
)

EVERY = max(1, int(os.environ.get("LOA_FAULTS_BOUNDARIES", "3")))
"""``make faults`` cuts at every boundary."""


class PowerCut(BaseException):
    """Everything ends here."""


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    yield
    failpoints.arm(None)


def laid_in(slot: Path) -> dict[str, bytes]:
    libs = slot / "lib/python3.11/site-packages"
    return {
        str(path.relative_to(libs)): path.read_bytes()
        for path in libs.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


def make_good(node: Node, number: int, **changes: object) -> None:
    """Take a release all the way."""
    token = node.offer(release(number, **changes))
    node.ask(release=token, wish=f"c{number}")
    attempt = node.opt.told().ready
    node.ask(release=token, wish=f"c{number}", go=attempt)
    node.ask(verdict=Verdict(attempt or "", "good"))


def test_a_release_is_laid_down_tried_and_becomes_the_one_that_runs(node: Node) -> None:
    token = node.offer(release(2))
    node.ask(release=token)
    told = node.opt.told()
    assert (told.taken, told.good, told.ready, node.refused()) == (2, 0, "2-1", None)
    assert node.current() == node.package
    assert node.opt.on_trial() is None

    node.ask(release=token, go="2-1")
    assert node.opt.on_trial() == "2-1"
    assert node.current() == node.package  # until it has shown that it is good

    node.ask(verdict=Verdict("2-1", "good"))
    assert node.current() == node.opt.root / "b"
    assert node.opt.on_trial() is None
    assert node.opt.told().good == 2
    slot = node.opt.root / "b"
    assert laid_in(slot) == FILES
    assert (slot / "bin/python3").readlink() == Path("/usr/bin/python3")
    assert (slot / "attempt").read_text().split() == ["2-1", "3600"]


def test_what_tar_itself_packs_is_taken(node: Node, tmp_path: Path) -> None:
    """With the words of `deploy/debian/bundle`; a path may be longer than the hundred letters of a first field."""
    script = (Path(__file__).resolve().parents[3] / "deploy/debian/bundle").read_text("utf-8")
    words = re.findall(r"--(?:format|sort|owner|group|mode)=[\w=,]+|--numeric-owner", script)
    assert "--format=ustar" in words
    files = {**FILES, f"{'long/' * 25}numpy-2.4.dist-info/METADATA": b"x" * 513}
    for name, data in files.items():
        path = tmp_path / "libs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    done = subprocess.run(
        ["tar", "--create", *words, "--directory", tmp_path / "libs", "."], capture_output=True, check=True
    )
    bundle = lzma.compress(done.stdout)
    node.ask(release=node.offer(release(2, bundle), bundle))
    assert node.refused() is None
    assert laid_in(node.opt.root / "b") == files


def test_the_next_one_goes_where_the_one_that_runs_is_not(node: Node) -> None:
    make_good(node, 2)
    make_good(node, 3)
    assert node.current() == node.opt.root / "a"
    assert node.package.is_dir()  # only the name was taken away
    make_good(node, 4)
    assert node.current() == node.opt.root / "b"


def test_a_release_that_is_not_good_leaves_the_one_before_and_may_be_told_again(node: Node) -> None:
    make_good(node, 2)
    token = node.offer(release(3))
    for attempt in ("3-2", "3-3"):
        node.ask(release=token, wish=attempt)
        node.ask(release=token, wish=attempt, go=attempt)
        assert node.opt.on_trial() == attempt
        node.ask(verdict=Verdict(attempt, "crashed"))
        assert (node.opt.on_trial(), node.opt.told().good) == (None, 2)
        assert node.current() == node.opt.root / "b"


def test_nobody_ends_a_trial_by_the_name_of_another(node: Node) -> None:
    token = node.offer(release(2))
    node.ask(release=token)
    node.ask(release=token, go="2-1")
    node.ask(verdict=Verdict("1-1", "good"))
    assert node.opt.on_trial() == "2-1"
    assert node.current() == node.package


def test_what_was_not_asked_for_is_not_begun(node: Node) -> None:
    token = node.offer(release(2))
    node.ask(release=token, go="2-7")
    assert node.opt.on_trial() is None


# Refusals.


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"board": "amd64"}, "wrong_board"),
        ({"python": "3.12"}, "wrong_python"),
        ({"release": 2}, "not_newer"),
        ({"release": 1}, "not_newer"),
        ({"sha256": "0" * 64}, "malformed"),
        ({"size": len(GOOD) + 1}, "malformed"),
    ],
    ids=["other board", "other python", "the same", "older", "wrong hash", "wrong size"],
)
@pytest.mark.fault("F27")
def test_a_release_that_is_not_for_this_node_is_refused(node: Node, changes: dict[str, object], code: str) -> None:
    make_good(node, 2)
    one = release(3, **changes)
    node.ask(release=node.offer(one), wish="c9")
    assert node.refused() == code
    assert node.opt.told().ready is None
    assert node.current() == node.opt.root / "b"


@pytest.mark.fault("F27")
def test_a_release_of_a_foreign_key_or_none_is_refused(node: Node) -> None:
    head, body, _ = UPDATE.sign(release(2)).decode().split(".")
    for token, code in (
        (STRANGER.sign(release(2)).decode(), "unknown_key"),
        (f"{head}.{body}.", "bad_signature"),
        (f"{head}.{body}", "malformed"),
        ("", "malformed"),
    ):
        node.offer(release(2))
        node.ask(release=token, wish=code + str(len(token)))
        assert node.refused() == code
    assert node.opt.told().taken == 0


@pytest.mark.fault("F27")
def test_a_key_is_pinned_once_and_the_agent_cannot_bring_another(node: Node) -> None:
    """A stranger who owns the agent's user asks with keys of his own."""
    node.ask()
    node.keys = (STRANGER.trusted_as(KeyUse.UPDATE),)
    node.ask(release=node.offer(release(2), key=STRANGER))
    assert node.refused() == "unknown_key"
    assert [key.kid for key in node.opt.told().pins] == [UPDATE.kid]


def test_a_release_hands_the_keys_on_when_it_is_good_and_not_before(node: Node) -> None:
    both = (UPDATE.trusted_as(KeyUse.UPDATE), NEXT.trusted_as(KeyUse.UPDATE))
    token = node.offer(release(2, keys=both))
    node.ask(release=token)
    node.ask(release=token, go="2-1")
    node.ask(verdict=Verdict("2-1", "crashed"))
    assert [key.kid for key in node.opt.told().pins] == [UPDATE.kid]
    make_good(node, 3, keys=both)
    make_good(node, 4, keys=both[1:])
    node.ask(release=node.offer(release(5), key=UPDATE), wish="c5")
    assert node.refused() == "unknown_key"
    node.ask(release=node.offer(release(6), key=NEXT), wish="c6")
    assert node.opt.told().ready is not None


def test_a_key_of_another_use_signs_no_software(node: Node) -> None:
    node.keys = (UPDATE.trusted_as(KeyUse.DISPATCH),)
    node.ask(release=node.offer(release(2)))
    assert node.refused() == "unknown_key"
    assert node.opt.told().pins == ()


HOSTILE: dict[str, bytes] = {
    "climbs": tar_of({"../../evil": b"x"}),
    "climbs inside": tar_of({"edge_agent/../../../evil": b"x"}),
    "absolute": tar_of({"/tmp/evil": b"x"}),
    "link": tar_of(FILES, member("edge_agent/etc", tarfile.SYMTYPE, to="/etc")),
    "through a link": tar_of({}, member("x", tarfile.SYMTYPE, to=".."), member("x/evil")),
    "hard link": tar_of(FILES, member("y", tarfile.LNKTYPE, to="/etc/passwd")),
    "device": tar_of({}, member("dev", tarfile.CHRTYPE)),
    "pipe": tar_of({}, member("pipe", tarfile.FIFOTYPE)),
    "long names": tar_of({}, member("././@LongLink", tarfile.GNUTYPE_LONGNAME, size=2**30 // 2**22)),
    "extended header": tar_of({}, member("p", tarfile.XHDTYPE, size=64)),
    "twice": tar_of(FILES, member("edge_agent/agent.py")),
    "file as a folder": tar_of({"x": b"", "x/y": b""}),
    "hidden": tar_of({".bashrc": b""}),
    "strange letters": tar_of({"a\nb": b""}),
    "no tar": b"MZ" + bytes(1022),
    "a size without end": tar_of({}, member("x", size=0))[:124] + b"\x80" + b"\xff" * 11 + bytes(2000),
    "something behind": tar_of(FILES) + b"more",
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.fault("F27")
def test_what_is_not_made_of_plain_files_is_refused_even_when_it_is_signed(
    node: Node, tmp_path: Path, name: str
) -> None:
    before = sorted(tmp_path.parent.rglob("evil"))
    bundle = lzma.compress(HOSTILE[name])
    node.ask(release=node.offer(release(2, bundle), bundle))
    assert node.refused() == "bad_bundle"
    assert not (node.opt.root / "b").exists()
    assert list(node.opt.root.glob("*.new")) == []
    assert sorted(tmp_path.parent.rglob("evil")) == before


@pytest.mark.parametrize("cut", [0, 1, 100, len(GOOD) // 2, len(GOOD) - 1])
@pytest.mark.fault("F27")
def test_a_truncated_bundle_is_refused_by_its_hash_or_by_its_end(node: Node, cut: int) -> None:
    node.ask(release=node.offer(release(2), GOOD[:cut]))
    assert node.refused() == "malformed"
    half = GOOD[:cut]
    if half:  # signed so
        node.ask(release=node.offer(release(2, half), half), wish="c2")
        assert node.refused() == "bad_bundle"
    assert node.opt.told().ready is None


@pytest.mark.fault("F27")
def test_a_bomb_is_refused_before_it_fills_anything(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "MAX_BYTES", 1_000_000)
    bomb = lzma.compress(tar_of({}, member("zeros", size=4_000_000)))
    assert len(bomb) < 10_000
    node.ask(release=node.offer(release(2, bomb), bomb))
    assert node.refused() == "bad_bundle"
    monkeypatch.setattr(bundles, "MAX_MEMBERS", 10)
    many = lzma.compress(tar_of({f"f{number}": b"" for number in range(11)}))
    node.ask(release=node.offer(release(2, many), many), wish="c2")
    assert node.refused() == "bad_bundle"
    assert not (node.opt.root / "b").exists()


def test_a_bundle_that_is_a_link_or_a_pipe_is_not_read(node: Node, tmp_path: Path) -> None:
    one = release(2)
    (tmp_path / "elsewhere").write_bytes(GOOD)
    place = node.inbox.bundle(one.sha256)
    makes: dict[str, Callable[[], object]] = {
        "link": lambda: place.symlink_to(tmp_path / "elsewhere"),
        "pipe": lambda: os.mkfifo(place),
        "folder": place.mkdir,
        "nothing": lambda: None,
    }
    for name, make in makes.items():
        make()
        node.ask(release=UPDATE.sign(one).decode(), wish=name)
        assert node.refused() == "bad_bundle", name
        if place.is_dir():
            place.rmdir()
        else:
            place.unlink(missing_ok=True)


def test_what_does_not_even_begin_is_not_tried(node: Node) -> None:
    def look(_: Path) -> None:
        raise NotStartedError("ImportError")

    node.look = look
    node.ask(release=node.offer(release(2)))
    assert node.refused() == "not_started"
    assert not (node.opt.root / "b").exists()
    node.look = lambda _: None
    node.work()
    assert node.refused() == "not_started"  # it is not looked at again until somebody asks anew
    node.ask(release=node.offer(release(2)), wish="c2")
    assert node.opt.told().ready == "2-2"


def test_whatever_stands_in_the_agents_folder_ends_nothing(node: Node) -> None:
    for text in (b"", b"{", b"[]", b'{"go": 7}', b"\xff" * 99, b"[" * 100_000):
        node.inbox.ask.write_bytes(text)
        node.work()
    assert node.current() == node.package


# Power cuts.


@pytest.mark.fault("F24", "F27")
def test_all_that_is_laid_down_is_on_the_disk_before_it_has_a_name(node: Node, synced: list[Path]) -> None:
    at_name: list[list[Path]] = []
    failpoints.arm(lambda name: at_name.append(list(synced)) if name == "update.before_slot" else None)
    node.ask(release=node.offer(release(2)))
    slot = node.opt.root / "b"
    half = slot.with_suffix(".new")
    laid = [half / path.relative_to(slot) for path in (slot, *slot.rglob("*")) if not path.is_symlink()]
    assert len(laid) > len(FILES)
    assert set(laid) <= set(at_name[0])


def points(run: Callable[[], object]) -> list[str]:
    seen: list[str] = []
    failpoints.arm(seen.append)
    run()
    failpoints.arm(None)
    return seen


def cut_at(number: int) -> Callable[[str], None]:
    left = number

    def act(_: str) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise PowerCut

    return act


@pytest.mark.parametrize("good", [True, False], ids=["good", "bad"])
@pytest.mark.fault("F24", "F27")
def test_a_power_cut_at_any_write_leaves_something_that_runs_and_is_gone_on_from(tmp_path: Path, *, good: bool) -> None:
    """Boundaries of laying down, arming and ending; after each the machine starts, looks, and comes to the end."""

    def acts(node: Node) -> list[Callable[[], None]]:
        token = node.offer(release(3))

        def go() -> None:
            node.ask(release=token, wish="c3", go=node.opt.told().ready)

        def end() -> None:
            node.ask(verdict=Verdict(node.opt.on_trial() or "", "good" if good else "crashed"))

        return [lambda: node.ask(release=token, wish="c3"), go, end]

    def made(name: str) -> Node:
        folder = tmp_path / name
        folder.mkdir()
        node = Node(folder)
        make_good(node, 2)
        return node

    whole = made("whole")
    counts = [len(points(act)) for act in acts(whole)]
    assert min(counts) >= 8
    for step, count in list(enumerate(counts))[0 if good else 2 :]:  # they part at the last
        for number in range(step % EVERY, count, EVERY):
            node = made(f"{step}-{number}")
            doing = acts(node)
            for act in doing[:step]:
                act()
            failpoints.arm(cut_at(number))
            with pytest.raises(PowerCut):
                doing[step]()
            failpoints.arm(None)
            look_whole(node)
            node.work()  # the start of the machine
            look_whole(node)
            if node.opt.on_trial() is None and node.opt.told().good == 2 and step < 2:
                doing[0]()
                doing[1]()
            doing[2]()
            assert node.opt.on_trial() is None
            assert laid_in(node.current()) == FILES
            assert node.current().name == ("a" if good else "b"), (step, number)
            assert node.opt.told().good == (3 if good else 2)


def look_whole(node: Node) -> None:
    """Whatever the starter may choose now is whole, and there is always what was good last."""
    for name in (CURRENT, TRIAL):
        if name == CURRENT or os.path.lexists(node.opt.root / name):
            assert laid_in((node.opt.root / name).resolve(strict=True)) == FILES
