"""What a change of the rules that stand in an area itself would change: its zone, quiet hours, languages."""

from typing import Any

from controller.clock import Clock
from controller.db import Database
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import Act
from controller.policies.checks import Places
from controller.policies.locks import check_locks
from controller.policies.rules import OF_THE_AREA
from controller.policies.schemas import WhatIfOut
from controller.policies.whatif import WhatIf
from edge_agent.protocol.documents import TrustedKey

from .repository import nodes_in
from .service import CLEANED
from .targets import tree_around


class AreaWhatIfs:
    """Looks at areas before they are changed."""

    def __init__(self, database: Database, clock: Clock, *, trusted_keys: tuple[TrustedKey, ...]) -> None:
        self._database, self._clock, self._trusted_keys = database, clock, trusted_keys

    async def of(self, actor: Actor, area_id: str, **wanted: Any) -> WhatIfOut:
        """Run the last 30 and the next 30 days through the timeline, as they are and with what is ``wanted``.

        Of the fields of ``Areas.change`` names and kinds make no difference. Saves nothing.

        Raises:
            NotFoundError: there is no such area.
            ForbiddenError: the person may not change it.
            InvalidError: a field is wrong.
            PolicyLockedError: an area above keeps one of these rules for itself.
        """
        said = {field: CLEANED[field](value) for field, value in wanted.items() if field in OF_THE_AREA}
        async with self._database.reading() as session:
            tree = await tree_around(session, await rights.sight(session, actor), area_id, whole=True)
            await rights.require(session, actor, Act.AREAS_CHANGE, [area_id])
            place = tree.places[area_id]
            check_locks(
                tree, place.parent_id, [field for field in said if said[field] not in (None, getattr(place, field))]
            )
            nodes = await nodes_in(session, tree, [f"areas/{area_id}"], reports=False)
            looking = WhatIf(session, Places.of_nodes(tree, nodes), self._clock(), self._trusted_keys)
            await looking.read()
            return await looking.compare(tree.with_said(area_id, **said))
