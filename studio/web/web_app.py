"""The server's application: one process with the pages, the API and the uploads of a workspace."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from storage.workspace import Workspace
from studio.web.access.auth import Credentials, Identify, Role, needs
from studio.web.access.people_page import people_routes
from studio.web.access.sign_in import entrance_routes
from studio.web.contributing.erasure_thread import Eraser
from studio.web.contributing.my_recordings import my_routes
from studio.web.contributing.recording_routes import recording_routes
from studio.web.http.error_handlers import add_answers
from studio.web.http.page_rendering import SafeHeaders, add_static
from studio.web.http.request_limits import Incoming
from studio.web.labelling.adjudication_pages import adjudication_pages
from studio.web.labelling.label_pages import label_pages
from studio.web.labelling.label_routes import labelling_routes
from studio.web.labelling.proposal_routes import proposal_routes
from studio.web.operating.dashboard import dashboard_routes
from studio.web.operating.task_pages import task_routes
from studio.web.playing.media_routes import media_routes
from studio.web.reviewing.review_page import review_routes
from studio.web.uploads.browser_recorder import take_routes
from studio.web.uploads.tus import tus_routes
from studio.web.uploads.upload_files import Uploads


def create_app(workspace: Workspace, *, credentials: Credentials, upload_limit: int) -> FastAPI:
    """The application that serves one workspace to those who can prove who they are."""
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
    # Whoever comes first is found first: an annotator's key waits for its route.
    for routes in (
        labelling_routes(workspace),
        tus_routes(uploads),
        media_routes(workspace),
        entrance_routes(workspace, credentials),
        people_routes(workspace, credentials),
        review_routes(workspace),
        my_routes(workspace),
        dashboard_routes(workspace),
        task_routes(workspace),
        take_routes(workspace, uploads),
        label_pages(workspace),
        adjudication_pages(workspace),
        proposal_routes(workspace),
        recording_routes(workspace, uploads, eraser),
    ):
        app.include_router(routes)
    app.include_router(_description(app))
    add_static(app)
    add_answers(app)
    app.add_middleware(Incoming)
    app.add_middleware(Identify, credentials=credentials)
    app.add_middleware(SafeHeaders)
    return app


def _description(app: FastAPI) -> APIRouter:
    routes = APIRouter()

    @routes.get("/api/openapi.json", dependencies=[needs(Role.OPERATOR)], include_in_schema=False)
    def describe() -> JSONResponse:
        """The API in OpenAPI's terms, for those who write programs against it."""
        return JSONResponse(app.openapi())

    return routes
