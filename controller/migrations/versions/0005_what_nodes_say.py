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
    op.execute("UPDATE holds SET wire_id = id")
    with op.batch_alter_table("holds", schema=None) as batch_op:
        batch_op.alter_column("wire_id", existing_type=sa.String(length=64), nullable=False)
        batch_op.create_unique_constraint(batch_op.f("uq_holds_wire_id_scope"), ["wire_id", "scope"])


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
