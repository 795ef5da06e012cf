"""Sửa lần phát: prefilled, told what would be otherwise, saved in its place; what has begun is left alone."""

import re
from datetime import timedelta

from controller.broadcasts.schemas import BroadcastIn
from controller.people.rights import Role
from controller.policies.schemas import PolicyIn, PolicyRules, SecondPerson
from edge_agent.protocol.states import PlayState
from tests.web.harness import MONDAY, Commune, visitor
from tests.web.pages import programme, said

EVENING = MONDAY.replace(hour=12, minute=0)
"""19:00 in Hanoi on that day."""


def fields(site: Commune, **given: object) -> dict[str, object]:
    """Give the form as the page prefills it for a broadcast to Thôn Trại in the evening."""
    typed = {
        "key": "0123456789abcdef" * 2,
        "keep": "yes",
        "title": "Mất nước",
        "target": [site.hamlets["Thôn Trại"].scope],
        "when": "later",
        "day": "2031-11-24",
        "hour": "19:00",
    }
    return typed | given


async def test_the_form_holds_what_was_sent(site: Commune) -> None:
    run = await site.broadcast("Mất nước", "Thôn Trại", start_at=EVENING, level="priority")
    async with visitor(site) as client:
        assert f'href="/broadcasts/{run.id}/edit"' in (await client.get(f"/broadcasts/{run.id}")).text
        page = (await client.get(f"/broadcasts/{run.id}/edit")).text
    assert f'action="/broadcasts/{run.id}/edit"' in page
    for part in (
        'name="keep" value="yes"',
        'name="title" value="Mất nước"',
        f'name="target" value="{site.hamlets["Thôn Trại"].scope}" checked',
        'name="when" value="later" checked',
        '<option value="2031-11-24" selected>',
        'name="hour" class="hour" value="19:00"',
        'name="level" value="priority" checked',
    ):
        assert part in page, part
    assert 'id="try"' not in page


async def test_it_is_said_what_would_be_otherwise_and_saved_in_its_place(site: Commune) -> None:
    run = await site.broadcast("Mất nước", "Thôn Trại", start_at=EVENING)
    typed = fields(site, hour="19:30", target=[site.hamlets["Thôn Đồng"].scope])
    async with visitor(site) as client:
        told = (await client.post(f"/broadcasts/{run.id}/edit/preview", data=typed)).text
        assert "Đổi giờ: từ 19:00 sang 19:30." in told
        assert "2 cụm không phát nữa: Cổng chợ Trại, Đầu làng Trại." in told
        assert "Nhà văn hóa thôn Đồng phát thêm." in told
        assert "LƯU THAY ĐỔI · 1 cụm" in told
        assert f'href="/broadcasts/{run.id}"' in told
        answer = await client.post(f"/broadcasts/{run.id}/edit", data=typed)
        assert answer.status_code == 303
        later = answer.headers["location"].removeprefix("/broadcasts/")
        before = (await client.get(f"/broadcasts/{run.id}")).text
        assert "Đã thay bằng bản sửa" in before
        assert "Bắt đầu 19:00" not in before  # of that one nothing begins any more
    changed = await site.centre.services.broadcasts.get(site.centre.actor, later)
    assert (changed.run_id, changed.start_at) == (run.id, EVENING + timedelta(minutes=30))
    assert [each.scope for each in changed.targets] == [site.hamlets["Thôn Đồng"].scope]
    assert [each.recording_id for each in changed.items] == [each.recording_id for each in run.items]


async def test_sent_twice_it_is_changed_once(site: Commune) -> None:
    run = await site.broadcast("Mất nước", start_at=EVENING)
    typed = fields(site, hour="19:30", once="0123456789abcdef" * 2)
    async with visitor(site) as client:
        answers = [await client.post(f"/broadcasts/{run.id}/edit", data=typed) for _ in range(2)]
    assert [each.status_code for each in answers] == [303, 303]
    assert answers[1].headers["location"] == answers[0].headers["location"] + "?before=yes"


