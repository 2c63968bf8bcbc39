"""Reviews: opinions asked for, leases, known answers, and more about each decision."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

NAME = sa.String(64)
RECORDING = sa.String(40)
SHORT = sa.String(16)
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_index("recording_by_replaced", "recording", ["replaces"])
    op.add_column("review", sa.Column("reason", SHORT, nullable=False, server_default="doubt"))
    op.add_column("review", sa.Column("round", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("review", sa.Column("named", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("review", sa.Column("ranges", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("review", sa.Column("asked_at", MOMENT, nullable=True))
    op.add_column("review", sa.Column("begun_at", MOMENT, nullable=True))
    requests = op.create_table(
        "review_request",
        sa.Column("request", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("recording", RECORDING, sa.ForeignKey("recording.recording"), nullable=False),
        sa.Column("reason", SHORT, nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("closed_at", MOMENT, nullable=True),
    )
    op.create_index("ix_review_request_recording", "review_request", ["recording"])
    op.create_index("review_request_by_age", "review_request", ["closed_at", "asked_at"])
    op.create_table(
        "review_lease",
        sa.Column("recording", RECORDING, sa.ForeignKey("recording.recording"), primary_key=True),
        sa.Column("reviewer", NAME, nullable=False, unique=True),
        sa.Column("reason", SHORT, nullable=False),
        sa.Column("begun_at", MOMENT, nullable=False),
        sa.Column("until", MOMENT, nullable=False),
    )
    op.create_table(
        "gold",
        sa.Column("recording", RECORDING, sa.ForeignKey("recording.recording"), primary_key=True),
        sa.Column("decision", SHORT, nullable=False),
        sa.Column("marked_by", NAME, nullable=False),
        sa.Column("marked_at", MOMENT, nullable=False),
    )
    # What waits for a person already goes on waiting, since it was flagged.
    recording = sa.table("recording", sa.column("recording"), sa.column("state"))
    event = sa.table("event", sa.column("recording"), sa.column("to_state"), sa.column("at", MOMENT))
    flagged = sa.select(recording.c.recording, sa.func.max(event.c.at)).join_from(
        recording, event, (event.c.recording == recording.c.recording) & (event.c.to_state == "flagged"), isouter=True
    )
    rows = op.get_bind().execute(flagged.where(recording.c.state == "flagged").group_by(recording.c.recording)).all()
    now = datetime.now(UTC)
    waiting = [
        {"recording": name, "reason": "doubt", "round": 1, "asked_at": at or now, "closed_at": None}
        for name, at in rows
    ]
    if waiting:
        op.get_bind().execute(requests.insert(), waiting)
