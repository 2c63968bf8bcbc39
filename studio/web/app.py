"""The server's application: one process with the pages, the API and the uploads of a workspace."""

from __future__ import annotations

from fastapi import FastAPI

from storage.workspace import Workspace

from .answers import add_answers
from .entrance import entrance_routes
from .identity import Credentials, Identify
from .media import media_routes
from .pages import SafeHeaders, add_static
from .people import people_routes
from .recordings import recording_routes
from .reviews import review_routes
from .tus import tus_routes
from .uploads import Uploads


def create_app(workspace: Workspace, *, credentials: Credentials, upload_limit: int) -> FastAPI:
    """The application that serves one workspace to those who can prove who they are."""
    app = FastAPI(title="kinesphere", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    uploads = Uploads(workspace.folder / "uploads", upload_limit)
    uploads.remove_old()
    app.include_router(entrance_routes(workspace, credentials))
    app.include_router(people_routes(workspace, credentials))
    app.include_router(review_routes(workspace))
    app.include_router(tus_routes(uploads))
    app.include_router(recording_routes(workspace, uploads))
    app.include_router(media_routes(workspace))
    add_static(app)
    add_answers(app)
    app.add_middleware(Identify, credentials=credentials)
    app.add_middleware(SafeHeaders)
    return app
