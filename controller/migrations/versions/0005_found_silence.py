"""Silence that was found: a row for each commune whose nodes obey it, by the name that nodes know it by."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    with op.batch_alter_table("holds", schema=None) as batch_op:
        batch_op.add_column(sa.Column("wire_id", sa.String(length=64), nullable=True))
    op.execute("UPDATE holds SET wire_id = id")
    with op.batch_alter_table("holds", schema=None) as batch_op:
        batch_op.alter_column("wire_id", existing_type=sa.String(length=64), nullable=False)
        batch_op.create_unique_constraint(batch_op.f("uq_holds_wire_id_scope"), ["wire_id", "scope"])
