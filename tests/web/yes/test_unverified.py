"""An emergency that no real sensor confirmed is green nowhere, and neither page nor table hides what was simulated."""

import csv
import io
import re

import httpx
import pytest
from sqlalchemy import update

from controller.broadcasts.schemas import BroadcastOut
from controller.nodes.models import Node
from controller.people.rights import Role
from edge_agent.protocol.states import Grade, Level, PlayState
from tests.web.harness import Commune, pages, visitor
from tests.web.manners.sweeping import flat
from tests.web.scenes.registers import rollout
from tests.web.test_emergency_pages import message, propose, typed
from tests.web.test_words import FORM, TEXT, run
from web.views.today import day
from web.words import evidence_mark, run_mark

TITLE = "Lũ quét"
GOOD = re.compile(r'<(\w+)[^>]*\bclass="(?:[^"]* )?good(?: [^"]*)?"[^>]*>(.*?)</\1>', re.DOTALL)
TELL_OF_RUNS = frozenset(
    {"/history.csv", "/emergencies.csv", "/broadcasts/{broadcast_id}/plays.csv", "/nodes/{node_id}/plays.csv"}
)
"""Tables that say what became of a run."""
TELL_OF_NONE = frozenset(
    {
        *("/activity.csv", "/alarms.csv", "/approvals/all-requests.csv", "/bulletins.csv", "/faults.csv"),
        *("/nodes.csv", "/people.csv", "/places.csv", "/programmes.csv", "/recordings.csv", "/schedules/all.csv"),
        *("/calendars.csv", "/messages.csv", "/updates.csv", "/updates/releases.csv"),
        "/updates/{rollout_id}/nodes.csv",
    }
)


async def sent(site: Commune, grade: Grade, *, simulated: bool) -> tuple[str, BroadcastOut]:
    """An emergency that sounded at all nodes, so far as is known; gives its page and its broadcast."""
    ready, nam = await message(site, title=TITLE), await site.centre.somebody("nam", Role.APPROVER, site.root)
    async with visitor(site) as first, visitor(site, who=nam) as second:
        path = await propose(first, typed(site, ready))
        await second.post(path, data={"act": "confirm"})
    [found] = await site.centre.services.broadcasts.today(site.centre.actor)
    await site.played(found, *site.nodes, grade=grade, simulated=simulated)
    site.centre.clock.step(minutes=30)
    return path, found


def greens(answer: httpx.Response) -> list[str]:
    """What a page says in green; of a node that is merely connected nothing is."""
    return [" ".join(re.sub(r"<[^>]+>", " ", said).split()) for _, said in GOOD.findall(answer.text)]


def test_green_is_seen_whatever_its_word() -> None:
    seen = httpx.Response(200, text='<span class="mark good"><svg></svg><span>Xong</span></span><b class="goods">3</b>')
    assert greens(seen) == ["Xong"]


@pytest.mark.parametrize("grade", [Grade.E1, Grade.E3])
async def test_no_page_shows_an_emergency_green_before_a_sensor_heard_it(site: Commune, grade: Grade) -> None:
    """Nor what a simulated microphone heard."""
    path, found = await sent(site, grade, simulated=grade is Grade.E3)
    node = next(iter(site.nodes.values())).id
    of_run = ("/today", "/history", f"/broadcasts/{found.id}", f"/broadcasts/{found.id}/plays", path)
    why = f"/nodes/{node}/broadcasts/{found.id}/why/here"
    of_node = (f"/nodes/{node}", f"/nodes/{node}/plays", f"/nodes/{node}/day", why)
    others = ("/nodes", "/emergencies", "/schedules?view=list", "/schedules?view=week", "/schedules?view=month")
    async with visitor(site) as client:
        shown = {each: await client.get(each) for each in (*of_run, *of_node, *others)}
    told = {each: (answer.status_code, greens(answer)) for each, answer in shown.items()}
    assert told == dict.fromkeys(shown, (200, []))
    doubts = ["chưa kiểm chứng", *(["mô phỏng"] if grade is Grade.E3 else [])]
    assert [(each, doubt) for each in (*of_run, *of_node) for doubt in doubts if doubt not in shown[each].text] == []


async def test_no_table_leaves_out_what_was_simulated_or_not_verified(site: Commune) -> None:
    _, found = await sent(site, Grade.E1, simulated=True)
    node = next(iter(site.nodes.values())).id
    of = {"broadcast_id": found.id, "node_id": node, "rollout_id": await rollout(site, {"Đầu làng Trại": "good"})}
    paths = {getattr(route, "path", "") for route in flat(pages(site.centre.services).routes)}
    tables = {each for each in paths if each.endswith(".csv") and not each.startswith("/api")}
    assert tables == TELL_OF_RUNS | TELL_OF_NONE, "say of each new table whether it tells what became of a run"
    names = {}
    async with visitor(site) as client:
        for each in sorted(tables):
            answer = await client.get(each.format(**of))
            [names[each]] = re.findall(r'filename="([\w-]+)\.csv"', answer.headers["content-disposition"])
            if each in TELL_OF_RUNS:
                _, *rows = csv.reader(io.StringIO(answer.text.removeprefix("\ufeff")), delimiter=";")
                assert rows, each
                said = [" ".join(row) for row in rows]
                assert [row for row in said if "chưa kiểm chứng" not in row or "(mô phỏng)" not in row] == [], each
    english = {word for each in tables for word in re.findall(r"\w+", each)}
    assert {each: name for each, name in names.items() if name in english} == {}
    assert len(set(names.values())) == len(names), "two tables of the same name overwrite each other"


