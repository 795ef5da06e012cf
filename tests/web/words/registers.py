"""Words of people and places, whose keys are codes."""

from collections.abc import Iterable

from controller.people.rights import Role
from web.pages.releases import PROBLEMS as RELEASE_PROBLEMS
from web.views.activity import ACTIONS
from web.views.activity import KINDS as DEEDS
from web.views.areas import KINDS

FAMILIES: dict[str, Iterable[str]] = {
    "kind": KINDS,
    "role": [*Role, "other"],
    "activity_act": [*(action.replace(".", "_") for action in ACTIONS), "other"],
    "release_problem": RELEASE_PROBLEMS,
    "activity_kind": [*DEEDS, "other"],
}
