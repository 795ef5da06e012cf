"""Words of people and places, whose keys are codes."""

from collections.abc import Iterable

from controller.people.rights import Role
from web.views.activity import ACTIONS
from web.views.activity import KINDS as DEEDS
from web.views.areas import KINDS

FAMILIES: dict[str, Iterable[str]] = {
    "kind": KINDS,
    "role": [*Role, "other"],
    "activity_act": [*(action.replace(".", "_") for action in ACTIONS), "other"],
    "activity_kind": [*DEEDS, "other"],
}
