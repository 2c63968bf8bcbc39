"""Invitations: accounts to be, for whoever has the code."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from kinesphere.errors import Conflict, NotFound
from storage.catalog.catalog import Catalog
from storage.catalog.people.account_records import Account, Invitation, Role
from storage.catalog.people.account_tables import InvitationTable
from storage.catalog.people.accounts import account_record, add_account, check_free, check_roles, roles_of
from storage.catalog.people.audit import digest, note

INVITATION_LIFE = timedelta(days=7)


@dataclass(frozen=True)
class Invitations:
    """The invitations of a catalog. Every method is one transaction."""

    catalog: Catalog
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def invite(
        self, roles: Collection[Role], *, who: str, account: str | None = None, contributor: str | None = None
    ) -> tuple[str, Invitation]:
        """Make an invitation; gives its code, which is not kept.

        Args:
            roles: what they may do.
            who: who does it, for the record.
            account: name that the account will have; by default whoever comes chooses.
            contributor: the id under which they will record, if they do.

        Returns:
            The code, and what is kept of the invitation.

        Raises:
            InvalidInput: a name has the wrong form, there is no role, or contributor and role do not go together.
            Conflict: there is an account of this name, or of this contributor.
        """
        code = secrets.token_urlsafe(24)
        with self.catalog.writing() as session:
            check_roles(roles, contributor)
            check_free(session, account, contributor)
            now = self.clock()
            row = InvitationTable(
                code_sha256=digest(code),
                roles=",".join(sorted(roles)),
                account=account,
                contributor=contributor,
                made_by=who,
                made_at=now,
                expires_at=now + INVITATION_LIFE,
            )
            session.add(row)
            note(session, who, "invited", account or contributor or "", row.roles)
            return code, _invitation(row)

    def find(self, code: str) -> Invitation | None:
        """The invitation of a code, if it is good.

        Args:
            code: as it was sent.

        Returns:
            None if it was used, taken back, or has expired.
        """
        with self.catalog.reading() as session:
            row = session.get(InvitationTable, digest(code))
            return _invitation(row) if row is not None and self._is_good(row) else None

    def all(self) -> list[Invitation]:
        """The invitations that are good, oldest first.

        Returns:
            Without their codes, which are not kept.
        """
        with self.catalog.reading() as session:
            rows = session.scalars(select(InvitationTable).order_by(InvitationTable.made_at))
            return [_invitation(row) for row in rows if self._is_good(row)]

    def take_back(self, code_sha256: str, *, who: str) -> None:
        """Make an invitation good for nothing; repeated it does nothing.

        Args:
            code_sha256: of the invitation.
            who: who does it, for the record.
        """
        with self.catalog.writing() as session:
            row = session.get(InvitationTable, code_sha256)
            if row is not None:
                session.delete(row)
                note(session, who, "invitation taken back", row.account or row.contributor or "")

    def accept(self, code: str, account: str, password_hash: str) -> Account:
        """Make the account that a code invites to. A code is good once.

        Args:
            code: as it was sent.
            account: the name that they chose.
            password_hash: the password, hashed (argon2).

        Returns:
            The new account.

        Raises:
            NotFound: the code is not good (any more).
            Conflict: there is an account of this name.
        """
        with self.catalog.writing() as session:
            row = session.get(InvitationTable, digest(code), with_for_update=True)
            if row is None or not self._is_good(row):
                raise NotFound("invitation", "this one", hint="it was used or is too old; ask for another")
            if row.account not in (None, account):
                raise Conflict(f"this invitation is for '{row.account}'")
            row.used_at = self.clock()
            made = add_account(session, account, roles_of(row.roles), row.contributor, password_hash, at=self.clock())
            note(session, account, "invitation accepted", account, f"by {row.made_by}; {row.roles}")
            return account_record(made)

    def _is_good(self, row: InvitationTable) -> bool:
        return row.used_at is None and row.expires_at > self.clock()


def _invitation(row: InvitationTable) -> Invitation:
    return Invitation(
        row.code_sha256, roles_of(row.roles), row.account, row.contributor, row.made_by, row.made_at, row.expires_at
    )
