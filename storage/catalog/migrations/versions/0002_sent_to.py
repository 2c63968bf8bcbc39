"""Where a contributor's own workspace has sent a recording."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("recording", sa.Column("sent_to", sa.Text(), nullable=True))
