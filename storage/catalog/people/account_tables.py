"""The catalog's tables of accounts: who may come in, by what proof, and what was done with it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from storage.catalog.tables import Table


class AccountTable(Table):
    __tablename__ = "account"

    account: Mapped[str] = mapped_column(String(64), primary_key=True)
    roles: Mapped[str] = mapped_column(String(100))
    """With commas between."""
    contributor: Mapped[str | None] = mapped_column(ForeignKey("contributor.contributor"), unique=True)
    password_hash: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class InvitationTable(Table):
    __tablename__ = "invitation"

    code_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    roles: Mapped[str] = mapped_column(String(100))
    account: Mapped[str | None] = mapped_column(String(64))
    """Whom it is for; None lets the invited choose a name."""
    contributor: Mapped[str | None] = mapped_column(String(64))
    made_by: Mapped[str] = mapped_column(String(64))
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class ApiTokenTable(Table):
    __tablename__ = "api_token"

    token_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    account: Mapped[str] = mapped_column(ForeignKey("account.account"), index=True)
    name: Mapped[str] = mapped_column(String(64))
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]


class WebSessionTable(Table):
    __tablename__ = "web_session"

    secret_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    account: Mapped[str] = mapped_column(String(64), index=True)
    local: Mapped[bool]
    """Whether it came by the link that `serve` printed: then there need be no account."""
    csrf: Mapped[str] = mapped_column(String(64))
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class AuditTable(Table):
    __tablename__ = "audit"
    __table_args__ = (Index("audit_by_time", "at"),)

    audit: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime]
    who: Mapped[str] = mapped_column(String(64))
    what: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(64))
    detail: Mapped[str] = mapped_column(Text)


def own_names(session: Session, person: str) -> list[str]:
    """The ids under which somebody may have recorded: their name, and the contributor of their account."""
    contributor = session.scalar(select(AccountTable.contributor).where(AccountTable.account == person))
    return [person] if contributor is None else [person, contributor]
