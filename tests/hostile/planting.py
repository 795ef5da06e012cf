"""Hostile text in every field that the API, a node, a file or a browser can fill; made from descriptions, not by hand.

Each field gets its own number, so that a page tells which field it shows.
"""

import copy
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec
from fastapi import FastAPI

from controller.faults.keeping import FaultKeeper
from controller.wire.presence import PresenceWatch
from edge_agent.protocol.reports import Health, Leaving, Lost, Online
from tests import sounds
from tests.controller.descriptions import operations
from tests.controller.factories import api
from tests.controller.matrix import ROUTES
from tests.controller.test_matrix import filled
from tests.controller.test_services_recordings import processing, settled
from tests.controller.two_communes import World, asking

KINDS: tuple[str, ...] = (
    "\"'><x-x data-xss=~{n}~ onmouseover=xss()></x-x><img src=x onerror=xss()><script>xss()</script>",
    "</script></style></template></textarea></title>--><svg onload=xss()><b data-xss=~{n}~>{{{{7001*7}}}}",
    "javascript:xss()//~{n}~' autofocus onfocus=xss() x='",
)
COMPUTED = "49007"
"""What a template would make of the second one."""
SHORT = '"><b data-xss=~{n}~ onclick=xss()>'
"""For what may have few letters."""
MARK = re.compile(r"~(\d+)~")
EMPTY = {"type": "null"}
Where = tuple[str | int, ...]


@dataclass
class Planted:
    """What was taken in, and what it led to."""

    kind: str
    fields: dict[int, str] = field(default_factory=dict)
    """Number → the field, of those that were taken."""
    refused: set[str] = field(default_factory=set)
    made: dict[str, list[str]] = field(default_factory=dict)
    """Noun of the API → what was made with it."""
    numbers: int = 0

    def text(self, most: int | None = None) -> str:
        """Make a text with the next number, as long as may be."""
        self.numbers += 1
        for kind in (self.kind, SHORT, "<b>~{n}~"):
            said = kind.format(n=self.numbers)
            if most is None or len(said) <= most:
                return said
        return "<b>"[:most]

    def took(self, name: str) -> None:
        """Note that the text made last was taken."""
        self.fields[self.numbers] = name


def texts_of(schema: dict[str, Any], known: dict[str, Any], there: Any) -> Iterator[tuple[Where, int | None]]:
    """Name every free text of a body: where it stands, and how long it may be. Of lists, those items that are there."""
    if "$ref" in schema:
        schema = known[schema["$ref"].rpartition("/")[2]]
    for other in schema.get("anyOf", ()):
        if other != EMPTY:
            yield from texts_of(other, known, there)
    if schema.get("type") == "string" and not {"format", "enum", "pattern", "const"} & schema.keys():
        yield (), schema.get("maxLength")
    for name, part in schema.get("properties", {}).items():
        inside = there.get(name) if isinstance(there, dict) else None
        for path, most in texts_of(part, known, inside):
            yield (name, *path), most
    if schema.get("type") == "array" and isinstance(there, list):
        for number, each in enumerate(there):
            for path, most in texts_of(schema.get("items", {}), known, each):
                yield (number, *path), most


def put(body: Any, path: Where, value: str) -> Any:
    """Give a body with one text changed."""
    changed = copy.deepcopy(body)
    at = changed
    for name in path[:-1]:
        at = at.setdefault(name, {}) if isinstance(at, dict) else at[name]
    at[path[-1]] = value
    return changed


async def by_people(world: World, planted: Planted, every: int = 1) -> None:
    """Fill every text of every body and query of the API, one at a time, as somebody who may; or every how manieth."""
    app = api(world.centre.services)
    async with asking(world, "everywhere") as client:
        client.headers["User-Agent"] = planted.text(200)
        planted.took("the browser's name")
        count = 0
        for name, route, operation in _filling(app):
            method, _, path = name.partition(" ")
            things = world.east | {parameter: world.east[thing] for parameter, thing in route.path.items()}
            url, query, body = filled(path, things), filled(route.query, things), filled(route.body, things)
            for where, most in _texts(app, operation, body, query):
                count += 1
                if count % every:
                    continue
                text = planted.text(most)
                if where[0] == "query":
                    sent = {"params": query | {str(where[1]): text}, "content": _sound(planted)}
                else:
                    sent = {"json": put(body, where[1:], text), "params": query}
                answer = await client.request(method, url, **sent)
                _note(planted, f"{name} {'.'.join(map(str, where))}", path, answer)


