"""The audit trail: who came in, and what was done with accounts and by their rights."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from storage.catalog.catalog import Catalog
from storage.catalog.people.account_records import AuditEntry
from storage.catalog.people.account_tables import AccountTable, AuditTable

_REFUSALS = ("sign-in failed", "sign-in refused")
_DAYS_OF_REFUSALS = 90
_COUNT = re.compile(r"; (\d+) times that day$")


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

    def note_refused(self, account: str, what: str, why: str) -> None:
        """Count a sign-in that was refused: an account and a day (UTC) have one entry, which tells how often.

        Strangers cause them, as many as they like. All names that no account has share one entry, and are not kept:
        people type passwords there. Entries older than 90 days go.

        Args:
            account: the name that was given.
            what: "sign-in failed" or "sign-in refused".
            why: for people.
        """
        now = datetime.now(UTC)
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        with self.catalog.writing() as session:
            is_known = len(account) <= 64 and session.get(AccountTable, account) is not None
            who = account if is_known else ""
            same = (AuditTable.what == what, AuditTable.who == who, AuditTable.at >= midnight)
            earlier = session.scalars(select(AuditTable).where(*same).order_by(AuditTable.audit)).all()
            count = 1 + sum(_count_of(row.detail) for row in earlier)
            for row in earlier:
                session.delete(row)  # the one that follows stands first in the trail
            session.add(
                AuditTable(
                    at=now,
                    who=who,
                    what=what,
                    subject=who,
                    detail=f"{why}; {count} times that day" if count > 1 else why,
                )
            )
            if not earlier:
                too_old = (AuditTable.what.in_(_REFUSALS), AuditTable.at < now - timedelta(days=_DAYS_OF_REFUSALS))
                session.execute(delete(AuditTable).where(*too_old))

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


def _count_of(detail: str) -> int:
    found = _COUNT.search(detail)
    return int(found[1]) if found is not None else 1
