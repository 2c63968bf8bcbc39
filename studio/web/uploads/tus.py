"""Resumable uploads by tus 1.0 (https://tus.io/protocols/resumable-upload): its core, creation, deferred length, end.

Beyond a quota, an upload is refused with 413 (too large, as for one over `Tus-Max-Size`), 429 (too many of one
account), or 507 (the server has no more room for anybody's).
"""

from __future__ import annotations

import base64
from typing import Annotated

from fastapi import APIRouter, HTTPException, Request, Response
from starlette.concurrency import run_in_threadpool

from kinesphere.errors import Conflict, KinesphereError, NotFound
from kinesphere.names import is_recording_id
from storage.catalog import Catalog, Erasures, Role
from studio.event_log import note
from studio.web.access.auth import Person, needs
from studio.web.access.rate_limits import RateLimit, network_of
from studio.web.http.refusals import NotAllowed
from studio.web.page import Page, Studio

VERSION = "1.0.0"
Sender = Annotated[Person, needs(Role.CONTRIBUTOR)]
CONTENT_TYPE = "application/offset+octet-stream"


def tus_routes(studio: Studio) -> APIRouter:
    """The routes below `/api/uploads`."""
    uploads = studio.uploads
    routes = APIRouter(prefix="/api/uploads")
    by_account = RateLimit("uploads were begun", burst=300, seconds_each=1)
    # Wide enough for a room full of contributors behind one address.
    by_address = RateLimit("uploads were begun from there", burst=1000, seconds_each=0.25)

    @routes.options("")
    async def capabilities(_person: Sender) -> Response:
        return _answer(
            204,
            **{
                "Tus-Version": VERSION,
                "Tus-Extension": "creation,creation-defer-length,termination",
                "Tus-Max-Size": str(uploads.limit),
            },
        )

    @routes.post("")
    async def create(request: Request, person: Sender) -> Response:
        _check_version(request)
        by_account.take(person.account)
        by_address.take(network_of(request.client.host if request.client is not None else ""))
        is_deferred = request.headers.get("Upload-Defer-Length") == "1"
        told = _metadata(request)
        contributor, recording = told.get("contributor", person.contributor), told.get("recording")
        if contributor is not None and not person.is_contributor(contributor):
            raise NotAllowed(person.account, "send recordings of another contributor")
        if recording is not None and not is_recording_id(recording):
            raise HTTPException(400, "the header Upload-Metadata names no id of a recording")
        length = None if is_deferred else _number(request, "Upload-Length")
        made = uploads.create(length, person.account, contributor=contributor, recording=recording)
        try:
            # Only now: an erasure that has looked through the uploads before has forgotten the contributor by now.
            await run_in_threadpool(_check_present, studio.workspace.catalog, contributor, recording)
        except KinesphereError:
            uploads.remove(made)
            raise
        note("upload begun", upload=made.upload, recording=recording, bytes=length)
        return _answer(201, Location=f"/api/uploads/{made.upload}")

    @routes.head("/{upload}")
    async def offset(upload: str, request: Request, person: Sender) -> Response:
        _check_version(request)
        received = await uploads.offset(upload, person.account)
        length = uploads.find(upload, person.account).length
        length_header = {"Upload-Defer-Length": "1"} if length is None else {"Upload-Length": str(length)}
        return _answer(200, **{"Upload-Offset": str(received), "Cache-Control": "no-store"}, **length_header)

    @routes.patch("/{upload}")
    async def receive(upload: str, request: Request, person: Sender) -> Response:
        _check_version(request)
        if request.headers.get("Content-Type") != CONTENT_TYPE:
            raise HTTPException(415, f"the content type of a part is {CONTENT_TYPE}")
        if "Upload-Length" in request.headers:
            await uploads.settle(upload, _number(request, "Upload-Length"), person.account)
        offset = _number(request, "Upload-Offset")
        received = await uploads.receive(upload, offset, request.stream(), person.account)
        return _answer(204, **{"Upload-Offset": str(received)})

    @routes.delete("/{upload}")
    async def end(upload: str, request: Request, person: Sender) -> Response:
        _check_version(request)
        await uploads.end(upload, person.account)
        note("upload ended by its sender", upload=upload)
        return _answer(204)

    return routes


PAGE = Page(tus_routes)


def _answer(status: int, **headers: str) -> Response:
    return Response(status_code=status, headers={"Tus-Resumable": VERSION, **headers})


def _check_version(request: Request) -> None:
    if request.headers.get("Tus-Resumable") != VERSION:
        raise HTTPException(412, f"this server speaks tus {VERSION}", {"Tus-Version": VERSION})


def _metadata(request: Request) -> dict[str, str]:
    """What the sender tells of the upload: pairs of a name and a value in Base64, with commas between."""
    found = {}
    for pair in filter(None, request.headers.get("Upload-Metadata", "").split(",")):
        name, _, value = pair.strip().partition(" ")
        try:
            found[name] = base64.b64decode(value, validate=True).decode()
        except ValueError as error:
            raise HTTPException(400, "the header Upload-Metadata needs values in Base64") from error
    return found


def _check_present(catalog: Catalog, contributor: str | None, recording: str | None) -> None:
    if contributor is not None and contributor not in catalog.contributors():  # whose ids are not for telling
        raise NotFound("contributor", contributor[:64], hint="ask the server's operator to enrol you")
    if recording is not None and recording in Erasures(catalog).erased_recordings():
        raise Conflict(f"recording {recording} was taken back and erased here; record it anew to hand it in")


def _number(request: Request, header: str) -> int:
    text = request.headers.get(header, "")
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise HTTPException(400, f"the header {header} must be a whole number of bytes")
    return int(text)
