"""Nobody fills in a form only to be refused: a page shows it to who may send it, or says at once who may."""

import re

import pytest

from controller.people.rights import ALLOWED, Act, Role
from tests.web.harness import Commune, visitor
from tests.web.manners.sweeping import all_paths
from tests.web.pages import said
from tests.web.scenes import busy_day, planned_week
from web.offers import ENTRIES, Entry

NEEDED = {
    r"/say": Act.BROADCASTS_CREATE,
    r"/broadcasts/\w+/replay": Act.BROADCASTS_CREATE,
    r"/bulletins/(new|\w+/edit)": Act.BULLETINS_WRITE,
    r"/programmes(/\w+)?": Act.PROGRAMMES_WRITE,
    r"/schedules/(new|copy|import|\w+/edit|\w+/dates/.*)": Act.SCHEDULES_WRITE,
    r"/calendars/\w+(/end)?": Act.CALENDARS_WRITE,
    r"/emergencies/new": Act.EMERGENCIES_DRILL,  # who may propose one may hold a drill
    r"/messages/\w+": Act.MESSAGES_WRITE,
    r"/emergencies/\w+": Act.EMERGENCIES_CONFIRM,
    r"/approvals/\w+": Act.APPROVALS_GIVE,
    r"/bulletins/\w+": Act.BULLETINS_WRITE,  # offers it; who says yes to it may write one too
    r"/places/merge": Act.AREAS_MOVE,
    r"/policies/\w+": Act.POLICIES_CHANGE,
    r"/people": Act.PEOPLE_ADD,
    r"/people/\w+": Act.PEOPLE_CHANGE,
    r"/recordings/\w+/cut": Act.RECORDINGS_UPLOAD,
    r"/setup/places": Act.AREAS_CREATE,
    r"/setup/person": Act.PEOPLE_ADD,
    r"/setup/node": Act.NODES_ADOPT,
    r"/updates/\w+": Act.ROLLOUTS_START,
}
"""Address of a form with a main act → what its sender must be allowed. A form of neither fails the test."""
READ_BY_ALL = frozenset(
    {"/approvals", "/bulletins", "/calendars", "/emergencies", "/messages", "/places", "/programmes", "/recordings"}
)
"""Led to from pages of every role, which read what sounds, or waits, or was planned in their sight."""
SENT_BY_ANYBODY = re.compile(r"/sign-in(/.*)?")
FORM = re.compile(r"<form\b.*?</form>", re.DOTALL)
MAIN = re.compile(r'<button[^>]* class="main\b')


def main_forms(body: str) -> list[str]:
    """Give the addresses to which a page's main acts are sent."""
    main = body.partition('<main id="main"')[2].partition("</main>")[0]
    forms = [form for form in FORM.findall(main) if 'method="post"' in form.split(">")[0] and MAIN.search(form)]
    return [re.sub(r"\?.*", "", found[1]) for form in forms if (found := re.search(r'action="(.*?)"', form))]


def offered_to_some() -> list[Entry]:
    """Give the pages of the menu that not everybody is led to."""
    return [each for each in ENTRIES.values() if each.acts]


def needed(action: str) -> Act | None:
    return next((act for path, act in NEEDED.items() if re.fullmatch(path, action)), None)


def wrong_forms(role: Role, path: str, body: str) -> list[str]:
    """Name the forms of a page that a person of this role may not send, or of which nobody said who may."""
    wrong: list[str] = []
    for action in main_forms(body):
        act = needed(action)
        if act is None:
            wrong += [] if SENT_BY_ANYBODY.fullmatch(action) else [f"{path}: who may send {action}?"]
        elif act not in ALLOWED[role]:
            wrong.append(f"{path} shows a {role} the form of {action}, which takes {act}")
    return wrong


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_no_page_shows_a_form_to_who_may_not_send_it(site: Commune) -> None:
    day, planned = await busy_day(site), await planned_week(site)
    edited = [f"{path}/edit" for name, path in planned.items() if name in {"bulletin", "schedule"}]
    paths = await all_paths(
        site, [*day.addresses(), *planned.values(), *edited, *map("{}/replay".format, day.addresses())]
    )
    seen: set[Act] = set()
    wrong: list[str] = []
    for role in Role:
        who = await site.centre.somebody(f"one.{role}", role, site.root)
        async with visitor(site, who=who) as client:
            for path in paths:
                answer = await client.get(path)
                wrong += wrong_forms(role, path, answer.text)
                seen |= {act for action in main_forms(answer.text) if (act := needed(action))}
    assert not wrong, "\n".join(wrong)
    assert seen >= {Act.BROADCASTS_CREATE, Act.SCHEDULES_WRITE, Act.BULLETINS_WRITE, Act.MESSAGES_WRITE}


async def test_who_follows_a_link_to_a_form_of_others_is_told_at_once(site: Commune) -> None:
    forms = [
        "/say",
        "/say?shared=1",
        "/bulletins/new",
        "/messages/new",
        "/schedules/new",
        "/schedules/copy",
        "/schedules/import",
        "/calendars/new",
    ]
    for role in (Role.HELPER, Role.OBSERVER, Role.TECHNICIAN):
        who = await site.centre.somebody(f"one.{role}", role, site.root)
        async with visitor(site, who=who) as client:
            for path in [*forms, "/emergencies/new", "/emergencies/new?drill=marked", "/places/merge"]:
                answer = await client.get(path)
                assert answer.status_code == 403, path
                assert "thuộc vai trò khác" in said(answer), path
                assert 'href="/today"' in answer.text
            for path in {each.path for each in offered_to_some() if not ALLOWED[role] & set(each.acts)} - READ_BY_ALL:
                assert (await client.get(path)).status_code == 403, (role, path)
            assert 'id="upload"' not in (await client.get("/recordings")).text
