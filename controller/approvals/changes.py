"""What a request has otherwise than what was approved last, with names in the place of ids.

Two things differ: what the request puts forward from what was approved before; and, where a bulletin was edited
since, its words now from those that would be heard, because an edit is why somebody is asked again.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree
from controller.areas.targets import node_names, scope_name
from controller.broadcasts.models import Broadcast
from controller.bulletins.drafting import told_by
from controller.bulletins.models import Bulletin
from controller.bulletins.repository import versions
from controller.bulletins.rules import differences
from controller.bulletins.states import BulletinState
from controller.people import rights
from controller.people.actor import Actor
from controller.people.repository import names_of
from controller.people.rights import Sight
from controller.programmes.models import Programme
from controller.recordings.models import Recording

from .models import Approval, ApprovalRequest
from .schemas import BeforeOut, ChangeOut
from .shown import FILLER, ITEMS, PROGRAMME, SCOPES, Shown

FAR = datetime.max.replace(tzinfo=UTC)


class Changes(NamedTuple):
    """What an edit changed."""

    before: BeforeOut | None
    """The yes that it is held against; None: nobody approved it before."""
    found: tuple[ChangeOut, ...]


async def subjects_of(session: AsyncSession, request: ApprovalRequest) -> list[str]:
    """Name what the request is about, and the earlier versions of the same broadcast."""
    kind, _, key = request.subject.partition("/")
    run_id = await session.scalar(select(Broadcast.run_id).where(Broadcast.id == key)) if kind == "broadcasts" else None
    if run_id is None:
        return [request.subject]
    same = or_(Broadcast.run_id == run_id, Broadcast.id == run_id)
    versions_of = await session.scalars(select(Broadcast.id).where(same))
    return [request.subject, *(f"broadcasts/{each}" for each in versions_of if f"broadcasts/{each}" != request.subject)]


async def changes_of(session: AsyncSession, actor: Actor, request: ApprovalRequest) -> Changes:
    """Hold a request against what was approved last: by who asks if they ever did, else by anybody."""
    seen = await rights.sight(session, actor)
    yes = await _last_yes(session, actor, request)
    words = _Words(session, seen)
    if yes is None or yes.shown is None:
        return Changes(None, tuple(await words.edited(request.shown)))
    names = await names_of(session, {yes.person_id})
    before, after = await _named(session, yes.shown), await _named(session, request.shown)
    found = [ChangeOut(**each._asdict()) for each in differences(before, after)]
    found += await words.between(yes.shown, request.shown)
    found += await words.edited(request.shown)
    return Changes(BeforeOut(by=names.get(yes.person_id, ""), at=yes.given_at), tuple(found))


async def _last_yes(session: AsyncSession, actor: Actor, request: ApprovalRequest) -> Approval | None:
    query = select(Approval).where(Approval.subject.in_(await subjects_of(session, request)))
    rows = [
        row
        for row in await session.scalars(query)
        if row.shown is not None and row.request_id != request.id and row.given_at <= (request.decided_at or FAR)
    ]
    programme = request.shown.get(PROGRAMME)

    def nearest(row: Approval) -> tuple[bool, bool, datetime]:
        """Order by whose yes it was, then by whether a schedule aired the same programme, then by time."""
        return row.person_id == actor.person_id, (row.shown or {}).get(PROGRAMME) == programme, row.given_at

    return max(rows, key=nearest, default=None)


async def _named(session: AsyncSession, shown: Shown) -> dict[str, Any]:
    """Put names in the place of ids; what differs in nothing but an id is told by its sound."""
    tree, scopes = await read_tree(session), shown.get(SCOPES, [])
    nodes = await node_names(session, scopes)
    named: dict[str, Any] = {"targets": [scope_name(scope, tree, nodes) for scope in scopes]}
    if (programme_id := shown.get(PROGRAMME)) is not None:
        row = await session.get(Programme, programme_id)
        named["programme"] = row.title if row else ""
    if (filler_id := shown.get(FILLER)) is not None:
        filler = await session.get(Recording, filler_id)
        named[FILLER] = filler.title if filler else ""
    plain = {name: value for name, value in shown.items() if name not in {SCOPES, PROGRAMME, ITEMS}}
    return plain | named | {ITEMS: await _items(session, shown[ITEMS])}


async def _items(session: AsyncSession, items: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    items = list(items)
    ids = {each for item in items for each in item["recording_ids"]}
    titles = dict((await session.execute(select(Recording.id, Recording.title).where(Recording.id.in_(ids)))).all())
    return [
        {
            "title": ", ".join(dict.fromkeys(titles.get(each, "") for each in item["recording_ids"])),
            "bulletin_id": item["bulletin_id"],
            "sha256": item["sha256"],
            "gain_mb": item["gain_mb"],
        }
        for item in items
    ]


class _Words:
    """Holds versions of bulletins against each other."""

    def __init__(self, session: AsyncSession, seen: Sight) -> None:
        self._session, self._seen = session, seen

    async def between(self, before: Shown, after: Shown) -> list[ChangeOut]:
        """Say what the bulletins of two programmes say differently, where both have them."""
        said, says = _said(before), _said(after)
        return [
            change
            for bulletin_id in says
            if said.get(bulletin_id, says[bulletin_id]) != says[bulletin_id]
            for change in await self._compare(bulletin_id, said[bulletin_id], says[bulletin_id], heard="after")
        ]

    async def edited(self, shown: Shown) -> list[ChangeOut]:
        """Say how bulletins were edited since: what would be heard is as it was before that."""
        found: list[ChangeOut] = []
        for bulletin_id, version in _said(shown).items():
            row = await self._session.get(Bulletin, bulletin_id)
            if row is None:
                continue
            if row.version != version:
                found += await self._compare(bulletin_id, version, row.version, heard="before")
            if row.state in {BulletinState.RETURNED, BulletinState.ARCHIVED}:
                title = await self._title(bulletin_id, version)
                state = {"before": str(BulletinState.APPROVED), "after": row.state}
                found.append(ChangeOut(field="bulletin.state", bulletin=title, heard="before", **state))
        return found

    async def _compare(
        self, bulletin_id: str, before: int, after: int, *, heard: Literal["before", "after"]
    ) -> list[ChangeOut]:
        """Compare two versions; of another place's only that it was edited, as its drafts are not ours."""
        title = await self._title(bulletin_id, after if heard == "after" else before)
        row = await self._session.get_one(Bulletin, bulletin_id)
        if heard == "before" and not self._seen.sees(row.area_id):
            return [ChangeOut(field="bulletin.version", bulletin=title, before=before, after=after, heard=heard)]
        found = {each.version: told_by(each, voices) for each, voices in await versions(self._session, bulletin_id)}
        return [
            ChangeOut(field=f"bulletin.{each.field}", bulletin=title, before=each.before, after=each.after, heard=heard)
            for each in differences(found[before], found[after])
        ]

    async def _title(self, bulletin_id: str, version: int) -> str:
        return next(row.title for row, _ in await versions(self._session, bulletin_id) if row.version == version)


def _said(shown: Shown) -> dict[str, int]:
    """Give the version of each bulletin."""
    return {item["bulletin_id"]: item["bulletin_version"] for item in shown[ITEMS] if item["bulletin_id"]}
