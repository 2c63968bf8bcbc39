"""Shards: immutable Zarr v3 groups that hold the trajectories of one contributor end to end.

`docs/format.md` describes the format for those who write a reader.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import CorruptObject, InvalidInput, NewerFormat
from kinesphere.objects.store import Objects
from kinesphere.shards.array_layout import CHUNK_FRAMES
from kinesphere.shards.array_metadata import specs_of
from kinesphere.shards.array_reader import INDEX_ENTRY_BYTES, ArrayReader
from kinesphere.trajectory import ADDITIONAL_ARRAYS, ArraySpec

FORMAT_VERSION = 1
KIND = "kinesphere-shard"
MAX_FRAMES = 2**18

_SHARD_ID = re.compile(r"[0-9a-f]{32}")


def shard_key(shard_id: str) -> str:
    """Key of a shard's group.

    Args:
        shard_id: id of the shard.

    Returns:
        The key in the object store.
    """
    return f"shards/{shard_id}.zarr"


class Shard:
    """A shard opened for reading. Cheap to make: nothing is read before it is needed."""

    def __init__(self, objects: Objects, shard_id: str, *, verified: set[str] | None = None) -> None:
        """
        Args:
            verified: given a set, each object's hash is compared when it is first read, and its key is added.
        """
        if not _SHARD_ID.fullmatch(shard_id):
            raise InvalidInput(f"'{shard_id}' is no shard id: it should be 32 hexadecimal digits")
        self.shard_id = shard_id
        self.key = shard_key(shard_id)
        self._objects = objects
        self._verified = verified
        self._arrays: dict[str, ArrayReader] = {}
        self._fetched: bytes | None = None
        self._once = threading.Lock()

    @cached_property
    def attributes(self) -> Mapping[str, Any]:
        """The group's attributes: contributor, extractor, software, scale, trajectories, objects.

        Raises:
            NewerFormat: a later release wrote the shard.
            CorruptObject: the shard is missing, or its metadata is not what its id says.
        """
        return self._content[0]

    @cached_property
    def specs(self) -> Mapping[str, ArraySpec]:
        """The arrays of the shard by name, as its metadata lists them: the standard ones first.

        Raises:
            NewerFormat: a later release wrote the shard.
            CorruptObject: the shard is missing, its metadata is not what its id says, or lists what no shard can have.
        """
        return self._content[1]

    @cached_property
    def _content(self) -> tuple[Mapping[str, Any], Mapping[str, ArraySpec]]:
        """Attributes and arrays."""
        key, content = f"{self.key}/zarr.json", self._metadata
        try:
            group: dict[str, Any] = json.loads(content)
            attributes: dict[str, Any] = group["attributes"]
            version = int(attributes["format_version"])
        except (ValueError, KeyError, TypeError) as error:
            self._objects.forget(key)
            raise CorruptObject(f"object '{key}' is not the metadata of a shard; restore it from a copy") from error
        if version > FORMAT_VERSION:
            raise NewerFormat(f"shard {self.shard_id}", version, FORMAT_VERSION)
        if shard_id_of(content) != self.shard_id or attributes.get("kind") != KIND:
            self._objects.forget(key)
            raise CorruptObject(f"object '{key}' was changed after it was written; restore it from a copy")
        try:
            return attributes, specs_of(group["consolidated_metadata"]["metadata"])
        except (KeyError, TypeError, ValueError) as error:  # InvalidInput is a ValueError
            raise CorruptObject(f"object '{key}' lists arrays that no shard can have: {error}") from error

    @property
    def frames(self) -> int:
        """Number of frames of all trajectories together."""
        return int(self.attributes["frames"])

    def spec(self, name: str) -> ArraySpec:
        """What an array of the shard is.

        Args:
            name: of the array.

        Returns:
            Its type, shape, units and the like.

        Raises:
            InvalidInput: there is no such array.
            CorruptObject: the metadata of the shard is missing or damaged.
        """
        if name not in self.specs:
            advice = ""
            if name in ADDITIONAL_ARRAYS:  # trajectories of earlier releases have none of these
                advice = (
                    "; extract its recordings again (kinesphere process --again RECORDING) and publish, or leave out "
                    "this array, or these episodes"
                )
            raise InvalidInput(f"shard {self.shard_id} has no array '{name}' (it has: {', '.join(self.specs)}){advice}")
        return self.specs[name]

    def read(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Frames `[start, stop)` of an array as stored; see `from_stored`.

        Args:
            name: of the array.
            start: first frame.
            stop: the frame after the last.

        Returns:
            `(stop - start, *spec.shape)`, of the stored type.

        Raises:
            InvalidInput: there is no such array, or the frames are not in the shard.
            CorruptObject: an object of the shard is missing or damaged.
        """
        spec = self.spec(name)
        self._check_range(start, stop)
        out = np.empty((stop - start, *spec.shape), spec.dtype)
        self.read_into(name, start, out)
        return out

    def read_into(self, name: str, start: int, out: NDArray[Any]) -> None:
        """`read` the frames from `start` on that fill an array; may be called in several threads.

        Args:
            name: of the array.
            start: first frame.
            out: `(frames, *spec.shape)` of the stored type, contiguous.

        Raises:
            InvalidInput: there is no such array, or the frames are not in the shard.
            CorruptObject: an object of the shard is missing or damaged.
        """
        self._check_range(start, start + len(out))
        if name not in self._arrays:
            listed = self.attributes["objects"]
            reader = ArrayReader(self._objects, self.key, self.spec(name), self.frames, listed, self._verified)
            self._arrays.setdefault(name, reader)
        self._arrays[name].read_into(start, out)

    def _check_range(self, start: int, stop: int) -> None:
        if not 0 <= start < stop <= self.frames:
            raise InvalidInput(f"shard {self.shard_id} has frames 0 to {self.frames}, not {start} to {stop}")

    @property
    def _metadata(self) -> bytes:
        with self._once:  # threads that come together wait for one request
            if self._fetched is None:
                self._fetched = self._objects.get(f"{self.key}/zarr.json")
            return self._fetched


