"""The node alone on its pole: certificates that are renewed and revoked, faults, updates."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from controller.db import Instant

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    _create_certificates()
    _create_faults()
    _create_updates()
    _bind_requests()
    with op.batch_alter_table("holds", schema=None) as batch_op:
        batch_op.alter_column("ordered_by", existing_type=sa.String(length=64), nullable=True)


def _create_certificates() -> None:
    op.create_table(
        "node_certificates",
        sa.Column("serial", sa.String(length=64), nullable=False),
        sa.Column("node_id", sa.String(length=64), nullable=False),
        sa.Column("public_key", sa.String(length=43), nullable=False),
        sa.Column("pem", sa.Text(), nullable=False),
        sa.Column("issued_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("revoked_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["node_id"], ["nodes.id"], name=op.f("fk_node_certificates_node_id_nodes")),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_node_certificates")),
    )
    with op.batch_alter_table("node_certificates", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_node_certificates_expires_at"), ["expires_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_node_certificates_node_id"), ["node_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_node_certificates_public_key"), ["public_key"], unique=False)

    op.create_table(
        "renewals",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("node_id", sa.String(length=64), nullable=False),
        sa.Column("csr_pem", sa.Text(), nullable=False),
        sa.Column("new_key", sa.String(length=43), nullable=False),
        sa.Column("origin", sa.String(length=64), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("asked_at", Instant(), nullable=False),
        sa.Column("decided_at", Instant(), nullable=True),
        sa.Column("decided_by", sa.String(length=64), nullable=True),
        sa.Column("confirmed", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(["decided_by"], ["people.id"], name=op.f("fk_renewals_decided_by_people")),
        sa.ForeignKeyConstraint(["node_id"], ["nodes.id"], name=op.f("fk_renewals_node_id_nodes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_renewals")),
    )
    with op.batch_alter_table("renewals", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_renewals_node_id"), ["node_id"], unique=False)

    with op.batch_alter_table("nodes", schema=None) as batch_op:
        batch_op.add_column(sa.Column("previous_public_key", sa.String(length=43), nullable=True))
        batch_op.add_column(sa.Column("revoked_at", Instant(), nullable=True))

    op.execute(
        "INSERT INTO node_certificates (serial, node_id, public_key, pem, issued_at, expires_at) "
        "SELECT certificate_serial, id, public_key, '', enrolled_at, certificate_expires_at FROM nodes "
        "WHERE kind = 'agent' AND certificate_expires_at IS NOT NULL"
    )


def _bind_requests() -> None:
    with op.batch_alter_table("approval_requests", schema=None) as batch_op:
        batch_op.add_column(sa.Column("runs", sa.JSON(none_as_null=True), nullable=True))


def _create_faults() -> None:
    op.create_table(
        "faults",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("node_id", sa.String(length=64), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("detail", sa.String(length=500), nullable=False),
        sa.Column("since_at", Instant(), nullable=False),
        sa.Column("began_at", Instant(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("cleared_at", Instant(), nullable=True),
        sa.Column("acknowledged_at", Instant(), nullable=True),
        sa.Column("acknowledged_by", sa.String(length=64), nullable=True),
        sa.Column("note", sa.String(length=500), nullable=False),
        sa.ForeignKeyConstraint(["acknowledged_by"], ["people.id"], name=op.f("fk_faults_acknowledged_by_people")),
        sa.ForeignKeyConstraint(["node_id"], ["nodes.id"], name=op.f("fk_faults_node_id_nodes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_faults")),
    )
    with op.batch_alter_table("faults", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_faults_cleared_at"), ["cleared_at"], unique=False)
        batch_op.create_index("ix_faults_node_id_code", ["node_id", "code"], unique=False)
        batch_op.create_index(batch_op.f("ix_faults_since_at"), ["since_at"], unique=False)


def _create_updates() -> None:
    op.create_table(
        "releases",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("release", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("board", sa.String(length=16), nullable=False),
        sa.Column("python", sa.String(length=8), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("signed_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("added_at", Instant(), nullable=False),
        sa.Column("added_by", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["added_by"], ["people.id"], name=op.f("fk_releases_added_by_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_releases")),
        sa.UniqueConstraint("release", "board", "python", name="uq_releases_release"),
    )
    with op.batch_alter_table("releases", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_releases_sha256"), ["sha256"], unique=False)

    op.create_table(
        "rollouts",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("release", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("area_id", sa.String(length=64), nullable=True),
        sa.Column("waves", sa.JSON(), nullable=False),
        sa.Column("soak_s", sa.Integer(), nullable=False),
        sa.Column("error_percent", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("wave", sa.Integer(), nullable=False),
        sa.Column("wave_since_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("created_by", sa.String(length=64), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["area_id"], ["areas.id"], name=op.f("fk_rollouts_area_id_areas")),
        sa.ForeignKeyConstraint(["created_by"], ["people.id"], name=op.f("fk_rollouts_created_by_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rollouts")),
    )
    with op.batch_alter_table("rollouts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_rollouts_state"), ["state"], unique=False)

    op.create_table(
        "rollout_nodes",
        sa.Column("rollout_id", sa.String(length=64), nullable=False),
        sa.Column("node_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("state_at", Instant(), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("wave", sa.Integer(), nullable=True),
        sa.Column("sent_at", Instant(), nullable=True),
        sa.Column("commands", sa.JSON(), nullable=False),
        sa.Column("unbelieved", sa.String(length=16), nullable=True),
        sa.ForeignKeyConstraint(["node_id"], ["nodes.id"], name=op.f("fk_rollout_nodes_node_id_nodes")),
        sa.ForeignKeyConstraint(["rollout_id"], ["rollouts.id"], name=op.f("fk_rollout_nodes_rollout_id_rollouts")),
        sa.PrimaryKeyConstraint("rollout_id", "node_id", name=op.f("pk_rollout_nodes")),
    )
    with op.batch_alter_table("rollout_nodes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_rollout_nodes_node_id"), ["node_id"], unique=False)
