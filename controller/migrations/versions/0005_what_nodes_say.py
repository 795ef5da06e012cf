"""What nodes say: silence that is found at them, by the name that they know it by, and logs that they send."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from controller.db import Instant

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    _name_holds()
    _create_logs()


def _name_holds() -> None:
    with op.batch_alter_table("holds", schema=None) as batch_op:
        batch_op.add_column(sa.Column("wire_id", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("nodes", sa.JSON(none_as_null=True), nullable=True))
    op.execute("UPDATE holds SET wire_id = id")
    with op.batch_alter_table("holds", schema=None) as batch_op:
        batch_op.alter_column("wire_id", existing_type=sa.String(length=64), nullable=False)
        batch_op.create_index(batch_op.f("ix_holds_wire_id"), ["wire_id"], unique=False)
    _name_who_was_found()


def _name_who_was_found() -> None:
    """Who else obeys what was found says so again, and gets a row."""
    holds = sa.table(
        "holds", sa.column("id"), sa.column("scope"), sa.column("ordered_by"), sa.column("nodes", sa.JSON())
    )
    found = sa.select(holds.c.id, holds.c.scope).where(holds.c.ordered_by.is_(None))
    for hold_id, scope in op.get_bind().execute(found).all():
        kind, _, key = scope.partition("/")
        op.execute(holds.update().where(holds.c.id == hold_id).values(nodes=[key] if kind == "nodes" else []))


def _create_logs() -> None:
    op.create_table(
        "node_logs",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("node_id", sa.String(length=64), nullable=False),
        sa.Column("asked_at", Instant(), nullable=False),
        sa.Column("asked_by", sa.String(length=64), nullable=True),
        sa.Column("received_at", Instant(), nullable=True),
        sa.Column("packed", sa.LargeBinary(), nullable=True),
        sa.Column("lines", sa.Integer(), nullable=True),
        sa.Column("bytes", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["asked_by"], ["people.id"], name=op.f("fk_node_logs_asked_by_people")),
        sa.ForeignKeyConstraint(["node_id"], ["nodes.id"], name=op.f("fk_node_logs_node_id_nodes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_node_logs")),
    )
    with op.batch_alter_table("node_logs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_node_logs_node_id"), ["node_id"], unique=False)
