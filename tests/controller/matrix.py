"""Who may reach what: one line for every route of the API. A route without a line fails ``test_matrix``.

A new route needs one entry in ``ROUTES``: its kind, and what to send so that it would succeed for those who may.
``{east things}`` between braces, in paths as in bodies, are filled in with the ids of ``two_communes``.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What a route is about; ``EXPECTED`` says what follows from it."""

    OPEN = "open"
    """For nodes, browsers without a session, and supervisors."""
    SELF = "self"
    """About the person who asks, or about nobody's things."""
    READ = "read"
    """One thing, by its name in the path."""
    LIST = "list"
    """Many things, of which everybody gets those in sight."""
    ACT = "act"
    """Does something to one thing, by its name in the path."""
    AIM = "aim"
    """Does something in a place that the body or query names."""
    LOOK = "look"
    """Reads about a place that the body or query names; changes nothing."""
    RULE = "rule"
    """A list or thing that only those get who have a right there; to others it is forbidden or not there."""
    TOP = "top"
    """Only for those who may do it everywhere."""


class Answer(StrEnum):
    """How a request ends."""

    LET_IN = "let in"
    """Neither 401 nor 403, whatever becomes of it."""
    ALLOWED = "allowed"
    SHOWN = "shown"
    """Allowed, and the east's thing is in it."""
    LEFT_OUT = "left out"
    """Allowed, and the east's thing is not in it."""
    HIDDEN = "hidden"
    """404, or 422 that says there is no such thing."""
    FORBIDDEN = "forbidden"
    REFUSED = "refused"
    """Forbidden or hidden."""
    NOBODY = "nobody"
    """401."""


WHO = ("nobody", "sibling", "observer", "own", "parent")
"""In the order in which they try: the last two change things. All ask for the east's, but ``parent`` the west's."""

EXPECTED: dict[Kind, dict[str, Answer]] = {
    kind: dict(zip(WHO, answers, strict=True))
    for kind, answers in {
        Kind.OPEN: (Answer.LET_IN,) * 5,
        Kind.SELF: (Answer.NOBODY,) + (Answer.ALLOWED,) * 4,
        Kind.READ: (Answer.NOBODY, Answer.HIDDEN, Answer.ALLOWED, Answer.ALLOWED, Answer.ALLOWED),
        Kind.LIST: (Answer.NOBODY, Answer.LEFT_OUT, Answer.SHOWN, Answer.SHOWN, Answer.SHOWN),
        Kind.ACT: (Answer.NOBODY, Answer.HIDDEN, Answer.FORBIDDEN, Answer.ALLOWED, Answer.ALLOWED),
        Kind.AIM: (Answer.NOBODY, Answer.HIDDEN, Answer.FORBIDDEN, Answer.ALLOWED, Answer.ALLOWED),
        Kind.LOOK: (Answer.NOBODY, Answer.HIDDEN, Answer.ALLOWED, Answer.ALLOWED, Answer.ALLOWED),
        Kind.RULE: (Answer.NOBODY, Answer.REFUSED, Answer.REFUSED, Answer.ALLOWED, Answer.ALLOWED),
        Kind.TOP: (Answer.NOBODY, Answer.REFUSED, Answer.FORBIDDEN, Answer.FORBIDDEN, Answer.FORBIDDEN),
    }.items()
}


@dataclass(frozen=True)
class Route:
    """One line of the matrix."""

    kind: Kind
    body: Any = None
    """Sent as JSON."""
    query: dict[str, str] = field(default_factory=dict)
    path: dict[str, str] = field(default_factory=dict)
    """Parameter of the path → thing, where they are not called alike."""
    shows: str = ""
    """With a list: the thing that is in sight or not."""
    content: bytes | None = None
    """Sent as it is."""
    headers: dict[str, str] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    """Where it differs from what its kind expects, and its comment says why."""

    def expected(self, who: str) -> Answer:
        """Say how it ends for one of ``WHO``."""
        return self.answers.get(who) or EXPECTED[self.kind][who]


