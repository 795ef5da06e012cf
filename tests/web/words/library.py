"""Words of bulletins and programmes, whose keys are codes."""

from collections.abc import Iterable

from controller.bulletins.states import BulletinState
from controller.programmes.models import ItemKind
from edge_agent.protocol.states import Level

FAMILIES: dict[str, Iterable[str]] = {
    "bulletin_state": BulletinState,
    "item": [*ItemKind, "other"],
    "level": Level,
}
