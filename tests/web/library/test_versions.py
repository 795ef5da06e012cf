"""Các bản trước: what a bulletin said before, who decided what and why, and how one comes back."""

import re

from controller.bulletins.schemas import BulletinChange, BulletinIn, BulletinOut, OfferIn, ReturnIn, VersionSeen
from controller.people.actor import Actor
from controller.people.schemas import PersonOut
from tests.web.harness import Commune, visitor
from tests.web.pages import hear, said


def acting(person: PersonOut) -> Actor:
    return Actor(person.id, "tests")


async def twice_written(site: Commune, author: PersonOut, leader: PersonOut) -> BulletinOut:
    """Write a bulletin, have it returned, and mend it: another hour, and now a recording."""
    bulletins, who = site.centre.services.bulletins, acting(author)
    wanted = {"area_id": site.root.id, "title": "Cắt nước", "voices": [{"language": "vi", "text": "Từ 8 giờ."}]}
    made = await bulletins.create(who, BulletinIn.model_validate(wanted))
    await bulletins.submit(who, made.id, VersionSeen(version=1))
    await bulletins.return_(acting(leader), made.id, ReturnIn(version=1, reason="Thiếu giờ kết thúc"))
    recording = await site.centre.recording("Cắt nước", area_id=site.root.id)
    voices = [{"language": "vi", "text": "Từ 8 giờ đến 11 giờ.", "recording_id": recording}]
    return await bulletins.change(who, made.id, BulletinChange.model_validate({"version": 1, "voices": voices}))


async def test_an_author_reads_what_was_said_before_and_why_it_came_back(site: Commune) -> None:
    hoa, nam = [await site.centre.somebody(*each, site.root) for each in (("hoa", "operator"), ("nam", "approver"))]
    made = await twice_written(site, hoa, nam)
    path = f"/bulletins/{made.id}"
    async with visitor(site, who=hoa) as author:
        assert "Các bản trước (2 bản)" in said(await author.get(path))
        listed = said(await author.get(f"{path}/versions"))
        assert re.search(r"Bản 2: Cắt nước hoa lưu lúc .* Bản hiện nay .*Bản 1: Cắt nước hoa lưu lúc", listed)
        assert re.search(r"nam trả lại lúc [^:]*:\d\d: Thiếu giờ kết thúc", listed)
        before = said(await author.get(f"{path}/versions/1"))
        assert "Từ 8 giờ." in before
        assert "Thiếu giờ kết thúc" in before
        changed = before.partition("Bản 2 khác bản 1 chỗ nào")[2]
        assert "trước: Từ 8 giờ. → nay: Từ 8 giờ đến 11 giờ." in changed
        assert "trước: không có → nay: tệp mới" in changed
        for none in ("/versions/3", "/versions/0", "/versions/x", "/versions/1e9"):
            assert (await author.get(path + none)).status_code == 404


async def test_a_version_is_held_against_any_other(site: Commune) -> None:
    made = await twice_written(site, site.centre.person, site.centre.person)
    change = BulletinChange(version=2, title="Mất nước")
    await site.centre.services.bulletins.change(site.centre.actor, made.id, change)
    path = f"/bulletins/{made.id}/versions"
    async with visitor(site) as client:
        nearest, asked = [said(await client.get(f"{path}/3{given}")) for given in ("", "?against=1")]
        assert "Bản 3 khác bản 2 chỗ nào" in nearest
        assert "Từ 8 giờ. →" not in nearest
        assert "trước: Cắt nước → nay: Mất nước" in nearest
        assert "Bản 3 khác bản 1 chỗ nào" in asked
        assert "Từ 8 giờ. →" in asked
        assert "Bản 3 khác bản 2 chỗ nào" in said(await client.get(f"{path}/3?against=3"))


