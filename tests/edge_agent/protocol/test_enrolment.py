"""The claim code: easy to say and type, hard to guess, never sent."""

import msgspec
import pytest

from edge_agent.protocol.enrolment import CLAIM_ALPHABET, claim_hash, new_claim_code
from edge_agent.protocol.fields import decode
from tests.edge_agent.protocol.samples import BY_NAME


def test_a_code_has_eight_letters_that_are_not_mistaken_for_one_another() -> None:
    codes = {new_claim_code() for _ in range(500)}

    assert len(codes) == 500
    assert all(len(code) == 9 and code[4] == "-" for code in codes)
    assert {letter for code in codes for letter in code} == {*CLAIM_ALPHABET, "-"}
    assert not set("01ILO") & set(CLAIM_ALPHABET)


@pytest.mark.parametrize("typed", ["ABCD-2345", "abcd-2345", "abcd2345", " ab cd 23 45 ", "ABCD–2345", "A.B.C.D.2345"])
def test_a_code_is_recognised_however_it_is_typed(typed: str) -> None:
    assert claim_hash(typed) == claim_hash("ABCD-2345")


@pytest.mark.parametrize("typed", ["ABCD-2346", "ABCD-234", "ABCD-23455", "", "BACD-2345"])
def test_another_code_is_another(typed: str) -> None:
    assert claim_hash(typed) != claim_hash("ABCD-2345")


def test_a_request_does_not_hold_the_code() -> None:
    code = new_claim_code()
    request = msgspec.structs.replace(BY_NAME["EnrolmentRequest"], claim_sha256=claim_hash(code))
    sent = msgspec.json.encode(request)

    assert code.encode() not in sent
    assert code.replace("-", "").encode() not in sent
    assert decode(sent, type(request)) == request
