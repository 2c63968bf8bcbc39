"""Shards: immutable Zarr v3 groups that hold the trajectories of one contributor end to end.

`docs/format.md` describes the format for those who write a reader.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import CorruptObject, InvalidInput, KinesphereError, NewerFormat
from .objects import Objects
from .shard_arrays import CHUNK_FRAMES, ArrayEncoder
from .shard_reader import ArrayReader
from .trajectory import ARRAYS, ArraySpec, Trajectory, to_stored
from .version import __version__

FORMAT_VERSION = 1
KIND = "kinesphere-shard"
MAX_FRAMES = 2**18
MAX_SHARD_BYTES = (MAX_FRAMES // CHUNK_FRAMES) * sum(
    CHUNK_FRAMES * math.prod(spec.shape) * np.dtype(spec.dtype).itemsize + 40 for spec in ARRAYS.values()
)
"""No shard's arrays take more: numbers that Blosc cannot compress, its header, a checksum and a line of the index."""
_BLOCK_FRAMES = 1024
"""Frames that are turned into fixed point at a time, which takes two megabytes."""

_SHARD_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class TrajectorySpan:
    """Where the trajectory of one recording lies in a shard."""

    recording: str
    first_frame: int
    length: int
    clipped: int
    """How many numbers were too large for their fixed-point type and were stored as its limit."""


@dataclass(frozen=True)
class ShardRecord:
    """A written shard."""

    shard_id: str
    key: str
    frames: int
    size_bytes: int
    contributor: str
    extractor_id: str
    spans: tuple[TrajectorySpan, ...]


def shard_key(shard_id: str) -> str:
    """Key of a shard's group."""
    return f"shards/{shard_id}.zarr"


def write_shard(
    objects: Objects, trajectories: Sequence[Trajectory], *, software: Mapping[str, str] | None = None
) -> ShardRecord:
    """Write trajectories of one contributor and one extractor as a shard, visible all at once.

    The id is a hash of the content: the same trajectories give the same id and the same bytes, so writing them
    again changes nothing, and repairs what was lost.

    Args:
        software: names and versions of what made the trajectories; this package's own is added.

    Raises:
        InvalidInput: no trajectory, several contributors or extractors, or more than 2^18 frames.
        StorageFailed: the store refused; nothing is left of the attempt.
    """
    if not trajectories:
        raise InvalidInput("a shard holds at least one trajectory, got none")
    frames = sum(len(trajectory) for trajectory in trajectories)
    if frames > MAX_FRAMES:
        raise InvalidInput(f"a shard holds at most {MAX_FRAMES} frames, got {frames}")
    encoder = _ShardEncoder(trajectories[0])
    for trajectory in trajectories:
        encoder.add(trajectory)
    return encoder.write(objects, software)


