"""NUL in what is asked: refused on both databases, in the same words, before anything is kept."""

import base64
import json
from typing import Any

import pytest

from controller.people.rights import Role
from tests.controller.factories import Centre

NUL = "Họp\0dân"
HELD = {"code": "invalid", "problem": "nul"}


def told(answer: Any) -> dict[str, str]:
    error = answer.json()["error"]
    return {"code": error["code"], "problem": error["fields"].get("problem"), "field": error["fields"].get("field")}


async def test_a_body_with_it_is_refused_and_names_the_field(here: Centre) -> None:
    root = await here.area("Xã Đông", kind="commune")
    person = await here.somebody("hoa", Role.OPERATOR, root)
    voice, kind = {"language": "vi", "text": NUL}, {"code": "a", "name": NUL}
    bulletin = {"area_id": root.id, "title": "Tin", "category": "notice", "voices": [voice]}
    async with here.client() as client:
        for method, path, body, field in (
            ("POST", "bulletins", bulletin, "voices.0.text"),
            ("POST", "bulletins", bulletin | {"voices": [], "author": NUL}, "author"),
            ("POST", "areas", {"name": NUL, "kind": "hamlet", "parent_id": root.id}, "name"),
            ("PATCH", f"people/{person.id}", {"password": "0123456789\0"}, "password"),
            (
                "PUT",
                f"areas/{root.id}/policy",
                {"version": 0, "rules": {"categories": [kind]}},
                "rules.categories.0.name",
            ),
            ("POST", "bulletins", bulletin | {"voices": [], NUL: "x"}, "body"),
        ):
            answer = await client.request(method, f"/api/v1/{path}", json=body)
            assert (answer.status_code, told(answer)) == (422, HELD | {"field": field}), path
        assert (await client.get("/api/v1/bulletins")).json() == []


async def test_a_query_or_what_an_upload_says_of_itself_with_it_is_refused(here: Centre) -> None:
    await here.area("Xã Đông", kind="commune")
    async with here.client() as client:
        answer = await client.get("/api/v1/broadcasts?q=a%00b")
        assert (answer.status_code, told(answer)) == (422, HELD | {"field": "q"})
        answer = await client.get("/api/v1/broadcasts?q%00=a")
        assert (answer.status_code, told(answer)) == (422, HELD | {"field": "q"}), "in a name too, as of a page"
        said = ",".join(
            f"{name} {base64.b64encode(value.encode()).decode()}"
            for name, value in {"file_name": "a\0.wav", "title": "L\0oa"}.items()
        )
        answer = await client.post("/api/v1/uploads", headers={"Upload-Length": "1000", "Upload-Metadata": said})
        assert (answer.status_code, told(answer)) == (422, HELD | {"field": "title"}), (
            "what a machine calls a file is cleaned"
        )


@pytest.mark.parametrize("text", ["\\u0000", "C:\\u0000", "\\\\u0000 \\0", "%00"])
async def test_what_only_looks_like_it_is_taken(lite: Centre, text: str) -> None:
    root = await lite.area("Xã Đông", kind="commune")
    voices = [{"language": "vi", "text": text}]
    bulletin = {"area_id": root.id, "title": "Tin", "category": "notice", "voices": voices}
    assert "\\u0000" in json.dumps(text) or text == "%00"
    async with lite.client() as client:
        answer = await client.post("/api/v1/bulletins", json=bulletin)
    assert answer.status_code == 201, answer.text
    assert answer.json()["voices"][0]["text"] == text
