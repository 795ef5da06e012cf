"""Somebody with the valid certificate of a node, at a real broker: every topic of the wire and what is like it ×
publish, keep, subscribe, last will. What was delivered to others is counted, and has to be what the protocol's table
says (cases 72 to 77 of the list, from the broker's side)."""

import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from paho.mqtt.client import topic_matches_sub

from controller.wire.pki import CENTRE
from edge_agent.protocol.topics import AREA_WORDS, NODE_WRITES, Word
from tests.bench import mqtt5

from .strangers import BROKEN_OFF, NEIGHBOUR, REFUSED, Peer, Square, square
from .wire_table import ROOT, rows

pytestmark = pytest.mark.broker

STRANGER, OWN, OTHER = "n-stranger", "a-own", "a-other"
TABLE = rows()
WRITES = {row.of(STRANGER) for row in TABLE if row.by_nodes}
HEARS = {row.of(STRANGER) for row in TABLE if not row.by_nodes and not row.about_areas}
HEARS_OF_AREAS = {row.of(area) for row in TABLE if row.about_areas for area in (OWN, OTHER)}
ALL = sorted(
    {row.of(place) for row in TABLE for place in ((OWN, OTHER) if row.about_areas else (STRANGER, NEIGHBOUR, CENTRE))}
)
"""Every topic of the table for every place there is."""
LIKE_IT = [
    f"{ROOT}areas/{OWN}/live/s-1",
    f"{ROOT}areas/{OWN}/settings",
    f"{ROOT}areas",
    f"{ROOT}nodes/{STRANGER}",
    f"{ROOT}nodes/{STRANGER}/",
    f"{ROOT}nodes/{STRANGER}/update",
    f"{ROOT}nodes/{STRANGER}/presence/",
    f"{ROOT}nodes/{STRANGER}/health/more",
    f"{ROOT}nodes/{STRANGER}/receipts/more",
    f"{ROOT}nodes/{STRANGER}/time",
    f"{ROOT}nodes//presence",
    f"{ROOT}nodes/%u/presence",
    f"{ROOT}nodes/{STRANGER.upper()}/presence",
    f"{ROOT}nodes/{STRANGER}/../{NEIGHBOUR}/presence",
    f"/{ROOT}nodes/{STRANGER}/presence",
    f"loa/v2/nodes/{STRANGER}/presence",
    f"LOA/V1/nodes/{STRANGER}/presence",
    f"$SYS/broker/{STRANGER}",
    "$SYS/broker/uptime",
    "$CONTROL/dynamic-security/v1",
    f"$share/group/{ROOT}nodes/{STRANGER}/presence",
    "loa",
    "anything",
]
"""What looks like a topic of the table, or is the broker's own."""


@pytest.fixture
async def here(tmp_path: Path, free_port: Callable[[], int]) -> AsyncIterator[Square]:
    async with square(tmp_path, free_port()) as opened:
        yield opened


def counted(peer: Peer, *beginnings: bytes) -> Counter[tuple[str, bytes]]:
    """What was delivered to somebody, of what begins so."""
    return Counter((came.topic, came.payload) for came in peer.came if came.payload.startswith(beginnings))


def test_the_table_and_the_code_name_the_same_topics() -> None:
    assert {row.pattern for row in TABLE} == {f"nodes/{{node}}/{word}" for word in Word} | {
        f"areas/{{area}}/{word}" for word in AREA_WORDS
    }
    assert {row.pattern for row in TABLE if row.by_nodes} == {f"nodes/{{node}}/{word}" for word in NODE_WRITES}


async def test_what_a_stranger_publishes_reaches_the_centre_from_its_four_topics_and_nobody_else(here: Square) -> None:
    numbers, allowed, refused = itertools.count(), Counter[tuple[str, bytes]](), []
    async with here.peer(STRANGER) as stranger:
        for topic in (*ALL, *LIKE_IT):
            for qos, retain in itertools.product((0, 1), (False, True)):
                payload = b"forged %d" % next(numbers)
                code = await stranger.publish(topic, payload, qos=qos, retain=retain)
                if topic in WRITES:
                    allowed[topic, payload] = 1
                    assert code < REFUSED, topic
                elif qos:
                    refused.append((topic, code))
        assert not stranger.lost
        await here.settle(stranger, STRANGER)
    assert counted(here.centre, b"forged") == allowed
    assert len(allowed) == 4 * len(WRITES) == 16
    assert counted(here.neighbour, b"forged") == {}
    assert [topic for topic, code in refused if code < REFUSED] == []
    assert await here.still_works()


async def test_nothing_of_a_strangers_is_kept_but_under_its_four_topics(here: Square) -> None:
    async with here.peer(STRANGER) as stranger:
        for topic in (*ALL, *LIKE_IT):
            await stranger.publish(topic, b"kept", retain=True)
        await here.settle(stranger, STRANGER)
    async with here.peer("n-later") as later:
        for wanted in ("#", "$SYS/#", f"{ROOT}#"):
            await later.subscribe(wanted)
        await here.centre.publish(f"{ROOT}nodes/n-later/hold", b"end")
        await later.until(lambda: bool(counted(later, b"end")))
        assert counted(later, b"kept") == {}
    async with here.peer(CENTRE) as centre:  # takes the place of the one before
        await centre.subscribe(f"{ROOT}#")
        await centre.publish(f"{ROOT}nodes/n-later/hold", b"end")
        await centre.until(lambda: bool(counted(centre, b"end")))
        assert {topic for topic, _ in counted(centre, b"kept")} == WRITES


