"""Disk cache: pieces of objects that never change, in a local folder; those least recently used go first."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import google_crc32c

from kinesphere.errors import InvalidInput

PIECE_BYTES = 2**20
"""Objects are kept in aligned pieces of this size: what a store sends in about the time it takes to answer at all."""
DEFAULT_CACHE_BYTES = 50 * 2**30
LEAST_CACHE_BYTES = 64 * PIECE_BYTES

_PIECE_FILE = re.compile(r"[0-9a-f]{40}\.\d+")
_UNFINISHED = ".part"
_ABANDONED_SECONDS = 3600.0
"""A piece takes seconds to write: one begun this long ago was left by a process that died."""


class Piece(NamedTuple):
    """A piece of an object."""

    data: bytes
    object_bytes: int
    """Size of the whole object."""


@dataclass
class _OfProcess:
    """What one process knows of the cache. Made anew after a fork, as a lock may have been held at that moment."""

    process: int = field(default_factory=os.getpid)
    lock: threading.Lock = field(default_factory=threading.Lock)
    in_flight: dict[tuple[str, int], Future[Piece]] = field(default_factory=dict)
    written: int | None = None
    """Bytes written since the folder was last looked through; None before the first time."""
    is_full: bool = False
    """Whether writing has failed, so that it is not tried again."""


class DiskCache:
    """Pieces of objects in a folder. Any number of threads and processes may use the folder at once.

    A piece is one file: its bytes, the size of the whole object (8 bytes), a CRC32C of both (4 bytes). It is
    written under a temporary name and renamed, so it is there whole or not at all; one that is damaged all the same
    is fetched anew.

    Each process looks through the folder whenever it has written a 64th of the limit, and removes what was read
    longest ago if more than 60 of the 64 parts are taken. So up to four processes that write at once stay
    under the limit, and each further one may exceed it by a 64th.
    """

    def __init__(self, folder: Path, limit_bytes: int = DEFAULT_CACHE_BYTES) -> None:
        """
        Raises:
            InvalidInput: the folder cannot be made, or the limit is under 64 MiB.
        """
        if limit_bytes < LEAST_CACHE_BYTES:
            raise InvalidInput(f"cache_bytes should be a whole number, at least {LEAST_CACHE_BYTES}, got {limit_bytes}")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidInput(f"cannot use {folder} as a cache: {error.strerror}; name another folder") from error
        self.folder = folder
        self.limit_bytes = limit_bytes
        self._state = _OfProcess()

    def __reduce__(self) -> tuple[Any, ...]:
        return DiskCache, (self.folder, self.limit_bytes)

    def pieces(self, name: str, numbers: Sequence[int], fetch: Callable[[int, int], Piece]) -> list[Piece]:
        """Pieces of an object, from the folder or else from where it lies.

        Threads that want the same piece at once share one download. No lock is held meanwhile.

        Args:
            name: tells the object from all others, such as its URL.
            numbers: which pieces, ascending.
            fetch: reads bytes `[start, stop)` of the object, fewer at its end, and tells its size. Pieces that touch
                are read at once.

        Returns:
            One piece a number, in their order.
        """
        found = {number: piece for number in numbers if (piece := self._load(name, number)) is not None}
        missing = [number for number in numbers if number not in found]
        if missing:
            found |= self._fetched(name, missing, fetch)
        return [found[number] for number in numbers]

    def known_size(self, name: str) -> int | None:
        """Size in bytes of an object whose first piece is in the folder.

        Args:
            name: of the object.

        Returns:
            Bytes; None where that piece is not in the folder.
        """
        piece = self._load(name, 0)
        return None if piece is None else piece.object_bytes

    def content(self, name: str) -> bytes | None:
        """An object all of whose pieces are in the folder.

        Args:
            name: of the object.

        Returns:
            Its content; None where a piece is not in the folder.
        """
        found = b""
        size = self.known_size(name)
        for number in range(0 if size is None else max(1, -(-size // PIECE_BYTES))):
            piece = self._load(name, number)
            if piece is None:
                return None
            found += piece.data
        return None if size is None else found

    def keep(self, name: str, data: bytes) -> None:
        """Keep a whole object that was read already.

        Args:
            name: of the object.
            data: its content.
        """
        for number in range(max(1, -(-len(data) // PIECE_BYTES))):
            part = data[number * PIECE_BYTES : (number + 1) * PIECE_BYTES]
            self._store(name, number, Piece(part, len(data)))

    def holds(self, name: str) -> bool:
        """Whether any piece of an object is in the folder.

        Args:
            name: of the object.

        Returns:
            True where there is a piece.
        """
        stem = _stem(name)
        return any((self.folder / stem[:2]).glob(f"{stem}.*"))

    def forget(self, name: str) -> None:
        """Remove the pieces of an object, because what was fetched is not what it should be.

        Args:
            name: of the object.
        """
        stem = _stem(name)
        for path in (self.folder / stem[:2]).glob(f"{stem}.*"):
            with suppress(OSError):
                path.unlink()

    def _fetched(self, name: str, missing: Sequence[int], fetch: Callable[[int, int], Piece]) -> dict[int, Piece]:
        state = self._of_process()
        with state.lock:
            awaited = {n: state.in_flight[name, n] for n in missing if (name, n) in state.in_flight}
            started: dict[int, Future[Piece]] = {n: Future() for n in missing if n not in awaited}
            state.in_flight |= {(name, n): future for n, future in started.items()}
        try:
            for first, stop in _runs(list(started)):
                whole = fetch(first * PIECE_BYTES, stop * PIECE_BYTES)
                for number in range(first, stop):
                    at = (number - first) * PIECE_BYTES
                    piece = Piece(whole.data[at : at + PIECE_BYTES], whole.object_bytes)
                    self._store(name, number, piece)
                    started[number].set_result(piece)
        except BaseException as error:
            for future in started.values():
                if not future.done():
                    future.set_exception(error)
            raise
        finally:
            with state.lock:
                for number in started:
                    del state.in_flight[name, number]
        return {number: future.result() for number, future in (started | awaited).items()}

    def _load(self, name: str, number: int) -> Piece | None:
        """A piece that is in the folder and undamaged."""
        path = self._path(name, number)
        try:
            content = path.read_bytes()
        except OSError:
            return None  # fetching it anew is what the cache is for
        if len(content) < 12 or google_crc32c.value(content[:-4]) != int.from_bytes(content[-4:], "little"):
            with suppress(OSError):
                path.unlink()
            return None
        with suppress(OSError):  # a folder that may only be read keeps no order of use
            os.utime(path)
        return Piece(content[:-12], int.from_bytes(content[-12:-4], "little"))

    def _store(self, name: str, number: int, piece: Piece) -> None:
        state = self._of_process()
        if state.is_full:
            return
        body = piece.data + piece.object_bytes.to_bytes(8, "little")
        path = self._path(name, number)
        unfinished = path.with_name(secrets.token_hex(8) + _UNFINISHED)
        try:
            self._make_room(state, len(body) + 4)
            path.parent.mkdir(exist_ok=True)
            try:
                unfinished.write_bytes(body + google_crc32c.value(body).to_bytes(4, "little"))
                unfinished.replace(path)
            finally:
                unfinished.unlink(missing_ok=True)
        except OSError as error:
            state.is_full = True
            warnings.warn(
                f"the cache {self.folder} cannot be written ({error.strerror}); reading goes on without keeping more. "
                "Free some space, or name another folder",
                RuntimeWarning,
                stacklevel=2,
            )

    def _make_room(self, state: _OfProcess, size: int) -> None:
        """Count bytes that are about to be written, and remove old pieces where the limit asks for it."""
        part = self.limit_bytes // 64
        with state.lock:
            if state.written is not None and state.written + size <= part:
                state.written += size
                return
            state.written = size
            found = sorted(self._files())
            taken = sum(bytes_of for _, bytes_of, _ in found)
            if taken <= 60 * part:
                return
            for _, bytes_of, path in found:
                if taken <= 56 * part:
                    break
                path.unlink(missing_ok=True)
                taken -= bytes_of

    def _files(self) -> Iterator[tuple[int, int, Path]]:
        """When each piece was last used, its size and its file; removes what dead processes left."""
        for path in self.folder.glob("??/*"):
            try:
                about = path.stat()
            except FileNotFoundError:
                continue  # another process has removed it
            if path.suffix == _UNFINISHED and time.time() - about.st_mtime > _ABANDONED_SECONDS:
                path.unlink(missing_ok=True)
            elif path.suffix == _UNFINISHED or _PIECE_FILE.fullmatch(path.name):
                yield about.st_mtime_ns, about.st_size, path

    def _path(self, name: str, number: int) -> Path:
        stem = _stem(name)
        return self.folder / stem[:2] / f"{stem}.{number}"

    def _of_process(self) -> _OfProcess:
        if self._state.process != os.getpid():
            self._state = _OfProcess()
        return self._state


def clear_cache(folder: str | Path) -> int:
    """Remove everything that `open_dataset(..., cache=folder)` has kept.

    After an erasure, run it wherever the data was read with a cache: an erasure cannot reach other people's disks.

    Args:
        folder: of the cache.

    Returns:
        How many pieces there were.
    """
    removed = 0
    for path in Path(folder).glob("??/*"):
        if _PIECE_FILE.fullmatch(path.name) or path.suffix == _UNFINISHED:
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def _stem(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:40]


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Ascending numbers as ranges `[first, stop)` of those that follow each other."""
    for place, number in enumerate(numbers):
        if place == 0 or numbers[place - 1] != number - 1:
            first = number
        if place + 1 == len(numbers) or numbers[place + 1] != number + 1:
            yield first, number + 1
