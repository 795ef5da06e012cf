"""A programme is laid out once for all its days, unless something in it is on offer on some of them only."""

from datetime import timedelta

from controller.bulletins.schemas import OfferIn
from controller.programmes.models import ItemKind
from controller.programmes.schemas import ItemIn, ProgrammeIn
from tests.controller.factories import MORNING, Centre
from tests.controller.schedules.village import wish
from tests.controller.words import approved


async def test_the_dates_behind_the_end_of_an_offer_cannot_be_aired(lite: Centre) -> None:
    province = await lite.area("Tỉnh", kind="province", quiet_hours=[])
    commune = await lite.area("Xã", province)
    await lite.node(commune)
    storm = await approved(lite, province, "Bão số 3")
    until_at = MORNING + timedelta(days=2, hours=20)  # 05:00 on the 12th there
    await lite.services.bulletins.offer(lite.actor, storm.id, OfferIn(version=1, until_at=until_at))
    items = [ItemIn(kind=ItemKind.BULLETIN, bulletin_id=storm.id)]
    made = await lite.services.programmes.create(lite.actor, ProgrammeIn(area_id=commune.id, title="Sáng", items=items))
    wanted = wish(commune, made.id, confirm_unusual=True)
    schedule = await lite.services.schedules.create(lite.actor, wanted)
    dates = await lite.services.schedules.dates(lite.actor, schedule.id, MORNING, MORNING + timedelta(days=4))
    assert [(f"{each.local:%d}", each.problem is None) for each in dates] == [
        ("10", True),
        ("11", True),
        ("12", False),
        ("13", False),
    ]
    assert [each.broadcast_id is not None for each in dates] == [True, True, False, False]
