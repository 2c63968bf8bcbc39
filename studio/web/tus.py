"""Resumable uploads by tus 1.0 (https://tus.io/protocols/resumable-upload): its core and the creation extension."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request, Response

from .identity import Role, needs
from .uploads import Uploads

VERSION = "1.0.0"
CONTENT_TYPE = "application/offset+octet-stream"


def tus_routes(uploads: Uploads) -> APIRouter:
    """The routes below `/api/uploads`."""
    routes = APIRouter(prefix="/api/uploads", dependencies=[needs(Role.CONTRIBUTOR)])

    @routes.options("")
    async def capabilities() -> Response:
        return _answer(
            204,
            **{"Tus-Version": VERSION, "Tus-Extension": "creation", "Tus-Max-Size": str(uploads.limit)},
        )

    @routes.post("")
    async def create(request: Request) -> Response:
        _check_version(request)
        made = uploads.create(_number(request, "Upload-Length"))
        return _answer(201, Location=f"/api/uploads/{made.upload}")

    @routes.head("/{upload}")
    async def offset(upload: str, request: Request) -> Response:
        _check_version(request)
        received = await uploads.offset(upload)
        length = uploads.find(upload).length
        return _answer(
            200, **{"Upload-Offset": str(received), "Upload-Length": str(length), "Cache-Control": "no-store"}
        )

    @routes.patch("/{upload}")
    async def receive(upload: str, request: Request) -> Response:
        _check_version(request)
        if request.headers.get("Content-Type") != CONTENT_TYPE:
            raise HTTPException(415, f"the content type of a part is {CONTENT_TYPE}")
        received = await uploads.receive(upload, _number(request, "Upload-Offset"), request.stream())
        return _answer(204, **{"Upload-Offset": str(received)})

    return routes


def _answer(status: int, **headers: str) -> Response:
    return Response(status_code=status, headers={"Tus-Resumable": VERSION, **headers})


def _check_version(request: Request) -> None:
    if request.headers.get("Tus-Resumable") != VERSION:
        raise HTTPException(412, f"this server speaks tus {VERSION}", {"Tus-Version": VERSION})


def _number(request: Request, header: str) -> int:
    text = request.headers.get(header, "")
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise HTTPException(400, f"the header {header} must be a whole number of bytes")
    return int(text)
