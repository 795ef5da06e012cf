"""The broadcasting day: what is said, when, who says yes, and who may; alarms and emergencies."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from controller.db import Instant

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    _create_alarms_tokens_requests()
    _create_bulletins_devices_grants()
    _create_policies_programmes()
    _create_messages_versions()
    _create_calendars_items()
    _create_schedules_emergencies()
    _change_approvals()
    _change_broadcasts()
    _change_people()


def _create_alarms_tokens_requests() -> None:
    op.create_table(
        "alarms",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("area_id", sa.String(length=64), nullable=True),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=120), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("raised_at", Instant(), nullable=False),
        sa.Column("acknowledged_by", sa.String(length=64), nullable=True),
        sa.Column("acknowledged_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["acknowledged_by"], ["people.id"], name=op.f("fk_alarms_acknowledged_by_people")),
        sa.ForeignKeyConstraint(["area_id"], ["areas.id"], name=op.f("fk_alarms_area_id_areas")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarms")),
    )
    with op.batch_alter_table("alarms", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_alarms_area_id"), ["area_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_alarms_raised_at"), ["raised_at"], unique=False)

    op.create_table(
        "api_tokens",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("person_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("acts", sa.JSON(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("last_used_at", Instant(), nullable=True),
        sa.Column("revoked_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_api_tokens_person_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_tokens")),
        sa.UniqueConstraint("token_sha256", name=op.f("uq_api_tokens_token_sha256")),
    )
    with op.batch_alter_table("api_tokens", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_api_tokens_person_id"), ["person_id"], unique=False)

    op.create_table(
        "approval_requests",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("area_id", sa.String(length=64), nullable=True),
        sa.Column("content_sha256", sa.String(length=64), nullable=False),
        sa.Column("recordings", sa.JSON(), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("categories", sa.JSON(), nullable=False),
        sa.Column("length_ms", sa.Integer(), nullable=False),
        sa.Column("shown", sa.JSON(), nullable=False),
        sa.Column("first_start_at", Instant(), nullable=False),
        sa.Column("not_before_at", Instant(), nullable=False),
        sa.Column("not_after_at", Instant(), nullable=False),
        sa.Column("document_number", sa.String(length=80), nullable=True),
        sa.Column("scan_sha256", sa.String(length=64), nullable=True),
        sa.Column("scan_type", sa.String(length=40), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("returned_reason", sa.Text(), nullable=True),
        sa.Column("asked_by", sa.String(length=64), nullable=False),
        sa.Column("asked_at", Instant(), nullable=False),
        sa.Column("decided_by", sa.String(length=64), nullable=True),
        sa.Column("decided_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["area_id"], ["areas.id"], name=op.f("fk_approval_requests_area_id_areas")),
        sa.ForeignKeyConstraint(["asked_by"], ["people.id"], name=op.f("fk_approval_requests_asked_by_people")),
        sa.ForeignKeyConstraint(["decided_by"], ["people.id"], name=op.f("fk_approval_requests_decided_by_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval_requests")),
    )
    with op.batch_alter_table("approval_requests", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_approval_requests_area_id"), ["area_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_approval_requests_state"), ["state"], unique=False)
        batch_op.create_index(batch_op.f("ix_approval_requests_subject"), ["subject"], unique=False)


def _create_bulletins_devices_grants() -> None:
    op.create_table(
        "bulletins",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("area_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("submitted_by", sa.String(length=64), nullable=True),
        sa.Column("submitted_at", Instant(), nullable=True),
        sa.Column("decided_by", sa.String(length=64), nullable=True),
        sa.Column("decided_at", Instant(), nullable=True),
        sa.Column("returned_reason", sa.Text(), nullable=True),
        sa.Column("offered_at", Instant(), nullable=True),
        sa.Column("offered_until", Instant(), nullable=True),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("archived_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["area_id"], ["areas.id"], name=op.f("fk_bulletins_area_id_areas")),
        sa.ForeignKeyConstraint(["created_by"], ["people.id"], name=op.f("fk_bulletins_created_by_people")),
        sa.ForeignKeyConstraint(["decided_by"], ["people.id"], name=op.f("fk_bulletins_decided_by_people")),
        sa.ForeignKeyConstraint(["submitted_by"], ["people.id"], name=op.f("fk_bulletins_submitted_by_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulletins")),
    )
    with op.batch_alter_table("bulletins", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_bulletins_area_id"), ["area_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_bulletins_offered_at"), ["offered_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_bulletins_state"), ["state"], unique=False)

    op.create_table(
        "devices",
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("person_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("last_used_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_devices_person_id_people")),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_devices")),
        sa.UniqueConstraint("id", name=op.f("uq_devices_id")),
    )
    with op.batch_alter_table("devices", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_devices_person_id"), ["person_id"], unique=False)

    op.create_table(
        "grants",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("person_id", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("area_id", sa.String(length=64), nullable=True),
        sa.Column("granted_by", sa.String(length=64), nullable=True),
        sa.Column("granted_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["area_id"], ["areas.id"], name=op.f("fk_grants_area_id_areas")),
        sa.ForeignKeyConstraint(["granted_by"], ["people.id"], name=op.f("fk_grants_granted_by_people")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_grants_person_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grants")),
    )
    with op.batch_alter_table("grants", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_grants_area_id"), ["area_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_grants_person_id"), ["person_id"], unique=False)

    op.create_table(
        "recovery_codes",
        sa.Column("code_sha256", sa.String(length=64), nullable=False),
        sa.Column("person_id", sa.String(length=64), nullable=False),
        sa.Column("used_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_recovery_codes_person_id_people")),
        sa.PrimaryKeyConstraint("code_sha256", name=op.f("pk_recovery_codes")),
    )
    with op.batch_alter_table("recovery_codes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_recovery_codes_person_id"), ["person_id"], unique=False)


def _create_policies_programmes() -> None:
    op.create_table(
        "listenings",
        sa.Column("person_id", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("heard", sa.JSON(), nullable=False),
        sa.Column("whole_at", Instant(), nullable=True),
        sa.Column("until_at", Instant(), nullable=True),
        sa.Column("approved_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_listenings_person_id_people")),
        sa.PrimaryKeyConstraint("person_id", "sha256", name=op.f("pk_listenings")),
    )
    op.create_table(
        "policies",
        sa.Column("area_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("locked", sa.JSON(), nullable=False),
        sa.Column("changed_by", sa.String(length=64), nullable=True),
        sa.Column("changed_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["area_id"], ["areas.id"], name=op.f("fk_policies_area_id_areas")),
        sa.ForeignKeyConstraint(["changed_by"], ["people.id"], name=op.f("fk_policies_changed_by_people")),
        sa.PrimaryKeyConstraint("area_id", name=op.f("pk_policies")),
    )
    op.create_table(
        "programmes",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("area_id", sa.String(length=64), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("is_template", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("lead_in_ms", sa.Integer(), nullable=False),
        sa.Column("gap_ms", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("changed_at", Instant(), nullable=False),
        sa.Column("changed_by", sa.String(length=64), nullable=True),
        sa.Column("archived_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["area_id"], ["areas.id"], name=op.f("fk_programmes_area_id_areas")),
        sa.ForeignKeyConstraint(["changed_by"], ["people.id"], name=op.f("fk_programmes_changed_by_people")),
        sa.ForeignKeyConstraint(["created_by"], ["people.id"], name=op.f("fk_programmes_created_by_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_programmes")),
    )
    with op.batch_alter_table("programmes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_programmes_area_id"), ["area_id"], unique=False)


def _create_messages_versions() -> None:
    op.create_table(
        "ready_messages",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("area_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("voices", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.Column("changed_at", Instant(), nullable=False),
        sa.Column("archived_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["area_id"], ["areas.id"], name=op.f("fk_ready_messages_area_id_areas")),
        sa.ForeignKeyConstraint(["created_by"], ["people.id"], name=op.f("fk_ready_messages_created_by_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ready_messages")),
    )
    with op.batch_alter_table("ready_messages", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_ready_messages_area_id"), ["area_id"], unique=False)

    op.create_table(
        "bulletin_versions",
        sa.Column("bulletin_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("category", sa.String(length=40), nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("author", sa.String(length=200), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("document_number", sa.String(length=80), nullable=True),
        sa.Column("content_sha256", sa.String(length=64), nullable=False),
        sa.Column("search_text", sa.Text(), nullable=False),
        sa.Column("saved_by", sa.String(length=64), nullable=False),
        sa.Column("saved_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["bulletin_id"], ["bulletins.id"], name=op.f("fk_bulletin_versions_bulletin_id_bulletins")
        ),
        sa.ForeignKeyConstraint(["saved_by"], ["people.id"], name=op.f("fk_bulletin_versions_saved_by_people")),
        sa.PrimaryKeyConstraint("bulletin_id", "version", name=op.f("pk_bulletin_versions")),
    )
    with op.batch_alter_table("bulletin_versions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_bulletin_versions_content_sha256"), ["content_sha256"], unique=False)


def _create_calendars_items() -> None:
    op.create_table(
        "calendars",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("area_id", sa.String(length=64), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("days", sa.JSON(), nullable=False),
        sa.Column("effect", sa.String(length=16), nullable=False),
        sa.Column("programme_id", sa.String(length=64), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["area_id"], ["areas.id"], name=op.f("fk_calendars_area_id_areas")),
        sa.ForeignKeyConstraint(["created_by"], ["people.id"], name=op.f("fk_calendars_created_by_people")),
        sa.ForeignKeyConstraint(["programme_id"], ["programmes.id"], name=op.f("fk_calendars_programme_id_programmes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendars")),
    )
    with op.batch_alter_table("calendars", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_calendars_area_id"), ["area_id"], unique=False)

    op.create_table(
        "programme_items",
        sa.Column("programme_id", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("bulletin_id", sa.String(length=64), nullable=True),
        sa.Column("recording_id", sa.String(length=64), nullable=True),
        sa.Column("category", sa.String(length=40), nullable=True),
        sa.Column("pause_ms", sa.Integer(), nullable=True),
        sa.Column("gain_mb", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["bulletin_id"], ["bulletins.id"], name=op.f("fk_programme_items_bulletin_id_bulletins")
        ),
        sa.ForeignKeyConstraint(
            ["programme_id"], ["programmes.id"], name=op.f("fk_programme_items_programme_id_programmes")
        ),
        sa.ForeignKeyConstraint(
            ["recording_id"], ["recordings.id"], name=op.f("fk_programme_items_recording_id_recordings")
        ),
        sa.PrimaryKeyConstraint("programme_id", "position", name=op.f("pk_programme_items")),
    )
    with op.batch_alter_table("programme_items", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_programme_items_bulletin_id"), ["bulletin_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_programme_items_recording_id"), ["recording_id"], unique=False)


def _create_schedules_emergencies() -> None:
    op.create_table(
        "schedules",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("area_id", sa.String(length=64), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("programme_id", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("starts_at_local", sa.String(length=19), nullable=False),
        sa.Column("rule", sa.Text(), nullable=True),
        sa.Column("last_date", sa.Date(), nullable=True),
        sa.Column("start_mode", sa.String(length=8), nullable=False),
        sa.Column("late_ms", sa.Integer(), nullable=False),
        sa.Column("ends_at_local", sa.String(length=8), nullable=True),
        sa.Column("back_timed", sa.Boolean(), nullable=False),
        sa.Column("overrun", sa.String(length=8), nullable=False),
        sa.Column("filler_recording_id", sa.String(length=64), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("changed_by", sa.String(length=64), nullable=False),
        sa.Column("changed_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("rolled_until", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["area_id"], ["areas.id"], name=op.f("fk_schedules_area_id_areas")),
        sa.ForeignKeyConstraint(["changed_by"], ["people.id"], name=op.f("fk_schedules_changed_by_people")),
        sa.ForeignKeyConstraint(["created_by"], ["people.id"], name=op.f("fk_schedules_created_by_people")),
        sa.ForeignKeyConstraint(
            ["filler_recording_id"], ["recordings.id"], name=op.f("fk_schedules_filler_recording_id_recordings")
        ),
        sa.ForeignKeyConstraint(["programme_id"], ["programmes.id"], name=op.f("fk_schedules_programme_id_programmes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedules")),
    )
    with op.batch_alter_table("schedules", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_schedules_area_id"), ["area_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_schedules_programme_id"), ["programme_id"], unique=False)

    op.create_table(
        "bulletin_voices",
        sa.Column("bulletin_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("language", sa.String(length=35), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("recording_id", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["bulletin_id", "version"],
            ["bulletin_versions.bulletin_id", "bulletin_versions.version"],
            name=op.f("fk_bulletin_voices_bulletin_id_version_bulletin_versions"),
        ),
        sa.ForeignKeyConstraint(
            ["recording_id"], ["recordings.id"], name=op.f("fk_bulletin_voices_recording_id_recordings")
        ),
        sa.PrimaryKeyConstraint("bulletin_id", "version", "language", name=op.f("pk_bulletin_voices")),
    )
    with op.batch_alter_table("bulletin_voices", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_bulletin_voices_recording_id"), ["recording_id"], unique=False)

    op.create_table(
        "schedule_exceptions",
        sa.Column("schedule_id", sa.String(length=64), nullable=False),
        sa.Column("recurrence_local", sa.String(length=19), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("moved_to_local", sa.String(length=19), nullable=True),
        sa.Column("programme_id", sa.String(length=64), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("in_spite_of", sa.JSON(), nullable=False),
        sa.Column("made_by", sa.String(length=64), nullable=False),
        sa.Column("made_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["made_by"], ["people.id"], name=op.f("fk_schedule_exceptions_made_by_people")),
        sa.ForeignKeyConstraint(
            ["programme_id"], ["programmes.id"], name=op.f("fk_schedule_exceptions_programme_id_programmes")
        ),
        sa.ForeignKeyConstraint(
            ["schedule_id"], ["schedules.id"], name=op.f("fk_schedule_exceptions_schedule_id_schedules")
        ),
        sa.PrimaryKeyConstraint("schedule_id", "recurrence_local", name=op.f("pk_schedule_exceptions")),
    )
    op.create_table(
        "emergencies",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("area_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("drill", sa.String(length=8), nullable=True),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("message_id", sa.String(length=64), nullable=True),
        sa.Column("slots", sa.JSON(), nullable=False),
        sa.Column("release_holds", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("proposed_by", sa.String(length=64), nullable=False),
        sa.Column("proposed_at", Instant(), nullable=False),
        sa.Column("confirmed_by", sa.String(length=64), nullable=True),
        sa.Column("confirmed_at", Instant(), nullable=True),
        sa.Column("break_glass_by", sa.String(length=64), nullable=True),
        sa.Column("break_glass_reason", sa.Text(), nullable=True),
        sa.Column("fires_at", Instant(), nullable=True),
        sa.Column("sent_at", Instant(), nullable=True),
        sa.Column("broadcast_id", sa.String(length=64), nullable=True),
        sa.Column("follows_id", sa.String(length=64), nullable=True),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("ended_by", sa.String(length=64), nullable=True),
        sa.Column("problem", sa.String(length=40), nullable=True),
        sa.ForeignKeyConstraint(["break_glass_by"], ["people.id"], name=op.f("fk_emergencies_break_glass_by_people")),
        sa.ForeignKeyConstraint(["area_id"], ["areas.id"], name=op.f("fk_emergencies_area_id_areas")),
        sa.ForeignKeyConstraint(
            ["broadcast_id"], ["broadcasts.id"], name=op.f("fk_emergencies_broadcast_id_broadcasts")
        ),
        sa.ForeignKeyConstraint(["confirmed_by"], ["people.id"], name=op.f("fk_emergencies_confirmed_by_people")),
        sa.ForeignKeyConstraint(["ended_by"], ["people.id"], name=op.f("fk_emergencies_ended_by_people")),
        sa.ForeignKeyConstraint(["follows_id"], ["emergencies.id"], name=op.f("fk_emergencies_follows_id_emergencies")),
        sa.ForeignKeyConstraint(
            ["message_id"], ["ready_messages.id"], name=op.f("fk_emergencies_message_id_ready_messages")
        ),
        sa.ForeignKeyConstraint(["proposed_by"], ["people.id"], name=op.f("fk_emergencies_proposed_by_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_emergencies")),
    )
    with op.batch_alter_table("emergencies", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_emergencies_area_id"), ["area_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_emergencies_broadcast_id"), ["broadcast_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_emergencies_fires_at"), ["fires_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_emergencies_follows_id"), ["follows_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_emergencies_state"), ["state"], unique=False)


def _change_approvals() -> None:
    with op.batch_alter_table("approvals", schema=None) as batch_op:
        batch_op.add_column(sa.Column("request_id", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("subject", sa.String(length=80), nullable=True))
        batch_op.add_column(sa.Column("by_author", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column("seen_by_leader_at", Instant(), nullable=True))
        batch_op.add_column(sa.Column("voided_at", Instant(), nullable=True))
        batch_op.add_column(sa.Column("shown", sa.JSON(), nullable=True))
    op.execute("UPDATE approvals SET subject = 'broadcasts/' || broadcast_id")
    with op.batch_alter_table("approvals", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_approvals_broadcast_id"))
        batch_op.drop_constraint(batch_op.f("fk_approvals_broadcast_id_broadcasts"), type_="foreignkey")
        batch_op.drop_column("broadcast_id")
        batch_op.alter_column("subject", existing_type=sa.String(length=80), nullable=False)
        batch_op.alter_column("by_author", existing_type=sa.Boolean(), server_default=None)
        batch_op.create_index(batch_op.f("ix_approvals_request_id"), ["request_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_approvals_subject"), ["subject"], unique=False)
        batch_op.create_foreign_key(
            batch_op.f("fk_approvals_request_id_approval_requests"), "approval_requests", ["request_id"], ["id"]
        )


def _change_broadcasts() -> None:
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.add_column(sa.Column("area_id", sa.String(length=64), nullable=True))
        batch_op.create_index(batch_op.f("ix_audit_area_id"), ["area_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_subject"), ["subject"], unique=False)
        batch_op.create_foreign_key(batch_op.f("fk_audit_area_id_areas"), "areas", ["area_id"], ["id"])

    with op.batch_alter_table("broadcast_items", schema=None) as batch_op:
        batch_op.add_column(sa.Column("voice", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("choice", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("bulletin_id", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("bulletin_version", sa.Integer(), nullable=True))
    with op.batch_alter_table("broadcast_items", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("pk_broadcast_items"), type_="primary")
        batch_op.create_primary_key(batch_op.f("pk_broadcast_items"), ["broadcast_id", "position", "voice"])
        batch_op.alter_column("voice", existing_type=sa.Integer(), server_default=None)
        batch_op.create_index(batch_op.f("ix_broadcast_items_bulletin_id"), ["bulletin_id"], unique=False)
        batch_op.create_foreign_key(
            batch_op.f("fk_broadcast_items_bulletin_id_bulletins"), "bulletins", ["bulletin_id"], ["id"]
        )

    with op.batch_alter_table("plays", schema=None) as batch_op:
        batch_op.add_column(sa.Column("item_at", Instant(), nullable=True))

    with op.batch_alter_table("broadcasts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("start_mode", sa.String(length=8), server_default="soft", nullable=False))
        batch_op.add_column(sa.Column("resumes", sa.Boolean(), server_default=sa.true(), nullable=False))
        batch_op.add_column(sa.Column("drill", sa.String(length=8), nullable=True))
        batch_op.add_column(sa.Column("category", sa.String(length=40), nullable=True))
        batch_op.add_column(sa.Column("run_id", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("area_id", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("schedule_id", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("recurrence_local", sa.String(length=19), nullable=True))
        batch_op.add_column(sa.Column("replays_id", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("awaits_approval", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column("superseded_at", Instant(), nullable=True))
        batch_op.create_index(batch_op.f("ix_broadcasts_area_id"), ["area_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_broadcasts_awaits_approval"), ["awaits_approval"], unique=False)
        batch_op.create_index(batch_op.f("ix_broadcasts_replays_id"), ["replays_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_broadcasts_schedule_id"), ["schedule_id"], unique=False)
        batch_op.create_foreign_key(batch_op.f("fk_broadcasts_area_id_areas"), "areas", ["area_id"], ["id"])
        batch_op.create_foreign_key(
            batch_op.f("fk_broadcasts_replays_id_broadcasts"), "broadcasts", ["replays_id"], ["id"]
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_broadcasts_schedule_id_schedules"), "schedules", ["schedule_id"], ["id"]
        )


def _change_people() -> None:
    with op.batch_alter_table("nodes", schema=None) as batch_op:
        batch_op.add_column(sa.Column("kind", sa.String(length=16), server_default="agent", nullable=False))
        batch_op.alter_column("certificate_expires_at", existing_type=Instant(), nullable=True)

    with op.batch_alter_table("recordings", schema=None) as batch_op:
        batch_op.add_column(sa.Column("area_id", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("is_signal", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.create_index(batch_op.f("ix_recordings_area_id"), ["area_id"], unique=False)
        batch_op.create_foreign_key(batch_op.f("fk_recordings_area_id_areas"), "areas", ["area_id"], ["id"])

    # Whoever could sign in so far was an administrator of everything.
    op.execute(
        "INSERT INTO grants (id, person_id, role, area_id, granted_by, granted_at) "
        "SELECT 'first-' || substr(id, 1, 50), id, role, NULL, NULL, created_at FROM people"
    )
    with op.batch_alter_table("people", schema=None) as batch_op:
        batch_op.add_column(sa.Column("password_due", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column("totp_secret", sa.String(length=120), nullable=True))
        batch_op.add_column(sa.Column("totp_pending", sa.String(length=120), nullable=True))
        batch_op.add_column(sa.Column("totp_confirmed_at", Instant(), nullable=True))
        batch_op.add_column(sa.Column("grace_until", Instant(), nullable=True))
        batch_op.add_column(sa.Column("totp_last_step", sa.Integer(), nullable=True))
        batch_op.drop_column("role")

    op.execute("DELETE FROM sessions")  # they had no names: everybody signs in once more
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("id", sa.String(length=64), nullable=False))
        batch_op.add_column(sa.Column("second_factor_at", Instant(), nullable=True))
        batch_op.add_column(sa.Column("agent", sa.String(length=200), nullable=False))
        batch_op.create_unique_constraint(batch_op.f("uq_sessions_id"), ["id"])
