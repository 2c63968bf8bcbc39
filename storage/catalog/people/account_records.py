"""What the catalog knows of people: accounts and their roles, invitations, tokens, sessions, the trail; free of SQL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """What somebody may do. An operator may do everything."""

    CONTRIBUTOR = "contributor"
    ANNOTATOR = "annotator"
    REVIEWER = "reviewer"
    OPERATOR = "operator"


@dataclass(frozen=True)
class Account:
    """Somebody who may come in."""

    account: str
    roles: frozenset[Role]
    contributor: str | None
    """The pseudonymous id under which they record; None if they do not."""
    created_at: datetime
    disabled_at: datetime | None
    has_password: bool


@dataclass(frozen=True)
class Invitation:
    """An account to be, for whoever has the code. The code itself is not kept."""

    code_sha256: str
    roles: frozenset[Role]
    account: str | None
    contributor: str | None
    made_by: str
    made_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class ApiToken:
    """A token for commands and scripts; the token itself is not kept."""

    token_sha256: str
    account: str
    name: str
    made_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True)
class WebSession:
    """A browser that is signed in."""

    account: str
    local: bool
    csrf: str
    expires_at: datetime


@dataclass(frozen=True)
class AuditEntry:
    """Something that was done with accounts, or by their rights."""

    at: datetime
    who: str
    what: str
    subject: str
    detail: str