async def test_an_old_version_comes_back_as_a_new_one_that_waits_for_its_yes(site: Commune) -> None:
    hoa, nam = [await site.centre.somebody(*each, site.root) for each in (("hoa", "operator"), ("nam", "approver"))]
    made = await twice_written(site, hoa, nam)
    bulletins, path = site.centre.services.bulletins, f"/bulletins/{made.id}"
    await bulletins.submit(acting(hoa), made.id, VersionSeen(version=2))
    async with visitor(site, who=hoa) as author, visitor(site, who=nam) as leader:
        await hear(site, leader, made.voices[0].recording_id or "")
        assert (await leader.post(path, data={"act": "approve", "version": "2"})).status_code == 303
        assert "nam duyệt lúc" in said(await author.get(f"{path}/versions/2"))
        assert "Lấy lại bản này" not in (await author.get(f"{path}/versions/2")).text
        assert "phải duyệt rồi mới phát được" in said(await author.get(f"{path}/versions/1"))
        stale = await author.post(f"{path}/versions/1", data={"version": "1"})
        assert stale.status_code == 422
        assert (await bulletins.get(acting(hoa), made.id)).version == 2
        assert (await author.post(f"{path}/versions/1", data={"version": "2"})).headers["location"].startswith(path)
    now = await bulletins.get(acting(hoa), made.id)
    assert (now.version, now.state, now.voices[0].text, now.voices[0].recording_id) == (3, "draft", "Từ 8 giờ.", None)


async def test_a_version_with_a_sound_that_was_withdrawn_does_not_come_back(site: Commune) -> None:
    made = await twice_written(site, site.centre.person, site.centre.person)
    services, actor = site.centre.services, site.centre.actor
    words = BulletinChange.model_validate({"version": 2, "voices": [{"language": "vi", "text": "Thôi."}]})
    await services.bulletins.change(actor, made.id, words)
    await services.recordings.withdraw(actor, made.voices[0].recording_id or "")
    async with visitor(site) as client:
        refused = await client.post(f"/bulletins/{made.id}/versions/2", data={"version": "3"})
        assert refused.status_code == 422
        assert "Tệp này không dùng được nữa. Hãy chọn tệ" in said(refused)
    assert (await services.bulletins.get(actor, made.id)).version == 3


async def test_who_only_reads_takes_nothing_up_and_others_see_no_version(site: Commune) -> None:
    above = await site.centre.area("Tỉnh Thái Nguyên", kind="province")
    quan = await site.centre.somebody("quan", "observer", site.root)
    stranger = await site.centre.somebody("mai", "operator", above)
    made = await twice_written(site, site.centre.person, site.centre.person)
    path = f"/bulletins/{made.id}/versions"
    async with visitor(site, who=quan) as observer, visitor(site, who=stranger) as other:
        assert "Thiếu giờ" in (await observer.get(path)).text
        assert "Lấy lại bản này" not in (await observer.get(f"{path}/1")).text
        assert (await observer.post(f"{path}/1", data={"version": "2"})).status_code in {403, 422}
        assert [(await other.get(each)).status_code for each in (path, f"{path}/1")] == [404, 404]
    assert (await site.centre.services.bulletins.get(site.centre.actor, made.id)).version == 2


async def test_what_is_offered_from_above_tells_nothing_of_its_drafts(site: Commune) -> None:
    province = await site.centre.area("Tỉnh Thái Nguyên", kind="province")
    commune = await site.centre.area("Xã Nga Mi", province, kind="commune")
    bulletins, actor = site.centre.services.bulletins, site.centre.actor
    wanted = {"area_id": province.id, "title": "Bão", "voices": [{"language": "vi", "text": "Bão số 3."}]}
    made = await bulletins.create(actor, BulletinIn.model_validate(wanted))
    await bulletins.submit(actor, made.id, VersionSeen(version=1))
    await bulletins.approve(actor, made.id, VersionSeen(version=1))
    await bulletins.offer(actor, made.id, OfferIn(version=1))
    below = await site.centre.somebody("hoa", "operator", commune)
    async with visitor(site, who=below) as reader:
        assert "Các bản trước" not in (await reader.get(f"/bulletins/{made.id}")).text
        assert (await reader.get(f"/bulletins/{made.id}/versions")).status_code == 404