async def test_what_is_chosen_instead_is_said_instead(site: Commune) -> None:
    run = await site.broadcast("Mất nước", "Thôn Trại", start_at=EVENING)
    other = await site.centre.recording("Có nước lại")
    async with visitor(site) as client:
        answer = await client.post(f"/broadcasts/{run.id}/edit", data=fields(site, recording=other))
    changed = await site.centre.services.broadcasts.get(site.centre.actor, answer.headers["location"].split("/")[-1])
    assert [each.recording_id for each in changed.items] == [other]


async def test_a_programme_is_moved_with_its_lead_in_and_its_own_latest_start(site: Commune) -> None:
    made, services = await programme(site), site.centre.services
    wanted = {"programme_id": made.id, "latest_start_at": EVENING + timedelta(minutes=20)}
    run = await site.broadcast("Mất nước", "Thôn Trại", start_at=EVENING)
    given = {"title": run.title, "targets": [run.targets[0].scope], "start_at": EVENING + timedelta(seconds=3)}
    run = await services.broadcasts.change(site.centre.actor, run.id, BroadcastIn.checked(**given | wanted))
    async with visitor(site) as client:
        answer = await client.post(f"/broadcasts/{run.id}/edit", data=fields(site, hour="20:00"))
    changed = await services.broadcasts.get(site.centre.actor, answer.headers["location"].split("/")[-1])
    hour = timedelta(hours=1)
    assert (changed.start_at, changed.latest_start_at) == (run.start_at + hour, run.latest_start_at + hour)
    assert (changed.latest_end_at, changed.length_ms) == (run.latest_end_at + hour, run.length_ms)


async def test_a_yes_that_was_asked_for_ends_and_that_is_said(site: Commune) -> None:
    services = site.centre.services
    rules = PolicyRules(second_person=(SecondPerson(category="*", level="*"),))
    await services.policies.put(site.centre.actor, site.root.id, PolicyIn(version=0, rules=rules))
    run = await site.broadcast("Mất nước", "Thôn Trại", start_at=EVENING)
    assert run.phase == "awaiting_approval"
    async with visitor(site) as client:
        told = (await client.post(f"/broadcasts/{run.id}/edit/preview", data=fields(site, hour="19:30"))).text
    assert "Phê duyệt trước đây hết hiệu lực: phải duyệt lại từ đầu." in told
    assert "GỬI ĐI DUYỆT" in told


async def test_what_is_on_air_says_that_it_cannot_be_changed(site: Commune) -> None:
    run = await site.broadcast("Mất nước", "Thôn Trại", start_at=EVENING)
    site.centre.clock.now = EVENING + timedelta(seconds=5)
    await site.reach(run, PlayState.PLAYING, "Đầu làng Trại")
    async with visitor(site) as client:
        page = (await client.get(f"/broadcasts/{run.id}")).text
        assert "Đang phát nên không sửa được nữa." in page
        assert f"/broadcasts/{run.id}/edit" not in page
        form = await client.get(f"/broadcasts/{run.id}/edit")
        assert form.status_code == 409
        assert "đã bắt đầu hoặc đã qua, không đổi được nữa" in form.text
        typed = fields(site, hour="20:00")
        sent = await client.post(f"/broadcasts/{run.id}/edit", data=typed)
        assert sent.status_code == 422
        assert "đã bắt đầu hoặc đã qua" in sent.text
        assert 'value="20:00"' in sent.text  # nothing typed is lost
        assert "đã bắt đầu hoặc đã qua" in (await client.post(f"/broadcasts/{run.id}/edit/preview", data=typed)).text


async def test_who_only_looks_is_offered_no_change(site: Commune) -> None:
    run = await site.broadcast("Mất nước", "Thôn Trại", start_at=EVENING)
    observer = await site.centre.somebody("tuan", Role.OBSERVER, site.root)
    async with visitor(site, who=observer) as client:
        page = (await client.get(f"/broadcasts/{run.id}")).text
        assert f"/broadcasts/{run.id}/edit" not in page
        assert (await client.get(f"/broadcasts/{run.id}/edit")).status_code == 403


async def test_a_priority_is_chosen_beside_the_name_and_sent(site: Commune) -> None:
    recording = await site.centre.recording("Mưa đá")
    async with visitor(site) as client:
        page = (await client.get("/say")).text
        assert re.search(r'type="checkbox" name="level" value="priority">', page)
        typed = fields(site, recording=recording, title="Mưa đá", level="priority")
        answer = await client.post("/say", data=typed)
    run = await site.centre.services.broadcasts.get(site.centre.actor, answer.headers["location"].split("/")[-1])
    assert (run.level, [each.recording_id for each in run.items]) == ("priority", [recording])


