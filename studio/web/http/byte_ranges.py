"""Ranges of a stored object over HTTP (RFC 9110, 14): one part at a time is in memory, whatever the store."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from kinesphere.errors import StorageFailed
from kinesphere.objects.store import Objects

FIRST_PART_BYTES = 1 << 18
LARGEST_PART_BYTES = 1 << 21
"""Parts double up to this size: a seek waits for little, and hours take few requests to an object store."""

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.IGNORECASE)


def requested_range(header: str | None, size: int) -> tuple[int, int] | None:
    """The bytes `[start, stop)` that a `Range` asks for, of an object of `size` bytes; None means all of it.

    What is no single range of bytes is ignored, as RFC 9110 (14.2) allows. A range that begins behind the end gives
    an empty one at the end, which cannot be satisfied.
    """
    found = _RANGE.fullmatch(header.strip()) if header else None
    if found is None or not any(found.groups()):
        return None
    first, last = found.groups()
    if not first:
        return max(size - int(last), 0), size
    if last and int(last) < int(first):
        return None
    start = int(first)
    return (start, min(int(last) + 1, size) if last else size) if start < size else (size, size)


async def ranged(request: Request, objects: Objects, key: str, size: int, *, etag: str, media_type: str) -> Response:
    """The answer to GET or HEAD for an object that never changes under its `etag`.

    Browsers break off most requests for a video, since they ask for all that follows a moment; then reading stops.

    Raises:
        CorruptObject: the object is missing.
        StorageFailed: the store refused.
    """
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": f'"{etag}"',
        # Kept by no cache: what a contributor takes back must not stay on other people's disks.
        "Cache-Control": "no-store",
    }
    if _names(request.headers.get("if-none-match"), etag):
        return Response(None, 304, headers)
    condition = request.headers.get("if-range")
    asked = request.headers.get("range") if condition is None or condition == headers["ETag"] else None
    part = requested_range(asked, size)
    start, stop = part or (0, size)
    if part is not None:
        if start >= stop:
            return Response(None, 416, headers | {"Content-Range": f"bytes */{size}"})
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    headers["Content-Length"] = str(stop - start)
    status = 200 if part is None else 206
    if request.method == "HEAD" or start == stop:
        return Response(None, status, headers, media_type)
    first = await _read(objects, key, start, min(start + FIRST_PART_BYTES, stop))
    return StreamingResponse(_parts(objects, key, first, start, stop), status, headers, media_type)


async def _parts(objects: Objects, key: str, first: bytes, start: int, stop: int) -> AsyncIterator[bytes]:
    yield first
    start += len(first)
    length = FIRST_PART_BYTES
    while start < stop:
        length = min(2 * length, LARGEST_PART_BYTES)
        part = await _read(objects, key, start, min(start + length, stop))
        yield part
        start += len(part)


async def _read(objects: Objects, key: str, start: int, stop: int) -> bytes:
    part = await run_in_threadpool(objects.get, key, (start, stop))
    if len(part) != stop - start:
        raise StorageFailed(f"object '{key}' in {objects.url} ends before byte {stop}; restore it from a copy")
    return part


def _names(header: str | None, etag: str) -> bool:
    """Whether `If-None-Match` names this tag, or any."""
    if header is None:
        return False
    tags = {tag.strip().removeprefix("W/") for tag in header.split(",")}
    return "*" in tags or f'"{etag}"' in tags
