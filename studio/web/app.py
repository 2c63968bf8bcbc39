"""The server's application: who may come in, the routes, and how failures are told."""

from __future__ import annotations

import errno
import hmac
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from annotate.feedback import feedback_on
from storage.catalog import RecordingRecord
from storage.errors import Conflict, InvalidInput, KinesphereError, NewerFormat, NotFound
from storage.names import is_recording_id
from storage.workspace import Workspace

from .eraser import Eraser
from .submissions import Submissions
from .tus import tus_routes
from .uploads import TooLarge, Uploads

DESCRIPTION_LIMIT = 1 << 20
"""Bytes of a description: far more than any take's has."""

ANSWER_SECONDS = 5.0
"""How long the answer to a withdrawal waits for the erasure; whoever asks waits 10 seconds."""

log = logging.getLogger("kinesphere")


def create_app(workspace: Workspace, *, token: str, upload_limit: int) -> FastAPI:
    """The application that serves one workspace to those who know the token."""
    eraser = Eraser(workspace)

    @asynccontextmanager
    async def while_serving(_app: FastAPI) -> AsyncIterator[None]:
        eraser.start()
        yield
        await run_in_threadpool(eraser.stop)

    app = FastAPI(
        title="kinesphere",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=while_serving,
    )
    uploads = Uploads(workspace.folder / "uploads", upload_limit)
    uploads.remove_old()
    app.include_router(tus_routes(uploads))
    _add_recording_routes(app, workspace, uploads, eraser)
    app.add_middleware(RequireToken, token=token)
    app.add_exception_handler(KinesphereError, _explain)
    app.add_exception_handler(OSError, _explain)
    app.add_exception_handler(StarletteHTTPException, _explain_http)
    app.add_exception_handler(RequestValidationError, _explain_validation)
    app.add_exception_handler(ClientDisconnect, _nobody_is_there)
    return app


class RequireToken:
    """Lets nobody in without `Authorization: Bearer TOKEN`, before anything of the request is looked at."""

    def __init__(self, app: ASGIApp, *, token: str) -> None:
        self.app = app
        self.expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(b"authorization", b"")
        if scope["type"] == "http" and hmac.compare_digest(given, self.expected):
            await self.app(scope, receive, send)
            return
        refusal = _told(401, "the token is missing or wrong", "Unauthorized")
        refusal.headers["WWW-Authenticate"] = "Bearer"
        await refusal(scope, receive, send)


def _add_recording_routes(app: FastAPI, workspace: Workspace, uploads: Uploads, eraser: Eraser) -> None:
    submissions = Submissions(workspace)

    @app.post("/api/recordings")
    async def take_in(request: Request) -> JSONResponse:
        """A description alone is checked (202: send the video); with the id of an upload it becomes a recording."""
        sent = await _json_object(request)
        upload = sent.get("upload")
        content = json.dumps(sent.get("recording")).encode()
        description, present = await run_in_threadpool(submissions.check, content)
        if present is not None and present.state != "draft":
            return JSONResponse(_shown(present))
        if not isinstance(upload, str):
            return JSONResponse({"recording": description.recording, "state": "awaited"}, 202)
        async with uploads.alone(upload):
            received = uploads.find(upload)
            try:
                made = await run_in_threadpool(submissions.accept, description, received)
            except InvalidInput:
                if received.offset == received.length:
                    uploads.remove(received)  # whole and wrong: going on with it would never help
                raise
            uploads.remove(received)
        return JSONResponse(_shown(made), 201)

    @app.get("/api/recordings/{recording}")
    def show(recording: str) -> JSONResponse:
        """A recording's state, and what reviewers tell its contributor."""
        if not is_recording_id(recording):
            raise NotFound("recording", recording[:40])
        row = workspace.catalog.recording(recording)
        reviews = [
            {"decision": review.decision, "feedback": review.feedback, "at": review.at.isoformat()}
            for review in workspace.catalog.reviews(recording)
            if row.state != "flagged"  # not while others are still asked
        ]
        feedback = asdict(feedback_on(workspace.catalog, recording))
        return JSONResponse({**_shown(row), "reviews": reviews, "feedback": feedback})

    @app.post("/api/recordings/{recording}/withdraw")
    async def withdraw(recording: str, request: Request) -> JSONResponse:
        """Take a recording back; the hash of its video shows that whoever asks has made it.

        It is erased at once. The answer waits for that a little: it says "erased", or "withdrawn" while it goes on.
        """
        sent = await _json_object(request)
        row = await run_in_threadpool(submissions.withdraw, recording, sent)
        is_erased = await run_in_threadpool(eraser.erase_soon, recording, wait_seconds=ANSWER_SECONDS)
        return JSONResponse({**_shown(row), "state": "erased" if is_erased else "withdrawn"})


async def _json_object(request: Request) -> dict[str, object]:
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > DESCRIPTION_LIMIT:
            raise TooLarge(f"a description has at most {DESCRIPTION_LIMIT} bytes")
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("the request holds no JSON") from error
    if not isinstance(found, dict):
        raise InvalidInput("the request holds no JSON object")
    return found


def _shown(row: RecordingRecord) -> dict[str, str]:
    return {"recording": row.recording, "state": row.state.value, "video_sha256": row.video_sha256}


def _told(status: int, text: str, kind: str) -> JSONResponse:
    return JSONResponse({"error": " ".join(text.split()), "kind": kind}, status)


async def _explain(_request: Request, error: Exception) -> Response:
    """What the sender can mend is told in full; what the server suffers from is logged, for it names our paths."""
    kind = type(error).__name__
    match error:
        case TooLarge():
            return _told(413, str(error), kind)
        case NotFound():
            return _told(404, str(error), kind)
        case Conflict():
            return _told(409, str(error), kind)
        case InvalidInput() | NewerFormat():
            return _told(422, str(error), kind)
        case TimeoutError():
            return _told(408, "nothing came for too long", kind)
    log.error("%s: %s", kind, error)
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if full or "no space left" in str(error).lower():
        return _told(507, "the server's disk is full; tell its operator", "StorageFailed")
    return _told(503, "the server cannot use its storage now; tell its operator", "StorageFailed")


async def _explain_http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    told = _told(error.status_code, str(error.detail), HTTPException.__name__)
    told.headers.update(error.headers or {})
    return told


async def _explain_validation(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return _told(422, str(error.errors()[0]["msg"]), "InvalidInput")


async def _nobody_is_there(_request: Request, _error: Exception) -> Response:
    return Response(status_code=499)