async def test_a_kept_message_of_the_centres_cannot_be_wiped_out_by_a_stranger(here: Square) -> None:
    orders = [
        topic
        for topic in ALL
        if topic not in {row.of(node) for row in TABLE if row.by_nodes for node in (STRANGER, NEIGHBOUR, CENTRE)}
    ]
    for topic in orders:
        await here.centre.publish(topic, b"order", retain=True)
    async with here.peer(STRANGER) as stranger:
        for topic in orders:
            assert await stranger.publish(topic, b"", retain=True) >= REFUSED
    async with here.peer(CENTRE) as centre:
        await centre.subscribe(f"{ROOT}#")
        await centre.publish(f"{ROOT}nodes/n-later/hold", b"end")
        await centre.until(lambda: bool(counted(centre, b"end")))
        assert {topic for topic, _ in counted(centre, b"order")} == set(orders)


FILTERS = [
    "#",
    "+/#",
    "/#",
    "loa/#",
    f"{ROOT}#",
    f"{ROOT}+/+/+",
    f"{ROOT}+/+/+/+",
    f"{ROOT}areas/#",
    f"{ROOT}areas/+/plan",
    f"{ROOT}areas/{OTHER}/#",
    f"{ROOT}nodes/#",
    f"{ROOT}nodes/+/hold",
    f"{ROOT}nodes/+/receipts",
    f"{ROOT}nodes/+/settings",
    f"{ROOT}nodes/{NEIGHBOUR}/#",
    f"{ROOT}nodes/{CENTRE}/#",
    f"{ROOT}nodes/{STRANGER}/#",
    *(row.of(NEIGHBOUR) for row in TABLE if not row.about_areas),
    *(row.of(STRANGER) for row in TABLE if not row.about_areas),
    f"$share/group/{ROOT}nodes/+/receipts",
    f"$share/group/{ROOT}#",
    "$share/group/#",
    "$SYS/#",
    "$CONTROL/#",
]


async def test_whatever_a_stranger_asks_for_it_hears_orders_to_itself_and_to_areas(here: Square) -> None:
    """The broker may grant what it likes: counted is what it delivers, of what it kept and of what comes after."""

    async def everybody_speaks(what: bytes, *, retain: bool) -> None:
        for topic in ALL:
            await here.centre.publish(topic, what, retain=retain)
        for topic in (row.of(NEIGHBOUR) for row in TABLE if row.by_nodes):
            assert await here.neighbour.publish(topic, what + b" of the neighbour", retain=retain) < REFUSED

    await everybody_speaks(b"kept", retain=True)
    for wanted in FILTERS:
        plain = wanted.removeprefix("$share/group/")
        expected = {topic for topic in HEARS | HEARS_OF_AREAS if topic_matches_sub(plain, topic)}
        async with here.peer(STRANGER) as stranger:
            await stranger.subscribe(f"{ROOT}areas/a-end/hold")
            await stranger.subscribe(wanted, qos=2)
            await everybody_speaks(b"live", retain=False)
            await here.centre.publish(f"{ROOT}areas/a-end/hold", b"end")
            await stranger.until(lambda peer=stranger: bool(counted(peer, b"end")))  # type: ignore[misc]  # bound now
            live = counted(stranger, b"live")
            assert {topic for topic, _ in live} == expected, wanted
            assert set(live.values()) <= {1}, wanted
            kept = counted(stranger, b"kept")
            # Whether a shared subscription begins with what was kept is the broker's affair (mosquitto 2.0 does so).
            assert {topic for topic, _ in kept} == expected or (plain != wanted and not kept), wanted


async def test_a_last_will_speaks_under_the_strangers_own_name_or_not_at_all(here: Square) -> None:
    """The broker may take any will; counted is what it says when the connection breaks."""
    numbers, allowed = itertools.count(), Counter[tuple[str, bytes]]()
    for topic, retain in itertools.product((*ALL, *LIKE_IT), (False, True)):
        payload = b"will %d" % next(numbers)
        if topic in WRITES:
            allowed[topic, payload] = 1
        async with here.peer(STRANGER, will=mqtt5.Will(topic, payload, retain)):
            pass  # and broken off
    async with here.peer(STRANGER) as stranger:  # the broker is through with whoever bore the name before
        await here.settle(stranger, STRANGER)
    assert counted(here.centre, b"will") == allowed
    assert len(allowed) == 2 * len(WRITES)
    assert counted(here.neighbour, b"will") == {}
    async with here.peer(CENTRE) as centre:
        await centre.subscribe("#")
        await centre.publish(f"{ROOT}nodes/n-later/hold", b"end")
        await centre.until(lambda: bool(counted(centre, b"end")))
        assert {topic for topic, _ in counted(centre, b"will")} == WRITES


