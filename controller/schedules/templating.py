"""A schedule from a template in one act: the programme is made from it, and planned, or neither."""

from typing import NoReturn

from controller.areas.targets import resolve
from controller.db import Database, Transaction
from controller.errors import InvalidError
from controller.people import rights
from controller.people.actor import Actor
from controller.programmes.schemas import CopyIn
from controller.programmes.service import Programmes

from .schemas import ScheduleIn, ScheduleOut, SchedulePreview, TemplateScheduleIn
from .service import Schedules


class _LookedAt(Exception):  # noqa: N818 - ends a transaction of which nothing is kept
    """Carries what was seen out of a transaction that is rolled back."""

    def __init__(self, found: SchedulePreview) -> None:
        super().__init__("nothing is saved")
        self.found = found


class Templates:
    """Plans what templates become."""

    def __init__(self, database: Database, programmes: Programmes, schedules: Schedules) -> None:
        self._database, self._programmes, self._schedules = database, programmes, schedules

    async def create(self, actor: Actor, wanted: TemplateScheduleIn) -> ScheduleOut:
        """Make a programme of a template and write its schedule.

        Raises:
            NotFoundError: there is no such template for this person.
            InvalidError, NotAirableError, OverrunError, PolicyBreachError, UnusualHourError, ForbiddenError,
            ScheduleConflictError: as saving either.
        """
        async with self._database.transaction() as tx:
            row = await self._schedules.save(tx, actor, await self._made(tx, actor, wanted))
        return await self._schedules.get(actor, row.id)

    async def preview(self, actor: Actor, wanted: TemplateScheduleIn) -> SchedulePreview:
        """Say what that would do, by doing it and keeping nothing.

        Raises:
            NotFoundError, InvalidError, ForbiddenError: as ``create``.
        """
        try:
            async with self._database.transaction() as tx:
                await self._look(tx, actor, wanted)
        except _LookedAt as seen:
            return seen.found
        raise AssertionError("looking ends by what it saw")

    async def _look(self, tx: Transaction, actor: Actor, wanted: TemplateScheduleIn) -> NoReturn:
        raise _LookedAt(await self._schedules.previewed(tx.session, actor, await self._made(tx, actor, wanted)))

    async def _made(self, tx: Transaction, actor: Actor, wanted: TemplateScheduleIn) -> ScheduleIn:
        """Make the programme, whose it is being the lowest area above all that hears it."""
        targets = await resolve(tx.session, wanted.targets, await rights.sight(tx.session, actor))
        if targets.area_id is None:
            raise InvalidError("targets: no area lies above all of them", field="targets", problem="apart")
        copy = CopyIn(title=wanted.title, area_id=targets.area_id, fill=wanted.fill)
        made = await self._programmes.copied(tx, actor, wanted.template_id, copy)
        return wanted.of_programme(made.id)
