"""Accounts: who may come in, and with which roles. Passwords arrive here hashed (argon2)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from kinesphere.errors import Conflict, InvalidInput, NotFound
from kinesphere.names import checked_name
from storage.catalog.catalog import Catalog
from storage.catalog.people.account_records import Account, Role
from storage.catalog.people.account_tables import (
    AccountTable,
    ApiTokenTable,
    AuditTable,
    InvitationTable,
    WebSessionTable,
)
from storage.catalog.people.audit import digest, note
from storage.catalog.tables import NOBODY, ContributorTable


@dataclass(frozen=True)
class Accounts:
    """The accounts of a catalog. Every method is one transaction."""

    catalog: Catalog
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def add(
        self,
        account: str,
        roles: Collection[Role],
        *,
        who: str,
        contributor: str | None = None,
        password_hash: str | None = None,
    ) -> Account:
        """Make an account; a contributor who is not enrolled yet is enrolled.

        Args:
            account: name of the account.
            roles: what they may do.
            who: who does it, for the record.
            contributor: the id under which they record, if they do.
            password_hash: the password, hashed (argon2).

        Returns:
            The account as it is now.

        Raises:
            InvalidInput: the name has the wrong form, there is no role, or contributor and role do not go together.
            Conflict: there is an account of this name, or of this contributor.
        """
        with self.catalog.writing() as session:
            row = add_account(session, account, roles, contributor, password_hash, at=self.clock())
            note(session, who, "account made", account, ",".join(sorted(roles)))
            return account_record(row)

    def find(self, account: str) -> Account | None:
        """An account, be it disabled or not.

        Args:
            account: name of the account.

        Returns:
            None if there is none of this name.
        """
        with self.catalog.reading() as session:
            row = session.get(AccountTable, account)
            return account_record(row) if row is not None else None

    def require(self, account: str) -> Account:
        """An account.

        Args:
            account: name of the account.

        Returns:
            The account, be it disabled or not.

        Raises:
            NotFound: there is none of this name.
        """
        found = self.find(account)
        if found is None:
            raise NotFound("account", account[:70], [row.account for row in self.all()], "see: kinesphere account list")
        return found

    def all(self) -> list[Account]:
        """All accounts, by name.

        Returns:
            Disabled ones among them.
        """
        with self.catalog.reading() as session:
            return [account_record(row) for row in session.scalars(select(AccountTable).order_by(AccountTable.account))]

    def can_be_operated(self) -> bool:
        """Whether an operator can sign in: without that, nobody could be let in from elsewhere.

        Returns:
            True if an operator who is not disabled has a password.
        """
        return any(
            account.has_password and account.disabled_at is None and Role.OPERATOR in account.roles
            for account in self.all()
        )

    def password_hash(self, account: str) -> str | None:
        """The hash of an account's password; None if there is no such account, no password, or it is disabled.

        Args:
            account: name of the account.

        Returns:
            As argon2 writes it.
        """
        with self.catalog.reading() as session:
            row = session.get(AccountTable, account)
            return row.password_hash if row is not None and row.disabled_at is None else None

    def set_password(self, account: str, password_hash: str, *, who: str, keep: str | None = None) -> None:
        """Replace a password, and end all sessions of the account but the one whose secret is `keep`.

        Args:
            account: name of the account.
            password_hash: the password, hashed (argon2).
            who: who does it, for the record.
            keep: secret of the session that goes on.
        """
        with self.catalog.writing() as session:
            account_row(session, account).password_hash = password_hash
            sessions = delete(WebSessionTable).where(WebSessionTable.account == account)
            if keep is not None:
                sessions = sessions.where(WebSessionTable.secret_sha256 != digest(keep))
            session.execute(sessions)
            note(session, who, "password set", account)

    def rehash(self, account: str, password_hash: str) -> None:
        """Keep the same password under a stronger hash.

        Args:
            account: name of the account.
            password_hash: the password, hashed (argon2).
        """
        with self.catalog.writing() as session:
            account_row(session, account).password_hash = password_hash

    def set_roles(self, account: str, roles: Collection[Role], *, who: str) -> None:
        """Give an account other roles.

        Args:
            account: name of the account.
            roles: what they may do.
            who: who does it, for the record.

        Raises:
            Conflict: nobody would be left to operate.
        """
        with self.catalog.writing() as session:
            row = account_row(session, account)
            check_roles(roles, row.contributor)
            row.roles = ",".join(sorted(roles))
            session.flush()
            _check_somebody_operates(session)
            note(session, who, "roles set", account, row.roles)

    def disable(self, account: str, *, who: str) -> None:
        """Let an account in no more: its sessions end and its tokens are gone. What it did stays.

        Args:
            account: name of the account.
            who: who does it, for the record.

        Raises:
            Conflict: nobody would be left to operate.
        """
        with self.catalog.writing() as session:
            row = account_row(session, account)
            row.disabled_at = row.disabled_at or self.clock()
            session.flush()
            _check_somebody_operates(session)
            session.execute(delete(WebSessionTable).where(WebSessionTable.account == account))
            session.execute(delete(ApiTokenTable).where(ApiTokenTable.account == account))
            note(session, who, "account disabled", account)

    def enable(self, account: str, *, who: str) -> None:
        """Let a disabled account in again.

        Args:
            account: name of the account.
            who: who does it, for the record.
        """
        with self.catalog.writing() as session:
            account_row(session, account).disabled_at = None
            note(session, who, "account enabled", account)


def forget_contributor(session: Session, contributor: str) -> None:
    """Part of an erasure: the contributor's account is gone, or records no more where it also has other roles."""
    row = session.scalars(select(AccountTable).where(AccountTable.contributor == contributor)).first()
    names = {contributor}
    if row is not None and roles_of(row.roles) <= {Role.CONTRIBUTOR}:
        names.add(row.account)
        session.execute(delete(ApiTokenTable).where(ApiTokenTable.account == row.account))
        session.delete(row)
    elif row is not None:
        row.contributor, row.roles = None, ",".join(sorted(roles_of(row.roles) - {Role.CONTRIBUTOR}))
    session.execute(delete(InvitationTable).where(InvitationTable.contributor == contributor))
    for name in names:
        session.execute(delete(InvitationTable).where(InvitationTable.account == name))
        session.execute(delete(WebSessionTable).where(WebSessionTable.account == name))
        for column in (AuditTable.who, AuditTable.subject, InvitationTable.made_by):
            session.execute(update(column.class_).where(column == name).values({column.key: NOBODY}))
    session.flush()


