"""Objects with a disk cache before them, and objects as seekable files: the layer between stores and readers."""

from __future__ import annotations

import io
import os
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from kinesphere.objects.disk_cache import DEFAULT_CACHE_BYTES, PIECE_BYTES, DiskCache, Piece
from kinesphere.objects.store import Objects

CACHE_VARIABLE = "KINESPHERE_DATA_CACHE"
"""Names the folder of the cache for remote data, where the call names none."""

_BUFFERED_PIECES = 4
"""Pieces of an object that its file buffers: what FFmpeg reads now, the table of frames, and a jump between them."""


def with_cache(objects: Objects, folder: str | Path | None, limit_bytes: int | None) -> Objects:
    """The same objects, read through a disk cache if one is asked for.

    Args:
        objects: where they lie.
        folder: of the cache. None takes what `KINESPHERE_DATA_CACHE` names, which is for remote data only.
        limit_bytes: the most that the folder may hold; 50 GiB where it is None.

    Returns:
        Objects of the same keys and contents.

    Raises:
        InvalidInput: the folder cannot be made, or the limit is too small.
    """
    if folder is None and objects.local_path("") is None:
        folder = os.environ.get(CACHE_VARIABLE) or None
    if folder is None:
        return objects
    limit = DEFAULT_CACHE_BYTES if limit_bytes is None else limit_bytes
    cache = DiskCache(Path(folder).expanduser().absolute(), limit)
    return CachedObjects(
        objects.url, objects.raw, source=objects, cache=cache, requests=objects.requests, forked=objects.forked
    )


@dataclass(frozen=True)
class CachedObjects(Objects):
    """Objects of which those that never change are kept in a disk cache: shards and videos.

    All else is read from the store each time, manifests above all: a version that was withdrawn is gone here too.
    """

    source: Objects
    cache: DiskCache

    def get(self, key: str, byte_range: tuple[int, int] | None = None) -> bytes:
        """Read an object, or a part of it, from the cache or else the store.

        Args:
            key: of the object.
            byte_range: first byte and the one after the last; all by default.

        Returns:
            The bytes.

        Raises:
            CorruptObject: there is no such object.
            StorageFailed: the store refused.
        """
        if not _never_changes(key):
            return self.source.get(key, byte_range)
        if byte_range is not None:
            return self.get_part(key, *byte_range)[0]
        size = self.cache.known_size(self._name(key))
        if size is not None:
            return self.get_part(key, 0, size)[0]
        whole = self.source.get(key)
        self.cache.keep(self._name(key), whole)
        return whole

    def get_part(self, key: str, start: int, stop: int) -> tuple[bytes, int]:
        """Read a part of an object from the cache or else the store.

        Args:
            key: of the object.
            start: first byte.
            stop: the byte after the last.

        Returns:
            The bytes, fewer where the object ends before, and the object's size.

        Raises:
            CorruptObject: there is no such object.
            StorageFailed: the store refused, or the object ends before `start`.
        """
        if not _never_changes(key):
            return self.source.get_part(key, start, stop)
        first = start // PIECE_BYTES
        numbers = range(first, max(first + 1, -(-stop // PIECE_BYTES)))
        pieces = self.cache.pieces(
            self._name(key), numbers, lambda begin, end: Piece(*self.source.get_part(key, begin, end))
        )
        data = pieces[0].data if len(pieces) == 1 else b"".join(piece.data for piece in pieces)
        return data[start - first * PIECE_BYTES : stop - first * PIECE_BYTES], pieces[0].object_bytes

    def forget(self, key: str) -> None:
        """Remove what the cache has of an object, so that it is read anew.

        Args:
            key: of the object.
        """
        self.cache.forget(self._name(key))

    @contextmanager
    def open(self, key: str) -> Iterator[IO[bytes]]:
        """A seekable binary reader of one object, which reads through the cache.

        Args:
            key: of the object.

        Yields:
            The reader, closed when the block is left.
        """
        yield open_file(self, key)

    def local_path(self, key: str) -> Path | None:
        """The file that holds an object, where objects are files and are not cached.

        Args:
            key: of the object.

        Returns:
            Its path; None where it is in the cache or in an object store.
        """
        return None if _never_changes(key) else self.source.local_path(key)

    def _name(self, key: str) -> str:
        return f"{self.url}/{key}"


def open_file(objects: Objects, key: str) -> BinaryIO:
    """A seekable reader of an object, which reads aligned pieces and holds the last few.

    Args:
        objects: where it lies.
        key: of the object.

    Returns:
        The reader, to be closed.

    Raises:
        CorruptObject: there is no such object.
        StorageFailed: the store refused.
    """
    return io.BufferedReader(_ObjectFile(objects, key), buffer_size=io.DEFAULT_BUFFER_SIZE)


def _never_changes(key: str) -> bool:
    return key.startswith("shards/") or (key.startswith("recordings/") and key.endswith(".mp4"))


class _ObjectFile(io.RawIOBase):
    """What `open_file` buffers."""

    def __init__(self, objects: Objects, key: str) -> None:
        self._objects = objects
        self._key = key
        self._position = 0
        self._pieces: OrderedDict[int, bytes] = OrderedDict()
        self._pieces[0], self._size = objects.get_part(key, 0, PIECE_BYTES)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed has a wider buffer
        if self._position >= self._size:
            return 0
        number, offset = divmod(self._position, PIECE_BYTES)
        part = self._piece(number)[offset : offset + len(buffer)]
        buffer[: len(part)] = part
        self._position += len(part)
        return len(part)

    def _piece(self, number: int) -> bytes:
        if number not in self._pieces:
            start = number * PIECE_BYTES
            stop = min(start + PIECE_BYTES, self._size)
            self._pieces[number] = self._objects.get_part(self._key, start, stop)[0]
            if len(self._pieces) > _BUFFERED_PIECES:
                self._pieces.popitem(last=False)
        self._pieces.move_to_end(number)
        return self._pieces[number]
