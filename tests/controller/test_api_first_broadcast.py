"""The way through the API of a first broadcast: sign in, places, node, recording, send, follow, cancel, STOP."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from controller.plays import service as plays
from edge_agent.protocol.enrolment import new_claim_code
from edge_agent.protocol.states import Grade, Outcome, PlayState
from tests.controller.factories import PASSWORD, as_json, centre, enrolment_request, play_event


async def post(client: httpx.AsyncClient, path: str, body: object = None, status: int = 201, **more: Any) -> Any:
    answer = await client.post(f"/api/v1{path}", json=body, **more)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_a_broadcast_goes_from_sign_in_to_heard_and_another_is_cancelled(tmp_path: Path) -> None:
    async with centre(tmp_path) as here, here.client(signed_in=False) as client:
        opened = await post(client, "/sessions", {"login": "Lan ", "password": PASSWORD})
        client.headers["Authorization"] = f"Bearer {opened['token']}"
        commune = await post(client, "/areas", {"name": "Xã Nga My", "kind": "commune"})
        hamlet = await post(client, "/areas", {"name": "Xóm Đồng", "parent_id": commune["id"]})
        code = new_claim_code()
        ticket = await post(client, "/enrolments", as_json(enrolment_request(code)))
        node = await post(
            client, "/enrolments/adopt", {"claim_code": code.lower(), "area_id": hamlet["id"], "name": "Cụm 1"}
        )
        adoption = (await client.get(f"/api/v1/enrolments/{ticket['enrolment_id']}")).json()["adoption"]
        assert adoption["node_id"] == node["id"]
        recording = await here.recording()
        here.hears(node["id"])

        wanted = {"title": "Mất nước", "recordings": [recording], "targets": [f"areas/{commune['id']}"]}
        preview = await post(client, "/broadcasts/preview", wanted, 200)
        assert (preview["node_count"], preview["online_count"], preview["played_count"]) == (1, 1, 1)
        sent = await post(client, "/broadcasts", wanted)
        assert (sent["phase"], sent["counts"], sent["urgent"]) == ("sending", {"planned": 1}, True)

        async with here.database.transaction() as tx:
            at = here.clock() + timedelta(seconds=2)
            reports: list[dict[str, Any]] = [
                {"state": PlayState.CACHED},
                {"state": PlayState.PLAYING, "item": 0, "start_error_ms": 0.1},
                {"outcome": Outcome.PLAYED, "grade": Grade.E1, "requested_ms": 24_000, "played_ms": 24_000},
            ]
            for seq, said in enumerate(reports, start=1):
                assert await plays.apply(tx, node["id"], play_event(sent["id"], seq, at, **said), here.clock())
        heard = (await client.get(f"/api/v1/broadcasts/{sent['id']}/plays")).json()
        assert [(play["node_name"], play["outcome"], play["grade"]) for play in heard] == [("Cụm 1", "played", 1)]
        over = (await client.get(f"/api/v1/broadcasts/{sent['id']}")).json()
        assert (over["phase"], over["grades"]) == ("over", {"e1": 1})

        wanted["start_at"] = (here.clock() + timedelta(hours=1)).isoformat()
        later = await post(client, "/broadcasts", wanted)
        cancelled = await post(client, f"/broadcasts/{later['id']}/cancel", status=200)
        assert (cancelled["phase"], cancelled["counts"]) == ("cancelled", {"cancel_unconfirmed": 1})

        held = await post(client, "/holds", {"scopes": [f"areas/{hamlet['id']}"]})
        assert [(hold["scope_name"], hold["confirmed_count"]) for hold in held] == [("Xóm Đồng", 0)]
        here.hears(node["id"], holds=[held[0]["id"]])
        assert (await client.get("/api/v1/holds")).json()[0]["confirmed_count"] == 1
        await post(client, f"/holds/{held[0]['id']}/release", status=200)
        assert (await client.get("/api/v1/holds")).json() == []

        today = (await client.get("/api/v1/broadcasts")).json()
        assert [each["id"] for each in today] == [sent["id"], later["id"]]
        trail = [entry["action"] for entry in (await client.get("/api/v1/audit")).json()]
        assert trail[:3] == ["holds.release", "holds.order", "broadcasts.cancel"]
        assert (await here.services.audit.verify()).broken_at is None
