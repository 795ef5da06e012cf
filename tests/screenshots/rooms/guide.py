"""What the guide shows: each page on a phone, in Vietnamese, as it is seen by who reads that topic, on a calm day."""

from functools import partial

from tests.screenshots.rooms.plan import WEEK
from tests.screenshots.rooms.say import announce, type_it
from tests.screenshots.rooms.today import open_stop
from tests.screenshots.table import SHOWN, Shot

shown = partial(Shot, scene="calm", login="operator", sizes=SHOWN[:1], locales=SHOWN[1:], guide=True)

SHOTS = (
    shown("setup", "guide-setup", "/setup", scene="bare", state="empty", login="lan"),
    shown("today", "guide-today", "/today"),
    shown("say", "guide-say", "/say", scene="day", steps=announce),
    shown("say", "guide-say-typed", "/say", scene="day", steps=type_it),
    shown("feed", "guide-schedules", WEEK),
    shown("schedules", "guide-schedule", "schedule"),
    shown("bulletins", "guide-bulletins", "/bulletins"),
    shown("programmes", "guide-programme", "programme-morning", state="long"),
    shown("approvals", "guide-approval", "approval", login="approver"),
    shown("broadcasts", "guide-broadcast", "on_air"),
    shown("history", "guide-history", "/history"),
    shown("broadcasts", "guide-why", "why"),
    shown("holds", "guide-stop", "/today", steps=open_stop, whole=False),
    shown("emergencies", "guide-emergency", "emergency", scene="week", login="approver"),
    shown("emergencies", "guide-drill", "drill", scene="week", state="pending"),
    shown("nodes", "guide-nodes", "/nodes"),
    shown("nodes", "guide-node", "node", login="technician"),
    shown("faults_list", "guide-faults", "/faults", login="technician"),
    shown("places", "guide-places", "/places", login="lan"),
    shown("policies", "guide-policy", "policy", login="lan"),
    shown("accounts", "guide-people", "/people", state="long", login="lan"),
    shown("shell", "guide-offline", "/offline"),
)
