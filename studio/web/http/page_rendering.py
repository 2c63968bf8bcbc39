"""Server-rendered pages: templates, static files under an address that changes with their content, safe headers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from jinja2 import BaseLoader, ChoiceLoader, DictLoader, Environment, FileSystemLoader, PackageLoader, StrictUndefined
from starlette.datastructures import Headers, MutableHeaders
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from storage.catalog import Role
from studio.web.access.auth import person_of

_YEAR = 365 * 86_400
STATIC = Path(__file__).parents[1] / "static"

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "font-src 'self'",
        "worker-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}


@dataclass(frozen=True)
class NavigationEntry:
    """An entry of the navigation, for those who have one of the roles."""

    name: str
    path: str
    roles: tuple[Role, ...]


@dataclass(frozen=True)
class Rendering:
    """How an application renders its pages. `render` finds it at `app.state.rendering`."""

    templates: Environment
    navigation: tuple[NavigationEntry, ...]


def render(request: Request, template: str, /, status: int = 200, **values: object) -> HTMLResponse:
    """A page out of a template, which also knows the person, the navigation and where static files are.

    Args:
        request: what is answered.
        template: its path below the folder of templates.
        status: the HTTP status of the answer.
        values: what else the template knows, by name.

    Returns:
        The answer, which no cache keeps.
    """
    person = person_of(request)
    rendering: Rendering = request.app.state.rendering
    context = {
        "person": person,
        "path": request.url.path,
        "navigation": [entry for entry in rendering.navigation if person is not None and person.may(*entry.roles)],
        "static": f"/static/{static_digest()}",
        **values,
    }
    content = rendering.templates.get_template(template).render(context)
    return HTMLResponse(content, status, {"Cache-Control": "no-store"})


def error_page(request: Request, status: int, text: str) -> HTMLResponse:
    """A page that says what went wrong, and where it is our fault also the id under which the log says more."""
    found = request.scope.get("kinesphere.request") if status >= 500 else None
    return render(request, "error.html", status, error=text, error_status=status, request_id=found)


def add_rendering(
    app: FastAPI, *, navigation: tuple[NavigationEntry, ...], templates: tuple[Path | Mapping[str, str], ...] = ()
) -> None:
    """Let an application render pages and serve the static files.

    Args:
        app: the application.
        navigation: its entries, from left to right.
        templates: folders of templates, or their texts by name, besides the studio's own, which come first.
    """
    app.state.rendering = Rendering(_environment(templates), navigation)
    # The address holds a digest of all static files, so browsers may keep them for ever.
    app.mount(f"/static/{static_digest()}", _ImmutableFiles(directory=STATIC), name="static")


@cache
def static_digest() -> str:
    """A digest of all static files."""
    digest = hashlib.sha256()
    for file in sorted(STATIC.rglob("*")):
        if file.is_file():
            digest.update(f"{file.relative_to(STATIC)}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:12]


class SafeHeaders:
    """Adds to every answer what keeps a browser from doing more than our pages need.

    Nothing is kept by browsers but what says so itself: most of it is about people. Where we were asked by https, also
    through a proxy, browsers never ask by http again; but of `localhost` other programs are served too.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if is_strict:
                    headers.setdefault("Strict-Transport-Security", f"max-age={_YEAR}")
            await send(message)

        is_strict = scope.get("scheme") == "https" and Headers(scope=scope).get("host", "").split(":")[0] != "localhost"

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)


class _ImmutableFiles(StaticFiles):
    """Static files that a browser need not ask for again."""

    def file_response(self, *arguments: Any, **options: Any) -> Any:
        response = super().file_response(*arguments, **options)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def _environment(templates: tuple[Path | Mapping[str, str], ...]) -> Environment:
    added: list[BaseLoader] = [
        FileSystemLoader(found) if isinstance(found, Path) else DictLoader(found) for found in templates
    ]
    made = Environment(
        loader=ChoiceLoader([PackageLoader("studio.web"), *added]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["json"] = _json_for_script
    return made


def _json_for_script(value: object) -> str:
    """JSON that stands in `<script type="application/json">` and cannot end it."""
    return json.dumps(value, default=str).replace("<", "\\u003c")
