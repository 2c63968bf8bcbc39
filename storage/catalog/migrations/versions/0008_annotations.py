"""Labelling by people: annotations, the log of their operations, priorities, and what segments say besides."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "annotation",
        sa.Column("annotation", sa.String(32), primary_key=True),
        sa.Column("recording", sa.String(40), sa.ForeignKey("recording.recording"), nullable=False),
        sa.Column("annotator", sa.String(64), nullable=False),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("segments", sa.Integer, nullable=False),
        sa.Column("opinions", sa.Integer, nullable=False),
        sa.Column("disputed", sa.Boolean, nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("changed_at", moment, nullable=False),
        sa.Column("done_at", moment, nullable=True),
        sa.Column("leased_until", moment, nullable=True),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_index("annotation_by_recording", "annotation", ["recording", "annotator"])
    op.create_index("annotation_by_annotator", "annotation", ["annotator", "changed_at"])
    op.create_table(
        "label_operation",
        sa.Column("annotation", sa.String(32), sa.ForeignKey("annotation.annotation"), primary_key=True),
        sa.Column("revision", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("operation", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("changed", sa.Integer, nullable=False),
        sa.Column("restored", sa.Integer, nullable=True),
        sa.Column("sent_sha256", sa.String(64), nullable=False),
        sa.Column("content", sa.JSON, nullable=False),
    )
    op.create_index("label_operation_by_id", "label_operation", ["annotation", "operation"], unique=True)
    op.create_table(
        "label_priority",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("task", sa.String(64), unique=True, nullable=True),
        sa.Column("recording", sa.String(40), sa.ForeignKey("recording.recording"), unique=True, nullable=True),
        sa.Column("priority", sa.Integer, nullable=False),
    )
    # SQLite cannot add a constraint later, but takes one that comes with its column
    belongs = sa.Column("annotation", sa.String(32), sa.ForeignKey("annotation.annotation"), nullable=True)
    op.add_column("segment", belongs, inline_references=True)
    op.add_column("segment", sa.Column("hand", sa.String(8), nullable=True))
    op.add_column("segment", sa.Column("note", sa.Text, nullable=False, server_default=""))
    op.add_column("segment", sa.Column("version", sa.Integer, nullable=False, server_default="0"))
    op.create_index("ix_segment_annotation", "segment", ["annotation"])
