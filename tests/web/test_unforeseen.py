"""What nobody foresaw, and a database that does not answer, are told to whoever reads a page in words."""

import httpx
import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from controller.people.actor import Actor
from tests.web.harness import OWN, Commune, pages, visitor
from tests.web.pages import said


@pytest.mark.parametrize(
    ("raised", "status", "words"),
    [
        (OperationalError("select", None, Exception("database is locked")), 503, "Trung tâm đang bận"),
        (IntegrityError("insert", None, Exception("UNIQUE")), 409, "Tải lại trang để xem mới nhất"),
        (RuntimeError("the password is hunter2"), 500, "Về trang Hôm nay để xem tình hình"),
    ],
    ids=["busy", "faster", "unforeseen"],
)
async def test_what_breaks_behind_a_page_is_said_in_words(
    site: Commune, monkeypatch: pytest.MonkeyPatch, raised: Exception, status: int, words: str
) -> None:
    async with visitor(site) as known:
        cookie = known.headers["Cookie"]

    async def breaks(_actor: Actor, **_asked: object) -> None:
        raise raised

    monkeypatch.setattr(site.centre.services.calendars, "list", breaks)
    transport = httpx.ASGITransport(app=pages(site.centre.services), raise_app_exceptions=False)
    headers = OWN | {"Cookie": cookie}
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
        page = await client.get("/calendars")
        part = await client.get("/calendars", headers={"hx-request": "true"})
        program = await client.get("/api/v1/calendars")
    for answer in (page, part):
        assert answer.status_code == status
        assert answer.headers["content-type"].startswith("text/html")
        assert words in said(answer)
        assert "hunter2" not in answer.text
    assert part.headers["HX-Reswap"] == "none"
    assert page.headers.get("Retry-After") == program.headers.get("Retry-After")
    assert (program.status_code, set(program.json())) == (status, {"error"})


async def test_an_address_that_was_mistyped_leads_back_however_deep_it_is(site: Commune) -> None:
    async with visitor(site) as client:
        for path in ("/nothing", "/nothing/at/all", "/broadcasts/1/2/3"):
            answer = await client.get(path)
            assert answer.status_code == 404, path
            assert "Không có trang này" in said(answer), path
            assert 'href="/today"' in answer.text, path
        program = await client.get("/api/v1/nothing/at/all")
        assert (program.status_code, program.json()["error"]["code"]) == (404, "not_found")
        file = await client.get("/static/js/nothing.js")
        assert (file.status_code, file.json()["error"]["code"]) == (404, "not_found")
