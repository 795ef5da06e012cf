"""Many programmes read at once, for a page that shows the dates of many schedules: laid out without asking anew."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.db import in_pieces
from controller.recordings.models import Recording

from .layout import LaidOut
from .models import Programme, ProgrammeItem
from .repository import Said, laid_out, read_said


@dataclass(frozen=True)
class Shelf:
    """Programmes with all that could be heard of them. Rows of one session: whoever asks it for one has it at hand."""

    rows: Mapping[str, Programme]
    items: Mapping[str, Sequence[ProgrammeItem]]
    said: Said
    alone: Sequence[Recording] = ()
    """Recordings that stand in no programme of these."""

    @classmethod
    async def read(cls, session: AsyncSession, programmes: Iterable[str], recordings: Iterable[str] = ()) -> "Shelf":
        """Read programmes, and recordings besides, by their ids; what is not there is left out."""
        rows: dict[str, Programme] = {}
        items: dict[str, list[ProgrammeItem]] = defaultdict(list)
        for some in in_pieces(sorted(set(programmes))):
            found = await session.scalars(select(Programme).where(Programme.id.in_(some)))
            rows |= {row.id: row for row in found}
            query = select(ProgrammeItem).where(ProgrammeItem.programme_id.in_(some))
            for item in await session.scalars(query.order_by(ProgrammeItem.programme_id, ProgrammeItem.position)):
                items[item.programme_id].append(item)
        said = await read_said(session, [item for each in items.values() for item in each])
        alone: list[Recording] = []
        for some in in_pieces(sorted(set(recordings))):
            alone += await session.scalars(select(Recording).where(Recording.id.in_(some)))
        return cls(rows, items, said, alone)

    def holds(self, programme_id: str) -> bool:
        """Say whether a programme is among them."""
        return programme_id in self.rows

    def lay_out(
        self, programme_id: str, languages: Collection[tuple[str, ...]], *, at: datetime | None = None
    ) -> LaidOut:
        """Give one of these programmes as ``repository.lay_out`` does.

        Raises:
            NotAirableError: something in it may not be heard; names the item and why.
        """
        items = self.items.get(programme_id, ())
        return laid_out(self.rows[programme_id], items, self.said, languages, at=at)

    def borrows(self, programme_id: str) -> bool:
        """Say whether one of these holds a bulletin of another area, as ``repository.borrows`` does."""
        bulletins, area_id = self.said.bulletins, self.rows[programme_id].area_id
        ids = (item.bulletin_id for item in self.items.get(programme_id, ()) if item.bulletin_id)
        return any(bulletins[each].bulletin.area_id != area_id for each in ids if each in bulletins)
