"""From a publish to the callback of 1,000 nodes, beside the broker's own fan-out of the same bytes."""

import asyncio
import contextlib
import hashlib
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from controller.broadcasts.rules import Piece, items_of
from controller.clock import system_clock
from controller.demo.ports import free_ports
from controller.demo.processes import Program
from controller.plans.build import Stamp, build_urgent
from controller.wire.broker import SAFE_PATH, _account, _as_user
from controller.wire.broker_config import Listener, access_rules, configuration
from controller.wire.keys import load_keys
from controller.wire.mqtt import Connection
from controller.wire.pki import Authority
from edge_agent.protocol import topics
from edge_agent.protocol.content import Approval, Broadcast, content_hash
from edge_agent.protocol.documents import MAX_INLINE_BYTES, Urgent
from edge_agent.protocol.signing import SigningKey, TrustStore, open_document
from edge_agent.protocol.states import Level
from edge_agent.protocol.topics import Word
from tests.bench.crowd import Crowd, crowd
from tests.bench.figures import Result, median_of, quantile, spread
from tests.bench.fleet import LightFleet

AREA = "xa-do"
MOST = 1.3
"""Ratio to reach."""
WITHIN_S = 30.0


async def run(*, quick: bool) -> Result:
    """Measure."""
    nodes, rounds = (50, 6) if quick else (1000, 60)
    result = Result("fanout", "Publish → node callback, beside the raw broker", "")
    on = await _with_broker(nodes, rounds, nodelay=True)
    off = await _with_broker(nodes, max(3, rounds // 6), nodelay=False)
    result.payload = (
        f"a signed urgent with {MAX_INLINE_BYTES} bytes of audio inside ({on['bytes']} bytes on the wire) to {nodes}"
        " light nodes in one process over MQTT 5, QoS 1, TLS 1.3 with client certificates"
    )
    _tell(result, on)
    for name, found in (("on", on), ("off", off)):
        result.add(
            f"TLS connect to CONNACK, set_tcp_nodelay {name}",
            spread(found["connect_ms"], "ms", shares=(0.5, 0.99)),
            samples=nodes,
        )
        result.add(
            f"SUBSCRIBE to SUBACK, set_tcp_nodelay {name}",
            spread(found["subscribe_ms"], "ms", shares=(0.5, 0.99)),
            samples=nodes,
        )
    last_off = [max(one) for one in off["raw_ms"]]
    result.add("raw fan-out to the last node, set_tcp_nodelay off", median_of(last_off, "ms"), samples=len(last_off))
    result.notes += [
        (
            "Publishes alternate on the same connections and carry the same bytes: one that all subscribers only note"
            " (raw), one that one of them checks, each time another along the whole fan-out, and, half as often, one"
            " that all check. With one that checks, its own arrivals in the raw publish just before are beside it."
        ),
        (
            "The target is judged where one node checks, because each real node makes its one check on a processor of"
            " its own, while here all nodes and the broker share one machine, on which a thousand checks queue up"
            " behind each other."
        ),
    ]
    result.raw = {"on": on, "off": off}
    return result


def _tell(result: Result, found: dict[str, Any]) -> None:
    result.add("one signature check and decoding, on one core", median_of(found["check_ms"], "ms", 3), samples=200)
    for name, share in (("p50", 0.5), ("p95", 0.95)):
        plain, checked = (quantile(found[mode], share) for mode in ("arrived_ms", "checked_ms"))
        result.add(
            f"{name}, one node checks: raw, then to its callback",
            f"{plain:.1f} ms, {checked:.1f} ms, ratio {checked / plain:.2f}",
            samples=len(found["checked_ms"]),
            target=f"≤ {MOST} × raw",
            good=checked <= MOST * plain,
        )
    for name, share in (("p50", 0.5), ("p99", 0.99), ("last node", 1.0)):
        plain, checked = (
            statistics.median(quantile(one, share) for one in found[mode]) for mode in ("raw_ms", "all_ms")
        )
        result.add(
            f"{name}, all nodes check on this machine: raw, then to the callback",
            f"{plain:.1f} ms, {checked:.1f} ms, ratio {checked / plain:.2f}",
            samples=sum(map(len, found["all_ms"])),
        )


async def _with_broker(nodes: int, rounds: int, *, nodelay: bool) -> dict[str, Any]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="loa-bench-")))
        keys = load_keys(folder / "keys")
        authority = Authority(folder / "keys", keys, system_clock, names=("127.0.0.1", "localhost"))
        port = free_ports(1)[0]
        broker = await _broker(folder, authority, port, nodelay=nodelay)
        stack.push_async_callback(broker.stop)
        centre = Connection("centre", authority.centre_context(), lambda *_: None)
        await _open(centre, port, broker)
        stack.push_async_callback(centre.close)
        token = _urgent(keys.dispatch)
        fleet = LightFleet(folder / "fleet", authority, nodes)
        people = await stack.enter_async_context(crowd(fleet.write_order(port, [AREA])))
        found: dict[str, Any] = await people.ask("connect", introduce=False, within_s=300)
        trust = TrustStore(authority.trusted_keys)
        found |= {"bytes": len(token), "check_ms": [_check_ms(token, trust) for _ in range(200)]}
        everybody = [node.node_id for node in fleet.nodes]
        found |= {"raw_ms": [], "all_ms": [], "arrived_ms": [], "checked_ms": []}
        await _one(people, centre, token, everybody, [])  # the first one warms up
        for number in range(rounds):
            checker = everybody[(number + 1) * nodes // rounds - 1]  # up to the last
            raw = await _one(people, centre, token, everybody, [])
            one = await _one(people, centre, token, everybody, [checker])
            found["raw_ms"].append(list(raw.values()))
            found["arrived_ms"].append(raw[checker])
            found["checked_ms"].append(one[checker])
            if number % 2 == 0:
                found["all_ms"].append(list((await _one(people, centre, token, everybody, everybody)).values()))
        return found


async def _one(
    people: Crowd, centre: Connection, token: bytes, everybody: Sequence[str], checkers: Sequence[str]
) -> dict[str, float]:
    """Publish once; gives the milliseconds until each node was done with it."""
    topic = str(topics.Topic(topics.area(AREA), Word.URGENT))
    await people.ask("watch", topic=topic, checkers=checkers)
    begun = time.monotonic_ns()
    await centre.publish(topic, token, qos=1, retain=False)
    found = await people.ask("found", wait_s=WITHIN_S)
    if len(found["done"]) != len(everybody):
        raise RuntimeError(f"{len(found['done'])} of {len(everybody)} nodes heard a publish within {WITHIN_S:.0f} s")
    return {node: (done - begun) / 1e6 for node, done in found["done"].items()}


async def _broker(folder: Path, authority: Authority, port: int, *, nodelay: bool) -> Program:
    """Start mosquitto with the centre's own configuration, but for one line."""
    place = folder / "broker"
    place.mkdir()
    text = configuration(Listener("127.0.0.1", port, place))
    if not nodelay:
        text = text.replace("set_tcp_nodelay true", "set_tcp_nodelay false")
    files = {
        "mosquitto.conf": text.encode(),
        "acl": access_rules().encode(),
        "ca.crt": authority.ca_pem.encode(),
        "server.crt": authority.server_chain.read_bytes(),
        "server.key": authority.server_key.read_bytes(),
    }
    for name, content in files.items():
        (place / name).write_bytes(content)
        (place / name).chmod(0o600)
    account = _account()
    if account is not None:
        await asyncio.to_thread(_give, folder, place, account.pw_uid, account.pw_gid)
    binary = shutil.which("mosquitto", path=SAFE_PATH)
    if binary is None:
        raise RuntimeError("mosquitto is not installed: run `make setup`")
    argv = [*_as_user(account), binary, "-c", str(place / "mosquitto.conf")]
    return await Program.start("mosquitto", argv, env={"PATH": SAFE_PATH}, log=folder / "broker.log")


def _give(folder: Path, place: Path, user: int, group: int) -> None:
    """Let the broker's user read its files: mosquitto must not run as root."""
    folder.chmod(0o711)
    for path in (place, *place.iterdir()):
        os.chown(path, user, group)


async def _open(centre: Connection, port: int, broker: Program) -> None:
    async with asyncio.timeout(WITHIN_S):
        while True:
            broker.check()
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            await asyncio.sleep(0.02)
    await centre.open("127.0.0.1", port)


def _urgent(key: SigningKey) -> bytes:
    """Sign an urgent as the centre would, with as much audio inside as is allowed."""
    audio = hashlib.shake_256(b"as dense as Opus").digest(MAX_INLINE_BYTES)
    sha256, now = hashlib.sha256(audio).hexdigest(), datetime.now(UTC).replace(microsecond=0)
    items = items_of([Piece(sha256, len(audio), 4000, "vi")])
    broadcast = Broadcast(
        broadcast_id="b1",
        start_at=now,
        latest_start_at=now + timedelta(minutes=2),
        latest_end_at=now + timedelta(minutes=5),
        level=Level.NORMAL,
        approvals=(
            Approval(
                approval_id="a1",
                content_sha256=content_hash(items),
                scopes=(topics.area(AREA),),
                not_before_at=now,
                not_after_at=now + timedelta(minutes=5),
            ),
        ),
        items=items,
    )
    return key.sign(build_urgent(Stamp(topics.area(AREA), 1, 1, now), [broadcast], [], {sha256: audio}))


def _check_ms(token: bytes, trust: TrustStore) -> float:
    begun = time.perf_counter()
    open_document(token, Urgent, audience=topics.area(AREA), trust=trust)
    return (time.perf_counter() - begun) * 1000