def test_one_place_decides_by_level_grade_and_sensor() -> None:
    def tones(level: Level, *, simulated: bool) -> list[str]:
        return [evidence_mark(grade, TEXT, simulated=simulated, level=level).tone for grade in range(4)]

    assert tones(Level.EMERGENCY, simulated=False) == ["unsure", "unsure", "good", "good"]
    assert tones(Level.EMERGENCY, simulated=True) == ["unsure"] * 4
    assert tones(Level.NORMAL, simulated=False) == tones(Level.NORMAL, simulated=True) == ["unsure", *["good"] * 3]


def test_the_sentence_of_the_day_does_not_count_it_as_answered() -> None:
    alert = run(counts={"played": 3}, grades={"e1": 3}).model_copy(update={"level": Level.EMERGENCY, "title": "Lũ về"})
    morning = run(counts={"played": 3}, grades={"e2": 3})
    said = day([alert, morning], {}, FORM).sentence
    assert said is not None
    assert (said.icon, said.tone) == ("unknown", "unsure")
    assert (
        said.word == "17:03 KHẨN CẤP “Lũ về”: Thiết bị đã phát, chưa kiểm chứng: 3/3 cụm. 1 lần khác phát đủ các cụm."
    )
    failed = run(counts={"played": 2, "missed": 1}, grades={"e2": 2})
    both = day([alert, failed], {}, FORM).sentence
    assert both is not None
    assert both.tone == "care"
    assert "Còn 1 lần chưa kiểm chứng." in both.word
    heard = alert.model_copy(update={"grades": {"e3": 3}})
    sure = day([heard], {}, FORM).sentence
    assert sure is not None
    assert (sure.tone, sure.word) == ("good", "17:03 KHẨN CẤP “Lũ về”: 3/3 cụm đã được nghe tại chỗ.")


async def test_what_is_on_air_at_virtual_outputs_alone_says_so(site: Commune) -> None:
    found = await site.broadcast("Tin", "Thôn Trại", confirm_unusual=True)
    site.centre.clock.step(seconds=20)
    here = ("Đầu làng Trại", "Cổng chợ Trại")
    await site.reach(found, PlayState.PLAYING, *here)
    seen = []
    for outputs in (("virtual", "virtual"), ("virtual", "alsa")):
        for name, output in zip(here, outputs, strict=True):
            async with site.centre.database.transaction() as tx:
                (await tx.session.get_one(Node, site.nodes[name].id)).abilities = {"output": output}
        now = await site.centre.services.broadcasts.get(site.centre.actor, found.id)
        assert now.phase == "on_air"
        seen.append(run_mark(now, TEXT).simulated)
        if now.simulated:
            async with visitor(site) as client:
                for path in ("/today/live", "/history", f"/broadcasts/{found.id}"):
                    assert "mô phỏng" in (await client.get(path)).text.rpartition("<main")[2]
    assert seen == [True, False]


async def test_a_play_that_sounds_at_a_virtual_output_says_so_wherever_it_is_shown(site: Commune) -> None:
    nodes = [site.nodes[name].id for name in ("Đầu làng Trại", "Cổng chợ Trại")]
    async with site.centre.database.transaction() as tx:
        await tx.session.execute(update(Node).where(Node.id == nodes[0]).values(abilities={"output": "virtual"}))
        await tx.session.execute(update(Node).where(Node.id == nodes[1]).values(abilities={"output": "alsa"}))
    found = await site.broadcast("Tin", "Thôn Trại", confirm_unusual=True)
    site.centre.clock.step(seconds=20)
    await site.reach(found, PlayState.PLAYING, "Đầu làng Trại", "Cổng chợ Trại")
    async with visitor(site) as client:
        for path in (
            "/broadcasts/{}/plays?q=dau+lang",
            "/broadcasts/{}/plays.csv?q=dau+lang",
            f"/nodes/{nodes[0]}/plays",
        ):
            assert "mô phỏng" in (await client.get(path.format(found.id))).text.rpartition("<main")[2], path
        for path in (
            "/broadcasts/{}/plays?q=cong+cho",
            "/broadcasts/{}/plays.csv?q=cong+cho",
            f"/nodes/{nodes[1]}/plays",
        ):
            assert "mô phỏng" not in (await client.get(path.format(found.id))).text.rpartition("<main")[2], path
    shown = await site.centre.services.broadcasts.plays(site.centre.actor, found.id)
    assert [play.simulated for play in shown if play.node_id in nodes] == [play.node_id == nodes[0] for play in shown]


async def test_what_lacks_in_a_proposal_is_said_in_its_own_words(site: Commune) -> None:
    async with visitor(site) as client:
        refused = await client.post("/emergencies/new", data={"times": "2"})
    assert refused.status_code == 422
    assert "Chưa đề nghị được" in refused.text
    assert "Chưa lưu được" not in refused.text


async def test_an_emergency_of_a_year_ago_says_its_year_with_each_hour(site: Commune) -> None:
    path, _ = await sent(site, Grade.E1, simulated=False)
    site.centre.clock.step(days=400)
    async with visitor(site) as client:
        page, listed = await client.get(path), await client.get("/emergencies")
    assert re.search(r"Gửi đi lúc \d\d:\d\d:\d\d Thứ Hai 24/11/2031", page.text)
    assert not re.search(r"\d\d/\d\d(?!/|\d)", re.sub(r"(?s)^.*<main|</main>.*$", "", page.text))
    assert "24/11/2031" in listed.text
