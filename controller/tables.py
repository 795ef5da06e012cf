"""All tables, imported in one place so that migrations and tests see every one."""

from .areas.models import Area
from .audit.models import AuditEntry
from .broadcasts.models import Approval, Broadcast, BroadcastItem, BroadcastTarget
from .db import Base
from .enrolments.models import Enrolment
from .holds.models import Hold
from .nodes.models import Node
from .people.models import Person, Session
from .plans.models import Document, PlanBody, PlanVersion
from .plays.models import Play
from .receipts.models import Receipt, ReceiptStore
from .recordings.models import Recording

__all__ = [
    "Approval",
    "Area",
    "AuditEntry",
    "Base",
    "Broadcast",
    "BroadcastItem",
    "BroadcastTarget",
    "Document",
    "Enrolment",
    "Hold",
    "Node",
    "Person",
    "PlanBody",
    "PlanVersion",
    "Play",
    "Receipt",
    "ReceiptStore",
    "Recording",
    "Session",
]
