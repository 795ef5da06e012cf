"""One of each message, with every field away from its default."""

from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.protocol.content import Item, PlanBody
from edge_agent.protocol.documents import (
    Command,
    CommandAction,
    Hold,
    HoldOrder,
    Membership,
    NightCap,
    Plan,
    QuietHours,
    ReceiptsAck,
    Settings,
    Stop,
    TimeAnswer,
    Urgent,
)
from edge_agent.protocol.enrolment import Adoption, EnrolmentRequest, EnrolmentStatus, EnrolmentTicket
from edge_agent.protocol.fields import Wire
from edge_agent.protocol.reports import (
    Abilities,
    CacheReport,
    ClockReport,
    FaultReport,
    Health,
    Held,
    LackReport,
    Leaving,
    Lost,
    NowPlaying,
    Online,
    PlayEvent,
    Receipts,
    ReferenceReport,
    SelfTestReport,
    TimeAsk,
)
from edge_agent.protocol.signing import SigningKey
from edge_agent.protocol.states import ClockState, Drill, Grade, KeyUse, Level, Outcome, PlayState, Reason, StartMode
from edge_agent.protocol.updates import Release, UpdateReport, UpdateState
from tests.edge_agent.protocol.factories import HAMLET, NODE, T0, broadcast, sha, voice

DISPATCH = SigningKey(Ed25519PrivateKey.from_private_bytes(b"dispatch".ljust(32)))
POLICY = SigningKey(Ed25519PrivateKey.from_private_bytes(b"policy".ljust(32)))
NODE_KEY = SigningKey(Ed25519PrivateKey.from_private_bytes(b"node".ljust(32)))
STRANGER = SigningKey(Ed25519PrivateKey.from_private_bytes(b"stranger".ljust(32)))
UPDATE = SigningKey(Ed25519PrivateKey.from_private_bytes(b"update".ljust(32)))
TRUSTED = (DISPATCH.trusted_as(KeyUse.DISPATCH), POLICY.trusted_as(KeyUse.POLICY))

NOW_S = int(T0.timestamp())
_LATER = T0 + timedelta(seconds=1.25)
_NONCE = "0123456789abcdef" * 2


def _claims(aud: str) -> dict[str, Any]:
    return {"aud": aud, "epoch": 3, "version": 7, "iat": NOW_S, "nbf": NOW_S - 60, "exp": NOW_S + 3600}


_CHOSEN = (
    Item(offset_ms=0, voices=(voice("first", 5),)),
    Item(offset_ms=5000, choice=1, voices=(voice("second", 10), voice("third", 9, language="hmn"))),
)
_BROADCAST = broadcast(
    "b1",
    items=_CHOSEN,
    level=Level.PRIORITY,
    order=-4,
    start=StartMode.HARD,
    resumes=False,
    drill=Drill.MARKED,
    run="b0",
    scopes=(HAMLET, NODE),
)
_ABILITIES = Abilities(
    software="loa-agent 9",
    protocols=(1, 2),
    codecs=("opus", "pcm"),
    output="virtual",
    best_grade=Grade.E2,
    input="line",
    input_simulated=True,
    languages=("hmn", "vi-VN"),
    clock_battery=True,
    commands=("self_test",),
    board="arm64",
    python="3.11",
)
_RELEASE = Release(
    release=12,
    version="0.2.0",
    board="arm64",
    python="3.11",
    size=26_000_000,
    sha256=sha("bundle"),
    iat=NOW_S,
    exp=NOW_S + 3600,
    keys=(UPDATE.trusted_as(KeyUse.UPDATE),),
)
_UPDATE = UpdateReport(command_id="c2", release=12, version="0.2.0", state=UpdateState.RETURNED, reason="no_link")
_ADOPTION = Adoption(
    node_id="n1",
    name="Bản Lác",
    certificate_pem="certificate",
    ca_pem="authority",
    broker_host="localhost",
    broker_port=8883,
    media_url="https://localhost:8443",
    trusted_keys=TRUSTED,
)

