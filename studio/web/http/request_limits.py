"""What a request may be at all, before any route looks at it: its address text, its body small and not too slow."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from studio.web.http.error_handlers import error_response
from studio.web.http.refusals import TooLarge
from studio.web.labelling.label_messages import OPERATIONS_LIMIT

BODY_SECONDS = 60.0
"""From the first byte of a body to its last. Videos are not bodies: uploads have `uploads.STALLED_SECONDS`."""
FORM_LIMIT = 1 << 16
"""Bytes of what those send who are not signed in."""


class RequestLimits:
    """Holds every request but the parts of uploads, which have limits of their own, to size and time.

    A NUL in an address would be refused by PostgreSQL in the middle of a query; here it is one clear line.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if "\0" in scope["path"] or b"%00" in scope["query_string"] or b"\0" in scope["query_string"]:
            await error_response(scope, 400, "the address holds a NUL", "InvalidInput")(scope, receive, send)
            return
        if scope["method"] == "PATCH" and scope["path"].startswith("/api/uploads/"):
            await self.app(scope, receive, send)
            return
        limit = OPERATIONS_LIMIT if scope["path"].startswith("/api/") else FORM_LIMIT
        announced = Headers(scope=scope).get("content-length", "0")
        if len(announced) > 15 or (announced.isascii() and announced.isdigit() and int(announced) > limit):
            await error_response(scope, 413, f"a request has at most {limit} bytes", "TooLarge")(scope, receive, send)
            return
        await self.app(scope, _Limited(receive, limit), send)


class _Limited:
    """Receives a body within limits."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._received = 0
        self._until: float | None = None
        self._ended = False

    async def __call__(self) -> Message:
        """The next part.

        Raises:
            TooLarge: there is more than the limit.
            TimeoutError: it takes too long.
        """
        if self._ended:  # what still comes says that the sender has gone
            return await self._receive()
        now = asyncio.get_running_loop().time()
        if self._until is None:
            self._until = now + BODY_SECONDS
        async with asyncio.timeout(self._until - now):
            message = await self._receive()
        self._received += len(message.get("body", b""))
        self._ended = not message.get("more_body", False)
        if self._received > self._limit:
            raise TooLarge(f"a request has at most {self._limit} bytes")
        return message
