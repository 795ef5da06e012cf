"""Words of approvals and emergencies, whose keys are codes."""

from collections.abc import Iterable

from controller.approvals.states import RequestState
from controller.emergencies.rules import Standing
from controller.emergencies.states import EmergencyState, GlassReason, MessageKind
from web.pages.approvals import RETURN_REASONS
from web.views.model_texts import MODELS

FAMILIES: dict[str, Iterable[str]] = {
    "danger": MODELS,
    "approval_state": RequestState,
    "emergency_state": EmergencyState,
    "glass_reason": GlassReason,
    "message_kind": MessageKind,
    "return_reason": RETURN_REASONS,
    "standing": Standing,
}
