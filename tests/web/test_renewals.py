"""The two answers about a node's identity, given on the pages: still the one on the pole, and nobody's any more."""

import pytest
from sqlalchemy import select

from controller.nodes.models import Node
from controller.people.rights import Role
from controller.renewals.models import Renewal
from tests.web.harness import NODES, Commune, visitor

NAME = next(iter(NODES))


async def wishing(site: Commune, key: str = "A" * 43) -> str:
    """A node that waits for a yes."""
    now = site.centre.clock()
    async with site.centre.database.transaction() as tx:
        row = Renewal(
            id=f"r-{key[0].lower()}",
            node_id=site.nodes[NAME].id,
            csr_pem="",
            new_key=key,
            origin="198.51.100.7",
            created_at=now,
            asked_at=now,
        )
        tx.session.add(row)
    return row.id


async def confirmed(site: Commune, renewal_id: str) -> bool | None:
    async with site.centre.database.reading() as session:
        return (await session.get_one(Renewal, renewal_id)).confirmed


@pytest.mark.parametrize(("said", "expected"), [("yes", True), ("no", False)])
async def test_a_node_that_waits_is_shown_with_what_tells_it_from_another(
    site: Commune, said: str, expected: object
) -> None:
    wish = await wishing(site)
    async with visitor(site) as person:
        page = (await person.get("/nodes")).text
        assert NAME in page
        assert "198.51.100.7" in page
        assert f"/renewals/{wish}/answer" in page
        answer = await person.post(f"/renewals/{wish}/answer", data={"confirmed": said})
        assert answer.status_code == 303
        assert f"/renewals/{wish}/answer" not in (await person.get("/nodes")).text
    assert await confirmed(site, wish) is expected


async def test_who_only_looks_sees_no_such_question(site: Commune) -> None:
    wish = await wishing(site)
    looks = await site.centre.somebody("nhin", Role.OBSERVER, site.root)
    async with visitor(site, who=looks) as person:
        assert "/answer" not in (await person.get("/nodes")).text
        await person.post(f"/renewals/{wish}/answer", data={"confirmed": "yes"})
        page = (await person.get(f"/nodes/{site.nodes[NAME].id}")).text
        assert "/revoke" not in page
        await person.post(f"/nodes/{site.nodes[NAME].id}/revoke", data={"reason": "thử"})
    assert await confirmed(site, wish) is None
    async with site.centre.database.reading() as session:
        assert (await session.get_one(Node, site.nodes[NAME].id)).revoked_at is None


async def test_a_stolen_node_is_given_up_with_a_reason(site: Commune) -> None:
    node_id = site.nodes[NAME].id
    async with visitor(site) as person:
        assert (await person.post(f"/nodes/{node_id}/revoke", data={"reason": " "})).status_code == 422
        answer = await person.post(f"/nodes/{node_id}/revoke", data={"reason": "mất trộm đêm qua"})
        assert answer.headers["location"] == "/nodes?done=revoked"
        assert (await person.get(f"/nodes/{node_id}")).status_code == 404
        assert "mất trộm đêm qua" in (await person.get("/alarms")).text
    async with site.centre.database.reading() as session:
        revoked = await session.scalars(select(Node.id).where(Node.revoked_at.is_not(None)))
        assert revoked.all() == [node_id]
