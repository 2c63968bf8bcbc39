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
from studio.event_log import note
from studio.web.http.page_rendering import error_page
from studio.web.http.refusals import (
    REFUSAL,
    NotAllowed,
    NotSignedIn,
    TooLarge,
    TooManyUploads,
    TooOften,
    UploadsFull,
)


def add_error_handlers(app: FastAPI) -> None:
    """Tell every failure of the application in words."""
    app.add_exception_handler(KinesphereError, _explain)
    app.add_exception_handler(OSError, _explain)
    app.add_exception_handler(StarletteHTTPException, _explain_http)
    app.add_exception_handler(RequestValidationError, _explain_validation)
    app.add_exception_handler(ClientDisconnect, _nobody_is_there)


def error_response(scope: Scope, status: int, text: str, kind: str) -> Response:
    """The answer that tells of a failure: JSON below `/api/`, a page elsewhere; `kind` is the error's name.

    Where it is our fault, it also has the id under which the log says more.
    """
    request, line = Request(scope), " ".join(text.split())
    scope[REFUSAL] = kind
    if request.url.path.startswith("/api/"):
        found = scope.get("kinesphere.request") if status >= 500 else None
        return JSONResponse({"error": line, "kind": kind} | ({"request": found} if found is not None else {}), status)
    return error_page(request, status, line)


def refuse(scope: Scope, why: str) -> Response:
    """The answer to who has not proved who they are."""
    answer = error_response(scope, 401, why, "Unauthorized")
    answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


async def _explain(request: Request, error: Exception) -> Response:
    """What the sender can mend is told in full; what the server suffers from is logged, for it names our paths."""
    kind = type(error).__name__
    match error:
        case NotSignedIn():
            if request.url.path.startswith(("/api/", "/metrics")):
                return refuse(request.scope, str(error))
            return RedirectResponse(f"/sign-in?next={quote(request.url.path)}", 303)
        case NotAllowed():
            return error_response(request.scope, 403, str(error), kind)
        case TooOften():
            answer = error_response(request.scope, 429, str(error), kind)
            answer.headers["Retry-After"] = str(error.wait_seconds)
            return answer
        case TooManyUploads():
            return error_response(request.scope, 429, str(error), kind)
        case UploadsFull():
            return error_response(request.scope, 507, str(error), kind)
        case TooLarge():
            return error_response(request.scope, 413, str(error), kind)
        case NotFound():
            return error_response(request.scope, 404, str(error), kind)
        case Conflict():
            return error_response(request.scope, 409, str(error), kind)
        case Withdrawn():
            return error_response(request.scope, 410, str(error), kind)
        case InvalidInput() | NewerFormat():
            return error_response(request.scope, 422, str(error), kind)
        case TimeoutError():
            return error_response(request.scope, 408, "nothing came for too long", kind)
    note("request failed", level=logging.ERROR, error=error, kind=kind)
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if full or "no space left" in str(error).lower():
        return error_response(request.scope, 507, "the server's disk is full; tell its operator", "StorageFailed")
    return error_response(
        request.scope, 503, "the server cannot use its storage now; tell its operator", "StorageFailed"
    )


async def _explain_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    answer = error_response(request.scope, error.status_code, str(error.detail), HTTPException.__name__)
    answer.headers.update(error.headers or {})
    return answer


async def _explain_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:])
    return error_response(
        request.scope, 422, f"{where}: {first['msg']}" if where else str(first["msg"]), "InvalidInput"
    )


async def _nobody_is_there(_request: Request, _error: Exception) -> Response:
    return Response(status_code=499)