_SAID = {
    "title": "Thông báo",
    "recordings": ["{recording_id}"],
    "targets": ["areas/{area_id}"],
    "start_at": "2026-03-09T06:00:00Z",
    "confirm_conflicts": True,
}

_AT_SIX = {
    "title": "Chương trình sáng",
    "programme_id": "{programme_id}",
    "targets": ["areas/{area_id}"],
    "starts_at_local": "2026-03-10T06:00:00",
    "rule": "FREQ=DAILY",
    "confirm_conflicts": True,
    "confirm_unusual": True,
}
_OF_A_TEMPLATE = {
    **{name: said for name, said in _AT_SIX.items() if name != "programme_id"},
    "template_id": "{programme_id}",
}
_A_WEEK_OVER = {"area_id": "{area_id}", "from_week": "2026-03-09", "into_week": "2026-03-16"}
_FLOOD = {"message_id": "{message_id}", "targets": ["areas/{area_id}"], "again": True}
_A_WEEK = {"from_at": "2026-03-09T00:00:00Z", "until_at": "2026-03-16T00:00:00Z"}

_PASSWORD = "đồng bằng sông Hồng"

ROUTES: dict[str, Route] = {
    # people
    "POST /api/v1/sessions": Route(Kind.OPEN, {"login": "lan", "password": _PASSWORD}),
    "DELETE /api/v1/sessions": Route(Kind.SELF),
    "GET /api/v1/people/me": Route(Kind.SELF),
    "POST /api/v1/sessions/factor": Route(Kind.SELF, {"code": "000000"}),
    "POST /api/v1/people/me/password": Route(Kind.SELF, {"old": _PASSWORD, "new": f"{_PASSWORD} mới"}),
    "POST /api/v1/people/me/factor": Route(Kind.SELF, {"password": _PASSWORD}),
    "POST /api/v1/people/me/factor/confirmation": Route(Kind.SELF, {"code": "000000"}),
    "POST /api/v1/people/me/factor/recovery-codes": Route(Kind.SELF),
    "POST /api/v1/people/me/tokens": Route(
        Kind.SELF, {"name": "Máy", "acts": [], "expires_at": "2026-04-01T00:00:00Z"}
    ),
    # accounts are looked after by administrators, and seen by nobody else
    "GET /api/v1/people": Route(Kind.LIST, shows="person_id", answers={"observer": Answer.FORBIDDEN}),
    "POST /api/v1/people": Route(
        Kind.RULE,
        {"login": "cham", "name": "Chẩm", "password": _PASSWORD, "role": "operator", "area_id": "{area_id}"},
    ),
    "GET /api/v1/people/{person_id}": Route(Kind.RULE),
    "PATCH /api/v1/people/{person_id}": Route(Kind.RULE, {"name": "Chẩm"}),
    "POST /api/v1/people/{person_id}/grants": Route(Kind.RULE, {"role": "technician", "area_id": "{area_id}"}),
    "DELETE /api/v1/people/{person_id}/grants/{grant_id}": Route(Kind.RULE),
    "DELETE /api/v1/people/{person_id}/factor": Route(Kind.RULE),
    "GET /api/v1/people/{person_id}/sessions": Route(Kind.RULE),
    "DELETE /api/v1/people/{person_id}/sessions": Route(Kind.RULE),
    "DELETE /api/v1/people/{person_id}/sessions/{session_id}": Route(Kind.RULE),
    "GET /api/v1/people/{person_id}/devices": Route(Kind.RULE),
    "DELETE /api/v1/people/{person_id}/devices/{device_id}": Route(Kind.RULE),
    "GET /api/v1/people/{person_id}/tokens": Route(Kind.RULE),
    "DELETE /api/v1/people/{person_id}/tokens/{token_id}": Route(Kind.RULE),
    "PATCH /api/v1/people/me": Route(Kind.SELF, {"locale": "en"}),
    # areas and nodes
    "GET /api/v1/areas": Route(Kind.LIST, shows="hamlet_id"),
    "POST /api/v1/areas": Route(Kind.AIM, {"name": "Thôn mới", "parent_id": "{area_id}"}),
    "GET /api/v1/areas/{area_id}": Route(Kind.READ),
    "PATCH /api/v1/areas/{area_id}": Route(Kind.ACT, {"kind": "xóm"}),
    "GET /api/v1/categories": Route(Kind.LOOK, query={"area_id": "{area_id}"}),
    "GET /api/v1/policies": Route(Kind.LIST, shows="area_id"),
    "GET /api/v1/areas/{area_id}/policy": Route(Kind.READ),
    "PUT /api/v1/areas/{area_id}/policy": Route(Kind.ACT, {"version": 1, "rules": {"sessions_a_day": 9}}),
    "POST /api/v1/areas/{area_id}/policy/preview": Route(Kind.READ, {"version": 0, "rules": {"sessions_a_day": 9}}),
    "GET /api/v1/areas/{area_id}/policy/check": Route(
        Kind.READ, query={"start_at": "2026-03-09T06:00:00Z", "length_ms": "60000"}
    ),
    "GET /api/v1/nodes": Route(Kind.LIST, shows="node_id"),
    "GET /api/v1/nodes/map": Route(Kind.LIST, shows="node_id"),
    "GET /api/v1/nodes/{node_id}/contacts": Route(Kind.READ),
    "GET /api/v1/nodes/{node_id}/health": Route(Kind.READ),
    "GET /api/v1/nodes/{node_id}/plays": Route(Kind.READ),
    "POST /api/v1/nodes": Route(Kind.AIM, {"kind": "wired", "area_id": "{hamlet_id}", "name": "Cụm có dây"}),
    "POST /api/v1/areas/{area_id}/what-if": Route(Kind.ACT, {"quiet_hours": []}),
    # 409: it has a node
    "DELETE /api/v1/areas/{area_id}": Route(Kind.ACT, path={"area_id": "hamlet_id"}),
    "POST /api/v1/areas/{area_id}/moves/preview": Route(Kind.ACT, {"nodes": ["{node_id}"]}),
    # 409: the preview was not seen
    "POST /api/v1/areas/{area_id}/moves": Route(Kind.ACT, {"nodes": ["{node_id}"], "seen_sha256": "0"}),
    "GET /api/v1/nodes/{node_id}": Route(Kind.READ),
    "PATCH /api/v1/nodes/{node_id}": Route(Kind.ACT, {"name": "Tên mới"}),
    "POST /api/v1/nodes/{node_id}/revoke": Route(Kind.ACT, {"reason": "mất trộm"}, path={"node_id": "lost_id"}),
    "POST /api/v1/nodes/{node_id}/renewal": Route(Kind.OPEN, content=b"no token"),
    "GET /api/v1/renewals": Route(Kind.LIST, shows="renewal_id", answers={"observer": Answer.LEFT_OUT}),
    "POST /api/v1/renewals/{renewal_id}/answer": Route(Kind.ACT, {"confirmed": True}),
    # a code that no node shows: who may adopt there is told so, others are not
    "POST /api/v1/enrolments/adopt": Route(
        Kind.AIM,
        {"claim_code": "0000-0000-0000", "area_id": "{hamlet_id}", "name": "Cụm mới"},
        answers={"own": Answer.HIDDEN, "parent": Answer.HIDDEN},
    ),
    "GET /api/v1/enrolments": Route(Kind.SELF),
    "POST /api/v1/enrolments": Route(Kind.OPEN, {}),
    "GET /api/v1/enrolments/{enrolment_id}": Route(Kind.OPEN, path={"enrolment_id": "area_id"}),
    # recordings
    "POST /api/v1/recordings": Route(Kind.AIM, query={"title": "Tiếng", "area_id": "{area_id}"}, content=b"sound"),
    "GET /api/v1/recordings": Route(Kind.LIST, shows="recording_id"),
    "GET /api/v1/recordings/{recording_id}": Route(Kind.READ),
    "GET /api/v1/recordings/{recording_id}/waveform": Route(Kind.READ),
    "GET /api/v1/recordings/{recording_id}/uses": Route(Kind.READ),
    "POST /api/v1/recordings/{recording_id}/cuts": Route(Kind.ACT, {"spans_ms": [[0, 5000]]}),
    "POST /api/v1/recordings/{recording_id}/withdraw": Route(Kind.ACT, path={"recording_id": "spare_id"}),
    # a draft's file is not there here, as for strangers: test_sight tells the two apart
    "GET /media/{sha256}.opus": Route(Kind.OPEN, answers=dict.fromkeys(WHO, Answer.HIDDEN)),
    "GET /plans/{sha256}": Route(Kind.OPEN),
    # bulletins and programmes
    "POST /api/v1/bulletins": Route(
        Kind.AIM, {"area_id": "{area_id}", "title": "Tin", "voices": [{"language": "vi", "text": "Lời"}]}
    ),
    "GET /api/v1/bulletins": Route(Kind.LIST, shows="bulletin_id"),
    "GET /api/v1/bulletins/{bulletin_id}": Route(Kind.READ),
    "PATCH /api/v1/bulletins/{bulletin_id}": Route(Kind.ACT, {"version": 1, "title": "Tin mới"}),
    "GET /api/v1/bulletins/{bulletin_id}/versions": Route(Kind.READ),
    "GET /api/v1/bulletins/{bulletin_id}/differences": Route(Kind.READ, query={"before": "1", "after": "1"}),
    "POST /api/v1/bulletins/{bulletin_id}/submit": Route(Kind.ACT, {"version": 1}),
    "POST /api/v1/bulletins/{bulletin_id}/approve": Route(Kind.ACT, {"version": 1}),
    "POST /api/v1/bulletins/{bulletin_id}/return": Route(Kind.ACT, {"version": 1, "reason": "Sai ngày"}),
    "POST /api/v1/bulletins/{bulletin_id}/archive": Route(Kind.ACT),
    "POST /api/v1/bulletins/{bulletin_id}/offer": Route(Kind.ACT, {"version": 1}),
    "POST /api/v1/bulletins/{bulletin_id}/end-offer": Route(Kind.ACT),
    "POST /api/v1/programmes": Route(Kind.AIM, {"area_id": "{area_id}", "title": "Sáng"}),
    "GET /api/v1/programmes": Route(Kind.LIST, shows="programme_id"),
    "GET /api/v1/programmes/{programme_id}": Route(Kind.READ),
    "PATCH /api/v1/programmes/{programme_id}": Route(Kind.ACT, {"version": 1, "gap_ms": 500}),
    "POST /api/v1/programmes/{programme_id}/what-if": Route(Kind.ACT, {"version": 1, "gap_ms": 500}),
    "POST /api/v1/programmes/{programme_id}/order": Route(Kind.ACT, {"version": 1, "order": [0]}),
    "GET /api/v1/programmes/{programme_id}/slots": Route(Kind.READ),
    "POST /api/v1/programmes/{programme_id}/copies": Route(Kind.ACT, {"title": "Bản sao"}),
    "POST /api/v1/programmes/{programme_id}/archive": Route(Kind.ACT),
    # schedules and calendars
    "POST /api/v1/schedules": Route(Kind.AIM, _AT_SIX),
    "POST /api/v1/schedules/preview": Route(Kind.AIM, _AT_SIX),
    "POST /api/v1/schedules/what-if": Route(Kind.AIM, _AT_SIX),
    "POST /api/v1/schedules/from-template": Route(Kind.AIM, _OF_A_TEMPLATE),
    "POST /api/v1/schedules/from-template/preview": Route(Kind.AIM, _OF_A_TEMPLATE),
    "GET /api/v1/schedules/feed": Route(
        Kind.LIST, query={"from_date": "2026-03-09", "until_date": "2026-03-16"}, shows="schedule_id"
    ),
    "POST /api/v1/schedules/copies": Route(Kind.AIM, _A_WEEK_OVER),
    "POST /api/v1/schedules/copies/preview": Route(Kind.AIM, _A_WEEK_OVER),
    "GET /api/v1/schedules": Route(Kind.LIST, shows="schedule_id"),
    "GET /api/v1/schedules/dates": Route(Kind.LIST, query=_A_WEEK, shows="schedule_id"),
    "GET /api/v1/schedules/calendar.ics": Route(Kind.LIST, shows="schedule_id"),
    # the file is empty: nothing is aimed anywhere
    "POST /api/v1/schedules/import": Route(
        Kind.AIM,
        {
            "ics": "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n",
            "programme_id": "{programme_id}",
            "targets": ["areas/{area_id}"],
        },
    ),
    "GET /api/v1/schedules/{schedule_id}": Route(Kind.READ),
    "PUT /api/v1/schedules/{schedule_id}": Route(Kind.ACT, {**_AT_SIX, "version": 1}),
    "POST /api/v1/schedules/{schedule_id}/end/what-if": Route(Kind.ACT),
    "POST /api/v1/schedules/{schedule_id}/end": Route(Kind.ACT),
    "GET /api/v1/schedules/{schedule_id}/dates": Route(Kind.READ, query=_A_WEEK),
    "PUT /api/v1/schedules/{schedule_id}/dates/{recurrence_local}": Route(
        Kind.ACT, {"kind": "cancelled"}, path={"recurrence_local": "date"}
    ),
    "POST /api/v1/schedules/{schedule_id}/dates/{recurrence_local}/what-if": Route(
        Kind.ACT, {"kind": "cancelled"}, path={"recurrence_local": "date"}
    ),
    # nobody said anything of that date: those who may are told so
    "DELETE /api/v1/schedules/{schedule_id}/dates/{recurrence_local}": Route(
        Kind.ACT, path={"recurrence_local": "date"}, answers={"own": Answer.HIDDEN, "parent": Answer.HIDDEN}
    ),
    "POST /api/v1/nodes/{node_id}/self-test": Route(Kind.ACT),
    "POST /api/v1/nodes/{node_id}/identify": Route(Kind.ACT),
    "POST /api/v1/nodes/{node_id}/reference": Route(Kind.ACT, {}),
    "POST /api/v1/nodes/{node_id}/restart": Route(Kind.ACT),
    "POST /api/v1/nodes/{node_id}/send-log": Route(Kind.ACT),
    "GET /api/v1/nodes/{node_id}/logs": Route(Kind.RULE),
    "GET /api/v1/nodes/{node_id}/logs/{log_id}": Route(Kind.RULE),
    "GET /api/v1/nodes/{node_id}/day": Route(Kind.READ),
    "GET /api/v1/nodes/{node_id}/broadcasts/{broadcast_id}/why": Route(Kind.READ),
    "POST /api/v1/calendars": Route(
        Kind.AIM, {"area_id": "{area_id}", "title": "Lễ", "days": [{"kind": "national"}], "effect": "suspend"}
    ),
    "POST /api/v1/calendars/what-if": Route(
        Kind.AIM, {"area_id": "{area_id}", "title": "Lễ", "days": [{"kind": "national"}], "effect": "suspend"}
    ),
    "POST /api/v1/calendars/{calendar_id}/end/what-if": Route(Kind.ACT),
    "GET /api/v1/calendars": Route(Kind.LIST, shows="calendar_id"),
    "PUT /api/v1/calendars/{calendar_id}": Route(
        Kind.ACT,
        {"area_id": "{area_id}", "title": "Lễ", "days": [{"kind": "national"}], "effect": "suspend", "version": 1},
    ),
    "POST /api/v1/calendars/{calendar_id}/end": Route(Kind.ACT),
    # broadcasts
    "POST /api/v1/broadcasts": Route(Kind.AIM, _SAID),
    "POST /api/v1/broadcasts/preview": Route(Kind.LOOK, _SAID),
    "GET /api/v1/broadcasts": Route(Kind.LIST, shows="broadcast_id"),
    "GET /api/v1/broadcasts/history": Route(
        Kind.LIST, shows="broadcast_id", query={"until_at": "2026-03-20T00:00:00Z"}
    ),
    "GET /api/v1/broadcasts/{broadcast_id}": Route(Kind.READ),
    "GET /api/v1/broadcasts/{broadcast_id}/plays": Route(Kind.READ),
    "PUT /api/v1/broadcasts/{broadcast_id}": Route(Kind.ACT, _SAID | {"title": "Thông báo sửa"}),
    "POST /api/v1/broadcasts/{broadcast_id}/cancel": Route(Kind.ACT),
    # 409: it is not over yet
    "POST /api/v1/broadcasts/{broadcast_id}/replays": Route(Kind.ACT),
    "POST /api/v1/broadcasts/{broadcast_id}/replays/preview": Route(Kind.ACT),
    # approvals: seen by those who may approve there, and by those who asked
    "GET /api/v1/approvals": Route(Kind.LIST, shows="request_id", answers={"observer": Answer.LEFT_OUT}),
    "GET /api/v1/approvals/{request_id}": Route(Kind.RULE),
    "POST /api/v1/approvals/{request_id}/approve": Route(Kind.RULE),
    "POST /api/v1/approvals/{request_id}/return": Route(Kind.RULE, {"reason": "Sai ngày"}),
    # nobody but who asked: here it was the administrator of everything
    "POST /api/v1/approvals/{request_id}/withdraw": Route(
        Kind.RULE, answers={"own": Answer.FORBIDDEN, "parent": Answer.FORBIDDEN}
    ),
    "PUT /api/v1/approvals/{request_id}/paper": Route(Kind.RULE, {"document_number": "45/TB-UBND"}),
    "PUT /api/v1/approvals/{request_id}/scan": Route(Kind.RULE, content=b"%PDF-1.7"),
    # there is none
    "GET /api/v1/approvals/{request_id}/scan": Route(
        Kind.RULE, answers={"own": Answer.HIDDEN, "parent": Answer.HIDDEN}
    ),
    "GET /api/v1/approvals/by-authors": Route(Kind.LIST, shows="approval_id", answers={"observer": Answer.FORBIDDEN}),
    "POST /api/v1/approvals/by-authors/{approval_id}/seen": Route(Kind.RULE),
    "POST /api/v1/recordings/speech": Route(Kind.AIM, {"text": "Mời bà con", "area_id": "{area_id}"}),
    "POST /api/v1/recordings/reading": Route(Kind.SELF, {"text": "Mời bà con"}, answers={"observer": Answer.FORBIDDEN}),
    # an upload is its person's alone: to everybody else it is not there
    "POST /api/v1/uploads": Route(
        Kind.AIM,
        query={"area_id": "{area_id}"},
        headers={"Upload-Length": "9", "Upload-Metadata": "title eA=="},
    ),
    **{
        f"{method} /api/v1/uploads/{{upload_id}}": Route(
            Kind.READ, path={"upload_id": "area_id"}, headers=headers, answers=dict.fromkeys(WHO[1:], Answer.HIDDEN)
        )
        for method, headers in (("GET", {}), ("PATCH", {"Upload-Offset": "0"}), ("DELETE", {}))
    },
    "POST /api/v1/recordings/{recording_id}/listening": Route(Kind.READ, {"spans": [[0, 1000]]}),
    # holds
    "POST /api/v1/holds": Route(Kind.AIM, {"scopes": ["areas/{area_id}"]}),
    "GET /api/v1/overview": Route(Kind.LIST, shows="hamlet_id"),
    "GET /api/v1/holds": Route(Kind.LIST, shows="hold_id"),
    "GET /api/v1/holds/{hold_id}": Route(Kind.READ),
    "POST /api/v1/holds/{hold_id}/release": Route(Kind.ACT),
    # emergencies; the ones that are there were proposed by somebody of the centre
    "POST /api/v1/messages": Route(
        Kind.AIM, {"area_id": "{area_id}", "title": "Bão", "voices": [{"language": "vi", "text": "Bão đến"}]}
    ),
    "GET /api/v1/messages": Route(Kind.LIST, shows="message_id"),
    "GET /api/v1/messages/{message_id}": Route(Kind.READ),
    "PUT /api/v1/messages/{message_id}": Route(
        Kind.ACT, {"version": 1, "title": "Lũ", "voices": [{"language": "vi", "text": "Lũ về"}]}
    ),
    "POST /api/v1/messages/{message_id}/archive": Route(Kind.ACT),
    "POST /api/v1/emergencies": Route(Kind.AIM, _FLOOD),
    "POST /api/v1/emergencies/preview": Route(Kind.LOOK, _FLOOD),
    "GET /api/v1/emergencies": Route(Kind.LIST, shows="emergency_id"),
    "GET /api/v1/emergencies/{emergency_id}": Route(Kind.READ),
    "POST /api/v1/emergencies/{emergency_id}/confirm": Route(Kind.ACT),
    "POST /api/v1/emergencies/{emergency_id}/break-glass": Route(Kind.ACT, {"reason": "Không ai nghe máy"}),
    "POST /api/v1/emergencies/{emergency_id}/cancel": Route(Kind.ACT),
    "POST /api/v1/emergencies/{emergency_id}/all-clear": Route(Kind.ACT, {}),
    "POST /api/v1/emergencies/{emergency_id}/false-alarm": Route(Kind.ACT, {}),
    # the rest
    "GET /api/v1/audit": Route(Kind.LIST, shows="hold_id", answers={"observer": Answer.FORBIDDEN}),
    "GET /api/v1/faults": Route(Kind.LIST, shows="fault_id"),
    "GET /api/v1/faults/{fault_id}": Route(Kind.READ),
    "POST /api/v1/faults/{fault_id}/acknowledgement": Route(Kind.ACT, {"note": "Đang xử lý"}),
    # releases are no secret, and come in for the whole tree alone; a rollout is seen by who sees a node of it
    "POST /api/v1/updates": Route(Kind.TOP, content=b"a bundle", query={"release": "a.b.c"}),
    "GET /api/v1/updates": Route(Kind.SELF),
    "GET /api/v1/updates/{release_id}": Route(Kind.SELF),
    "POST /api/v1/rollouts": Route(Kind.AIM, {"release": 7, "targets": ["nodes/{lost_id}"]}),
    "POST /api/v1/rollouts/preview": Route(Kind.AIM, {"release": 7, "targets": ["nodes/{lost_id}"]}),
    "GET /api/v1/rollouts": Route(Kind.LIST, shows="rollout_id"),
    "GET /api/v1/rollouts/{rollout_id}": Route(Kind.READ),
    "POST /api/v1/rollouts/{rollout_id}/pause": Route(Kind.ACT),
    "POST /api/v1/rollouts/{rollout_id}/resume": Route(Kind.ACT, path={"rollout_id": "paused_id"}),
    "POST /api/v1/rollouts/{rollout_id}/stop": Route(Kind.ACT),
    "GET /api/v1/alarms": Route(Kind.LIST, shows="alarm_id", answers={"observer": Answer.FORBIDDEN}),
    "POST /api/v1/alarms/{alarm_id}/acknowledgement": Route(Kind.ACT),
    "GET /healthz": Route(Kind.OPEN),
    "GET /readyz": Route(Kind.OPEN),
    "GET /.well-known/security.txt": Route(Kind.OPEN),
}

STREAMS = frozenset({"GET /api/v1/events"})
"""Never end; ``test_sight`` listens to them."""
