"""What Alembic runs. The connection is handed in: the address of a database is nobody's business here."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from controller.db import Base, Instant
from controller.tables import __all__ as tables


def _written(kind: str, item: Any, autogen: AutogenContext) -> str | Literal[False]:
    """Write our own column type by its name, so that a step does not depend on how it is made."""
    if kind == "type" and isinstance(item, Instant):
        autogen.imports.add("from controller.db import Instant")
        return "Instant()"
    return False


if not tables:
    raise RuntimeError("no tables")

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite changes columns by copying the table
    render_item=_written,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