async def test_a_new_broadcast_keeps_nothing(site: Commune) -> None:
    async with visitor(site) as client:
        answer = await client.post("/say", data=fields(site))
    assert answer.status_code == 422
    assert "Thu âm" in answer.text


async def test_a_change_that_is_heard_at_once_says_so_on_its_button(site: Commune) -> None:
    run = await site.broadcast("Mất nước", "Thôn Trại", start_at=EVENING)
    async with visitor(site) as client:
        told = (await client.post(f"/broadcasts/{run.id}/edit/preview", data=fields(site, when="now"))).text
    assert "PHÁT tới 2 cụm" in told
    assert "LƯU THAY ĐỔI" not in told


async def test_what_needs_no_yes_and_is_changed_by_who_does_is_said_to_be_taken_back(site: Commune) -> None:
    services = site.centre.services
    run = await site.broadcast("Mất nước", "Thôn Trại", start_at=EVENING)
    rules = PolicyRules(second_person=(SecondPerson(category="*", level="*"),))
    await services.policies.put(site.centre.actor, site.root.id, PolicyIn(version=0, rules=rules))
    asked = await site.broadcast("Mất điện", "Thôn Đồng", start_at=EVENING)
    withdrawn = "Lưu là rút bản đã gửi lại ngay: chưa ai duyệt bản sửa thì không cụm nào phát."
    async with visitor(site) as client:
        told = (await client.post(f"/broadcasts/{run.id}/edit/preview", data=fields(site, hour="19:30"))).text
        assert withdrawn in told
        told = (await client.post(f"/broadcasts/{asked.id}/edit/preview", data=fields(site, hour="19:30"))).text
        assert withdrawn not in told  # nothing of it is at a node yet


async def test_who_comes_second_is_told_that_another_version_stands_there(site: Commune) -> None:
    run = await site.broadcast("Mất nước", "Thôn Trại", start_at=EVENING)
    async with visitor(site) as client:
        first = await client.post(f"/broadcasts/{run.id}/edit", data=fields(site, hour="19:30"))
        assert first.status_code == 303
        second = await client.post(f"/broadcasts/{run.id}/edit", data=fields(site, hour="20:30"))
        assert (second.status_code, "vừa được sửa thành bản khác" in second.text) == (422, True)
        opened = await client.get(f"/broadcasts/{run.id}/edit")
        assert (opened.status_code, "vừa được sửa thành bản khác" in opened.text) == (409, True)
        assert (await client.post(first.headers["location"] + "/cancel")).status_code == 303
        third = await client.post(first.headers["location"] + "/edit", data=fields(site, hour="20:30"))
        assert (third.status_code, "Lần phát này đã bị hủy" in third.text) == (422, True)


async def test_who_takes_back_what_was_changed_meanwhile_is_told_that_the_other_version_still_sounds(
    site: Commune,
) -> None:
    """Their page still has the button of the version that it shows."""
    run = await site.broadcast("Mất nước", start_at=site.centre.clock() + timedelta(hours=1))
    async with visitor(site) as client:
        start_at = site.centre.clock() + timedelta(hours=2)
        other = BroadcastIn.checked(title="Mất nước", targets=[site.root.scope], start_at=start_at)
        later = await site.centre.services.broadcasts.change(site.centre.actor, run.id, other)
        pressed = await client.post(f"/broadcasts/{run.id}/cancel", data={})
        page = await client.get(pressed.headers["location"])
        assert "CHƯA hủy được: lần phát này vừa được thay bằng bản sửa" in said(page)
        assert f'href="/broadcasts/{later.id}"' in page.text
        assert (await site.centre.services.broadcasts.get(site.centre.actor, later.id)).phase == "sending"
        for _ in range(2):
            again = await client.post(f"/broadcasts/{later.id}/cancel", data={})
            assert again.headers["location"] == f"/broadcasts/{later.id}"
    assert (await site.centre.services.broadcasts.get(site.centre.actor, later.id)).phase == "cancelled"
