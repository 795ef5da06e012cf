"""What makes the answer to a "why" less certain: what a node has not said, and what it has not heard."""

from collections.abc import Iterator

from controller.nodes.live import LiveNodes
from controller.nodes.rules import NodeKind, NodeStatus, status_of
from controller.plans.models import Document
from edge_agent.protocol.states import ClockState, Outcome, PlayState
from edge_agent.protocol.topics import Word
from edge_agent.protocol.versions import Version

from .cases import Case
from .why_schemas import NoteCode, WhyNoteOut


async def doubts(case: Case, live: LiveNodes) -> tuple[WhyNoteOut, ...]:
    """Give what is not certain; nothing of what the node itself has said."""
    if case.node.kind != NodeKind.AGENT:
        return (WhyNoteOut(code=NoteCode.REPORTS_NOTHING),)
    if case.word is not None:
        return ()
    if case.row.awaits_approval:  # no node was told of it
        return () if case.is_over else tuple(_of_the_link(case, live))
    found = [*_of_the_play(case), *_of_the_link(case, live)]
    return (*found, *await _of_documents(case, live)) if not case.is_over else tuple(found)


def _of_the_play(case: Case) -> Iterator[WhyNoteOut]:
    if case.outcome is Outcome.CANCEL_UNCONFIRMED:
        yield WhyNoteOut(code=NoteCode.CANCEL_UNCONFIRMED)
    elif case.is_over and case.play is not None:
        yield WhyNoteOut(code=NoteCode.NO_WORD)
    elif case.play is not None and case.outcome is None:
        if case.play.state == PlayState.PLANNED:
            yield WhyNoteOut(code=NoteCode.NOT_RECEIVED)
        elif case.play.state == PlayState.RECEIVED:
            yield WhyNoteOut(code=NoteCode.NO_SOUND_YET)


def _of_the_link(case: Case, live: LiveNodes) -> Iterator[WhyNoteOut]:
    contact = live.contact(case.node)
    status, since_at = status_of(contact.presence, contact.presence_at, contact.last_heard_at, case.now)
    if status is NodeStatus.NEVER_SEEN:
        yield WhyNoteOut(code=NoteCode.NEVER_SEEN)
    elif status is NodeStatus.OFFLINE:
        yield WhyNoteOut(code=NoteCode.OFFLINE, values={"since_at": since_at})
    health = live.over(case.node).health or {}
    if not case.is_over and health.get("clock", {}).get("state") == ClockState.UNTRUSTED:
        yield WhyNoteOut(code=NoteCode.CLOCK_UNTRUSTED)


async def _of_documents(case: Case, live: LiveNodes) -> list[WhyNoteOut]:
    """Compare what the node holds with what it was told."""
    word = Word.URGENT if case.row.urgent else Word.PLAN
    held = (live.over(case.node).health or {}).get("held", {})
    found: list[WhyNoteOut] = []
    for scope in case.scopes:
        newest = await case.session.get(Document, (scope, word))
        if newest is not None and newest.dirty_since is not None:
            found.append(WhyNoteOut(code=NoteCode.NOT_PUBLISHED, values={"scope": scope, "word": word}))
        if newest is None or newest.epoch is None or newest.version is None:
            continue
        has = held.get(scope, {}).get(word)
        if has is None or Version(has["epoch"], has["version"]) < Version(newest.epoch, newest.version):
            versions = {"held": has and has["version"], "newest": newest.version}
            found.append(WhyNoteOut(code=NoteCode.OLDER_PLAN, values={"scope": scope, "word": word, **versions}))
    return found
