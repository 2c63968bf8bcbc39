"""What it cost to extract a trajectory."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("trajectory", sa.Column("core_seconds", sa.Double(), nullable=True))