@pytest.mark.parametrize("claimed", [CENTRE, NEIGHBOUR, "#", "+", "", "x" * 65_535])
async def test_a_client_id_or_user_name_makes_nobody_somebody_else(here: Square, claimed: str) -> None:
    """Case 76. The certificate's name is the name; who bears the claimed one is not thrown out."""
    for user in (None, claimed):
        async with here.peer(STRANGER, client_id=claimed or None, user=user) as stranger:
            if not stranger.lost:
                assert await stranger.publish(f"{ROOT}nodes/{STRANGER}/time/ask", b"as myself") < REFUSED
                for topic in ALL:
                    if topic not in WRITES:
                        assert await stranger.publish(topic, b"forged") >= REFUSED, topic
                await here.settle(stranger, STRANGER)
    assert counted(here.centre, b"forged") == counted(here.neighbour, b"forged") == {}
    assert await here.still_works()


@pytest.mark.parametrize("name", ["#", "+", f"+/{NEIGHBOUR}", f"{NEIGHBOUR}/#", "%u", "%c", ".."])
async def test_a_certificate_in_a_wild_name_opens_nothing_of_others(here: Square, name: str) -> None:
    """Case 75. The centre certifies no such name; were one about all the same, it would stand for itself alone."""
    await here.centre.publish(f"{ROOT}nodes/{NEIGHBOUR}/settings", b"secret", retain=True)
    async with here.peer(name) as stranger:
        if not stranger.lost:
            for wanted in ("#", f"{ROOT}nodes/+/settings", f"{ROOT}nodes/{NEIGHBOUR}/settings"):
                await stranger.subscribe(wanted)
            for topic in ALL:
                assert await stranger.publish(topic, b"forged") >= REFUSED, topic
            await here.centre.publish(f"{ROOT}nodes/{NEIGHBOUR}/settings", b"secret")
            assert await here.still_works()
            assert await stranger.publish("nothing", b"") >= REFUSED  # what was to come has come
            assert counted(stranger, b"secret") == {}
    assert counted(here.centre, b"forged") == counted(here.neighbour, b"forged") == {}


def no_topics() -> Iterator[str]:
    yield from ("", "+", "#", f"{ROOT}nodes/+/presence", f"{ROOT}nodes/{NEIGHBOUR}/#", f"{ROOT}#/hold")
    yield from (f"{ROOT}nodes/{STRANGER}/presence\0", "\0", f"{ROOT}areas/{OWN}\0/hold")
    yield from (f"{ROOT}nodes/{STRANGER}/pres\udcff\udcfeence", "\udced\udca0\udc80")
    yield from (f"{ROOT}nodes/{NEIGHBOUR}/" + "x" * 65_000, "/" * 65_535, "a/" * 32_767)


@pytest.mark.parametrize("topic", list(no_topics()), ids=lambda topic: ascii(topic[:40]))
async def test_a_topic_that_is_none_reaches_nobody_and_stops_nobody(here: Square, topic: str) -> None:
    """Case 74: wildcards, NUL, what is no UTF-8, 65 kB, 32,768 levels; to publish, as a will, and to subscribe."""
    pid = here.broker.pid
    async with here.peer(STRANGER) as stranger:
        assert await stranger.publish(topic, b"forged", retain=True) >= REFUSED
    async with here.peer(STRANGER, will=mqtt5.Will(topic, b"forged", retain=True)):
        pass  # taken or not, and broken off
    async with here.peer(STRANGER) as stranger:
        await stranger.subscribe(topic)
    assert await here.still_works()
    assert here.broker.pid == pid
    assert counted(here.centre, b"forged") == counted(here.neighbour, b"forged") == {}


async def test_five_megabytes_are_not_taken_in(here: Square) -> None:
    """Case 72, at the broker: twice the largest signed message is its limit."""
    async with here.peer(STRANGER) as stranger:
        assert await stranger.publish(f"{ROOT}nodes/{STRANGER}/receipts", b"forged" * 900_000) == BROKEN_OFF
    assert await here.still_works()
    assert counted(here.centre, b"forged") == {}


@pytest.mark.parametrize(
    "packet",
    [
        b"\x00\x00",
        b"\xf0\xff\xff\xff\xff\xff",
        b"\x30\xff\xff\xff\x7f",
        b"\x10\x00",
        b"\x82\x02\x00\x01",
        b"\xff" * 5_000,
    ],
    ids=["kind 0", "endless length", "256 MB announced", "hello again", "no filter", "noise"],
)
async def test_bytes_that_are_no_mqtt_end_one_connection(here: Square, packet: bytes) -> None:
    pid = here.broker.pid
    async with here.peer(STRANGER) as stranger:
        stranger.send(packet)
        if packet[:1] != b"\x30":  # what is announced and never comes is waited for, and holds no memory
            await stranger.until(lambda: stranger.lost)
    assert await here.still_works()
    assert here.broker.pid == pid
