"""A change of what was sent: what it says stays as it was laid out, unless something else is given."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from controller.areas.schemas import AreaOut
from controller.broadcasts.models import BroadcastItem
from controller.broadcasts.schemas import BroadcastIn, BroadcastOut
from controller.bulletins.schemas import BulletinChange
from controller.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from controller.people.rights import Role
from controller.programmes.schemas import ProgrammeChange
from tests.controller.factories import Centre
from tests.controller.test_broadcast_contents import rows_of
from tests.controller.test_programmes import programme, says, sound
from tests.controller.words import approved, person, voice

LATER = timedelta(hours=1)


async def of_a_programme(lite: Centre, area: AreaOut, bulletins: Sequence[str]) -> BroadcastOut:
    made = await programme(lite, area, await sound(lite, area), *map(says, bulletins), lead_in_ms=3_000, gap_ms=500)
    sent = await _send(lite, area, programme_id=made.id)
    await lite.services.programmes.change(lite.actor, made.id, ProgrammeChange(version=made.version, items=[]))
    return sent


async def _send(lite: Centre, area: AreaOut, **said: Any) -> BroadcastOut:
    wanted = BroadcastIn.checked(title="Buổi sáng", targets=[area.scope], start_at=lite.clock() + LATER, **said)
    return await lite.services.broadcasts.create(lite.actor, wanted)


def elsewhen(sent: BroadcastOut, *areas: AreaOut) -> BroadcastIn:
    targets = [area.scope for area in areas] or [each.scope for each in sent.targets]
    return BroadcastIn.checked(title="Đổi giờ", targets=targets, start_at=sent.start_at + LATER)


def laid_out(rows: Sequence[BroadcastItem]) -> list[tuple[object, ...]]:
    return [(row.position, row.choice, row.sha256, row.offset_ms, row.gain_mb, row.bulletin_id) for row in rows]


async def test_another_hour_leaves_what_it_says_as_it_was_sent(lite: Centre) -> None:
    """Also where its programme holds something else by now, and its lead-in is not added a second time."""
    area = await lite.area()
    await lite.node(area)
    bulletin = await approved(lite, area, "Cắt nước", await voice(lite, area, length_ms=10_000))
    sent = await of_a_programme(lite, area, [bulletin.id])
    wanted = elsewhen(sent)
    shown = await lite.services.broadcasts.preview(lite.actor, wanted, edits=sent.id)
    assert (shown.start_at, shown.length_ms) == (sent.start_at + LATER, sent.length_ms)
    changed = await lite.services.broadcasts.change(lite.actor, sent.id, wanted)
    assert (changed.run_id, changed.start_at, changed.title) == (sent.id, sent.start_at + LATER, "Đổi giờ")
    assert laid_out(await rows_of(lite, changed.id)) == laid_out(await rows_of(lite, sent.id))


async def test_nothing_is_kept_that_is_not_to_be_said_any_more(lite: Centre) -> None:
    area = await lite.area()
    await lite.node(area)
    bulletin = await approved(lite, area, "Cắt nước", await voice(lite, area))
    sent = await _send(lite, area, bulletins=[bulletin.id])
    await lite.services.bulletins.change(lite.actor, bulletin.id, BulletinChange(version=1, title="Có nước lại"))
    [waiting] = [each for each in await lite.services.broadcasts.today(lite.actor) if each.phase != "replaced"]
    assert waiting.run_id == sent.id
    with pytest.raises(InvalidError) as refused:
        await lite.services.broadcasts.change(lite.actor, waiting.id, elsewhen(waiting))
    assert (refused.value.fields["field"], refused.value.fields["problem"]) == ("items", "not_approved")


async def test_places_that_hear_other_languages_are_told_to_choose_it_anew(lite: Centre) -> None:
    """What was laid out for one language holds none of the others."""
    above = await lite.area("Xã", kind="commune")
    kinh, both = await lite.area("Thôn Đồng", above), await lite.area("Thôn Tày", above, languages=["tyz", "vi"])
    for each in (kinh, both):
        await lite.node(each)
    spoken = [await voice(lite, above, "vi"), await voice(lite, above, "tyz")]
    bulletin = await approved(lite, above, "Cắt nước", *spoken)
    sent = await _send(lite, kinh, bulletins=[bulletin.id])
    with pytest.raises(InvalidError) as refused:
        await lite.services.broadcasts.preview(lite.actor, elsewhen(sent, both), edits=sent.id)
    assert (refused.value.fields["field"], refused.value.fields["problem"]) == ("items", "languages")
    wanted = elsewhen(sent, both).model_copy(update={"bulletins": (bulletin.id,)})
    assert await lite.services.broadcasts.change(lite.actor, sent.id, wanted)


async def test_who_may_change_what_is_told_before_anything_is_typed(lite: Centre) -> None:
    area, sibling = await lite.area("Xã Đông", kind="commune"), await lite.area("Xã Đoài", kind="commune")
    await lite.node(area)
    sent = await _send(lite, area, recordings=[await lite.recording(area_id=area.id)])
    broadcasts = lite.services.broadcasts
    await broadcasts.check_change(await person(lite, "Hoa", Role.OPERATOR, area), sent.id)
    with pytest.raises(ForbiddenError):
        await broadcasts.check_change(await person(lite, "Tư", Role.OBSERVER, area), sent.id)
    with pytest.raises(NotFoundError):
        await broadcasts.check_change(await person(lite, "Sáu", Role.OPERATOR, sibling), sent.id)
    lite.clock.now = sent.start_at
    with pytest.raises(ConflictError) as refused:
        await broadcasts.check_change(lite.actor, sent.id)
    assert refused.value.fields["problem"] == "begun"