SAMPLES: tuple[Wire, ...] = (
    Hold(**_claims(HAMLET), active=(HoldOrder(hold_id="h1", ordered_at=T0),), released=("h0",)),
    Urgent(
        **_claims(HAMLET),
        broadcasts=(_BROADCAST,),
        stops=(Stop(broadcast_id="b0", stopped_at=_LATER),),
        inline={sha("chime"): b"\x00\xff opus"},
    ),
    Plan(**_claims(HAMLET), covers_until=_LATER, lease_until=_LATER, body_sha256=sha("body"), body_bytes=42),
    Settings(
        **_claims(NODE),
        areas=(Membership(area_id="hamlet", plan_from_version=9),),
        zone="Asia/Bangkok",
        quiet_hours=(QuietHours(start="22:00", until="05:00"),),
        windows=(QuietHours(start="05:00", until="21:00"),),
        volume_mb=-100,
        trim_mb=50,
        cap_mb=-20,
        night_cap=NightCap(window=QuietHours(start="20:00", until="06:00"), cap_mb=-1200),
        languages=("hmn", "vi"),
        max_broadcast_ms=1,
        max_emergency_ms=2,
        plays_per_hour=3,
        clock_hold_ms=4,
        health_interval_ms=5000,
        trusted_keys=TRUSTED,
        pinned=(voice("siren", 12, language="und"),),
        revoked_keys=("f" * 16,),
        download_kbit_s=256,
    ),
    Command(
        **_claims(NODE),
        command_id="c1",
        action=CommandAction.REFERENCE,
        sha256=sha("tune"),
        release=UPDATE.sign(_RELEASE).decode(),
    ),
    ReceiptsAck(**_claims(NODE), store_id="s1", stored_through_seq=41, send_from_seq=42),
    TimeAnswer(**_claims(NODE), nonce=_NONCE, time_at=_LATER),
    PlanBody(scope=HAMLET, broadcasts=(_BROADCAST,)),
    _BROADCAST,
    Online(boot_id="boot-1", connected_at=_LATER, abilities=_ABILITIES, release=11, update=_UPDATE),
    Leaving(reason="shutdown"),
    Lost(boot_id="boot-1"),
    Health(
        sent_at=_LATER,
        uptime_ms=12,
        held={HAMLET: {"plan": Held(epoch=3, version=7, complete=False)}},
        holds=("h1",),
        now_playing=NowPlaying(broadcast_id="b1", item=3, started_at=T0, ends_at=_LATER),
        clock=ClockReport(state=ClockState.UNTRUSTED, offset_ms=-1.5, why="stepped"),
        faults=(FaultReport(code="disk_low", since_at=T0, detail="<b>5 %</b>"),),
        dropped={"stale": 2},
        disk_free_bytes=1,
        disk_free_files=5,
        memory_bytes=2,
        temperature_c=51.5,
        supply_low=True,
        link_rtt_ms=3.5,
        link_reconnects=4,
        link_kind="wifi",
        link_signal=63,
        lease_until=_LATER,
        cache=CacheReport(
            due=12, here=11, lacks=(LackReport(broadcast_id="b1", start_at=_LATER, reason=Reason.NO_FILE),)
        ),
        storage_errors=0,
        muted=False,
        amplifier_on=True,
        store_id="s1",
        last_seq=9,
        acked_seq=8,
        self_test=SelfTestReport(command_id="c1", at=T0, result="refused", reason=Reason.BUSY, simulated=True),
        identified=SelfTestReport(command_id="c2", at=T0, result="not_listened"),
        reference=ReferenceReport(
            wanted=True, sha256=sha("tune"), taken_at=T0, change="weaker", judged_at=_LATER, level_db=-6.5
        ),
        keys=(TRUSTED[0].kid,),
        release=11,
        update=_UPDATE,
    ),
    Receipts(
        iss="n1",
        iat=NOW_S,
        store_id="s1",
        kept_from_seq=2,
        events=(
            PlayEvent(seq=2, at=T0, broadcast_id="b1", state=PlayState.PLAYING, item=2, start_error_ms=0.02),
            PlayEvent(
                seq=3,
                at=_LATER,
                broadcast_id="b1",
                outcome=Outcome.INTERRUPTED,
                reason=Reason.HELD,
                by="h1",
                requested_ms=100,
                played_ms=40,
                underruns=1,
                grade=Grade.E1,
                simulated=True,
                drill=Drill.MARKED,
            ),
        ),
    ),
    TimeAsk(nonce=_NONCE),
    _RELEASE,
    EnrolmentRequest(csr_pem="request", claim_sha256=sha("code"), abilities=_ABILITIES),
    EnrolmentTicket(enrolment_id="e1", poll_ms=3000, adopt_url="https://loa.example/nodes/adopt"),
    EnrolmentStatus(state="adopted", adoption=_ADOPTION),
)

BY_NAME = {type(sample).__name__: sample for sample in SAMPLES}
