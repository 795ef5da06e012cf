"""``docs/protocol.md`` says what the code does: examples decode, the token verifies, no class or field is missing."""

import base64
import json
import re
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent import clock
from edge_agent.checks import runner
from edge_agent.protocol import content, documents, enrolment, renewal, reports, topics, updates
from edge_agent.protocol.content import Broadcast, PlanBody, content_hash
from edge_agent.protocol.documents import DOCUMENTS, Hold, Settings, Urgent
from edge_agent.protocol.enrolment import (
    CLAIM_ALPHABET,
    EnrolmentRequest,
    EnrolmentStatus,
    EnrolmentTicket,
    claim_hash,
)
from edge_agent.protocol.errors import ProtocolError
from edge_agent.protocol.fields import Wire
from edge_agent.protocol.renewal import RenewalRequest, RenewalStatus
from edge_agent.protocol.reports import Health, Presence, Receipts, TimeAsk
from edge_agent.protocol.signing import SigningKey, TrustStore, open_document
from edge_agent.protocol.states import Drill, KeyUse, Level, Outcome, PlayState, Reason
from edge_agent.protocol.topics import AREA_WORDS, Word
from edge_agent.protocol.updates import Release, UpdateState

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "protocol.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```json (\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
MESSAGES = {
    kind.__name__: kind
    for kind in (
        *DOCUMENTS,
        *get_args(Presence),
        Health,
        Receipts,
        TimeAsk,
        PlanBody,
        Broadcast,
        EnrolmentRequest,
        EnrolmentTicket,
        EnrolmentStatus,
        RenewalRequest,
        RenewalStatus,
        Release,
    )
}
"""What travels by itself, and what is too large to be understood inside another."""


def wire_types() -> set[type[Wire]]:
    """Give every class that stands on the wire."""
    found = {
        value
        for module in (content, documents, enrolment, renewal, reports, updates)
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Wire)
    }
    return found - {Wire, documents.Signed, reports.Report}


KINDS = {kind.__name__: kind for kind in sorted(wire_types(), key=str)}


def examples(name: str) -> list[str]:
    return [text for found, text in EXAMPLES if found == name]


