"""Reads one array of a shard: runs of inner chunks, decoded straight into the caller's memory. See docs/format.md."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from typing import Any, NoReturn

import google_crc32c
import numpy as np
from numcodecs import blosc
from numpy.typing import NDArray

from kinesphere.errors import CorruptObject
from kinesphere.objects.store import Objects
from kinesphere.shards.array_layout import CHUNK_FRAMES, FILL_VALUES, chunk_key
from kinesphere.trajectory import ArraySpec

blosc.use_threads = False  # its own threads do not survive a fork; whoever wants threads calls from several

CHECKSUM_BYTES = 4
INDEX_ENTRY_BYTES = 16
WHOLE_BYTES = 2**19
"""An object up to this size is read whole with its index: to wait for a second answer costs more than to receive it."""
_NOT_STORED = -1
"""2^64 - 1, read as a signed number: the chunk holds missing values only."""


class ArrayReader:
    """One array of a shard. Its index of chunks is read once; all methods may be called from several threads."""

    def __init__(
        self,
        objects: Objects,
        shard: str,
        spec: ArraySpec,
        frames: int,
        listed: Mapping[str, Any],
        verified: set[str] | None,
    ) -> None:
        """
        Args:
            shard: key of the shard.
            frames: length of the array.
            listed: the objects of the shard: `{key below it: {"sha256": ..., "size_bytes": ...}}`.
            verified: keys whose hash was compared already; None never compares hashes.
        """
        key = chunk_key(spec)
        self.key = f"{shard}/{key}"
        self._objects = objects
        self._spec = spec
        self._frames = frames
        self._listed: Mapping[str, Any] | None = listed.get(key)
        self._verified = verified
        self._index: NDArray[np.int64] | None = None
        self._once = threading.Lock()
        self._chunk_bytes = CHUNK_FRAMES * int(np.prod(spec.shape)) * np.dtype(spec.dtype).itemsize

    def read_into(self, start: int, out: NDArray[Any]) -> None:
        """Read the frames from `start` on that fill `out`, a contiguous array of the stored type.

        Args:
            start: first frame.
            out: `(frames, *spec.shape)`.

        Raises:
            CorruptObject: the object is missing, cut off or damaged.
        """
        try:
            self._read_chunks(start, out)
        except CorruptObject:
            self._objects.forget(self.key)
            raise

    def _read_chunks(self, start: int, out: NDArray[Any]) -> None:
        first, stop = start // CHUNK_FRAMES, -(-(start + len(out)) // CHUNK_FRAMES)
        with self._once:  # threads that come together wait for one request
            whole = self._load_index()
        assert self._index is not None
        index = self._index[first:stop]
        stored = index[index[:, 0] != _NOT_STORED]
        if len(stored) < len(index):
            out[...] = FILL_VALUES[self._spec.dtype]
        if not len(stored):
            return
        begin, end = int(stored[:, 0].min()), int(stored.sum(axis=1).max())
        data = memoryview(self._bytes(begin, end)) if whole is None else whole[begin:end]
        for chunk, (offset, size) in enumerate(index.tolist(), first):
            if offset != _NOT_STORED:
                self._decode(chunk * CHUNK_FRAMES - start, data[offset - begin : offset - begin + size], out)

    def _decode(self, place: int, data: memoryview, out: NDArray[Any]) -> None:
        """Decode a chunk whose first frame belongs at `place` of `out`, which may be before its beginning."""
        body = self._checked(data)
        if int.from_bytes(body[4:8], "little") != self._chunk_bytes:  # the size that Blosc's header states
            self._refuse("a chunk of another size")
        whole = 0 <= place <= len(out) - CHUNK_FRAMES
        chunk = out[place : place + CHUNK_FRAMES] if whole else np.empty((CHUNK_FRAMES, *out.shape[1:]), out.dtype)
        try:
            blosc.decompress(body, chunk.reshape(-1).view(np.uint8))
        except (RuntimeError, ValueError) as error:
            raise CorruptObject(f"object '{self.key}' is damaged ({error}); restore it from a copy") from error
        if not whole:
            begin, end = max(place, 0), min(place + CHUNK_FRAMES, len(out))
            out[begin:end] = chunk[begin - place : end - place]

    def _load_index(self) -> memoryview | None:
        """Read the index, unless it was read before.

        A small remote object is read, and given back, whole: then this is the only request for it.
        """
        if self._index is not None:
            return None
        chunks = -(-self._frames // CHUNK_FRAMES)
        if self._listed is None:
            self._index = np.full((chunks, 2), _NOT_STORED, np.int64)
            return None
        size = int(self._listed["size_bytes"])
        index_bytes = chunks * INDEX_ENTRY_BYTES + CHECKSUM_BYTES
        is_whole = size <= WHOLE_BYTES and self._objects.local_path(self.key) is None
        data = memoryview(self._bytes(0 if is_whole else size - index_bytes, size))
        self._index = self._index_in(data[-index_bytes:], size)
        return data if is_whole else None

    def _index_in(self, tail: memoryview, size: int) -> NDArray[np.int64]:
        """Offset and size of each inner chunk, int64 `[chunks, 2]`, out of the end of an object of `size` bytes."""
        index = np.frombuffer(self._checked(tail), "<i8").reshape(-1, 2).astype(np.int64)
        stored = index[index[:, 0] != _NOT_STORED]
        if len(stored) and (stored.min() < 0 or stored.sum(axis=1).max() > size):
            self._refuse("its index points outside it")
        return index

    def _bytes(self, start: int, stop: int) -> bytes:
        """Bytes `[start, stop)` of the object."""
        assert self._listed is not None, "only an object that is there has chunks"
        if self._verified is not None and self.key not in self._verified:
            whole = self._objects.get(self.key)
            if hashlib.sha256(whole).hexdigest() != self._listed["sha256"]:
                raise CorruptObject(f"object '{self.key}' is not what its shard lists; restore it from a copy")
            self._verified.add(self.key)
            return whole[start:stop]
        data = self._objects.get(self.key, (start, stop))
        if len(data) != stop - start:
            raise CorruptObject(
                f"object '{self.key}' should hold {self._listed['size_bytes']} bytes and is cut off or overwritten; "
                "restore it from a copy"
            )
        return data

    def _checked(self, data: memoryview) -> memoryview:
        """What comes before the checksum at the end of `data`, which must agree with it."""
        body, checksum = data[:-CHECKSUM_BYTES], data[-CHECKSUM_BYTES:]
        if google_crc32c.value(bytes(body)) != int.from_bytes(checksum, "little"):
            self._refuse("a checksum does not agree")
        return body

    def _refuse(self, reason: str) -> NoReturn:
        raise CorruptObject(f"object '{self.key}' is damaged ({reason}); restore it from a copy")
