"""All tables, imported in one place so that migrations and tests see every one."""

from .alarms.models import Alarm
from .approvals.models import Approval, ApprovalRequest, Listening
from .areas.models import Area
from .audit.models import AuditEntry
from .broadcasts.models import Broadcast, BroadcastItem, BroadcastTarget
from .bulletins.models import Bulletin, BulletinVersion, BulletinVoice
from .db import Base
from .emergencies.models import Emergency, ReadyMessage
from .enrolments.models import Enrolment
from .faults.models import Fault
from .holds.models import Hold
from .nodes.models import Node, NodeHealthDay, NodeLog
from .people.models import ApiToken, Device, Grant, Person, RecoveryCode, Session
from .plans.models import Document, PlanBody, PlanVersion
from .plays.models import Play
from .policies.models import Policy
from .programmes.models import Programme, ProgrammeItem
from .receipts.models import Receipt, ReceiptStore
from .recordings.models import Recording, Upload
from .renewals.models import NodeCertificate, Renewal
from .schedules.models import Calendar, Schedule, ScheduleException
from .sent_forms.models import SentForm
from .updates.models import Release, Rollout, RolloutNode

__all__ = [
    "Alarm",
    "ApiToken",
    "Approval",
    "ApprovalRequest",
    "Area",
    "AuditEntry",
    "Base",
    "Broadcast",
    "BroadcastItem",
    "BroadcastTarget",
    "Bulletin",
    "BulletinVersion",
    "BulletinVoice",
    "Calendar",
    "Device",
    "Document",
    "Emergency",
    "Enrolment",
    "Fault",
    "Grant",
    "Hold",
    "Listening",
    "Node",
    "NodeCertificate",
    "NodeHealthDay",
    "NodeLog",
    "Person",
    "PlanBody",
    "PlanVersion",
    "Play",
    "Policy",
    "Programme",
    "ProgrammeItem",
    "ReadyMessage",
    "Receipt",
    "ReceiptStore",
    "Recording",
    "RecoveryCode",
    "Release",
    "Renewal",
    "Rollout",
    "RolloutNode",
    "Schedule",
    "ScheduleException",
    "SentForm",
    "Session",
    "Upload",
]
