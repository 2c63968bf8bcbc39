"""Accounts, invitations, API tokens, sessions of browsers, and the audit trail."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

NAME = sa.String(64)
DIGEST = sa.String(64)
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("account", NAME, primary_key=True),
        sa.Column("roles", sa.String(100), nullable=False),
        sa.Column("contributor", NAME, sa.ForeignKey("contributor.contributor"), nullable=True, unique=True),
        sa.Column("password_hash", sa.String(200), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("disabled_at", MOMENT, nullable=True),
    )
    op.create_table(
        "invitation",
        sa.Column("code_sha256", DIGEST, primary_key=True),
        sa.Column("roles", sa.String(100), nullable=False),
        sa.Column("account", NAME, nullable=True),
        sa.Column("contributor", NAME, nullable=True),
        sa.Column("made_by", NAME, nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT, nullable=True),
    )
    op.create_table(
        "api_token",
        sa.Column("token_sha256", DIGEST, primary_key=True),
        sa.Column("account", NAME, sa.ForeignKey("account.account"), nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
    )
    op.create_index("ix_api_token_account", "api_token", ["account"])
    op.create_table(
        "web_session",
        sa.Column("secret_sha256", DIGEST, primary_key=True),
        sa.Column("account", NAME, nullable=False),
        sa.Column("local", sa.Boolean(), nullable=False),
        sa.Column("csrf", sa.String(64), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
    )
    op.create_index("ix_web_session_account", "web_session", ["account"])
    op.create_table(
        "audit",
        sa.Column("audit", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("who", NAME, nullable=False),
        sa.Column("what", sa.String(40), nullable=False),
        sa.Column("subject", NAME, nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
    )
    op.create_index("audit_by_time", "audit", ["at"])
