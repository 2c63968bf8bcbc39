"""Who is asking: the credentials that prove it (a session's cookie or a token), looked at before anything else."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from storage.catalog import Account, Role, SignIns
from studio.web.access.auth import MONITORING, Person
from studio.web.http.error_handlers import refuse

SESSION_COOKIE = "kinesphere_session"
_REMEMBERED_SECONDS = 2.0
_MOST_REMEMBERED = 5_000
_FORMS = ("/sign-in", "/invitation")
"""What is sent by those who are not signed in (yet), and carries a secret of its own."""


@dataclass(frozen=True)
class LocalAccess:
    """One's own computer: a token for the commands, and a link that is good once for the browser."""

    account: str
    """How whoever sits here is named."""
    token: str
    link: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    _used: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def use(self, link: str) -> bool:
        """Use the link up; says whether it was good."""
        with self._lock:
            if self._used or not secrets.compare_digest(link.encode(), self.link.encode()):
                return False
            self._used.append(link)
            return True


@dataclass(frozen=True)
class Credentials:
    """Knows what proves whom: the catalog's accounts, and on one's own computer a token and a link without accounts."""

    sign_ins: SignIns
    local: LocalAccess | None = None
    """None where the server is reached from elsewhere."""
    monitoring_token: str | None = None
    """With which metrics can be read, and nothing else."""
    _known: dict[str, tuple[float, Person]] = field(default_factory=dict)

    def by_token(self, token: str) -> Person | None:
        """Whom an API token belongs to."""
        if self.local is not None and secrets.compare_digest(token.encode(), self.local.token.encode()):
            return Person(self.local.account, frozenset(Role))
        monitoring = self.monitoring_token
        if monitoring is not None and secrets.compare_digest(token.encode(), monitoring.encode()):
            return MONITORING
        return self._remembered(f"token {token}", lambda: _person(self.sign_ins.by_token(token), None))

    def by_session(self, secret: str) -> Person | None:
        """Whose browser holds this session's secret."""
        return self._remembered(f"session {secret}", lambda: self._of_session(secret))

    def remembers(self, headers: Headers) -> bool:
        """Whether it takes no look into the catalog to say who sends these headers."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        key = f"token {token}" if scheme else f"session {session_secret(headers)}"
        known = self._known.get(key)
        return known is not None and time.monotonic() - known[0] < _REMEMBERED_SECONDS

    def forget(self) -> None:
        """Look everybody up again: somebody's rights have changed."""
        self._known.clear()

    def _of_session(self, secret: str) -> Person | None:
        found = self.sign_ins.by_session(secret)
        if found is None:
            return None
        session, account = found
        if session.local:
            return Person(session.account, frozenset(Role), None, session.csrf) if self.local is not None else None
        return _person(account, session.csrf)

    def _remembered(self, key: str, look: Callable[[], Person | None]) -> Person | None:
        """For a moment, so that a page with a hundred requests asks the catalog once."""
        known = self._known.get(key)
        if known is not None and time.monotonic() - known[0] < _REMEMBERED_SECONDS:
            return known[1]
        person = look()
        if person is None:
            self._known.pop(key, None)
            return None
        if len(self._known) > _MOST_REMEMBERED:
            self._known.clear()
        self._known[key] = (time.monotonic(), person)
        return person


class Identify:
    """Finds out who asks before anything of the request is looked at, and guards changes against other sites.

    Below `/api/` nobody gets further without a credential. A change that a cookie proves must also carry the
    session's token in `X-CSRF-Token`, and come from a page of ours (https://owasp.org/www-community/attacks/csrf).
    """

    def __init__(self, app: ASGIApp, *, credentials: Credentials) -> None:
        self.app = app
        self.credentials = credentials

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        # A thread is for the catalog only: going there and back costs more than all else that is done here.
        asked = headers, scope["method"], scope["path"]
        is_known = self.credentials.remembers(headers)
        person, refusal = self._person(*asked) if is_known else await run_in_threadpool(self._person, *asked)
        if refusal is None and person is None and scope["path"].startswith("/api/"):
            refusal = "the token is missing or wrong"
        if refusal is not None:
            await refuse(scope, refusal)(scope, receive, send)
            return
        scope["kinesphere.person"] = person
        await self.app(scope, receive, send)

    def _person(self, headers: Headers, method: str, path: str) -> tuple[Person | None, str | None]:
        """Who asks, or why they get no further."""
        given = headers.get("authorization")
        if given is not None:
            scheme, _, token = given.partition(" ")
            person = self.credentials.by_token(token) if scheme == "Bearer" and token else None
            return person, None if person is not None else "the token is missing or wrong"
        secret = session_secret(headers)
        person = self.credentials.by_session(secret) if secret else None
        if method in ("GET", "HEAD", "OPTIONS"):
            return person, None
        if not _is_ours(headers):
            return None, "this change was asked for by a page of another site"
        if path in _FORMS:
            return None, None
        if person is not None and not secrets.compare_digest(
            headers.get("x-csrf-token", "").encode(), (person.csrf or "").encode()
        ):
            return None, "the page is out of date; reload it"
        return person, None


def session_secret(headers: Headers) -> str | None:
    """The secret of the session that a browser has sent."""
    for part in headers.get("cookie", "").split(";"):
        key, _, value = part.strip().partition("=")
        if key == SESSION_COOKIE:
            return value
    return None


def _person(account: Account | None, csrf: str | None) -> Person | None:
    return Person(account.account, account.roles, account.contributor, csrf) if account is not None else None


def _is_ours(headers: Headers) -> bool:
    """Whether a browser says that a page of this very site asks. What is no browser says nothing."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2] == headers.get("host")
