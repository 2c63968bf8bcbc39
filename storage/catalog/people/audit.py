"""The audit trail: who came in, and what was done with accounts and by their rights."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from storage.catalog.catalog import Catalog
from storage.catalog.people.account_records import AuditEntry
from storage.catalog.people.account_tables import AuditTable


def digest(secret: str) -> str:
    """What is kept of a secret: those that we make are long and random, so nobody finds them by their SHA-256."""
    return hashlib.sha256(secret.encode()).hexdigest()


def note(session: Session, who: str, what: str, subject: str = "", detail: str = "") -> None:
    """Write something into the trail, within a transaction."""
    session.add(AuditTable(at=datetime.now(UTC), who=who[:64], what=what, subject=subject[:64], detail=detail))


@dataclass(frozen=True)
class Audit:
    """The audit trail of a catalog."""

    catalog: Catalog

    def note(self, who: str, what: str, subject: str = "", detail: str = "") -> None:
        """Write something into the trail.

        Args:
            who: who did it: the first 64 characters are kept.
            what: in a word or two, e.g. "signed in".
            subject: on whom or what it was done: the first 64 characters are kept.
            detail: more, for people.
        """
        with self.catalog.writing() as session:
            note(session, who, what, subject, detail)

    def note_daily(self, who: str, what: str, subject: str) -> bool:
        """Write something into the trail unless it was written there today (UTC); says whether it was new.

        Args:
            who: who did it: the first 64 characters are kept.
            what: in a word or two, e.g. "signed in".
            subject: on whom or what it was done: the first 64 characters are kept.

        Returns:
            True if it was not there yet.
        """
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        known = select(AuditTable.audit).where(
            AuditTable.at >= midnight,
            AuditTable.who == who[:64],
            AuditTable.what == what,
            AuditTable.subject == subject[:64],
        )
        with self.catalog.writing() as session:
            is_new = session.scalars(known.limit(1)).first() is None
            if is_new:
                note(session, who, what, subject)
            return is_new

    def trail(self, limit: int = 200, *, about: str | None = None) -> list[AuditEntry]:
        """The newest entries of the audit trail, newest first; `about` somebody, by them or on them.

        Args:
            limit: at most so many.
            about: name of an account, or a contributor's id; by default everybody.

        Returns:
            At most `limit` entries.
        """
        query = select(AuditTable).order_by(AuditTable.audit.desc()).limit(limit)
        if about is not None:
            query = query.where(or_(AuditTable.who == about, AuditTable.subject == about))
        with self.catalog.reading() as session:
            return [AuditEntry(row.at, row.who, row.what, row.subject, row.detail) for row in session.scalars(query)]
