"""The server's application: one process with the pages, the API and the uploads of a workspace."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from kinesphere.version import __version__
from storage.catalog import Role
from storage.workspace import Workspace
from studio.event_log import note
from studio.web.access.auth import needs
from studio.web.access.credentials import Credentials, Identify
from studio.web.contributing.erasure_thread import ErasureThread
from studio.web.http.error_handlers import add_error_handlers
from studio.web.http.page_rendering import NavigationEntry, SafeHeaders, add_rendering
from studio.web.http.request_limits import RequestLimits
from studio.web.monitoring.request_record import RequestRecord
from studio.web.monitoring.server_metrics import ServerMetrics
from studio.web.page import Page, Studio
from studio.web.page_registry import built_in_pages, installed_pages
from studio.web.uploads.upload_files import Uploads
from studio.web.uploads.upload_quota import UploadQuota

CLEANED_EVERY_SECONDS = 3600.0
"""How often uploads that nobody goes on with are removed while the server runs."""


def create_app(
    workspace: Workspace, *, credentials: Credentials, upload_limit: int, upload_quota: UploadQuota | None = None
) -> FastAPI:
    """The application that serves one workspace to those who can prove who they are.

    Args:
        workspace: what is served.
        credentials: what proves who asks.
        upload_limit: bytes of the largest video that is taken.
        upload_quota: how many uploads there may be, and how large they may be together.

    Raises:
        InvalidInput: a page of an installed package cannot be used.
    """
    uploads = Uploads(workspace.uploads, upload_limit, upload_quota or UploadQuota())
    metrics = ServerMetrics()
    studio = Studio(workspace, credentials, uploads, ErasureThread(workspace), metrics)

    @asynccontextmanager
    async def while_serving(_app: FastAPI) -> AsyncIterator[None]:
        studio.erasure_thread.start()
        cleaning = asyncio.create_task(_remove_old(uploads))
        note("server started", version=__version__)
        yield
        cleaning.cancel()
        note("server stops")
        await run_in_threadpool(studio.erasure_thread.stop)

    app = FastAPI(
        title="kinesphere",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=while_serving,
    )
    app.state.metrics = metrics
    uploads.remove_old()
    _add_pages(app, studio, (*built_in_pages(), *installed_pages()))
    app.include_router(_description(app))
    add_error_handlers(app)
    app.add_middleware(RequestLimits)
    app.add_middleware(Identify, credentials=credentials)
    app.add_middleware(RequestRecord, metrics=metrics)
    app.add_middleware(SafeHeaders)
    return app


async def _remove_old(uploads: Uploads) -> None:
    while True:
        await asyncio.sleep(CLEANED_EVERY_SECONDS)
        try:
            await run_in_threadpool(uploads.remove_old)
        except OSError as error:
            note("old uploads are not removed", level=logging.ERROR, kind=type(error).__name__, reason=error.strerror)


def _add_pages(app: FastAPI, studio: Studio, pages: tuple[Page, ...]) -> None:
    for page in pages:
        who_may = [needs(*page.roles)] if page.roles is not None else []
        app.include_router(page.routes(studio), dependencies=who_may)
    add_rendering(
        app,
        navigation=tuple(
            NavigationEntry(page.name, page.path, page.roles or tuple(Role)) for page in pages if page.name
        ),
        templates=tuple(page.templates for page in pages if page.templates is not None),
    )


def _description(app: FastAPI) -> APIRouter:
    routes = APIRouter()

    @routes.get("/api/openapi.json", dependencies=[needs(Role.OPERATOR)], include_in_schema=False)
    def describe() -> JSONResponse:
        """The API in OpenAPI's terms, for those who write programs against it."""
        return JSONResponse(app.openapi())

    return routes
