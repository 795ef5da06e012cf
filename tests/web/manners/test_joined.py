"""What pages are made of: few files, so that a slow link asks once, and each part in them once."""

import re
from collections.abc import Sequence

import pytest

from controller.http.compressed import LEAST_BYTES
from tests.web.harness import Commune, visitor
from web.joined import JOINED, STATIC, joined, lean

MOST = 6
"""How many files a browser asks one origin for at once, over HTTP/1.1."""
PART = re.compile(r'(?:src|rel="stylesheet" href)="/static/([^"?]+)')
LATER = re.compile(r'<meta name="loa-later" content="([^"]+)"')


def parts(page: str) -> Sequence[str]:
    """Name the scripts and styles of a page, joined ones by what stands in them."""
    return [part for path in [*PART.findall(page), *later(page)] for part in JOINED.get(path, (path,))]


def later(page: str) -> Sequence[str]:
    """Name the scripts that come when the page stands."""
    (named,) = LATER.findall(page)
    return [address.removeprefix("/static/").partition("?")[0] for address in named.split()]


@pytest.mark.parametrize("path", JOINED)
def test_all_parts_stand_in_what_is_joined_in_their_order(path: str) -> None:
    places = [joined(path).find(lean(part)) for part in JOINED[path]]
    assert -1 not in places
    assert places == sorted(places)


@pytest.mark.parametrize("part", sorted({part for parts in JOINED.values() for part in parts}))
def test_what_is_sent_of_a_part_is_all_but_its_comments(part: str) -> None:
    """And its margins: line by line, and no text of it is taken for a comment."""
    whole, sent = (STATIC / part).read_text("utf-8"), lean(part)
    assert len(sent.splitlines()) == len(whole.splitlines())
    left = [line for line in sent.splitlines() if re.match(r"\s*(//|/\*)", line)]
    assert left == []
    if part.endswith(".js"):
        assert not any(line.replace("\\`", "").count("`") % 2 for line in sent.splitlines()), "a text of many lines"
        for before, after in zip(whole.splitlines(), sent.splitlines(), strict=True):
            assert before.strip().startswith(after)
            assert re.match(r"\s*(//[^\n]*)?$", before.strip().removeprefix(after))
    else:
        assert whole.count("{") == sent.count("{")


def test_a_script_that_fails_ends_none_of_those_behind_it() -> None:
    """Each stands in a block that tells its failure; strictness of one would be everybody's."""
    for path, names in JOINED.items():
        if path.endswith(".js"):
            assert joined(path).count("} catch (error) { reportError(error); }\n") == len(names)
            assert not re.search(r"""^["']use strict""", joined(path), re.MULTILINE)


async def test_a_page_asks_for_all_it_is_made_of_at_once_and_for_nothing_twice(site: Commune) -> None:
    """Pages that a person opens every day."""
    async with visitor(site) as client:
        for path in ("/today", "/say", "/approvals", "/nodes", "/schedules", "/recordings", "/emergencies/new"):
            page = (await client.get(path)).text
            assert len(PART.findall(page)) <= MOST, path
            found = parts(page)
            assert sorted(found) == sorted(set(found)), path


async def test_what_sends_and_keeps_comes_when_the_page_stands_and_what_it_needs_before_that(site: Commune) -> None:
    """Drafts come last: they give back places, files and words by the scripts that know those."""
    async with visitor(site) as client:
        assert later((await client.get("/today")).text) == ["js/then.js"]
        for path in ("/say", "/emergencies/new"):
            assert later((await client.get(path)).text) == ["js/speak.js", "js/then.js"]


async def test_joined_scripts_are_scripts_and_kept_for_good(site: Commune) -> None:
    async with visitor(site) as client:
        page = (await client.get("/say")).text
        addresses = re.findall(r'src="(/static/js/[^"]+)"', page)
        assert len(addresses) == 3
        for address in [*addresses, *LATER.findall(page)[0].split()]:
            answer = await client.get(address)
            assert answer.headers["content-type"].startswith("text/javascript")
            assert "immutable" in answer.headers["cache-control"]
            assert answer.headers.get("content-encoding") == "gzip" or len(answer.content) < LEAST_BYTES
