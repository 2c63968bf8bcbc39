"""Uploads on the server's disk: files that grow at their end, under names that we choose, until they are whole."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import shutil
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread

from kinesphere.errors import Conflict, NotFound
from storage.erasure.unfinished_files import mark, upload_name
from studio.web.http.refusals import TooLarge
from studio.web.uploads.upload_quota import UploadQuota, stored_uploads

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

DAYS_KEPT = 14
"""Uploads that nobody went on with for so long are forgotten."""

STALLED_SECONDS = 60.0
"""A sender who is silent for so long is taken for gone, so that a new connection can go on."""

_OPEN = "open"
"""Ends the name of an upload whose length is not known yet."""
_LEAST_FREE = 1 << 28
"""Bytes that must be free for such an upload to begin."""
_WRITTEN_AT_ONCE = 1 << 19
"""Bytes: chunks come in 64 KiB, and going to a thread for each takes longer than writing it."""
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Upload:
    """A file being received. Its size on disk is the one truth about how much has arrived."""

    upload: str
    path: Path
    length: int | None
    """Of the whole, in bytes; None while it is being made and not known yet."""

    @property
    def offset(self) -> int:
        """Bytes received so far."""
        return self.path.stat().st_size


@dataclass(frozen=True)
class Uploads:
    """The folder of uploads; `limit` is the largest that is taken, in bytes."""

    folder: Path
    limit: int
    quota: UploadQuota = field(default_factory=UploadQuota)
    _locks: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    _looking: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(os.cpu_count() or 1))

    def create(
        self, length: int | None, owner: str, *, contributor: str | None = None, recording: str | None = None
    ) -> Upload:
        """Begin an upload of `length` bytes, or of a length that `settle` tells later.

        Args:
            owner: the account it belongs to; others never find it.
            contributor: whose take it is, and `recording` its id, if the sender told: an erasure finds it by these.

        Raises:
            TooLarge: `length` is over the limit, or with it what its owner has begun is over the quota.
            TooManyUploads, UploadsFull: there are as many as there may be, of its owner or of all.
            OSError: the disk is full, or would be.
        """
        self._check_length(length or 0)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.quota.check_new(stored_uploads(self.folder), mark(owner), length or 0)
        if shutil.disk_usage(self.folder).free < (length or _LEAST_FREE):
            raise OSError(28, "No space left on device")
        upload = secrets.token_hex(16)
        path = self.folder / upload_name(upload, owner, _OPEN if length is None else length, contributor, recording)
        path.touch(exist_ok=False)
        return Upload(upload, path, length)

    def find(self, upload: str, owner: str) -> Upload:
        """An upload that its owner began.

        Raises:
            NotFound: there is none of this id, or it is somebody else's: which of the two is not for telling.
        """
        found = list(self.folder.glob(f"{upload}.{mark(owner)}.*")) if _ID.fullmatch(upload) else []
        if not found:
            raise NotFound("upload", upload[:40], hint="begin it again")
        ending = found[0].suffix[1:]
        return Upload(upload, found[0], None if ending == _OPEN else int(ending))

    async def settle(self, upload: str, length: int, owner: str) -> None:
        """Tell the length of an upload that was begun without; told again it does nothing.

        Raises:
            NotFound: the owner has no such upload.
            TooLarge: `length` is over the limit or the quota.
            Conflict: it has another length, or more has arrived already.
        """
        self._check_length(length)
        async with self.locked(upload, owner):
            found = self.find(upload, owner)
            if found.length == length:
                return
            if found.length is not None or found.offset > length:
                raise Conflict(f"the upload cannot have {length} bytes: it has {found.length or found.offset}")
            if length > (most := self._most(found, owner)):
                raise TooLarge(f"with {length} bytes it is over what uploads may have together; {most} are left")
            found.path.rename(found.path.with_suffix(f".{length}"))

    async def offset(self, upload: str, owner: str) -> int:
        """Bytes received, once no earlier connection is still writing."""
        async with self.locked(upload, owner):
            return self.find(upload, owner).offset

    async def receive(self, upload: str, offset: int, content: AsyncIterator[bytes], owner: str) -> int:
        """Append `content`, which begins at `offset`; what arrives before a connection breaks is kept.

        Raises:
            NotFound: the owner has no such upload.
            Conflict: `offset` is not where the file ends, or another connection is writing.
            TooLarge: there are more bytes than were announced; those beyond are not written.
            OSError: the disk is full.
            TimeoutError: the sender fell silent.
        """
        async with self.locked(upload, owner):
            found = self.find(upload, owner)
            if found.offset != offset:
                raise Conflict(f"the upload stands at byte {found.offset}, not at {offset}; go on from there")
            with found.path.open("ab", buffering=0) as file:
                most = self._most(found, owner) if found.length is None else found.length
                buffered = bytearray()
                try:
                    while (chunk := await asyncio.wait_for(anext(content, None), STALLED_SECONDS)) is not None:
                        if offset + len(chunk) > most:
                            raise TooLarge(f"more bytes came than the {most} that are awaited")
                        offset += len(chunk)
                        buffered += chunk
                        if len(buffered) >= _WRITTEN_AT_ONCE:
                            # Let go of first: if the writing fails half-way, nothing is written twice.
                            full, buffered = buffered, bytearray()
                            await asyncio.to_thread(_write, file.fileno(), full)
                finally:
                    await asyncio.to_thread(_write_through, file.fileno(), buffered)
            return offset

    def locked(self, upload: str, owner: str) -> _UploadLock:
        """Keep other connections from the upload within the block.

        Raises:
            NotFound: the owner has no such upload; nobody else can hold it up.
            Conflict: a connection does not let go.
        """
        return _UploadLock(self._locks[self.find(upload, owner).upload])

    async def look_into(
        self, look: Callable[Arguments, Result], *given: Arguments.args, **named: Arguments.kwargs
    ) -> Result:
        """Run what reads whole videos, in a thread: as many at once as there are cores, while others await their turn.

        The threads that answer everybody else are not taken.
        """
        return await to_thread.run_sync(partial(look, *given, **named), limiter=self._looking)

    async def end(self, upload: str, owner: str) -> None:
        """Forget an upload that its owner does not want any more.

        Raises:
            NotFound: the owner has no such upload.
            Conflict: another connection is writing.
        """
        async with self.locked(upload, owner):
            self.remove(self.find(upload, owner))

    def _most(self, upload: Upload, owner: str) -> int:
        return min(self.limit, self.quota.most_bytes(stored_uploads(self.folder), upload.upload, mark(owner)))

    def remove(self, upload: Upload) -> None:
        """Forget an upload; repeated it does nothing."""
        upload.path.unlink(missing_ok=True)
        self._locks.pop(upload.upload, None)

    def _check_length(self, length: int) -> None:
        if length > self.limit:
            raise TooLarge(f"{length} bytes are more than this server takes ({self.limit} bytes)")

    def remove_old(self) -> None:
        """Forget what nobody went on with."""
        if not self.folder.is_dir():
            return
        for path in self.folder.iterdir():
            with suppress(FileNotFoundError):  # another request has removed it
                if time.time() - path.stat().st_mtime > DAYS_KEPT * 86_400:
                    path.unlink()


@dataclass(frozen=True)
class _UploadLock:
    """Holds a lock, waiting a while for a connection that is about to notice that it is broken."""

    lock: asyncio.Lock

    async def __aenter__(self) -> None:
        try:
            await asyncio.wait_for(self.lock.acquire(), 5)
        except TimeoutError as error:
            raise Conflict("another connection is writing to this upload; try again in a minute") from error

    async def __aexit__(self, *error: object) -> None:
        self.lock.release()


def _write_through(file: int, content: bytearray) -> None:
    """Write, and let the disk have everything that was written; also where writing fails."""
    try:
        _write(file, content)
    finally:
        os.fsync(file)


def _write(file: int, content: bytearray) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(file, rest) :]
