"""The sign-in page: what is missing is told where it is typed, and why one is there."""

import re
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import pytest

from tests.controller.factories import PASSWORD
from tests.web.harness import Commune, visitor
from web.leading import HAD_COOKIE, HAD_FOR

ENDED = "Phiên làm việc đã hết"


@pytest.mark.parametrize(
    ("typed", "lacking"),
    [({}, {"login", "password"}), ({"login": "lan"}, {"password"}), ({"password": PASSWORD}, {"login"})],
)
async def test_what_was_left_out_is_told_at_its_field_and_is_no_attempt(
    site: Commune, typed: dict[str, str], lacking: set[str]
) -> None:
    async with visitor(site, signed_in=False) as client:
        for _ in range(12):  # more often than a wrong password is borne
            page = await client.post("/sign-in", data=typed)
            assert page.status_code == 422
            assert set(re.findall(r'class="wrong" id="wrong-(\w+)"', page.text)) == lacking
            assert "chưa đúng" not in page.text
            assert page.text.count(" autofocus") == 1
        signed = await client.post("/sign-in", data={"login": "lan", "password": PASSWORD})
        assert signed.status_code == 303


async def test_whoever_sends_from_a_page_whose_session_is_gone_is_told_so(site: Commune) -> None:
    async with visitor(site, signed_in=False) as client:
        first = await client.get("/say")
        assert ENDED not in (await client.get(first.headers["location"])).text, "nobody was here before"
        sent = await client.post("/say", data={"title": "Tin"})
        live = await client.get("/today/live", headers={"HX-Request": "true", "HX-Current-URL": f"{site.url}/say"})
        for away in (sent.headers["location"], live.headers["hx-redirect"]):
            assert (urlsplit(away).path, "next=/say" in away) == ("/sign-in", True)
            page = (await client.get(away)).text
            assert ENDED in page
            other = re.findall(r'action="/language".*?name="next" value="([^"]*)"', page, re.DOTALL)[0]
            assert ENDED in (await client.get(other.replace("&amp;", "&"))).text, "in another language too"


async def test_whoever_opens_a_page_after_the_browser_has_dropped_the_session_is_told_so_and_led_there(
    site: Commune,
) -> None:
    typed = {"login": "lan", "password": PASSWORD}
    async with visitor(site, signed_in=False) as client:
        signed = await client.post("/sign-in", data=typed)
        _, kept = signed.headers.get_list("set-cookie")
        assert kept.startswith(f"{HAD_COOKIE}=1;")
        told = " ".join(signed.headers.get_list("set-cookie"))
        ends, forgets = map(parsedate_to_datetime, re.findall(r"expires=([^;]*)", told))
        assert forgets - ends == HAD_FOR
        client.headers["Cookie"] = f"{HAD_COOKIE}=1"  # the other's time is over
        opened = await client.get("/schedules?view=week&day=2031-12-01")
        assert urlsplit(opened.headers["location"]).path == "/sign-in"
        page = (await client.get(opened.headers["location"])).text
        assert ENDED in page
        [after] = re.findall(r'name="next" value="(/schedules[^"]*)"', page)
        again = await client.post("/sign-in", data=typed | {"next": after.replace("&amp;", "&")})
        assert again.headers["location"] == "/schedules?view=week&day=2031-12-01"
        out = await client.post("/sign-out")
        assert [each.split(";")[0] for each in out.headers.get_list("set-cookie")][1] == f'{HAD_COOKIE}=""'
