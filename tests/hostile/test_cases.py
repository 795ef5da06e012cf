"""The table of the 94 hostile inputs is whole, and what it points to is there."""

import ast
from functools import cache
from pathlib import Path

import pytest

from .cases import CASES

TESTS = Path(__file__).parents[1]
ENOUGH_WORDS = 5
"""A reason is a sentence."""


@cache
def living_in(file: str) -> frozenset[str]:
    """Names of the tests of a file that are run: not those that are always skipped."""
    tree = ast.parse((TESTS / file).read_text())
    return frozenset(
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not any("skip" in ast.unparse(each) or "xfail" in ast.unparse(each) for each in node.decorator_list)
    )


def test_every_number_of_the_list_has_its_line() -> None:
    assert list(CASES) == list(range(1, 95))


@pytest.mark.parametrize("number", CASES)
def test_a_case_has_living_tests_or_says_why_not(number: int) -> None:
    case = CASES[number]
    assert case.words
    assert case.tests or len(case.not_yet.split()) >= ENOUGH_WORDS
    for each in case.tests:
        file, _, name = each.partition("::")
        assert name in living_in(file), each
