"""The first tables: tasks, contributors, recordings and what is known about them."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

NAME = sa.String(64)
RECORDING = sa.String(40)
STATE = sa.String(16)
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "task",
        sa.Column("name", NAME, primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("content_sha256", NAME, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
    )
    op.create_table(
        "contributor",
        sa.Column("contributor", NAME, primary_key=True),
        sa.Column("created_at", MOMENT, nullable=False),
    )
    op.create_table(
        "recording",
        sa.Column("recording", RECORDING, primary_key=True),
        sa.Column("task", NAME, nullable=False),
        sa.Column("task_version", sa.Integer(), nullable=False),
        sa.Column("contributor", NAME, sa.ForeignKey("contributor.contributor"), nullable=False, index=True),
        sa.Column("state", STATE, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("duration_ns", sa.BigInteger(), nullable=False),
        sa.Column("frames", sa.BigInteger(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("frame_rate", sa.Double(), nullable=False),
        sa.Column("video_sha256", NAME, nullable=False),
        sa.Column("source_sha256", NAME, nullable=False),
        sa.Column("replaces", RECORDING, sa.ForeignKey("recording.recording"), nullable=True),
        sa.ForeignKeyConstraint(["task", "task_version"], ["task.name", "task.version"]),
    )
    op.create_index("recording_by_state", "recording", ["state", "created_at"])
    op.create_index("recording_by_source", "recording", ["source_sha256"])
    op.create_table(
        "event",
        sa.Column("event", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("recording", RECORDING, sa.ForeignKey("recording.recording"), nullable=False, index=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("who", NAME, nullable=False),
        sa.Column("from_state", STATE, nullable=True),
        sa.Column("to_state", STATE, nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
    )
    op.create_table(
        "check_result",
        sa.Column("recording", RECORDING, sa.ForeignKey("recording.recording"), primary_key=True),
        sa.Column("check", NAME, primary_key=True),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("doubt", sa.Double(), nullable=False),
        sa.Column("fail", sa.Double(), nullable=False),
        sa.Column("verdict", sa.String(8), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("ranges", sa.JSON(), nullable=False),
    )
    op.create_table(
        "trajectory",
        sa.Column("recording", RECORDING, sa.ForeignKey("recording.recording"), primary_key=True),
        sa.Column("extractor", sa.String(16), primary_key=True),
        sa.Column("shard", RECORDING, nullable=False, index=True),
        sa.Column("first_frame", sa.BigInteger(), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("scale", sa.String(16), nullable=False),
        sa.Column("body_share", sa.Double(), nullable=False),
        sa.Column("left_hand_share", sa.Double(), nullable=False),
        sa.Column("right_hand_share", sa.Double(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
    )
    op.create_table(
        "segment",
        sa.Column("segment", sa.String(32), primary_key=True),
        sa.Column("recording", RECORDING, sa.ForeignKey("recording.recording"), nullable=False, index=True),
        sa.Column("track", NAME, nullable=False),
        sa.Column("start_frame", sa.BigInteger(), nullable=False),
        sa.Column("end_frame", sa.BigInteger(), nullable=False),
        sa.Column("start_ns", sa.BigInteger(), nullable=False),
        sa.Column("end_ns", sa.BigInteger(), nullable=False),
        sa.Column("label", sa.String(100), nullable=False),
        sa.Column("object", sa.String(100), nullable=True),
        sa.Column("outcome", sa.String(100), nullable=True),
        sa.Column("author", NAME, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
    )
    op.create_table(
        "review",
        sa.Column("review", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("recording", RECORDING, sa.ForeignKey("recording.recording"), nullable=False, index=True),
        sa.Column("reviewer", NAME, nullable=False),
        sa.Column("decision", sa.String(16), nullable=False),
        sa.Column("feedback", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
    )
