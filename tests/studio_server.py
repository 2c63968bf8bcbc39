"""A real studio on a free port, and people who are signed in to it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import FastAPI
from fastapi.routing import APIRoute
from httpx import Client

from storage.workspace import Workspace
from studio.web.app import create_app
from studio.web.identity import SESSION_COOKIE, LocalCredentials, Person, Role

TOKEN = "a-token-for-the-tests"
LIMIT = 1_000_000


@dataclass(frozen=True)
class Studio:
    """A running studio."""

    url: str
    app: FastAPI
    workspace: Workspace
    credentials: LocalCredentials

    @contextmanager
    def client(self, *, token: str | None = TOKEN) -> Iterator[Client]:
        """A client that is no browser."""
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        with Client(base_url=self.url, headers=headers, trust_env=False, timeout=30) as opened:
            yield opened


@dataclass(frozen=True)
class _People(LocalCredentials):
    """The laptop's owner, and others with tokens of their own."""

    others: Mapping[str, Person] = field(default_factory=dict)

    def by_token(self, token: str) -> Person | None:
        return self.others.get(token) or super().by_token(token)


@contextmanager
def running_studio(
    workspace: Workspace, *, limit: int = LIMIT, others: Mapping[str, Person] | None = None
) -> Iterator[Studio]:
    """Serve a workspace in a thread, until the block ends, to olivia (an operator) and others, by their tokens."""
    credentials = _People(TOKEN, Person("olivia", frozenset(Role)), others=others or {})
    app = create_app(workspace, credentials=credentials, upload_limit=limit)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield Studio(f"http://127.0.0.1:{listening.getsockname()[1]}", app, workspace, credentials)
        finally:
            server.should_exit = True
            thread.join()


def session_cookie(studio: Studio) -> dict[str, str]:
    """A cookie for a browser, as Playwright takes it."""
    secret = studio.credentials.enter(studio.credentials.link)
    assert secret is not None
    return {"name": SESSION_COOKIE, "value": secret, "url": studio.url}


def routes_of(app: FastAPI) -> list[APIRoute]:
    """All routes of the application that are not static files."""

    def found(routes: Any) -> Iterator[APIRoute]:
        for route in routes:
            if isinstance(route, APIRoute):
                yield route
            elif (inner := getattr(route, "original_router", None)) is not None:
                yield from found(inner.routes)
            else:
                assert route.name == "static", f"a route of an unknown kind: {route!r}"

    return list(found(app.routes))