def write_shards(
    objects: Objects, trajectories: Iterable[Trajectory], *, software: Mapping[str, str] | None = None
) -> Iterator[ShardRecord]:
    """Write any number of trajectories of one contributor and one extractor as shards, as they come.

    Each shard takes as many trajectories as fit, in their order, and is written, visible all at once, before the next
    one is begun; it is the one that `write_shard` makes of them. So the same trajectories in the same order give the
    same shards, and writing them again changes nothing. Nothing is written unless the records are asked for.

    Memory: one trajectory, the encoded shard and its largest array once more, if `trajectories` keeps none of those
    that it gave. The shard is `MAX_SHARD_BYTES` at most.

    Args:
        software: names and versions of what made the trajectories; this package's own is added.

    Yields:
        a record of each shard, once it is written.

    Raises:
        InvalidInput: several contributors or extractors, or a trajectory of more than 2^18 frames. Shards of which a
            record was given are there, and nothing of later ones.
        StorageFailed: the store refused; so too.
    """
    encoder: _ShardEncoder | None = None
    for trajectory in trajectories:
        if len(trajectory) > MAX_FRAMES:
            raise InvalidInput(
                f"the trajectory of recording {trajectory.recording} has {len(trajectory)} frames and a shard at most "
                f"{MAX_FRAMES}; cut the recording in parts"
            )
        if encoder is None:
            encoder = _ShardEncoder(trajectory)
        elif encoder.frames + len(trajectory) > MAX_FRAMES:
            yield encoder.write(objects, software)
            encoder.begin()
        encoder.add(trajectory)
        del trajectory  # else it is held while the next one is made
    if encoder is not None:
        yield encoder.write(objects, software)


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
        key = f"{self.key}/zarr.json"
        try:
            attributes: dict[str, Any] = json.loads(self._metadata)["attributes"]
            version = int(attributes["format_version"])
        except (ValueError, KeyError, TypeError) as error:
            self._objects.forget(key)
            raise CorruptObject(f"object '{key}' is not the metadata of a shard; restore it from a copy") from error
        if version > FORMAT_VERSION:
            raise NewerFormat(f"shard {self.shard_id}", version, FORMAT_VERSION)
        if _id_of(self._metadata) != self.shard_id or attributes.get("kind") != KIND:
            self._objects.forget(key)
            raise CorruptObject(f"object '{key}' was changed after it was written; restore it from a copy")
        return attributes

    @property
    def frames(self) -> int:
        """Number of frames of all trajectories together."""
        return int(self.attributes["frames"])

    def read(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Frames `[start, stop)` of an array as stored, shape `(stop - start, *spec.shape)`; see `from_stored`.

        Raises:
            InvalidInput: there is no such array, or the frames are not in the shard.
            CorruptObject: an object of the shard is missing or damaged.
        """
        spec = _array_spec(name)
        self._check_range(start, stop)
        out = np.empty((stop - start, *spec.shape), spec.dtype)
        self.read_into(name, start, out)
        return out

    def read_into(self, name: str, start: int, out: NDArray[Any]) -> None:
        """`read` the frames from `start` on that fill `out`, a contiguous array; may be called in several threads."""
        self._check_range(start, start + len(out))
        if name not in self._arrays:
            listed = self.attributes["objects"]
            reader = ArrayReader(self._objects, self.key, _array_spec(name), self.frames, listed, self._verified)
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

    def read(self, shard_id: str, name: str, start: int, stop: int) -> NDArray[Any]:
        """Like `Shard.read`, for frames that a version says are there.

        Raises:
            CorruptObject: the shard does not hold those frames, or an object is missing or damaged.
        """
        with self._explained():
            return self._holding(shard_id, start, stop).read(name, start, stop)

    def read_into(self, shard_id: str, name: str, start: int, out: NDArray[Any]) -> None:
        """Like `Shard.read_into`, for frames that a version says are there."""
        with self._explained():
            self._holding(shard_id, start, start + len(out)).read_into(name, start, out)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except CorruptObject:
            if self._explain is not None:
                with suppress(CorruptObject):  # the first error tells more
                    self._explain()
            raise

    def _holding(self, shard_id: str, start: int, stop: int) -> Shard:
        if self._process != os.getpid():
            self._begin()  # a fork may have caught a lock closed
        with self._opening:
            shard = self._open(shard_id)
        if stop > shard.frames:
            raise CorruptObject(
                f"a version points at frames {start} to {stop} of '{shard.key}', which has {shard.frames}; "
                "restore the shard or the version from a copy"
            )
        return shard

    def __reduce__(self) -> tuple[Any, ...]:
        return OpenShards, (self._objects, self._verified is not None, self._explain)


def _array_spec(name: str) -> ArraySpec:
    if name not in ARRAYS:
        raise InvalidInput(f"a shard has no array '{name}' (it has: {', '.join(ARRAYS)})")
    return ARRAYS[name]


class _ShardEncoder:
    """Encodes trajectories into a shard one by one, and holds none of them."""

    def __init__(self, like: Trajectory) -> None:
        """
        Args:
            like: a trajectory of the contributor and the extractor whose trajectories will come.
        """
        self._contributor, self._extractor = like.contributor, like.extractor
        self.begin()

    def begin(self) -> None:
        """Begin a new shard."""
        self.frames = 0
        self._arrays = {name: ArrayEncoder(spec) for name, spec in ARRAYS.items()}
        self._spans: list[TrajectorySpan] = []
        self._descriptions: list[dict[str, Any]] = []

    def add(self, trajectory: Trajectory) -> None:
        """Append a trajectory.

        Raises:
            InvalidInput: it is of another contributor or extractor.
        """
        for kind, ours, theirs in (
            ("contributor", self._contributor, trajectory.contributor),
            ("extractor", self._extractor.extractor_id, trajectory.extractor.extractor_id),
        ):
            if ours != theirs:
                raise InvalidInput(f"a shard holds the trajectories of one {kind}, got {sorted((ours, theirs))}")
        clipped = 0
        for name, encoder in self._arrays.items():
            for first in range(0, len(trajectory), _BLOCK_FRAMES):
                values = trajectory.arrays[name][first : first + _BLOCK_FRAMES]
                stored, clipped_here = to_stored(ARRAYS[name], values)
                encoder.add(stored)
                clipped += clipped_here
        span = TrajectorySpan(trajectory.recording, self.frames, len(trajectory), clipped)
        self._spans.append(span)
        self._descriptions.append(
            {
                **asdict(span),
                "image_width": trajectory.image_width,
                "image_height": trajectory.image_height,
                "intrinsics": dict(trajectory.intrinsics),
                "scale": trajectory.scale,
            }
        )
        self.frames += len(trajectory)

    def write(self, objects: Objects, software: Mapping[str, str] | None) -> ShardRecord:
        """Write the shard of what was added; gives up what was encoded."""
        contents: dict[str, bytes] = {}
        for encoder in self._arrays.values():
            contents |= encoder.finish()
        group = _group_metadata(self._attributes({"kinesphere": __version__, **(software or {})}), contents)
        shard_id = _id_of(group)
        _put_visible_at_once(objects, shard_key(shard_id), contents, group)
        return ShardRecord(
            shard_id=shard_id,
            key=shard_key(shard_id),
            frames=self.frames,
            size_bytes=len(group) + sum(map(len, contents.values())),
            contributor=self._contributor,
            extractor_id=self._extractor.extractor_id,
            spans=tuple(self._spans),
        )

    def _attributes(self, software: Mapping[str, str]) -> dict[str, Any]:
        return {
            "format_version": FORMAT_VERSION,
            "kind": KIND,
            "frames": self.frames,
            "contributor": self._contributor,
            "extractor": self._extractor.to_json(),
            "extractor_id": self._extractor.extractor_id,
            "software": dict(software),
            # Metric only if every trajectory is: the careful reading for those who look no further.
            "scale": "metric" if all(known["scale"] == "metric" for known in self._descriptions) else "relative",
            "trajectories": self._descriptions,
        }


def _group_metadata(attributes: dict[str, Any], contents: Mapping[str, bytes]) -> bytes:
    """The group's `zarr.json`, which holds the hashes of all other objects and a copy of the arrays' metadata.

    The copy is Zarr's "consolidated metadata", which xarray asks for and which saves a request an array.
    """
    attributes["objects"] = {
        key: {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)} for key, data in contents.items()
    }
    arrays = {name: json.loads(contents[f"{name}/zarr.json"]) for name in ARRAYS}
    group = {
        "zarr_format": 3,
        "node_type": "group",
        "attributes": attributes,
        "consolidated_metadata": {"kind": "inline", "must_understand": False, "metadata": arrays},
    }
    return json.dumps(group, sort_keys=True, allow_nan=False).encode()


def _put_visible_at_once(objects: Objects, prefix: str, contents: Mapping[str, bytes], group: bytes) -> None:
    group_key = f"{prefix}/zarr.json"
    there_before = objects.exists(group_key)
    try:
        for key, data in contents.items():
            objects.put(f"{prefix}/{key}", data)
        objects.put(group_key, group)
    except KinesphereError:
        if not there_before:
            for key in contents:
                objects.delete(f"{prefix}/{key}")
        raise


def _id_of(group: bytes) -> str:
    return hashlib.sha256(group).hexdigest()[:32]
