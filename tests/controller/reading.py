"""What only reads locks and writes nothing: PostgreSQL refuses it, SQLite would let it pass unseen."""

from sqlalchemy import Select, event
from sqlalchemy.orm import ORMExecuteState, Session

from controller.db import locks


@event.listens_for(Session, "do_orm_execute")
def _look_at(state: ORMExecuteState) -> None:
    if not locks(state.session):  # type: ignore[arg-type]  # the same ``info`` as that of the session around it
        of_rows = isinstance(state.statement, Select) and state.statement._for_update_arg is not None
        writes = state.is_insert or state.is_update or state.is_delete
        assert not writes, f"it reads, and writes: {state.statement}"
        assert not of_rows, f"it reads, and locks: {state.statement}"


@event.listens_for(Session, "before_flush")
def _look_through(session: Session, *_: object) -> None:
    changed = [*session.new, *session.deleted, *(each for each in session.dirty if session.is_modified(each))]
    assert locks(session) or not changed, f"it reads, and changes: {changed}"  # type: ignore[arg-type]