def _filling(app: FastAPI) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Name what takes texts; what ends things comes last."""
    ends = ("withdraw", "archive", "end", "cancel", "revoke", "sessions", "password", "factor", "moves")
    found = [(f"{method} {path}", operation) for method, path, operation in operations(app) if method != "GET"]
    for name, operation in sorted(found, key=lambda each: each[0].endswith(ends)):
        if "password" not in name and "sessions" not in name:  # whoever asks would be locked out of the rest
            yield name, ROUTES[name], operation


def _texts(
    app: FastAPI, operation: dict[str, Any], body: Any, query: dict[str, str]
) -> Iterator[tuple[Where, int | None]]:
    known = app.openapi()["components"]["schemas"]
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    for path, most in texts_of(schema, known, body):
        yield ("body", *path), most
    for each in operation.get("parameters", ()):
        if each["in"] == "query" and query:
            for _, most in texts_of(each["schema"], known, None):
                yield ("query", each["name"]), most


def _note(planted: Planted, name: str, path: str, answer: httpx.Response) -> None:
    assert answer.status_code < 500, (name, answer.text)
    if answer.status_code >= 400:
        planted.refused.add(name)
        return
    planted.took(name)
    said = answer.json() if answer.content else None
    for each in said if isinstance(said, list) else [said]:
        if isinstance(each, dict) and isinstance(each.get("id"), str):
            planted.made.setdefault(path.split("/")[3], []).append(each["id"])


def _sound(planted: Planted) -> bytes:
    return f"no sound {planted.numbers}".encode()


def texts_of_wire(kind: type[msgspec.Struct]) -> Iterator[tuple[Where, int | None]]:
    """Name every free text that a node can say in a message."""
    yield from _of_wire(msgspec.inspect.type_info(kind))


def _of_wire(kind: msgspec.inspect.Type) -> Iterator[tuple[Where, int | None]]:
    match kind:
        case msgspec.inspect.StrType(pattern=None):
            yield (), kind.max_length
        case msgspec.inspect.StructType():
            for each in kind.fields:
                for path, most in _of_wire(each.type):
                    yield (each.encode_name, *path), most
        case msgspec.inspect.UnionType():
            for one in kind.types:
                yield from _of_wire(one)
        case msgspec.inspect.VarTupleType() | msgspec.inspect.ListType():
            for path, most in _of_wire(kind.item_type):
                yield (0, *path), most
        case msgspec.inspect.DictType():
            yield from (((("…"), *path), most) for path, most in _of_wire(kind.value_type))


SAYS: dict[type[msgspec.Struct], dict[str, Any]] = {
    Online: {
        "state": "online",
        "boot_id": "b",
        "connected_at": "2026-03-09T02:00:00Z",
        "abilities": {"software": "x", "output": "card", "best_grade": 1, "commands": ["self_test"]},
        "update": {"state": "refused", "reason": "too_old", "version": "x"},
    },
    Health: {
        "sent_at": "2026-03-09T02:00:00Z",
        "uptime_ms": 1,
        "clock": {"state": "trusted"},
        "faults": [{"code": "output_lost", "since_at": "2026-03-09T02:00:00Z", "detail": "x"}],
        "store_id": "s",
        "last_seq": 0,
        "acked_seq": 0,
        "update": {"state": "refused", "reason": "too_old", "version": "x"},
    },
    Leaving: {"state": "leaving", "reason": "restart"},
    Lost: {"state": "lost", "boot_id": "b"},
}
"""Every report that a page could show. A field of text that is missing here fails ``by_a_node``."""


async def by_a_node(world: World, planted: Planted) -> None:
    """Let a node say hostile things in every text that its messages have."""
    centre, node_id = world.centre, world.east["node_id"]
    keeper = FaultKeeper(centre.database, centre.clock)
    watch = PresenceWatch(
        centre.database,
        centre.bus,
        centre.clock,
        centre.services.live,
        on_health=keeper.note_health,
        on_status=keeper.note_status,
        on_hello=lambda *_: None,
    )
    takes: dict[type[msgspec.Struct], Callable[[str, bytes, bool], None]] = {
        Lost: watch.note_presence,
        Leaving: watch.note_presence,
        Online: watch.note_presence,
        Health: watch.note_health,
    }
    assert takes.keys() == SAYS.keys()
    await keeper.load()
    for kind, take in takes.items():
        said = SAYS[kind]
        for path, most in texts_of_wire(kind):
            said = put(said, path, planted.text(most))
            planted.took(f"{kind.__name__} {'.'.join(map(str, path))}")
        take(node_id, msgspec.json.encode(said), False)
        assert not watch.dropped, (kind, watch.dropped)
    assert await keeper.look() > 0


async def by_a_file(world: World, planted: Planted) -> None:
    """Send sound whose own tags are hostile, and let it be processed."""
    tags = {}
    for name in ("title", "artist", "album", "comment", "encoder"):
        tags[name] = planted.text()
        planted.took(f"tag {name}")
    given = [part for name, text in tags.items() for part in ("-metadata", f"{name}={text}")]
    data = sounds.encoded(sounds.speech(1), "mp3", extra=given)
    assert tags["artist"].encode() in data
    async with asking(world, "everywhere") as client, processing(world.centre):
        sent = await client.post("/api/v1/recordings", params={"title": "Tiếng"}, content=data)
        assert sent.status_code == 202
        planted.made.setdefault("recordings", []).append(sent.json()["id"])
        assert (await settled(world.centre, sent.json()["id"])).state == "ready"


async def by_a_sign_in(world: World, planted: Planted) -> None:
    """Try to sign in under hostile names until somebody is told, from a browser with a hostile name."""
    async with world.centre.client(signed_in=False) as client:
        for _ in range(3):
            body = {"login": planted.text(200), "password": planted.text(200)}
            agent = {"User-Agent": planted.text(200)}
            assert (await client.post("/api/v1/sessions", json=body, headers=agent)).status_code == 401
