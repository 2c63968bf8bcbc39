"""How failures are told: JSON below `/api/`, a page elsewhere."""

from __future__ import annotations

import errno
import logging
from urllib.parse import quote

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Scope

from kinesphere.errors import Conflict, InvalidInput, KinesphereError, NewerFormat, NotFound, Withdrawn
from studio.web.access.rate_limits import TooOften
from studio.web.uploads.upload_files import TooLarge

log = logging.getLogger("kinesphere")


class NotSignedIn(KinesphereError):
    """Nobody has proved who they are."""

    def __init__(self) -> None:
        super().__init__("sign in first")


class NotAllowed(KinesphereError):
    """Somebody asks for what their roles do not cover."""

    def __init__(self, account: str, what: str) -> None:
        super().__init__(f"'{account}' may not {what}; ask your operator")


def add_answers(app: FastAPI) -> None:
    """Tell every failure of the application in words."""
    app.add_exception_handler(KinesphereError, _explain)
    app.add_exception_handler(OSError, _explain)
    app.add_exception_handler(StarletteHTTPException, _explain_http)
    app.add_exception_handler(RequestValidationError, _explain_validation)
    app.add_exception_handler(ClientDisconnect, _nobody_is_there)


def refuse(scope: Scope, why: str) -> Response:
    """The answer to who has not proved who they are."""
    answer = _told(Request(scope), 401, why, "Unauthorized")
    answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def answer_with(scope: Scope, status: int, text: str, kind: str) -> Response:
    """The answer of who stands before the routes and lets a request get no further."""
    return _told(Request(scope), status, text, kind)


def _told(request: Request, status: int, text: str, kind: str) -> Response:
    line = " ".join(text.split())
    if request.url.path.startswith("/api/"):
        return JSONResponse({"error": line, "kind": kind}, status)
    from studio.web.http.page_rendering import error_page

    return error_page(request, status, line)


async def _explain(request: Request, error: Exception) -> Response:
    """What the sender can mend is told in full; what the server suffers from is logged, for it names our paths."""
    kind = type(error).__name__
    match error:
        case NotSignedIn():
            if request.url.path.startswith("/api/"):
                return refuse(request.scope, str(error))
            return RedirectResponse(f"/sign-in?next={quote(request.url.path)}", 303)
        case NotAllowed():
            return _told(request, 403, str(error), kind)
        case TooOften():
            answer = _told(request, 429, str(error), kind)
            answer.headers["Retry-After"] = str(error.wait_seconds)
            return answer
        case TooLarge():
            return _told(request, 413, str(error), kind)
        case NotFound():
            return _told(request, 404, str(error), kind)
        case Conflict():
            return _told(request, 409, str(error), kind)
        case Withdrawn():
            return _told(request, 410, str(error), kind)
        case InvalidInput() | NewerFormat():
            return _told(request, 422, str(error), kind)
        case TimeoutError():
            return _told(request, 408, "nothing came for too long", kind)
    log.error("%s: %s", kind, error)
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if full or "no space left" in str(error).lower():
        return _told(request, 507, "the server's disk is full; tell its operator", "StorageFailed")
    return _told(request, 503, "the server cannot use its storage now; tell its operator", "StorageFailed")


async def _explain_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    told = _told(request, error.status_code, str(error.detail), HTTPException.__name__)
    told.headers.update(error.headers or {})
    return told


async def _explain_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:])
    return _told(request, 422, f"{where}: {first['msg']}" if where else str(first["msg"]), "InvalidInput")


async def _nobody_is_there(_request: Request, _error: Exception) -> Response:
    return Response(status_code=499)
