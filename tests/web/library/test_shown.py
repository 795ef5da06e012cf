"""A recording is said to be chosen where somebody chose it, and not where it is merely shown."""

from controller.bulletins.schemas import BulletinIn
from tests.web.harness import Commune, visitor


async def test_a_recording_is_called_chosen_in_forms_alone(site: Commune) -> None:
    recording = await site.centre.recording("Bản tin xã", area_id=site.root.id)
    voices = [{"language": "vi", "text": "Tin", "recording_id": recording}]
    wanted = BulletinIn.model_validate({"area_id": site.root.id, "title": "Tin xã", "voices": voices})
    made = await site.centre.services.bulletins.create(site.centre.actor, wanted)
    async with visitor(site) as client:
        for path in (f"/recordings/{recording}", f"/bulletins/{made.id}"):
            page = (await client.get(path)).text
            assert "<b>Bản tin xã</b>" in page, path
            assert "Đã chọn:" not in page, path
        for path in (f"/say?recording={recording}", f"/bulletins/{made.id}/edit"):
            assert "Đã chọn:" in (await client.get(path)).text, path
