"""Where the signer stands apart: the pages ask for a code, say to what it is a yes, and the signer believes that alone.

The signer is the real one behind its frames; there is no socket, and its clock is the centre's.
"""

import re
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from controller.alarms.models import Alarm
from controller.broadcasts.models import Broadcast
from controller.clock import Clock
from controller.people import totp
from controller.people.proof import HEADER, CodeError, Loosened
from controller.people.schemas import PersonOut
from controller.policies.schemas import PolicyIn
from controller.signing.apart import Strongroom
from controller.signing.frames import Answer, Request
from controller.signing.ledger import MOST_WRONG, Ledger
from controller.signing.places import KnownArea, Places
from controller.signing.remote import RemoteDesk, RemoteKeys, Wire
from controller.wire.keys import load_keys
from controller.wire.signer import REFUSED, Signer
from tests.controller import approving
from tests.controller.factories import SteppedClock
from tests.web.harness import Commune, commune, visitor
from tests.web.pages import hear, planned, programme, said
from tests.web.test_emergency_pages import message, propose, typed

ASKED = 'name="approval_code"'


class Elsewhere(Wire):
    """A signer in a thread of its own, asked without a socket."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        super().__init__(folder)
        self._thread, self._clock = ThreadPoolExecutor(1), clock
        self.ledger = self._thread.submit(Ledger, folder / "signer.db").result()
        self._room = Strongroom(load_keys(folder), self.ledger, clock)

    def ask(self, request: Request, *, first: bool = False) -> Answer:  # noqa: ARG002  a Wire's
        return self._thread.submit(self._room.handle, request).result()

    def enrol(self, person_id: str) -> str:
        return self._thread.submit(self.ledger.enrol, person_id, None, self._clock()).result()

    def knows(self, places: Places) -> None:
        self._thread.submit(self.ledger.take_places, places, self._clock()).result()

    def binds(self, person_id: str, areas: set[str]) -> None:
        self._thread.submit(self.ledger.bind, person_id, areas, self._clock()).result()

    def forgets(self) -> None:
        """As if it had not stood apart when people said yes."""
        for given in self._thread.submit(self.ledger.standing, self._clock()).result():
            self._thread.submit(self.ledger.void_one, given.seq, self._clock()).result()

    def close(self) -> None:
        self._thread.submit(self.ledger.close).result()
        self._thread.shutdown()
        super().close()


@dataclass
class Apart:
    """A commune, and its signer."""

    site: Commune
    elsewhere: Elsewhere
    signer: Signer
    secrets: dict[str, str] = field(default_factory=dict)

    async def somebody(self, login: str, role: str) -> PersonOut:
        """A person with an entry at the signer."""
        person = await self.site.centre.somebody(login, role, self.site.root)
        self.enrol(person)
        return person

    def enrol(self, person: PersonOut) -> None:
        self.secrets[person.id] = self.elsewhere.enrol(person.id)

    def code(self, person: PersonOut | None = None) -> str:
        """What the telephone shows, 30 s after whatever it showed before."""
        self.site.centre.clock.step(seconds=30)
        return totp.code_at(self.secrets[(person or self.site.centre.person).id], self.site.centre.clock())

    async def guess(self) -> None:
        """Have somebody type wrong codes, as often as it stays quick."""
        to = Loosened(scope=self.site.root.scope, zone="Asia/Ho_Chi_Minh", quiet_hours=())
        for _ in range(MOST_WRONG):
            with pytest.raises(CodeError):
                await RemoteDesk(self.elsewhere).approve(self.site.centre.person.id, "000000", to)

    async def told(self) -> set[str]:
        """Have everything signed; gives the titles of what nodes are told to say."""
        listed = {each.broadcast_id for each in await approving.told(self.site.centre, self.signer)}
        async with self.site.centre.database.reading() as session:
            return set(await session.scalars(select(Broadcast.title).where(Broadcast.id.in_(listed))))

    async def say(self, **given: object) -> dict[str, object]:
        recording = await self.site.centre.recording("Họp thôn", area_id=self.site.root.id)
        form = {"recording": recording, "title": "Họp thôn", "target": [self.site.root.scope], "when": "now"}
        return form | given

    async def another_is_asked(self) -> None:
        rules = PolicyIn.model_validate({"version": 0, "rules": {"second_person": [{}]}})
        await self.site.centre.services.policies.put(self.site.centre.actor, self.site.root.id, rules)


@pytest.fixture
async def apart(tmp_path: Path) -> AsyncIterator[Apart]:
    clocks: list[Clock] = [SteppedClock()]

    def now() -> datetime:
        return clocks[-1]()

    wire = Elsewhere(tmp_path, now)
    desk = RemoteDesk(wire)
    async with commune(tmp_path / "centre", witness=desk) as site:
        here = site.centre
        clocks.append(here.clock)
        services = here.services
        signer = Signer(services.config, RemoteKeys(wire), here.clock, services.live, desk=desk, alarms=services.alarms)
        opened = Apart(site, wire, signer)
        opened.enrol(here.person)
        wire.knows(Places(areas=(KnownArea(site.root.id, site.root.name),)))
        yield opened
    wire.close()


async def test_no_page_asks_for_a_code_where_the_centre_signs_itself(tmp_path: Path) -> None:
    async with commune(tmp_path) as site, visitor(site) as client:
        for path in ("/say", "/emergencies/new"):
            page = await client.get(path)
            assert page.status_code == 200
            assert ASKED not in page.text


async def test_what_the_author_may_say_alone_is_said_with_a_code(apart: Apart) -> None:
    form = await apart.say()
    async with visitor(apart.site) as client:
        page = await client.get("/say")
        assert ASKED in page.text
        assert "đồng ý của bạn với đúng nội dung, nơi phát và giờ phát" in page.text
        for code, why in (("", "Chưa có mã phê duyệt"), ("000000", "Mã sai, đã dùng hoặc đã hết hạn")):
            refused = await client.post("/say", data=form | {"approval_code": code})
            assert refused.status_code == 422
            assert why in refused.text
            assert re.search(rf'{ASKED}[^>]*aria-invalid="true"', refused.text)
        assert await apart.told() == set(), "nothing was saved"
        code = apart.code()
        sent = await client.post("/say", data=form | {"approval_code": f"{code[:3]} {code[3:]}"})
        assert sent.status_code == 303
        assert await apart.told() == {"Họp thôn"}
        again = await client.post("/say", data=await apart.say(title="Khác") | {"approval_code": code})
        assert "đã dùng" in again.text, "a code is good for one yes"
        assert await apart.told() == {"Họp thôn"}


async def test_a_late_code_and_one_of_somebody_without_an_entry_are_refused_in_words(apart: Apart) -> None:
    hoa = await apart.site.centre.somebody("hoa", "approver", apart.site.root)
    late = apart.code()
    apart.site.centre.clock.step(minutes=2)
    async with visitor(apart.site) as client, visitor(apart.site, who=hoa) as other:
        assert "đã hết hạn" in (await client.post("/say", data=await apart.say(approval_code=late))).text
        await apart.guess()
        locked = await client.post("/say", data=await apart.say(approval_code=apart.code()))
        assert "Đợi 3 phút" in locked.text
        stranger = await other.post("/say", data=await apart.say(approval_code="123456"))
        assert "chưa có mục phê duyệt" in stranger.text
    assert await apart.told() == set()


async def test_a_request_is_approved_on_the_page_with_a_code(apart: Apart) -> None:
    hoa, nam = (
        await apart.site.centre.somebody("hoa", "operator", apart.site.root),
        await apart.somebody("nam", "approver"),
    )
    await apart.another_is_asked()
    form = await apart.say(when="later", day="2031-11-25", hour="9:00", confirm_unusual="yes")
    async with visitor(apart.site, who=hoa) as author, visitor(apart.site, who=nam) as leader:
        assert (await author.post("/say", data=form)).status_code == 303, "who only asks needs no code"
        [path] = re.findall(r'href="(/approvals/\w+)"', (await leader.get("/approvals")).text)
        await hear(apart.site, leader, str(form["recording"]))
        page = await leader.get(path)
        assert ASKED in page.text
        assert "đúng nội dung, nơi phát và khoảng thời gian ghi trên trang này" in page.text
        refused = await leader.post(path, data={"act": "approve", "approval_code": "000000"})
        assert (refused.status_code, "Mã sai" in refused.text) == (422, True)
        assert await apart.told() == set()
        done = await leader.post(path, data={"act": "approve", "approval_code": apart.code(nam)})
        assert done.headers["location"] == "/approvals?done=approved"
    assert await apart.told() == {"Họp thôn"}


async def test_over_the_api_a_code_goes_in_a_header(apart: Apart) -> None:
    form = await apart.say()
    wanted = {"title": "Họp thôn", "recordings": [form["recording"]], "targets": form["target"]}
    async with visitor(apart.site) as client:
        refused = await client.post("/api/v1/broadcasts", json=wanted)
        error = refused.json()["error"]
        assert (refused.status_code, error["code"], error["fields"]["problem"]) == (422, "approval_code", "needed")
        sent = await client.post("/api/v1/broadcasts", json=wanted, headers={HEADER: apart.code()})
        assert sent.status_code == 201
    assert await apart.told() == {"Họp thôn"}


async def test_a_series_waits_for_a_code_whoever_writes_it_and_keeps_it_for_a_quarter(apart: Apart) -> None:
    made, clock = await programme(apart.site, length_ms=24_000), apart.site.centre.clock
    async with visitor(apart.site) as client:
        saved = await client.post("/schedules/new", data=planned(made, apart.site, confirm_unusual="yes"))
        assert "Chờ duyệt" in said(await client.get(saved.headers["location"]))
        assert await apart.told() == set()
        [path] = re.findall(r'href="(/approvals/\w+)"', (await client.get("/approvals")).text)
        [file] = re.findall(r'data-listening="/api/v1/recordings/(\w+)/listening"', (await client.get(path)).text)
        await hear(apart.site, client, file)
        done = await client.post(path, data={"act": "approve", "approval_code": apart.code()})
        assert done.headers["location"] == "/approvals?done=approved"
        assert await apart.told() == {"Buổi chiều"}
        for weeks, is_asked in ((6, False), (9, True)):
            clock.now += timedelta(weeks=weeks)
            await apart.site.centre.services.schedules.roll_due()
            assert await apart.told() == {"Buổi chiều"}
            waiting = await apart.site.centre.services.approvals.list(apart.site.centre.actor)
            assert bool(waiting) is is_asked, "anew after a quarter"
    async with apart.site.centre.database.reading() as session:
        assert not list(await session.scalars(select(Alarm.id).where(Alarm.kind == REFUSED)))


async def test_what_was_agreed_to_before_the_signer_stood_apart_is_agreed_to_after_an_edit(apart: Apart) -> None:
    """As ``docs/signer.md`` says: rows say yes, the signer knows none."""
    made, services = await programme(apart.site, length_ms=24_000), apart.site.centre.services
    async with visitor(apart.site) as client:
        await client.post("/schedules/new", data=planned(made, apart.site, confirm_unusual="yes"))
        [path] = re.findall(r'href="(/approvals/\w+)"', (await client.get("/approvals")).text)
        [file] = re.findall(r'data-listening="/api/v1/recordings/(\w+)/listening"', (await client.get(path)).text)
        await hear(apart.site, client, file)
        await client.post(path, data={"act": "approve", "approval_code": apart.code()})
        apart.elsewhere.forgets()
        assert await apart.told() == set()
        [schedule] = await services.schedules.list(apart.site.centre.actor)
        edit = planned(made, apart.site, confirm_unusual="yes", hour="17h31", version=schedule.version)
        assert (await client.post(f"/schedules/{schedule.id}/edit", data=edit)).status_code == 303
        [path] = re.findall(r'href="(/approvals/\w+)"', (await client.get("/approvals")).text)
        done = await client.post(path, data={"act": "approve", "approval_code": apart.code()})
        assert done.headers["location"] == "/approvals?done=approved"
    assert await apart.told() == {"Buổi chiều"}


async def test_a_code_for_another_place_is_refused_in_words_and_stays_good(apart: Apart) -> None:
    apart.elsewhere.binds(apart.site.centre.person.id, set())
    code = apart.code()
    async with visitor(apart.site) as client:
        refused = await client.post("/say", data=await apart.say(approval_code=code))
        assert "không dùng cho nơi này" in refused.text
        apart.elsewhere.binds(apart.site.centre.person.id, {apart.site.root.id})
        assert (await client.post("/say", data=await apart.say(approval_code=code))).status_code == 303
    assert await apart.told() == {"Họp thôn"}


async def test_an_emergency_takes_a_code_of_each_of_two_people(apart: Apart) -> None:
    alert, nam = await message(apart.site), await apart.somebody("nam", "approver")
    async with visitor(apart.site) as first, visitor(apart.site, who=nam) as second:
        refused = await first.post("/emergencies/new", data=typed(apart.site, alert))
        assert "Chưa có mã phê duyệt" in refused.text
        path = await propose(first, typed(apart.site, alert, approval_code=apart.code()))
        assert "Mã là lời đồng ý thứ hai" in (await second.get(path)).text
        assert (await second.post(path, data={"act": "confirm"})).status_code == 422
        assert await apart.told() == set()
        apart.site.centre.clock.step(minutes=20)
        await second.post(path, data={"act": "confirm", "approval_code": apart.code(nam)})
    assert await apart.told() == {"Lũ quét"}


async def test_a_broken_glass_and_an_all_clear_take_one_code_and_half_a_minute(apart: Apart) -> None:
    alert, _, here = await message(apart.site), await message(apart.site, "all_clear", "Hết lũ"), apart.site.centre
    async with visitor(apart.site) as client:
        path = await propose(client, typed(apart.site, alert, approval_code=apart.code()))
        alone = {"act": "break_glass", "reason": "Không gọi được ai"}
        assert (await client.post(path, data=alone)).status_code == 422
        await client.post(path, data=alone | {"approval_code": apart.code()})
        here.clock.step(seconds=29)
        await here.services.firing.do_due()
        assert await apart.told() == set()
        here.clock.step(seconds=2)
        await here.services.firing.do_due()
        assert await apart.told() == {"Lũ quét"}
        page = (await client.get(path)).text
        assert "sau 30 giây. Muốn im lặng ngay: bấm DỪNG" in page
        assert "ngay lập tức" not in page
        followed = await client.post(path, data={"act": "all_clear", "approval_code": apart.code()})
        assert followed.status_code == 303
        assert await apart.told() == {"Lũ quét"}
        here.clock.step(seconds=31)
        await here.services.firing.do_due()
        assert await apart.told() == {"Hết lũ"}


async def test_fewer_quiet_hours_than_usual_take_a_code(apart: Apart) -> None:
    path = f"/policies/{apart.site.root.id}/quiet-hours"
    async with visitor(apart.site) as client:
        assert "lời đồng ý của bạn với các giờ đó" in (await client.get(f"/policies/{apart.site.root.id}")).text
        assert (await client.post(path, data={"quiet": "21:00-05:30"})).status_code == 303, "quieter takes none"
        refused = await client.post(path, data={"quiet": "22:00-04:30"})
        assert (refused.status_code, "Chưa có mã phê duyệt" in refused.text) == (422, True)
        assert (await client.post(path, data={"quiet": "22:00-04:30", "approval_code": "000000"})).status_code == 422
        said = {"quiet": "22:00-04:30", "approval_code": apart.code()}
        assert (await client.post(path, data=said)).status_code == 303
    [area] = [each for each in await apart.site.centre.services.areas.tree(apart.site.centre.actor) if each.quiet_hours]
    assert [(each.start, each.until) for each in area.quiet_hours or ()] == [("22:00", "04:30")]
