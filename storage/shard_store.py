"""One shard as zarr-python sees it: a read-only store in which a missing or shortened object is an error."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, NoReturn

from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, Store, SuffixByteRequest
from zarr.core.buffer import Buffer, BufferPrototype

from .errors import CorruptObject
from .objects import Objects


class ShardStore(Store):
    """Reads the objects that a shard lists, through `Objects`.

    zarr takes an absent chunk for one full of missing values, so its own stores would turn a lost object into
    valid-looking data. Here only a chunk that the shard never had is absent.
    """

    supports_writes = False
    supports_deletes = False
    supports_listing = False

    def __init__(
        self, objects: Objects, prefix: str, group: bytes, listed: Mapping[str, Any], verified: set[str] | None
    ) -> None:
        """
        Args:
            prefix: key of the shard; keys in this store are relative to it.
            group: content of the group's `zarr.json`.
            listed: what the shard holds: `{key: {"sha256": ..., "size_bytes": ...}}`.
            verified: keys whose hash was compared already; None never compares hashes.
        """
        super().__init__(read_only=True)
        self._objects = objects
        self._prefix = prefix
        self._group = group
        self._listed = listed
        self._verified = verified

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        """The bytes of an object; None for one that the shard does not list."""
        if key == "zarr.json":
            return prototype.buffer.from_bytes(self._group)
        if key not in self._listed:
            return None
        return prototype.buffer.from_bytes(await asyncio.to_thread(self._read, key, byte_range))

    def _read(self, key: str, byte_range: ByteRequest | None) -> bytes:
        object_key = f"{self._prefix}/{key}"
        size = int(self._listed[key]["size_bytes"])
        start, stop = _bounds(byte_range, size)
        if self._verified is not None and object_key not in self._verified:
            whole = self._objects.get(object_key)
            if hashlib.sha256(whole).hexdigest() != self._listed[key]["sha256"]:
                raise CorruptObject(f"object '{object_key}' is not what its shard lists; restore it from a copy")
            self._verified.add(object_key)
            return whole[start:stop]
        data = self._objects.get(object_key, None if byte_range is None else (start, stop))
        if len(data) != stop - start:
            raise CorruptObject(
                f"object '{object_key}' should hold {size} bytes and is cut off or overwritten; restore it from a copy"
            )
        return data

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """`get` for several ranges."""
        return [await self.get(key, prototype, byte_range) for key, byte_range in key_ranges]

    async def exists(self, key: str) -> bool:
        """Whether the shard lists this object."""
        return key == "zarr.json" or key in self._listed

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ShardStore) and (self._objects, self._prefix) == (other._objects, other._prefix)

    async def set(self, key: str, value: Buffer) -> None:
        """Refused: shards are immutable."""
        self._refuse()

    async def delete(self, key: str) -> None:
        """Refused: shards are immutable."""
        self._refuse()

    def list(self) -> AsyncIterator[str]:
        """Refused: what a shard holds is in its metadata."""
        self._refuse()

    def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """Refused: what a shard holds is in its metadata."""
        self._refuse()

    def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Refused: what a shard holds is in its metadata."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise NotImplementedError(f"the store of shard {self._prefix} only reads objects by key")


def _bounds(byte_range: ByteRequest | None, size: int) -> tuple[int, int]:
    """The bytes `[start, stop)` that zarr asks for, of an object of `size` bytes."""
    match byte_range:
        case RangeByteRequest(start, end):
            return start, end
        case OffsetByteRequest(offset):
            return offset, size
        case SuffixByteRequest(suffix):
            return max(0, size - suffix), size
        case _:
            return 0, size
