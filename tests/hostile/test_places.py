"""What a place is called and broadcasts about: no two that look alike, and nothing that is not named there."""

from typing import Any

import pytest

from controller.policies.schemas import PolicyIn, PolicyRules
from tests.controller.factories import Centre
from tests.controller.test_services_broadcasts import commune, wish


@pytest.mark.parametrize("category", [" ", "\u0000", "<script>", "Tin", "", "a" * 41, "*"])
@pytest.mark.parametrize("path", ["/broadcasts", "/broadcasts/preview"])
async def test_a_broadcast_is_about_a_word_that_could_be_a_category(lite: Centre, path: str, category: str) -> None:
    asked = wish(await commune(lite)) | {"category": category}
    async with lite.client() as client:
        answer = await client.post(f"/api/v1{path}", json=asked)

    said = answer.json()["error"]
    assert (answer.status_code, said["code"], said["fields"]["field"]) == (422, "invalid", "category")


async def test_a_broadcast_is_about_what_its_places_name(lite: Centre) -> None:
    place = await commune(lite)
    rules = PolicyRules.model_validate({"categories": [{"code": "flood", "name": " Lũ  quét "}]})
    assert rules.categories is not None
    assert rules.categories[0].name == "Lũ quét"
    await lite.services.policies.put(lite.actor, place["area"].id, PolicyIn(version=0, rules=rules))
    async with lite.client() as client:
        refused = await client.post("/api/v1/broadcasts", json=wish(place) | {"category": "news"})
        taken = await client.post("/api/v1/broadcasts", json=wish(place) | {"category": "flood"})

    assert (refused.status_code, refused.json()["error"]["fields"]["problem"]) == (422, "unknown")
    assert taken.status_code == 201, taken.text


@pytest.mark.parametrize("name", [" ", "\u0000", "a\u202eb"])
async def test_the_name_of_a_category_can_be_read(lite: Centre, name: str) -> None:
    area = (await commune(lite))["area"]
    asked: dict[str, Any] = {"version": 0, "rules": {"categories": [{"code": "flood", "name": name}]}}
    async with lite.client() as client:
        answer = await client.put(f"/api/v1/areas/{area.id}/policy", json=asked)

    assert answer.status_code == 422, answer.text


async def test_two_areas_side_by_side_have_two_names(lite: Centre) -> None:
    async with lite.client() as client:

        async def add(name: str, parent_id: str | None) -> Any:
            return await client.post("/api/v1/areas", json={"name": name, "parent_id": parent_id})

        one, two = [(await add(name, None)).json()["id"] for name in ("Xã Một", "Xã Hai")]
        first = (await add("Thôn Đông", one)).json()["id"]
        other = (await add("Thôn Đông", two)).json()["id"]  # elsewhere it may be called the same
        west = (await add("Thôn Tây", one)).json()["id"]
        refused = [
            await add("  thôn  ĐÔNG ", one),
            await client.patch(f"/api/v1/areas/{west}", json={"name": "Thôn Đông"}),
        ]
        moved = await client.post(f"/api/v1/areas/{one}/moves/preview", json={"areas": [other]})
        same = await client.patch(f"/api/v1/areas/{first}", json={"name": "Thôn Đông"})

    assert [(each.status_code, each.json()["error"]["fields"]["problem"]) for each in refused] == [(422, "taken")] * 2
    assert (moved.status_code, moved.json()["error"]["fields"]["field"]) == (422, "areas")
    assert same.status_code == 200
