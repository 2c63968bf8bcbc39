"""Gives each request an id, counts it and writes it into the log; and answers where the application fails."""

from __future__ import annotations

import logging
import re
import secrets
import time
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from studio.event_log import REQUEST, note
from studio.web.http.error_handlers import error_response
from studio.web.http.refusals import REFUSAL
from studio.web.monitoring.server_metrics import METHODS, ServerMetrics

HEADER = "X-Request-ID"
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_NAMED = ("recording", "upload", "task", "dataset", "version", "annotation", "episode")
"""Parts of addresses that are ids of things and not of people."""
_UNLOGGED = ("/health", "/ready", "/metrics", "/static")
"""Asked for again and again; they are counted, and logged where they fail."""
_NO_ROUTE = "(none)"


@dataclass
class _Answer:
    """What is known of an answer so far."""

    status: int | None = None
    seconds: float | None = None
    """From the request's headers to its end; of an event stream to its beginning."""
    is_stream: bool = False


class RequestRecord:
    """Between every request and what answers it.

    The id is that of the header `X-Request-ID` where it is a plain one, e.g. of a proxy, and goes back in the answer.
    """

    def __init__(self, app: ASGIApp, *, metrics: ServerMetrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request, begun, answer = request_id(Headers(scope=scope)), time.perf_counter(), _Answer()
        scope["kinesphere.request"] = request

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[HEADER] = request
                if headers.get("content-type", "").startswith("text/event-stream"):
                    answer.is_stream, answer.seconds = True, time.perf_counter() - begun
                    self.metrics.streams.inc()
            await send(message)

        token = REQUEST.set(request)
        self.metrics.open_requests.inc()
        try:
            await self._answered(scope, receive, send_with_id, answer)
        finally:
            self.metrics.open_requests.dec()
            if answer.is_stream:
                self.metrics.streams.dec()
            self._record(scope, answer, time.perf_counter() - begun)
            REQUEST.reset(token)

    async def _answered(self, scope: Scope, receive: Receive, send: Send, answer: _Answer) -> None:
        try:
            await self.app(scope, receive, send)
        except Exception as error:  # noqa: BLE001  whatever it is, it is logged, and whoever asks gets an answer
            kind = type(error).__name__
            note("request failed", level=logging.ERROR, error=error, kind=kind, route=route_of(scope))
            if answer.status is None:
                text = "something went wrong here that nobody expected; tell the operator"
                await error_response(scope, 500, text, "ServerError")(scope, receive, send)

    def _record(self, scope: Scope, answer: _Answer, seconds: float) -> None:
        method, route = scope["method"] if scope["method"] in METHODS else "other", route_of(scope)
        status = str(answer.status or "none")  # who asked has gone before there was an answer
        self.metrics.requests.labels(method, route, status).inc()
        self.metrics.seconds.labels(method, route).observe(seconds if answer.seconds is None else answer.seconds)
        if (refusal := scope.get(REFUSAL)) is not None:
            self.metrics.count_refusal(refusal)
        is_error = answer.status is None or answer.status >= 500
        if is_error or not route.startswith(_UNLOGGED):
            note(
                "request",
                level=logging.WARNING if is_error else logging.INFO,
                method=method,
                route=route,
                status=answer.status,
                seconds=round(seconds, 6),
                refusal=refusal,
                **_ids(scope),
            )


def request_id(headers: Headers) -> str:
    """The id that came with a request, if it can stand in a log as it is; else a new one."""
    given = headers.get(HEADER, "")
    return given if _ID.fullmatch(given) else secrets.token_hex(8)


def route_of(scope: Scope) -> str:
    """The route that a request took, with names in place of ids: of these there are few, of addresses any number."""
    if scope["path"].startswith("/static/"):
        return "/static"
    # Where routers lie within routers, only FastAPI's own note has the whole path.
    whole = scope.get("fastapi", {}).get("effective_route_context")
    return str(getattr(whole, "path", "") or getattr(scope.get("route"), "path", _NO_ROUTE))


def _ids(scope: Scope) -> dict[str, Any]:
    found = {name: str(value) for name, value in scope.get("path_params", {}).items() if name in _NAMED}
    return {name: value for name, value in found.items() if _ID.fullmatch(value)}
