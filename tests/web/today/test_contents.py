"""The page of a broadcast tells what it says, in its order, lets it be heard, and leads to where it comes from."""

import re

from controller.broadcasts.schemas import SaidOut
from controller.recordings.models import Recording
from tests.web.harness import Commune, visitor
from tests.web.pages import said
from tests.web.scenes.broken import approved, broken, morning
from tests.web.test_words import FORM
from web.views.contents import parts


def voice(position: int, language: str, **given: object) -> SaidOut:
    known = {"position": position, "recording_id": f"r{position}{language}", "title": "Lũ", "language": language}
    plain = {"media_url": "/media/x.opus", "words": "", "is_signal": False, "is_machine": False, "bulletin_id": None}
    return SaidOut.model_validate({**known, "offset_ms": position * 15_000, "length_ms": 65_000, **plain, **given})


def test_voices_of_one_part_stand_together_with_their_languages() -> None:
    found = parts([voice(0, "vi"), voice(1, "vi"), voice(1, "hmn", is_machine=True, media_url=None)], FORM)
    assert [part.at for part in found] == ["0:00", "0:15"]
    machine = f"{FORM.text.word('spoken', 'hmn')} · 1 phút 5 giây · {FORM.text('speech.mark')}"
    spoken = ["tiếng Việt · 1 phút 5 giây", f"{machine} · tệp đã rút, không nghe lại được"]
    assert [each.said for each in found[1].voices] == spoken
    assert [each.player is not None for each in found[1].voices] == [True, False]


async def test_what_is_said_is_read_heard_and_followed_back(site: Commune) -> None:
    there = await morning(site)
    await approved(site, await broken(site, there))
    await site.centre.services.schedules.roll_due()
    single = await site.broadcast("Mất nước", length_ms=24_000)
    site.centre.clock.step(hours=12)
    async with visitor(site) as client:
        [run] = set(re.findall(r"/broadcasts/([0-9A-Za-z-]+)", (await client.get("/history?q=buoi+sang")).text))
        page = await client.get(f"/broadcasts/{run}")
        alone = await client.get(f"/broadcasts/{single.id}")
    assert "Lịch: Buổi sáng · Chương trình: Chương trình sáng" in said(page)
    for href in (f"/schedules/{there.schedule_id}", f"/programmes/{there.programme_id}"):
        assert f'href="{href}"' in page.text
    fold = page.text.partition('id="content"')[2].partition("</details>")[0]
    assert f'href="/bulletins/{there.bulletin.id}">Tin sáng</a>' in fold
    assert "Kính chào bà con" in fold  # as it was when it was planned
    assert "tiếng Việt · 1 phút" in fold
    [media] = re.findall(r'<audio preload="none" src="(/media/[0-9a-f]{64}\.opus)">', fold)
    assert "js/listen.js" in page.text
    assert page.text.index("data-live") < page.text.index('id="content"')  # not redrawn while somebody listens
    assert "Lịch:" not in said(alone).partition("Mất nước")[2]
    assert "24 giây" in alone.text.partition('id="content"')[2]
    assert media


async def test_what_was_withdrawn_is_named_and_not_played(site: Commune) -> None:
    run = await site.broadcast("Mất nước", length_ms=24_000)
    async with site.centre.database.transaction() as tx:
        row = await tx.session.get_one(Recording, run.items[0].recording_id)
        row.withdrawn_at = site.centre.clock()
    async with visitor(site) as client:
        page = await client.get(f"/broadcasts/{run.id}")
    fold = page.text.partition('id="content"')[2].partition("</details>")[0]
    assert "tệp đã rút" in fold
    assert "<audio" not in fold


async def test_below_it_is_heard_and_nothing_of_the_schedule_is_shown(site: Commune) -> None:
    there = await morning(site)
    site.centre.clock.step(hours=12)
    helper = await site.centre.somebody("tam", "helper", site.hamlets["Thôn Đồng"])
    async with visitor(site, who=helper) as client:
        [run] = set(re.findall(r"/broadcasts/([0-9A-Za-z-]+)", (await client.get("/history?q=buoi+sang")).text))
        page = await client.get(f"/broadcasts/{run}")
    fold = page.text.partition('id="content"')[2].partition("</details>")[0]
    assert "Kính thưa bà con" in fold
    assert "<audio" in fold
    assert "/bulletins/" not in fold
    assert there.schedule_id not in page.text
    assert there.programme_id not in page.text
