"""The console: words to find things by, positions, telephones, uploads in pieces, health, sent forms, indexes."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from controller.db import Instant
from controller.search import kept

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

SEARCHED = {
    "areas": ("name",),
    "nodes": ("name",),
    "people": ("name", "login"),
    "recordings": ("title", "file_name"),
    "programmes": ("title",),
    "schedules": ("title",),
    "broadcasts": ("title",),
}
AT_ONCE = 500


def upgrade() -> None:
    _place()
    _describe_recordings()
    _create_uploads()
    _create_health_days()
    _create_sent_forms()
    _create_unaired_dates()
    _index()
    op.add_column("people", sa.Column("phone", sa.String(length=40), nullable=True))
    op.add_column("emergencies", sa.Column("reason_code", sa.String(length=40), nullable=True))
    op.add_column("emergencies", sa.Column("idempotency_key", sa.String(length=100), nullable=True))
    for table, words in SEARCHED.items():
        op.add_column(table, sa.Column("search", sa.Text(), server_default="", nullable=False))
        _fill(table, words)


def _place() -> None:
    for table in ("areas", "nodes"):
        op.add_column(table, sa.Column("latitude", sa.Double(), nullable=True))
        op.add_column(table, sa.Column("longitude", sa.Double(), nullable=True))
    op.add_column("areas", sa.Column("removed_at", Instant(), nullable=True))
    op.create_index(op.f("ix_areas_removed_at"), "areas", ["removed_at"], unique=False)
    op.add_column("nodes", sa.Column("position_accuracy_m", sa.Double(), nullable=True))
    op.add_column("nodes", sa.Column("position_at", Instant(), nullable=True))
    _refer("nodes", "position_by", "people")


def _describe_recordings() -> None:
    op.add_column("recordings", sa.Column("origin", sa.String(length=16), server_default="uploaded", nullable=False))
    op.add_column("recordings", sa.Column("voice", sa.String(length=80), nullable=True))
    op.add_column("recordings", sa.Column("words", sa.Text(), nullable=True))
    op.add_column("recordings", sa.Column("cut_ms", sa.JSON(none_as_null=True), nullable=True))
    _refer("recordings", "derived_from", "recordings")


def _index() -> None:
    """Have what stands on every page counted without reading the rows: some hundred bytes each, and thousands."""
    op.drop_index(op.f("ix_nodes_area_id"), table_name="nodes")
    op.create_index("ix_nodes_area_id_removed_at", "nodes", ["area_id", "removed_at"])
    mute = sa.text("kind != 'agent'")
    op.create_index("ix_nodes_mute", "nodes", ["id", "area_id"], sqlite_where=mute, postgresql_where=mute)
    op.create_index("ix_plays_counted", "plays", ["broadcast_id", "outcome", "state", "grade", "simulated"])


def _refer(table: str, column: str, other: str) -> None:
    """Add a column that names a row, in words that both databases take.

    Alembic would copy the table on SQLite, and the old one cannot go while rows of others name its rows.
    """
    named = op.f(f"fk_{table}_{column}_{other}")
    op.execute(f"ALTER TABLE {table} ADD COLUMN {column} VARCHAR(64) CONSTRAINT {named} REFERENCES {other} (id)")


def _create_uploads() -> None:
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("person_id", sa.String(length=64), nullable=False),
        sa.Column("area_id", sa.String(length=64), nullable=True),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("file_name", sa.String(length=255), nullable=False),
        sa.Column("language", sa.String(length=35), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=True),
        sa.Column("received", sa.Integer(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("recording_id", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["area_id"], ["areas.id"], name=op.f("fk_uploads_area_id_areas")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_uploads_person_id_people")),
        sa.ForeignKeyConstraint(["recording_id"], ["recordings.id"], name=op.f("fk_uploads_recording_id_recordings")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
    )
    op.create_index(op.f("ix_uploads_expires_at"), "uploads", ["expires_at"], unique=False)
    op.create_index(op.f("ix_uploads_person_id"), "uploads", ["person_id"], unique=False)


def _create_health_days() -> None:
    op.create_table(
        "node_health_days",
        sa.Column("node_id", sa.String(length=64), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("samples", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["node_id"], ["nodes.id"], name=op.f("fk_node_health_days_node_id_nodes")),
        sa.PrimaryKeyConstraint("node_id", "day", name=op.f("pk_node_health_days")),
    )


def _create_sent_forms() -> None:
    op.create_table(
        "sent_forms",
        sa.Column("person_id", sa.String(length=64), nullable=False),
        sa.Column("key_sha256", sa.String(length=64), nullable=False),
        sa.Column("content_hmac", sa.String(length=64), nullable=False),
        sa.Column("sent_at", Instant(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_sent_forms_person_id_people")),
        sa.PrimaryKeyConstraint("person_id", "key_sha256", name=op.f("pk_sent_forms")),
    )


def _create_unaired_dates() -> None:
    op.create_table(
        "unaired_dates",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("schedule_id", sa.String(length=64), nullable=False),
        sa.Column("recurrence_local", sa.String(length=19), nullable=False),
        sa.Column("start_at", Instant(), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("problem", sa.String(length=40), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("noted_at", Instant(), nullable=False),
        sa.Column("search", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["schedule_id"], ["schedules.id"], name=op.f("fk_unaired_dates_schedule_id_schedules")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unaired_dates")),
        sa.UniqueConstraint(
            "schedule_id", "recurrence_local", name=op.f("uq_unaired_dates_schedule_id_recurrence_local")
        ),
    )
    op.create_index(op.f("ix_unaired_dates_start_at"), "unaired_dates", ["start_at"], unique=False)


def _fill(table: str, words: tuple[str, ...]) -> None:
    """Write down the words of what is there."""
    rows = sa.table(table, sa.column("id"), sa.column("search"), *(sa.column(each) for each in words))
    connection = op.get_bind()
    found = connection.execute(sa.select(rows.c.id, *(rows.c[each] for each in words))).all()
    write = sa.update(rows).where(rows.c.id == sa.bindparam("of_row")).values(search=sa.bindparam("found"))
    for at in range(0, len(found), AT_ONCE):
        some = found[at : at + AT_ONCE]
        connection.execute(write, [{"of_row": row_id, "found": kept(said)} for row_id, *said in some])
