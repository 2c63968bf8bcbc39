"""What a recording's consent covers and until when; what contributors declare about themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    # as `storage.recordings.consent.IMPLIED` was then: what a consent without scopes covers
    implied = sa.Column("scopes", sa.String(100), nullable=False, server_default="train,share_keypoints")
    op.add_column("recording", implied)
    op.add_column("recording", sa.Column("consent_expires_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "contributor_attribute",
        sa.Column("contributor", sa.String(64), sa.ForeignKey("contributor.contributor"), primary_key=True),
        sa.Column("attribute", sa.String(32), primary_key=True),
        sa.Column("value", sa.String(32), nullable=False),
        sa.Column("agreed_at", sa.DateTime(timezone=True), nullable=False),
    )
