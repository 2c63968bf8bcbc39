"""What proves who somebody is: API tokens for commands, sessions for browsers. Only hashes of the secrets are kept."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select

from kinesphere.errors import InvalidInput
from storage.catalog.catalog import Catalog
from storage.catalog.people.account_records import Account, ApiToken, WebSession
from storage.catalog.people.account_tables import AccountTable, ApiTokenTable, WebSessionTable
from storage.catalog.people.accounts import account_row, enabled_account
from storage.catalog.people.audit import digest, note

SESSION_LIFE = timedelta(days=30)


@dataclass(frozen=True)
class SignIns:
    """The tokens and sessions of a catalog. Every method is one transaction."""

    catalog: Catalog
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def new_token(self, account: str, name: str, *, who: str, valid_for: timedelta | None = None) -> str:
        """Make an API token for an account; it is told once and not kept.

        Args:
            account: name of the account.
            name: what it is for, a short line.
            who: who does it, for the record.
            valid_for: until it expires; by default it does not.

        Returns:
            The token.

        Raises:
            InvalidInput: the name is no short line.
            NotFound: there is no such account.
        """
        if not name.strip() or len(name) > 64 or not name.isprintable():
            raise InvalidInput(f"'{name[:70]}' cannot name a token: use a line of 1 to 64 characters")
        token = f"ks_{secrets.token_urlsafe(32)}"
        with self.catalog.writing() as session:
            account_row(session, account)
            now = self.clock()
            expires_at = now + valid_for if valid_for is not None else None
            session.add(
                ApiTokenTable(
                    token_sha256=digest(token), account=account, name=name, made_at=now, expires_at=expires_at
                )
            )
            note(session, who, "token made", account, name)
        return token

    def tokens(self, account: str) -> list[ApiToken]:
        """The tokens of an account, oldest first.

        Args:
            account: name of the account.

        Returns:
            Expired ones among them.
        """
        query = select(ApiTokenTable).where(ApiTokenTable.account == account).order_by(ApiTokenTable.made_at)
        with self.catalog.reading() as session:
            return [
                ApiToken(row.token_sha256, row.account, row.name, row.made_at, row.expires_at)
                for row in session.scalars(query)
            ]

    def revoke_token(self, account: str, token_sha256: str, *, who: str) -> None:
        """Make a token good for nothing; repeated it does nothing.

        Args:
            account: name of the account.
            token_sha256: of the token.
            who: who does it, for the record.
        """
        with self.catalog.writing() as session:
            row = session.get(ApiTokenTable, token_sha256)
            if row is not None and row.account == account:
                session.delete(row)
                note(session, who, "token revoked", account, row.name)

    def by_token(self, token: str) -> Account | None:
        """Whom a token belongs to, if it is good.

        Args:
            token: as the command sent it.

        Returns:
            None if it is unknown or expired, or the account disabled.
        """
        with self.catalog.reading() as session:
            row = session.get(ApiTokenTable, digest(token))
            if row is None or (row.expires_at is not None and row.expires_at <= self.clock()):
                return None
            return enabled_account(session.get(AccountTable, row.account))

    def begin_session(self, account: str, *, local: bool = False) -> str:
        """Sign a browser in; gives the session's secret, which is not kept.

        Args:
            account: name of the account, or of whoever sits here.
            local: whether it is the browser of whoever sits at this computer, without an account.

        Returns:
            The secret, for the browser's cookie.
        """
        secret = secrets.token_urlsafe(32)
        now = self.clock()
        with self.catalog.writing() as session:
            session.execute(delete(WebSessionTable).where(WebSessionTable.expires_at <= now))
            session.add(
                WebSessionTable(
                    secret_sha256=digest(secret),
                    account=account,
                    local=local,
                    csrf=secrets.token_urlsafe(24),
                    made_at=now,
                    expires_at=now + SESSION_LIFE,
                )
            )
            note(session, account, "signed in", account, "by the link of serve" if local else "")
        return secret

    def by_session(self, secret: str) -> tuple[WebSession, Account | None] | None:
        """The session of a secret with its account, if it is good; without an account where it is a local one.

        Args:
            secret: what the browser's cookie holds.

        Returns:
            None if it is unknown or expired, or the account disabled.
        """
        with self.catalog.reading() as session:
            row = session.get(WebSessionTable, digest(secret))
            if row is None or row.expires_at <= self.clock():
                return None
            found = WebSession(row.account, row.local, row.csrf, row.expires_at)
            account = enabled_account(session.get(AccountTable, row.account))
            return (found, account) if row.local or account is not None else None

    def end_session(self, secret: str) -> None:
        """Sign a browser out; repeated it does nothing.

        Args:
            secret: what the browser's cookie holds.
        """
        with self.catalog.writing() as session:
            row = session.get(WebSessionTable, digest(secret))
            if row is not None:
                session.delete(row)
                note(session, row.account, "signed out", row.account)
