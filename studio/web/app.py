"""The server's application: one process with the pages, the API and the uploads of a workspace."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse, Response

from storage.workspace import Workspace

from .answers import add_answers
from .identity import SESSION_COOKIE, Identify, LocalCredentials, anybody, needs
from .label_pages import label_pages
from .labelling import labelling_routes
from .media import media_routes
from .pages import SafeHeaders, add_static, error_page, render
from .proposals import proposal_routes
from .recordings import recording_routes
from .tus import tus_routes
from .uploads import Uploads


def create_app(workspace: Workspace, *, credentials: LocalCredentials, upload_limit: int) -> FastAPI:
    """The application that serves one workspace to those who can prove who they are."""
    app = FastAPI(title="kinesphere", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    uploads = Uploads(workspace.folder / "uploads", upload_limit)
    uploads.remove_old()
    app.include_router(tus_routes(uploads))
    app.include_router(recording_routes(workspace, uploads))
    app.include_router(labelling_routes(workspace))
    app.include_router(media_routes(workspace))
    app.include_router(proposal_routes(workspace))
    app.include_router(label_pages(workspace))
    _add_entrance(app, workspace, credentials)
    add_static(app)
    add_answers(app)
    app.add_middleware(Identify, credentials=lambda: credentials)
    app.add_middleware(SafeHeaders)
    return app


def _add_entrance(app: FastAPI, workspace: Workspace, credentials: LocalCredentials) -> None:
    @app.get("/", dependencies=[needs()])
    def home(request: Request) -> Response:
        return render(request, "home.html", workspace=workspace.name)

    @app.get("/sign-in", dependencies=[anybody()])
    def sign_in(request: Request) -> Response:
        return error_page(request, 401, "Open the link that `kinesphere serve` printed.")

    @app.get("/enter", dependencies=[anybody()])
    def enter(request: Request, link: str = "") -> Response:
        secret = credentials.enter(link)
        if secret is None:
            return error_page(request, 401, "This link was used before. Start `kinesphere serve` anew for another.")
        answer = RedirectResponse("/", 303)
        answer.set_cookie(SESSION_COOKIE, secret, httponly=True, samesite="lax", path="/")
        return answer
