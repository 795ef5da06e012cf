"""What a programme holds of a place above is named as whose it is, and leads nowhere that this person may not go."""

import re

from sqlalchemy import event

from controller.bulletins.schemas import BulletinIn, OfferIn, VersionSeen
from controller.people.actor import Actor
from controller.programmes.schemas import ItemIn, ProgrammeIn
from tests.controller.factories import ADDRESS
from tests.web.harness import Commune, visitor
from tests.web.pages import planned, said


async def _bulletin(site: Commune, recording: str, *, offered: bool) -> str:
    services, actor = site.centre.services, site.centre.actor
    voices = [{"language": "vi", "text": "Tin", "recording_id": recording}]
    wanted = BulletinIn.model_validate({"area_id": site.root.id, "title": "Bản tin xã", "voices": voices})
    made = await services.bulletins.create(actor, wanted)
    await services.bulletins.submit(actor, made.id, VersionSeen(version=made.version))
    await services.bulletins.approve(actor, made.id, VersionSeen(version=made.version))
    if offered:
        await services.bulletins.offer(actor, made.id, OfferIn(version=made.version))
    return made.id


async def test_items_of_above_are_named_with_whose_they_are_and_have_no_link(site: Commune) -> None:
    programmes, actor, hamlet = site.centre.services.programmes, site.centre.actor, site.hamlets["Thôn Đồng"]
    recordings = [
        await site.centre.recording(title, area_id=area_id)
        for title, area_id in (
            ("Nhạc hiệu", None),
            ("Lời chào", site.root.id),
            ("Tin thôn bên", site.hamlets["Thôn Trại"].id),
            ("Tin thôn", hamlet.id),
        )
    ]
    offered = await _bulletin(site, recordings[1], offered=True)
    items = [ItemIn.model_validate({"kind": "recording", "recording_id": each}) for each in recordings]
    items.append(ItemIn.model_validate({"kind": "bulletin", "bulletin_id": offered}))
    made = await programmes.create(actor, ProgrammeIn(area_id=hamlet.id, title="Chương trình thôn", items=items))
    tam = await site.centre.somebody("tam", "operator", hamlet)
    async with visitor(site, who=tam) as client, visitor(site) as whole:
        page = await client.get(f"/programmes/{made.id}")
        rows = [re.sub(r"<[^>]*>", " ", row) for row in re.findall(r'<li class="item".*?</li>', page.text, re.DOTALL)]
        assert "của trung tâm" in rows[0]
        assert "của nơi khác" in rows[2]
        assert all("của " not in rows[at] for at in (1, 3, 4)), "theirs, or offered to them"
        links = set(re.findall(r'href="(/(?:recordings|bulletins)/\w+)"', page.text))
        assert links == {f"/recordings/{each}" for each in (recordings[1], recordings[3])} | {f"/bulletins/{offered}"}
        for link in links:
            assert (await client.get(link)).status_code == 200, link
        everything = await whole.get(f"/programmes/{made.id}")
        assert all(f'href="/recordings/{each}"' in everything.text for each in recordings)
        assert "của trung tâm" not in said(everything)


async def test_a_bulletin_that_is_offered_no_more_is_named_with_its_place(site: Commune) -> None:
    services, actor, hamlet = site.centre.services, site.centre.actor, site.hamlets["Thôn Đồng"]
    recording = await site.centre.recording("Lời chào", area_id=site.root.id)
    offered = await _bulletin(site, recording, offered=True)
    items = [ItemIn.model_validate({"kind": "bulletin", "bulletin_id": offered})]
    made = await services.programmes.create(
        actor, ProgrammeIn(area_id=hamlet.id, title="Chương trình thôn", items=items)
    )
    await services.bulletins.end_offer(actor, offered)
    tam = await site.centre.somebody("tam", "operator", hamlet)
    async with visitor(site, who=tam) as client:
        page = await client.get(f"/programmes/{made.id}")
        assert "của Xã Nga My" in said(page)
        assert f'href="/bulletins/{offered}"' not in page.text
        assert (await client.get(f"/bulletins/{offered}")).status_code == 404


async def test_whose_they_are_is_asked_once_for_all_items(site: Commune) -> None:
    programmes, actor, hamlet = site.centre.services.programmes, site.centre.actor, site.hamlets["Thôn Đồng"]
    tam = Actor((await site.centre.somebody("tam", "operator", hamlet)).id, ADDRESS)
    engine, asked, counts = site.centre.database.engine.sync_engine, list[str](), set[int]()

    def note(*said: object) -> None:
        asked.append(str(said[2]))

    for many in (2, 2, 8):  # whatever is kept in memory is there after the first
        recordings = [await site.centre.recording(f"Nhạc {many} {each}", area_id=site.root.id) for each in range(many)]
        items = [ItemIn.model_validate({"kind": "recording", "recording_id": each}) for each in recordings]
        made = await programmes.create(actor, ProgrammeIn(area_id=hamlet.id, title="Nhạc", items=items))
        await programmes.get(tam, made.id)
        asked.clear()
        event.listen(engine, "before_cursor_execute", note)
        found = await programmes.get(tam, made.id)
        event.remove(engine, "before_cursor_execute", note)
        assert [each.belongs_to for each in found.items] == [site.root.name] * many
        counts.add(len(asked))
    assert len(counts) == 1


async def test_a_schedule_leads_to_no_programme_of_above(site: Commune) -> None:
    services, actor, hamlet = site.centre.services, site.centre.actor, site.hamlets["Thôn Đồng"]
    recording = await site.centre.recording("Lời chào", area_id=site.root.id)
    items = [ItemIn.model_validate({"kind": "recording", "recording_id": recording})]
    made = await services.programmes.create(
        actor, ProgrammeIn(area_id=site.root.id, title="Chương trình xã", items=items)
    )
    tam = await site.centre.somebody("tam", "operator", hamlet)
    async with visitor(site) as whole, visitor(site, who=tam) as client:
        saved = await whole.post("/schedules/new", data=planned(made, site, target=[hamlet.scope]))
        place = saved.headers["location"].partition("?")[0]
        assert f'href="/programmes/{made.id}"' in (await whole.get(place)).text
        page = await client.get(place)
        assert page.status_code == 200
        assert f'href="/programmes/{made.id}"' not in page.text
