"""Erasures: what was begun, and the tombstone of what was done."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "erasure",
        sa.Column("receipt", sa.String(32), primary_key=True),
        sa.Column("contributor", sa.String(64), nullable=True),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tombstone", sa.JSON(), nullable=True),
    )
