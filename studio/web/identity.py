"""Who is asking: people and their roles, the credentials that prove them, and what a route demands."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from fastapi import Depends, Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from .answers import NotAllowed, NotSignedIn, refuse

SESSION_COOKIE = "kinesphere_session"


class Role(StrEnum):
    """What somebody may do. An operator may do everything."""

    CONTRIBUTOR = "contributor"
    ANNOTATOR = "annotator"
    REVIEWER = "reviewer"
    OPERATOR = "operator"


@dataclass(frozen=True)
class Person:
    """Somebody who has proved who they are, for the length of one request."""

    account: str
    """Their name, as annotators and reviewers are named in the catalog."""
    roles: frozenset[Role]
    contributor: str | None = None
    """The pseudonymous id under which they record; None if they do not."""
    csrf: str | None = None
    """What their page must send back with each change; None where a token, and no cookie, proves them."""

    def may(self, *roles: Role) -> bool:
        """Whether they have one of these roles, or are an operator."""
        return Role.OPERATOR in self.roles or not self.roles.isdisjoint(roles)


class Credentials(Protocol):
    """Knows what proves whom."""

    def by_token(self, token: str) -> Person | None:
        """Whom an API token belongs to."""

    def by_session(self, secret: str) -> Person | None:
        """Whose browser holds this session's secret."""


@dataclass(frozen=True)
class LocalCredentials:
    """One's own laptop: one token for the commands, and a link that is good once for the browser."""

    token: str
    person: Person
    link: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    _sessions: dict[str, Person] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _used: list[str] = field(default_factory=list)

    def by_token(self, token: str) -> Person | None:
        """The laptop's owner, for whoever knows the token."""
        return self.person if secrets.compare_digest(token.encode(), self.token.encode()) else None

    def by_session(self, secret: str) -> Person | None:
        """The laptop's owner, in a browser that came by the link."""
        return self._sessions.get(secret)

    def enter(self, link: str) -> str | None:
        """Use the link up; gives the secret of a new session, or None if it is not good (any more)."""
        with self._lock:
            if self._used or not secrets.compare_digest(link.encode(), self.link.encode()):
                return None
            self._used.append(link)
            secret = secrets.token_urlsafe(32)
            person = self.person
            self._sessions[secret] = Person(person.account, person.roles, person.contributor, secrets.token_urlsafe(24))
            return secret


@dataclass(frozen=True)
class Demand:
    """What a route demands of who asks; `roles` None lets anybody in. A test finds it on every route."""

    roles: frozenset[Role] | None

    def __call__(self, request: Request) -> Person | None:
        person = person_of(request)
        if self.roles is None:
            return person
        if person is None:
            raise NotSignedIn
        if not person.may(*self.roles):
            raise NotAllowed(person.account, sorted(self.roles))
        return person


def needs(*roles: Role) -> Any:
    """A dependency that gives the person, who has one of the roles (or is an operator); without roles: any."""
    return Depends(Demand(frozenset(roles or Role)))


def anybody() -> Any:
    """A dependency that lets everybody in, and gives the person if there is one."""
    return Depends(Demand(None))


def person_of(request: Request) -> Person | None:
    """Who asks; None if nobody has proved it."""
    found: Person | None = request.scope.get("kinesphere.person")
    return found


class Identify:
    """Finds out who asks before anything of the request is looked at, and guards changes against other sites.

    Below `/api/` nobody gets further without a credential. A change that a cookie proves must also carry the
    session's token in `X-CSRF-Token`, and come from a page of ours (https://owasp.org/www-community/attacks/csrf).
    """

    def __init__(self, app: ASGIApp, *, credentials: Callable[[], Credentials]) -> None:
        self.app = app
        self.credentials = credentials

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        person, refusal = self._person(headers, scope["method"])
        if refusal is None and person is None and scope["path"].startswith("/api/"):
            refusal = "the token is missing or wrong"
        if refusal is not None:
            await refuse(scope, refusal)(scope, receive, send)
            return
        scope["kinesphere.person"] = person
        await self.app(scope, receive, send)

    def _person(self, headers: Headers, method: str) -> tuple[Person | None, str | None]:
        """Who asks, or why they get no further."""
        given = headers.get("authorization")
        if given is not None:
            scheme, _, token = given.partition(" ")
            person = self.credentials().by_token(token) if scheme == "Bearer" and token else None
            return person, None if person is not None else "the token is missing or wrong"
        secret = _cookie(headers, SESSION_COOKIE)
        person = self.credentials().by_session(secret) if secret else None
        if method in ("GET", "HEAD", "OPTIONS"):
            return person, None
        if not _is_ours(headers):
            return None, "this change was asked for by a page of another site"
        if person is not None and not secrets.compare_digest(
            headers.get("x-csrf-token", "").encode(), (person.csrf or "").encode()
        ):
            return None, "the page is out of date; reload it"
        return person, None


def _cookie(headers: Headers, name: str) -> str | None:
    for part in headers.get("cookie", "").split(";"):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value
    return None


def _is_ours(headers: Headers) -> bool:
    """Whether a browser says that a page of this very site asks. What is no browser says nothing."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2] == headers.get("host")
