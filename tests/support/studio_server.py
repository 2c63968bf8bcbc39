"""A real studio on a free port, and people who are signed in to it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from httpx import Client

from storage.catalog import Accounts, Role, SignIns
from storage.workspace import Workspace
from studio.web.access.credentials import SESSION_COOKIE, Credentials, LocalAccess
from studio.web.http.connection_limits import ConnectionLimits, http_server
from studio.web.uploads.upload_quota import UploadQuota
from studio.web.web_app import create_app

TOKEN = "a-token-for-the-tests"
MONITORING_TOKEN = "a-token-for-monitoring"
LIMIT = 1_000_000


@dataclass(frozen=True)
class Studio:
    """A running studio."""

    url: str
    app: FastAPI
    workspace: Workspace
    credentials: Credentials

    @contextmanager
    def client(self, *, token: str | None = TOKEN) -> Iterator[Client]:
        """A client that is no browser."""
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        with Client(base_url=self.url, headers=headers, trust_env=False, timeout=30) as opened:
            yield opened


@contextmanager
def running_studio(
    workspace: Workspace,
    *,
    limit: int = LIMIT,
    connections: ConnectionLimits | None = None,
    quota: UploadQuota | None = None,
) -> Iterator[Studio]:
    """Serve a workspace in a thread, until the block ends."""
    credentials = Credentials(SignIns(workspace.catalog), LocalAccess("olivia", TOKEN), MONITORING_TOKEN)
    app = create_app(workspace, credentials=credentials, upload_limit=limit, upload_quota=quota)
    server = http_server(app, limits=connections, timeout_graceful_shutdown=2)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield Studio(f"http://127.0.0.1:{listening.getsockname()[1]}", app, workspace, credentials)
        finally:
            server.should_exit = True
            thread.join()


def session_cookie(studio: Studio, account: str | None = None) -> dict[str, str]:
    """A cookie for a browser, as Playwright takes it: of an account, or of who sits at the server's computer."""
    sign_ins = SignIns(studio.workspace.catalog)
    secret = sign_ins.begin_session(account or "olivia", local=account is None)
    return {"name": SESSION_COOKIE, "value": secret, "url": studio.url}


def new_account(workspace: Workspace, account: str, *roles: Role, contributor: str | None = None) -> str:
    """Make an account; gives a token of its."""
    Accounts(workspace.catalog).add(account, roles, who="olivia", contributor=contributor)
    return SignIns(workspace.catalog).new_token(account, "tests", who="olivia")


def routes_of(app: FastAPI) -> list[APIRoute]:
    """All routes of the application that are not static files, with their whole paths."""

    def found(routes: Any, prefix: str = "") -> Iterator[APIRoute]:
        for route in routes:
            if isinstance(route, APIRoute):
                whole = copy(route)
                whole.path = prefix + route.path
                yield whole
            elif (inner := getattr(route, "original_router", None)) is not None:
                yield from found(inner.routes, prefix + route.include_context.prefix)
            else:
                assert route.name == "static", f"a route of an unknown kind: {route!r}"

    return list(found(app.routes))
