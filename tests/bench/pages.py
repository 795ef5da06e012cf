"""What pages cost the more nodes there are: how all stand, the strip on top of every page, and the pages themselves."""

import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx

from controller.http.middleware import COOKIE
from tests.bench.figures import Result, quantile, spread
from tests.bench.province import A_COMMUNE, DAYS, Province, province, says_that_it_plays
from tests.controller.factories import Centre, centre
from tests.web.harness import MONDAY, pages

PAGE_MS = 100.0
"""DESIGN section 9: pages and API, p95."""
HEARD = 333
"""Nodes of ten thousand that say within a second that they are well."""
ADDRESSES = (
    *("/strip", "/today", "/schedules", "/nodes", "/say", "/emergencies", "/history", "/faults"),
    "/api/v1/overview",
)


async def run(*, quick: bool) -> Result:
    """Measure."""
    result = Result(
        "pages",
        "What is on every page",
        f"processor time, asked in the process without TLS by somebody of one commune of {A_COMMUNE} nodes, by somebody"
        f" of the whole province, and by somebody who sees all; before each, {HEARD} nodes say that they are well. The"
        " day: three broadcasts to all nodes are over, one is on air at all of them, one is next, and each commune has"
        f" one of this morning and one every evening, planned for {DAYS} days",
    )
    rounds = 5 if quick else 20
    for count in (200,) if quick else (1_000, 10_000):
        with tempfile.TemporaryDirectory(prefix="loa-bench-") as folder:
            async with centre(Path(folder)) as here:
                here.clock.now = MONDAY
                await _measure(here, result, await province(here, count), rounds)
    return result


async def _measure(here: Centre, result: Result, made: Province, rounds: int) -> None:
    count = len(made.nodes)

    def all_well(number: int) -> None:
        for node_id in (made.nodes * 2)[number * HEARD % count :][:HEARD]:
            says_that_it_plays(here, node_id, made.on_air)

    found = await _times(lambda: here.services.overview.of(here.actor), all_well, rounds)
    result.add(f"how {count:,} nodes stand", spread(found, "ms", shares=(0.5, 0.95)), samples=rounds)
    result.raw[f"overview_{count}_ms"] = found
    transport = httpx.ASGITransport(pages(here.services), client=("192.0.2.7", 50_000))
    names = {address: address for address in ADDRESSES}
    names |= {f"/broadcasts/{made.on_air}": "a broadcast on air", f"/broadcasts/{made.over}": "one that is over"}
    for who, token in (await _viewers(here, made)).items():
        cookies = {"Cookie": f"{COOKIE}={token}", "Sec-Fetch-Site": "same-origin", "Accept-Encoding": "identity"}
        async with httpx.AsyncClient(transport=transport, base_url="https://loa.test", headers=cookies) as client:
            for address, name in names.items():
                answer = await client.get(address)
                answer.raise_for_status()
                found = await _times(lambda at=address: client.get(at), all_well, rounds)  # type: ignore[misc]  # mypy infers no type for a default
                result.add(
                    f"{name} {who}, {count:,} nodes, {len(answer.content):,} bytes",
                    spread(found, "ms", shares=(0.5, 0.95)),
                    samples=rounds,
                    target=f"p95 ≤ {PAGE_MS:.0f} ms",
                    good=quantile(found, 0.95) <= PAGE_MS,
                )
                result.raw[f"{name} {who} {count}_ms"] = found


async def _viewers(here: Centre, made: Province) -> dict[str, str]:
    """Give sessions of an operator of one commune, of one of the whole province, and of who sees all."""
    commune = await here.services.areas.get(here.actor, made.communes[0])
    hoa = await here.somebody("hoa", "operator", commune)
    tinh = await here.somebody("tinh", "operator", made.root)
    return {
        "of one commune": await here.session_of(hoa),
        "of the province": await here.session_of(tinh),
        "of all": await here.session_of(here.person),
    }


async def _times(ask: Callable[[], Awaitable[Any]], before: Callable[[int], None], rounds: int) -> list[float]:
    await ask()
    found = []
    for number in range(rounds):
        before(number)
        used = time.process_time()
        await ask()
        found.append((time.process_time() - used) * 1000)
    return found
