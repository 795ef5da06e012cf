"""What is true of many dates is one line of a preview, and only what helps is asked to be ticked."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from controller.policies.schemas import ChangeOut, EndOut, PolicyIn
from tests.web.harness import Commune, visitor
from tests.web.pages import planned, programme, said
from web.formats import Formats
from web.i18n import load
from web.views.whatif import change_lines

EVERY_DAY = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]


async def look(site: Commune, hour: str) -> tuple[str, str]:
    """What the page says of a schedule at this hour, every day; and the page."""
    typed = planned(await programme(site), site, look="yes", hour=hour, weekday=EVERY_DAY)
    async with visitor(site) as client:
        page = await client.post("/schedules/new", data=typed)
    assert page.status_code == 200
    return said(page), page.text


async def test_what_every_date_breaks_is_said_once_with_its_dates_below(site: Commune) -> None:
    rules = PolicyIn.model_validate({"version": 0, "rules": {"windows": [{"start": "05:00", "until": "21:30"}]}})
    await site.centre.services.policies.put(site.centre.actor, site.root.id, rules)
    words, page = await look(site, "3:15")
    for rule in ("khung giờ được phát", "giờ yên tĩnh"):
        assert len(re.findall(rf"trái quy định về {rule}", words)) == 1
    spans = re.findall(r"trái quy định[^.]*\. (\d+) ngày, từ Thứ Ba 25/11 đến (?:Thứ \w+|Chủ Nhật) \d\d/\d\d", words)
    assert len(spans) == 2
    assert all(int(count) >= 28 for count in spans)
    [dates] = re.findall(r'id="warning-2".*?</details>', page, re.DOTALL)
    assert dates.count("<li>") == int(spans[0])


async def test_what_a_change_does_to_many_broadcasts_alike_is_said_once(site: Commune) -> None:
    words, _ = await look(site, "17:30")
    changes = words.partition("những lần phát này sẽ khác")[2]
    assert len(re.findall(r"sau khi đổi", changes)) == 1
    assert re.search(r"17:30, \d\d ngày, từ Thứ Ba 25/11 đến", changes)


async def test_no_tick_is_offered_for_an_hour_that_is_refused_anyway(site: Commune) -> None:
    words, page = await look(site, "3:15")
    assert "Trái quy định phát thanh ở đó: không phát." in words
    assert 'name="confirm_unusual"' not in page
    await site.centre.services.areas.change(site.centre.actor, site.root.id, quiet_hours=[])
    words, page = await look(site, "3:15")
    assert "Tôi biết 03:15 là giờ khuya" in words
    assert 'name="confirm_unusual"' in page


def test_what_is_not_played_is_said_inside_the_sentence() -> None:
    """Words that stand alone elsewhere, with a capital and in the past, are no part of a sentence about to come."""
    at = datetime(2031, 11, 27, 10, 30, tzinfo=UTC)
    change = ChangeOut(
        title="Buổi chiều",
        schedule_id=None,
        start_at=at,
        moved_to_at=None,
        is_past=False,
        before=EndOut.model_validate({"outcome": "missed", "reason": "busy"}),
        after=EndOut.model_validate({"outcome": "played", "reason": None}),
        rules=(),
        unusual=None,
        area_ids=(),
        area_names=("Thôn Đồng",),
        node_count=1,
    )
    [line] = change_lines([change], Formats(load("en"), ZoneInfo("Asia/Ho_Chi_Minh"), at))
    assert line.mark.word.endswith(": now it is not played (something else is playing there), after the change played.")