@pytest.mark.parametrize(("name", "text"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_an_example_is_what_the_code_reads_and_writes(name: str, text: str) -> None:
    read = msgspec.json.decode(text, type=MESSAGES[name])

    assert json.loads(msgspec.json.encode(read)) == json.loads(text)


def test_every_message_has_an_example() -> None:
    assert {name for name, _ in EXAMPLES} == set(MESSAGES)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_field_is_explained(kind: type[Wire]) -> None:
    """Each name stands in code type outside of the examples, and each range of its numbers too."""
    words = re.sub(r"^```.*?^```$", "", PAGE, flags=re.MULTILINE | re.DOTALL)

    missing = [name for name in kind.__struct_encode_fields__ if f"`{name}`" not in words]
    assert missing == []


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_field_is_seen_in_an_example(kind: type[Wire]) -> None:
    seen = "".join(text for _, text in EXAMPLES)

    assert [name for name in kind.__struct_encode_fields__ if f'"{name}":' not in seen] == []


@pytest.mark.parametrize("kind", [Settings, reports.Abilities, Broadcast], ids=lambda kind: kind.__name__)
def test_defaults_are_those_of_the_page(kind: type[Wire]) -> None:
    for field in msgspec.structs.fields(kind):
        if isinstance(field.default, bool) or not isinstance(field.default, int | str):
            continue
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{field.name}` |"))
        assert str(field.default) in row.split("|")[2], row


@pytest.mark.parametrize(
    "words", [Reason, Outcome, PlayState, Level, Drill, Word, documents.CommandAction, UpdateState], ids=str
)
def test_every_word_of_the_wire_stands_on_the_page(words: Any) -> None:
    assert [word for word in words if f"`{word}`" not in PAGE and f"/{word}`" not in PAGE] == []


def test_every_error_code_stands_on_the_page() -> None:
    assert [kind.code for kind in ProtocolError.__subclasses__() if f"`{kind.code}`" not in PAGE] == []


def test_the_topics_are_those_of_the_page() -> None:
    """Each with its direction, quality of service, retain flag and kind."""
    rows = {}
    for line in PAGE.splitlines():
        if line.startswith(("| `areas/", "| `nodes/")):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            rows[cells[0].split("`")[-2].split("/", 2)[2]] = (cells[0], cells[1], cells[2], cells[3], cells[4])
    assert set(rows) == set(Word)
    for kind in (*DOCUMENTS, *get_args(Presence), Health, Receipts, TimeAsk):
        where, direction, qos, retained, payload = rows[kind.word]
        assert direction == ("from the node" if kind.word in topics.NODE_WRITES else "to the node")
        assert (int(qos), retained == "yes") == (kind.qos, kind.retain)
        assert f"`{kind.__name__}`" in payload
        assert where.startswith("`areas/") is (kind.word in AREA_WORDS)


def test_the_signed_example_verifies_with_the_key_on_the_page() -> None:
    token = re.search(r"^```jws Hold\n(\S+)\n```$", PAGE, re.MULTILINE)
    shown = dict(re.findall(r"^(public key, base64url|kid|header|payload): +(\S.*)$", PAGE, re.MULTILINE))
    keys = msgspec.json.decode(examples("Settings")[0], type=Settings).trusted_keys
    assert token is not None

    hold = open_document(token[1].encode(), Hold, audience="areas/thon-ban-lac", trust=TrustStore(keys))

    assert hold == msgspec.json.decode(examples("Hold")[0], type=Hold)
    assert (keys[0].x, keys[0].kid) == (shown["public key, base64url"], shown["kid"])
    parts = [base64.urlsafe_b64decode(part + "==").decode() for part in token[1].split(".")[:2]]
    assert parts == [shown["header"], shown["payload"]]


def test_the_example_keys_are_made_of_the_text_that_the_page_prints() -> None:
    """Nobody can take them for a secret."""
    texts = re.findall(r"`(public example: [^`]{16})`", PAGE)
    made = [SigningKey(Ed25519PrivateKey.from_private_bytes(text.encode())) for text in texts]
    keys = msgspec.json.decode(examples("Settings")[0], type=Settings).trusted_keys

    assert tuple(made[index].trusted_as(use) for index, use in enumerate((KeyUse.DISPATCH, KeyUse.POLICY))) == keys


def test_the_content_hash_is_worked_out_as_the_page_says() -> None:
    found = msgspec.json.decode(examples("Broadcast")[0], type=Broadcast)
    lines, told = re.findall(r"```text\n((?:\d.*⏎\n)+)SHA-256: (\w+)", PAGE)[0]

    assert told == content_hash(found.items) == found.approvals[0].content_sha256
    columns = [5 + (item.choice > 0) for item in found.items for _ in item.voices]
    assert [line.count("⇥") for line in lines.splitlines()] == columns
    assert set(columns) == {5, 6}
    assert found.approved_for(frozenset(found.approvals[0].scopes))


def test_the_other_worked_figures_are_right() -> None:
    body = msgspec.json.decode(examples("PlanBody")[0], type=PlanBody)
    urgent = msgspec.json.decode(examples("Urgent")[0], type=Urgent)
    plan = msgspec.json.decode(examples("Plan")[0], type=documents.Plan)

    assert content.pack_body(body).sha256 == plan.body_sha256
    assert {voice.sha256 for one in urgent.broadcasts for item in one.items for voice in item.voices} == set(
        urgent.inline
    )
    assert claim_hash("abcd 2345") in PAGE
    assert CLAIM_ALPHABET in PAGE


def test_the_figures_of_the_clock_are_those_of_the_agent() -> None:
    told = " ".join(PAGE.split("## 11. Clock")[1].split("## 12.")[0].split())

    for words in (
        f"**Trusted** for {clock.FRESH_NS // clock.NS // 3600} h after",
        f"a maximum error below {clock.MAX_KERNEL_ERROR_US // 1_000_000} s (adjtimex: `maxerror`",
        f"≤ {clock.MAX_OFFSET_MS:.0f} ms + (t1 − t0)/2",
        f"by more than {clock.MAX_STEP_NS // clock.NS} s against",
        f"one of the newest {clock.MAX_ASKED} nonces",
        f"within {clock.ASK_TIMEOUT_NS // clock.NS} s,",
        f"and every {runner.FRESH_S / 60:.0f} min:",
    ):
        assert words in told


def test_the_links_lead_somewhere() -> None:
    headings = re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}

    assert [link for link in re.findall(r"\]\(#([^)]+)\)", PAGE) if link not in anchors] == []