class OpenShards:
    """The shards of a dataset, opened when asked for; the last few used stay open."""

    LIMIT = 64
    METADATA_BYTES = 8 * 2**20
    """What the metadata of so many takes, at most, and all else that belongs to no array."""

    def __init__(self, objects: Objects, verify: bool = False, explain: Callable[[], object] | None = None) -> None:
        """
        Args:
            explain: called when an object is missing or damaged; it may raise an error that says more.
        """
        self._objects = objects
        self._explain = explain
        self._verified: set[str] | None = set() if verify else None
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._opening = threading.Lock()
        self._open = lru_cache(self.LIMIT)(lambda shard_id: Shard(self._objects, shard_id, verified=self._verified))

    def memory_bound_bytes(self, arrays: int) -> int:
        """The most memory that open shards take, with their indexes of chunks.

        Args:
            arrays: how many arrays of each are read.

        Returns:
            Bytes.
        """
        return self.LIMIT * arrays * 2 * INDEX_ENTRY_BYTES * MAX_FRAMES // CHUNK_FRAMES + self.METADATA_BYTES

    def read(self, shard_id: str, name: str, start: int, stop: int) -> NDArray[Any]:
        """Like `Shard.read`, for frames that a version says are there.

        Args:
            shard_id: id of the shard.
            name: of the array.
            start: first frame.
            stop: the frame after the last.

        Returns:
            `(stop - start, *spec.shape)`, of the stored type.

        Raises:
            CorruptObject: the shard does not hold those frames, or an object is missing or damaged.
        """
        with self._explained():
            return self._holding(shard_id, start, stop).read(name, start, stop)

    def read_into(self, shard_id: str, name: str, start: int, out: NDArray[Any]) -> None:
        """Like `Shard.read_into`, for frames that a version says are there.

        Args:
            shard_id: id of the shard.
            name: of the array.
            start: first frame.
            out: `(frames, *spec.shape)` of the stored type, contiguous.

        Raises:
            CorruptObject: the shard does not hold those frames, or an object is missing or damaged.
        """
        with self._explained():
            self._holding(shard_id, start, start + len(out)).read_into(name, start, out)

    def spec(self, shard_id: str, name: str) -> ArraySpec:
        """What an array of a shard is; see `Shard.spec`.

        Args:
            shard_id: id of the shard.
            name: of the array.

        Returns:
            Its type, shape, units and the like.

        Raises:
            InvalidInput: there is no such array.
            CorruptObject: the metadata of the shard is missing or damaged.
        """
        with self._explained():
            return self._shard(shard_id).spec(name)

    def specs(self, shard_id: str) -> Mapping[str, ArraySpec]:
        """The arrays of a shard; see `Shard.specs`.

        Args:
            shard_id: id of the shard.

        Returns:
            By name, the standard ones first.

        Raises:
            CorruptObject: its metadata is missing or damaged.
        """
        with self._explained():
            return self._shard(shard_id).specs

    def check_spec(self, shard_id: str, expected: ArraySpec) -> None:
        """Make sure that an array of a shard is stored as that of other shards, with which it is read into one.

        Args:
            shard_id: id of the shard.
            expected: the array as the others have it.

        Raises:
            InvalidInput: the shard has no such array, or another one of this name.
            CorruptObject: its metadata is missing or damaged.
        """
        spec = self.spec(shard_id, expected.name)
        if not spec.is_stored_like(expected):
            raise InvalidInput(
                f"array '{spec.name}' of shard {shard_id} is {spec}, and {expected} in the first of these episodes; "
                "choose episodes of one extractor"
            )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except CorruptObject:
            if self._explain is not None:
                with suppress(CorruptObject):  # the first error tells more
                    self._explain()
            raise

    def _shard(self, shard_id: str) -> Shard:
        if self._process != os.getpid():
            self._begin()  # a fork may have caught a lock closed
        with self._opening:
            return self._open(shard_id)

    def _holding(self, shard_id: str, start: int, stop: int) -> Shard:
        shard = self._shard(shard_id)
        if stop > shard.frames:
            raise CorruptObject(
                f"a version points at frames {start} to {stop} of '{shard.key}', which has {shard.frames}; "
                "restore the shard or the version from a copy"
            )
        return shard

    def __reduce__(self) -> tuple[Any, ...]:
        return OpenShards, (self._objects, self._verified is not None, self._explain)


def shard_id_of(group: bytes) -> str:
    """The id of a shard, which follows from its metadata.

    Args:
        group: the bytes of its `zarr.json`.

    Returns:
        32 hexadecimal digits.
    """
    return hashlib.sha256(group).hexdigest()[:32]