def check_roles(roles: Collection[Role], contributor: str | None) -> None:
    if not roles:
        raise InvalidInput(f"an account needs a role: {', '.join(Role)}")
    if (Role.CONTRIBUTOR in roles) != (contributor is not None):
        raise InvalidInput("the role contributor and the id of a contributor go together; give both or neither")
    if contributor is not None:
        checked_name("contributor", contributor)


def check_free(session: Session, account: str | None, contributor: str | None) -> None:
    if account is not None:
        checked_name("account", account)
        if session.get(AccountTable, account) is not None:
            raise Conflict(f"there is an account '{account}' already; choose another name")
    taken = select(AccountTable.account).where(AccountTable.contributor == contributor)
    if contributor is not None and session.scalars(taken).first() is not None:
        raise Conflict(f"contributor '{contributor}' has an account already")


def _check_somebody_operates(session: Session) -> None:
    rows = session.scalars(select(AccountTable).where(AccountTable.disabled_at.is_(None)))
    if not any(Role.OPERATOR in roles_of(row.roles) for row in rows):
        raise Conflict("nobody would be left to operate; make another operator first")


def account_row(session: Session, account: str) -> AccountTable:
    row = session.get(AccountTable, account, with_for_update=True)
    if row is None:
        raise NotFound("account", account[:70], hint="see: kinesphere account list")
    return row


def enabled_account(row: AccountTable | None) -> Account | None:
    return account_record(row) if row is not None and row.disabled_at is None else None


def roles_of(text: str) -> frozenset[Role]:
    return frozenset(Role(name) for name in text.split(",") if name)


def account_record(row: AccountTable) -> Account:
    return Account(
        row.account,
        roles_of(row.roles),
        row.contributor,
        row.created_at,
        row.disabled_at,
        row.password_hash is not None,
    )


def add_account(
    session: Session,
    account: str,
    roles: Collection[Role],
    contributor: str | None,
    password_hash: str | None,
    *,
    at: datetime,
) -> AccountTable:
    """Enter an account, within a transaction; errors as in `Accounts.add`."""
    checked_name("account", account)
    check_roles(roles, contributor)
    check_free(session, account, contributor)
    if contributor is not None and session.get(ContributorTable, contributor) is None:
        session.add(ContributorTable(contributor=contributor, created_at=at))
        session.flush()
    row = AccountTable(
        account=account,
        roles=",".join(sorted(roles)),
        contributor=contributor,
        password_hash=password_hash,
        created_at=at,
    )
    session.add(row)
    try:
        session.flush()
    except IntegrityError as error:  # somebody made it at the same time
        raise Conflict(f"there is an account '{account}' already; choose another name") from error
    return row
