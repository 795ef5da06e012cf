"""What is forgotten once a day: nothing that somebody still needs."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from controller.enrolments.models import Enrolment
from controller.errors import NotFoundError
from controller.people.models import Session
from controller.plans.models import Document, PlanBody, PlanVersion
from controller.plans.pruning import Kept, Name, superfluous
from controller.plays.models import Play
from controller.receipts import service as receipts
from controller.receipts.models import Receipt, ReceiptStore
from controller.retention import Forgetting
from edge_agent.protocol.enrolment import new_claim_code
from edge_agent.protocol.reports import PlayEvent, Receipts
from edge_agent.protocol.states import Outcome, Reason
from tests.controller.factories import ADDRESS, MORNING, PASSWORD, Centre, enrolment_request
from tests.controller.test_services_broadcasts import asked, commune

DAY = timedelta(days=1)
EVIDENCE_DAYS = 100


def forgetting(here: Centre) -> Forgetting:
    return Forgetting(here.database, here.clock, here.services.live, EVIDENCE_DAYS)


def version(number: int, days: float, body: str | None = None, *, word: str = "plan", epoch: int = 1) -> Kept:
    return Kept(Name("areas/a", word, epoch, number), body, MORNING - days * DAY)


def gone(*versions: Kept, needed: tuple[int, ...] = ()) -> list[int]:
    names = {each.name for each in versions if each.name.version in needed}
    return [each.name.version for each in superfluous(versions, names, MORNING)]


def test_what_is_young_current_or_held_stays() -> None:
    old = [version(number, 40 - number, "b" * number) for number in range(1, 5)]
    assert gone(*old, version(5, 30)) == [1, 2, 3, 4]
    assert gone(*old, version(5, 30), needed=(2, 4)) == [1, 3]


def test_a_renewal_goes_after_a_day_and_what_it_renewed_stays() -> None:
    chain = [version(1, 5, "x"), version(2, 4, "x"), version(3, 3, "x"), version(4, 2, "y"), version(5, 0.5, "y")]
    assert gone(*chain) == [2, 3]
    assert gone(*chain, needed=(3,)) == [2]


def test_only_a_plan_can_be_a_renewal_and_never_of_another_document() -> None:
    assert gone(version(1, 5, word="hold"), version(2, 4, word="hold")) == []
    assert gone(version(1, 5, "x"), version(2, 4, "x", word="plane")) == []


async def sign(here: Centre, scope: str, bodies: list[str], *, every: timedelta) -> None:
    """Stand in for the dispatcher: one version of the plan for each body, the last one current."""
    async with here.database.transaction() as tx:
        for number, body in enumerate(bodies, 1):
            if await tx.session.get(PlanBody, body) is None:
                tx.session.add(PlanBody(sha256=body, packed=body.encode(), created_at=here.clock()))
            row = {"scope": scope, "word": "plan", "epoch": 1, "version": number, "token": b"t", "body_sha256": body}
            tx.session.add(PlanVersion(**row, signed_at=here.clock()))
            here.clock.now += every
        document = await tx.session.get(Document, (scope, "plan")) or Document(scope=scope, word="plan")
        tx.session.add(document)
        document.epoch, document.version, document.token, document.body_sha256 = 1, len(bodies), b"t", bodies[-1]


async def versions(here: Centre, scope: str) -> list[int]:
    async with here.database.reading() as session:
        query = select(PlanVersion.version).where(PlanVersion.scope == scope).order_by(PlanVersion.version)
        return list(await session.scalars(query))


async def bodies(here: Centre) -> set[str]:
    async with here.database.reading() as session:
        return set(await session.scalars(select(PlanBody.sha256)))


async def test_old_versions_go_with_bodies_that_nobody_names_and_nodes_keep_what_they_hold(here: Centre) -> None:
    place = await commune(here)
    here.hears(place["second"].id, held={place["west"].scope: {"plan": {"epoch": 1, "version": 2, "complete": False}}})
    for name in ("east", "west"):
        here.clock.now = MORNING
        await sign(here, place[name].scope, [f"{name}-{letter}" for letter in "abcdc"], every=10 * DAY)
    await forgetting(here).forget()
    # 50 days old, 40, 30, 20, 10; a node that was not heard from since says that it holds the second of the west.
    assert await versions(here, place["east"].scope) == [3, 4, 5]
    assert await versions(here, place["west"].scope) == [2, 3, 4, 5]
    assert await bodies(here) == {"east-c", "east-d", "west-b", "west-c", "west-d"}
    assert await here.services.media.plan_body("west-b") == b"west-b"
    with pytest.raises(NotFoundError):
        await here.services.media.plan_body("east-b")
    here.clock.step(days=365)
    await forgetting(here).forget()
    assert await versions(here, place["east"].scope) == [5]
    assert await versions(here, place["west"].scope) == [2, 5]
    assert await bodies(here) == {"east-c", "west-b", "west-c"}


async def test_many_places_are_looked_at_some_at_a_time(lite: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.plans.pruning.SCOPES", 2)
    monkeypatch.setattr("controller.plans.pruning.NAMES", 2)
    for number in range(5):
        await sign(lite, f"areas/{number}", ["same"] * 6, every=timedelta(hours=6))
    lite.clock.step(days=2)
    await forgetting(lite).forget()
    assert [await versions(lite, f"areas/{number}") for number in range(5)] == [[1, 6]] * 5


async def test_ended_sessions_and_codes_that_nobody_typed_go(here: Centre) -> None:
    people, enrolments = here.services.people, here.services.enrolments
    await people.sign_in(login="lan", password=PASSWORD, origin=ADDRESS)
    await enrolments.ask(enrolment_request(new_claim_code()), ADDRESS)
    node = await here.node(await here.area())
    here.clock.step(days=2)
    await enrolments.ask(enrolment_request(new_claim_code()), ADDRESS)
    async with here.database.transaction() as tx:  # it had swept by itself when asked
        tx.session.add(
            Enrolment(
                id="old",
                claim_sha256="old",
                csr_pem="",
                abilities={},
                origin=ADDRESS,
                created_at=here.clock() - 2 * DAY,
                expires_at=here.clock() - DAY,
            )
        )
    await forgetting(here).forget()
    async with here.database.reading() as session:
        assert (await session.scalars(select(Session))).all() == []
        left = {row.node_id: row.id for row in await session.scalars(select(Enrolment))}
    assert left.keys() == {None, node.id}
    assert left[None] != "old"


async def test_old_receipts_go_and_what_the_play_came_to_stays(here: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.retention.STEP", 2)
    place = await commune(here)
    node_id, sent = place["first"].id, await here.services.broadcasts.create(here.actor, asked(place))
    told = [
        PlayEvent(seq=seq, at=MORNING, broadcast_id=sent.id, outcome=Outcome.MISSED, reason=Reason.NO_FILE)
        for seq in range(1, 9)
    ]
    for some in (told[:4], told[4:]):
        async with here.database.transaction() as tx:
            message = Receipts(iss=node_id, iat=1, store_id="s-1", events=tuple(some))
            await receipts.store(tx, [message], here.clock())
        here.clock.step(days=EVIDENCE_DAYS - 1)
    await forgetting(here).forget()
    async with here.database.transaction() as tx:
        assert list(await tx.session.scalars(select(Receipt.seq).order_by(Receipt.seq))) == [5, 6, 7, 8]
        play = await tx.session.get_one(Play, (sent.id, node_id))
        assert (play.outcome, play.reason) == ("missed", "no_file")
        again = Receipts(iss=node_id, iat=1, store_id="s-1", events=tuple(told))
        [known] = await receipts.store(tx, [again], here.clock())
        assert known.through_seq == 8
    async with here.database.reading() as session:
        assert len((await session.scalars(select(Receipt.seq))).all()) == 4
        assert (await session.get_one(ReceiptStore, (node_id, "s-1"))).through_seq == 8
