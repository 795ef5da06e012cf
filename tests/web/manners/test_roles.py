"""Every page as each role sees it, by its HTML alone; ``test_browser_roles_long`` looks at them in a browser."""

import re
from collections import Counter

import httpx
import pytest

from controller.people.rights import Role
from tests.web.harness import Commune, visitor
from tests.web.manners.sweeping import deep_paths
from tests.web.manners.test_rights import wrong_forms
from tests.web.pages import PAGES
from tests.web.scenes import busy_day, planned_week

ROLES = ("operator", "approver", "technician", "helper")
WITHOUT_NAME = re.compile(r"<(button|a)\b(?![^>]*aria-label)[^>]*>\s*</\1>")
WORDS = re.compile(r"<(script|style|svg)\b.*?</\1>|<[^>]+>", re.DOTALL)
HALF_DAYS = re.compile(r"\b\d{1,2}:\d\d\s?(?:[AaPp]\.?[Mm]\b|SA\b|CH\b)")
MACHINES_DAYS = re.compile(r"\b20\d\d-\d\d-\d\d\b")
FIELD = re.compile(r"<(?:input|select|textarea)\b([^>]*)>")
HIDDEN = re.compile(r'type="(?:hidden|radio|checkbox)"')


def faults_in(answer: httpx.Response) -> list[str]:
    """Name what is wrong with the HTML of a page."""
    html = re.sub(r"<template>.*?</template>|<!--.*?-->", "", answer.text, flags=re.DOTALL)
    twice = [name for name, count in Counter(re.findall(r'\sid="([^"]+)"', html)).items() if count > 1]
    labelled = set(re.findall(r'<label[^>]*\sfor="([^"]+)"', html))
    within = " ".join(re.findall(r"<label(?![^>]*\sfor=)[^>]*>.*?</label>", html, flags=re.DOTALL))
    fields = [each for each in FIELD.findall(html) if not HIDDEN.search(each) and "aria-label" not in each]
    bare = [
        each
        for each in fields
        if each not in within and not labelled & set(re.findall(r'\bid="([^"]+)"', each)) and " hidden" not in each
    ]
    found = [f"id twice: {name}" for name in twice] + [f"no label: {each[:80]}" for each in bare]
    found += [f"no name: {each.group()[:80]}" for each in WITHOUT_NAME.finditer(html)]
    words = WORDS.sub(" ", html)
    found += [f"not of 24 hours: {each}" for each in HALF_DAYS.findall(words)]
    found += [f"not dd/mm: {each}" for each in MACHINES_DAYS.findall(words)]
    found += [f"{html.count('<h1')} headings of the page"] * (html.count("<h1") != 1)
    return [f"{answer.request.url.path}: {each}" for each in found]


@pytest.mark.parametrize("role", ["operator", *(pytest.param(each, marks=pytest.mark.long) for each in ROLES[1:])])
async def test_every_page_of_a_role_is_whole(role: str, site: Commune) -> None:
    paths = [*PAGES, *deep_paths(await busy_day(site), await planned_week(site))]
    seen, found = await _looked(site, Role(role), paths)
    assert not found, "\n".join(found)
    assert len(seen) >= 12
    assert "/people" not in seen


async def _looked(site: Commune, role: Role, paths: list[str]) -> tuple[set[str], list[str]]:
    seen, found = set(), []
    async with visitor(site, who=await site.centre.somebody(role, role, site.root)) as client:
        for path in dict.fromkeys(paths):
            answer = await client.get(path)
            assert answer.status_code < 500, path
            if answer.status_code == 200:
                seen.add(path)
                found += [*faults_in(answer), *wrong_forms(role, path, answer.text)]
    return seen, found


@pytest.mark.parametrize(
    ("html", "fault"),
    [
        ('<h1>x</h1><i id="a"></i><i id="a"></i>', "id twice: a"),
        ('<h1>x</h1><input id="a">', 'no label:  id="a"'),
        ("<h1>x</h1><button></button>", "no name: <button></button>"),
        ("<h1>x</h1><p>5:00 SA</p>", "not of 24 hours: 5:00 SA"),
        ("<h1>x</h1><p>từ 2031-11-24</p>", "not dd/mm: 2031-11-24"),
        ("<p>x</p>", "0 headings of the page"),
    ],
)
def test_a_planted_fault_is_seen(html: str, fault: str) -> None:
    answer = httpx.Response(200, text=html, request=httpx.Request("GET", "http://localhost/x"))
    assert faults_in(answer) == [f"/x: {fault}"]
