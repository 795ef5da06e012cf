"""What every page of a signed-in person stands in: head, strip and STOP; and the strip by itself."""

import re
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from controller.broadcasts.schemas import BroadcastOut
from controller.holds.schemas import HoldOut
from controller.nodes.schemas import NodeOut
from controller.overview.schemas import Overview
from controller.people.rights import Act
from controller.schedules.states import NOT_AIRABLE
from web.forms import own_path
from web.leading import here
from web.offers import menu_of
from web.once import BEFORE
from web.site import Site, Visit
from web.views.places import own_scopes, stop_places
from web.views.release import kept_silent, starts_at_release
from web.views.strip import Strip, strip
from web.views.strip_problems import FAILURE_STANDS_FOR, Calls
from web.words import Mark

_DONE = re.compile(r"[a-z_]{1,40}\Z")
"""Codes of what an act that leads back to a page may say there: ``done.<code>``, or ``undone.<code>``."""
_SAID = ("done", BEFORE)
"""What an address says of the act that led there, and not of what is to be seen there."""


async def todays_runs(visit: Visit) -> list[BroadcastOut]:
    """Read the day's runs, once a visit."""
    if "runs" not in visit.extra:
        visit.extra["runs"] = await visit.services.broadcasts.today(visit.actor, str(visit.form.zone))
    runs: list[BroadcastOut] = visit.extra["runs"]
    return runs


async def overview_of(visit: Visit) -> Overview:
    """Read how all nodes in sight stand, once a visit."""
    if "overview" not in visit.extra:
        visit.extra["overview"] = await visit.services.overview.of(visit.actor)
    found: Overview = visit.extra["overview"]
    return found


async def nodes_of(visit: Visit) -> list[NodeOut]:
    """Read all nodes in sight, once a visit: it costs more with every node, and is for what shows them all."""
    if "nodes" not in visit.extra:
        visit.extra["nodes"] = await visit.services.nodes.all(visit.actor)
    nodes: list[NodeOut] = visit.extra["nodes"]
    return nodes


async def read_strip(visit: Visit) -> Strip:
    """Read what stands on top of every page. What it costs does not grow with the nodes."""
    services, actor = visit.services, visit.actor
    async with services.together():
        found = await overview_of(visit)  # first: what it was told of is in this snapshot
        holds, calls = await services.holds.active(actor), await _calls(visit)
        runs = await _runs_on_top(visit, found, holds, calls)
    nodes = await nodes_of(visit) if holds and _names_a_node(holds, runs) else []
    starts = starts_at_release(holds, runs, visit.areas, nodes, visit.form)
    silent = kept_silent(holds, runs, visit.areas, nodes)
    return strip(holds, found, runs, visit.form, calls, starts=starts, silent=silent)


async def _runs_on_top(visit: Visit, found: Overview, holds: Sequence[HoldOut], calls: Calls) -> Sequence[BroadcastOut]:
    """Read the few runs that the strip tells of: the same on every page, also where all of a day's are at hand."""
    ids = {each.broadcast_id for each in calls.emergencies if each.broadcast_id}
    ids |= {each.broadcast_id for each in found.sounding[:1]}
    around = visit.services.broadcasts.around
    return await around(visit.actor, str(visit.form.zone), ids, failed_for=FAILURE_STANDS_FOR, due=bool(holds))


def _names_a_node(holds: Iterable[HoldOut], runs: Iterable[BroadcastOut]) -> bool:
    """Tell whether a hold, or what is aimed somewhere, names a single node: where that is, only its row says."""
    scopes = [hold.scope for hold in holds] + [target.scope for run in runs for target in run.targets]
    return any(scope.startswith("nodes/") for scope in scopes)


async def _calls(visit: Visit) -> Calls:
    """Read what waits for this very person."""
    services, actor = visit.services, visit.actor
    emergencies = await services.emergencies.under_way(actor)
    waiting = await services.approvals.count_waiting(actor) if visit.may(Act.APPROVALS_GIVE) else 0
    plans = visit.may(Act.SCHEDULES_WRITE)
    may_look = plans or visit.may(Act.ALARMS_ACKNOWLEDGE)
    alarms = await services.alarms.list(actor, waiting=True) if may_look else []
    unaired = await services.unaired.soon(actor, passed_for=FAILURE_STANDS_FOR) if plans else []
    returned = await services.returned_schedules.unplanned(actor) if plans else []
    told = {f"schedules/{each.schedule_id}" for each in unaired}  # by their own line
    others = [each for each in alarms if each.kind != NOT_AIRABLE or each.subject not in told]
    return Calls(emergencies, waiting, len(others), unaired, returned)


async def whole_page(
    visit: Visit, template: str, *, status: int = 200, place: str = "", **context: Any
) -> HTMLResponse:
    """Answer with a page in its frame; ``place``: what the page is about, else where the person belongs."""
    offset = visit.form.now.astimezone(visit.form.zone).utcoffset()
    shown = await read_strip(visit)
    return visit.fragment(
        template,
        status=status,
        person=visit.person,
        place=place or _own_place(visit),
        zone_minutes=int(offset.total_seconds() // 60) if offset else 0,
        strip=shown,
        stop_places=stop_places(visit.places(Act.HOLDS_ORDER)),
        menu=menu_of(visit.person, visit.actor),
        waiting_at=_waiting_at(shown),
        section="/" + here(visit.request).split("?")[0].split("/")[1],
        notice=_notice(visit),
        is_answer=visit.request.method == "POST",
        **context,
    )


def _waiting_at(shown: Strip) -> dict[str, int]:
    """Say how many wait for this person, by the way of the menu that leads there."""
    return {"/approvals": shown.approvals, "/emergencies": shown.unsent}


def _own_place(visit: Visit) -> str:
    """Name the place of whom the page belongs to: the uppermost area when there is one alone, else none."""
    tops = own_scopes(visit.areas)
    return visit.areas[0].name if len(tops) == 1 else visit.text("app.name")


def back(path: str, done: str = "") -> RedirectResponse:
    """Lead to a page of ours after an act, as it was asked for, and say there what was done."""
    parts = urlsplit(own_path(path))
    asked = [(key, value) for key, value in parse_qsl(parts.query) if key not in _SAID]
    return RedirectResponse(f"{parts.path}?{urlencode([*asked, (_SAID[0], done)])}", 303)


def _notice(visit: Visit) -> Mark | None:
    """Say what became of the act that led here, and that it was not done again for who sent it twice."""
    query, text = visit.request.query_params, visit.text
    done = query.get("done", "") if _DONE.match(query.get("done", "")) else ""
    if text.has(f"undone.{done}"):
        return Mark("triangle", "stop", text(f"undone.{done}"))
    words = [text(f"done.{done}")] if text.has(f"done.{done}") else []
    if BEFORE in query:
        words.append(text("shape.sent_before"))
    return Mark("ready", "good", " ".join(words)) if words else None


def add(router: APIRouter, site: Site) -> None:
    """Add the strip as a fragment of its own, and the frame to what cannot import it."""
    site.in_frame = whole_page

    @router.get("/strip")
    async def strip_again(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        shown = await read_strip(visit)
        return visit.fragment("_strip_again.html", strip=shown, waiting_at=_waiting_at(shown))
