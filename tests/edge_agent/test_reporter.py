"""Receipts: in sequence, signed, sent again until acknowledged. Waits are real, and short."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent import reporter as reporter_module
from edge_agent.protocol.documents import ReceiptsAck
from edge_agent.protocol.errors import BadSignatureError
from edge_agent.protocol.reports import Receipts
from edge_agent.protocol.signing import SigningKey, TrustStore, open_receipts, public_x
from edge_agent.protocol.states import PlayState
from edge_agent.reporter import BATCH, Reporter
from tests.edge_agent.fakes import NODE, NOON, Desk, running, until


class Office:
    """A reporter, and the link as it sees it."""

    def __init__(self, root: Path) -> None:
        self.desk = Desk(root)
        private = Ed25519PrivateKey.generate()
        self.trust = TrustStore.of_node(public_x(private.public_key()))
        self.key = SigningKey(private)
        self.sent: list[Receipts] = []
        self.tokens: list[bytes] = []
        self.linked = True
        self.reporter = self.start()

    def start(self) -> Reporter:
        return Reporter(NODE, self.desk.store, self.desk.ledger, self.key, now=self.desk.clock.now, send=self.send)

    async def send(self, token: bytes) -> bool:
        if self.linked:
            self.tokens.append(token)
            self.sent.append(open_receipts(token, node_id=NODE, trust=self.trust))
        return self.linked

    def write(self, count: int = 1) -> None:
        with self.desk.store.writing():
            for _ in range(count):
                self.desk.ledger.write_event(NOON, "b-1", state=PlayState.RECEIVED)

    def ack(self, seq: int, *, store_id: str | None = None, again_from: int | None = None) -> None:
        claims = self.desk.orders.claims(ReceiptsAck, f"nodes/{NODE}")
        store_id = store_id or self.desk.store.store_id
        ack = ReceiptsAck(**claims, store_id=store_id, stored_through_seq=seq, send_from_seq=again_from)
        self.reporter.take_ack(ack)

    def seqs(self) -> list[int]:
        return [event.seq for batch in self.sent for event in batch.events]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporter_module, "GATHER_S", 0.01)


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    office = Office(tmp_path)
    async with running(office.reporter):
        yield office
    office.desk.close()


async def test_events_go_out_in_sequence_and_in_batches(office: Office) -> None:
    office.write(BATCH * 2 + 5)
    await until(lambda: len(office.seqs()) == BATCH * 2 + 5)
    assert office.seqs() == list(range(1, BATCH * 2 + 6))
    assert [len(batch.events) for batch in office.sent] == [BATCH, BATCH, 5]
    assert {batch.store_id for batch in office.sent} == {office.desk.store.store_id}


async def test_what_is_not_acknowledged_is_sent_again(office: Office) -> None:
    office.reporter._wait_s = 0.05
    office.write(3)
    await until(lambda: office.seqs().count(1) >= 3)
    office.ack(2)
    sent = len(office.sent)
    office.reporter._wait_s = 0.05
    await until(lambda: len(office.sent) > sent + 1)
    assert {event.seq for batch in office.sent[sent + 1 :] for event in batch.events} == {3}
    office.ack(3)


async def test_waits_double_up_to_a_minute_and_start_anew_with_an_answer(office: Office) -> None:
    office.reporter._wait_s = 0.02
    office.write()
    await until(lambda: office.reporter._wait_s >= 0.16)
    office.ack(1)
    assert office.reporter._wait_s == reporter_module.RESEND_S[0]


async def test_nothing_is_lost_while_there_is_no_link(office: Office) -> None:
    office.linked = False
    office.write(4)
    await asyncio.wait_for(asyncio.shield(until(lambda: not office.reporter._nudge.is_set())), 20)
    assert office.sent == []
    office.linked = True
    office.reporter.connected()
    await until(lambda: office.seqs() == [1, 2, 3, 4])


async def test_a_new_connection_sends_all_that_is_unacknowledged_again(office: Office) -> None:
    office.write(3)
    await until(lambda: len(office.seqs()) == 3)
    office.ack(1)
    office.reporter.connected()
    await until(lambda: len(office.seqs()) >= 5)
    assert office.seqs()[3:5] == [2, 3]


async def test_the_centre_can_ask_for_old_events_again(office: Office) -> None:
    """After a restore it has forgotten what it acknowledged."""
    office.write(5)
    await until(lambda: len(office.seqs()) == 5)
    office.ack(5)
    office.ack(2, again_from=3)
    await until(lambda: office.seqs()[5:] == [3, 4, 5])
    assert office.reporter.acked_seq == 2


async def test_what_is_kept_no_more_is_not_asked_for_in_a_circle(office: Office) -> None:
    """The centre lost what it had acknowledged, and the node has let go of it: both must come to an end."""
    office.write(2)
    await until(lambda: len(office.seqs()) == 2)
    office.desk.instruments.pass_(days=31)
    office.ack(2)
    office.write(2)
    await until(lambda: office.seqs()[2:] == [3, 4])
    for _ in range(20):
        sent = len(office.sent)
        office.ack(0, again_from=1)
        await until(lambda sent=sent: not office.reporter._nudge.is_set() and len(office.sent) >= min(sent, 3))  # type: ignore[misc]
    office.write()
    await until(lambda: office.seqs()[-1] == 5)
    assert office.seqs()[2:].count(3) == 2, "when it was written, and once more for twenty questions"
    assert office.sent[-1].kept_from_seq == 3
    assert office.reporter.acked_seq == 0


async def test_an_acknowledgement_for_another_store_or_of_the_future_means_nothing(office: Office) -> None:
    office.write(2)
    await until(lambda: len(office.seqs()) == 2)
    office.ack(2, store_id="s-other")
    assert office.reporter.acked_seq == 0
    office.ack(99)
    assert office.reporter.acked_seq == 2


async def test_sequence_and_acknowledgements_go_on_after_a_restart(office: Office) -> None:
    office.write(3)
    await until(lambda: len(office.seqs()) == 3)
    office.ack(2)
    office.desk = office.desk.again()
    again = office.start()
    office.write()
    assert again.acked_seq == 2
    assert [event.seq for event in again._after(again.acked_seq)] == [3, 4]


async def test_acknowledged_events_are_kept_for_thirty_days_and_no_longer(office: Office) -> None:
    office.write(2)
    await until(lambda: len(office.seqs()) == 2)
    office.ack(1)
    assert len(office.desk.events()) == 2
    office.desk.instruments.pass_(days=31)
    office.ack(2)
    assert office.desk.events() == []
    office.write()
    assert office.desk.events()[0].seq == 3, "numbers are never used again"


async def test_a_receipt_that_was_tampered_with_is_not_believed(office: Office) -> None:
    office.write()
    await until(lambda: bool(office.tokens))
    head, _, tail = office.tokens[0].rpartition(b".")
    with pytest.raises(BadSignatureError):
        open_receipts(head + b"." + tail[:-4] + b"AAAA", node_id=NODE, trust=office.trust)


async def test_what_is_asked_for_again_while_something_is_sent_is_sent_again_at_once(office: Office) -> None:
    """The end of that sending took the way back for done: what was asked for came with the next resend only."""
    asked, may_end, real = asyncio.Event(), asyncio.Event(), office.send

    async def slow(token: bytes) -> bool:
        asked.set()
        await may_end.wait()
        return await real(token)

    office.reporter._wait_s = 3600
    office.write(2)
    await until(lambda: office.seqs() == [1, 2])
    office.ack(2)
    office.reporter._wait_s = 3600
    office.reporter._send = slow
    office.write()
    await asyncio.wait_for(asked.wait(), 20)
    office.ack(0, again_from=1)
    may_end.set()
    await until(lambda: office.seqs() == [1, 2, 3, 1, 2, 3])
    office.ack(3)
