"""Writes shards: trajectories of one contributor, encoded as they come, named by their content, visible all at once.

`docs/format.md` describes the format for those who write a reader.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from kinesphere.errors import InvalidInput
from kinesphere.objects.store import Objects
from kinesphere.shards.array_layout import CHUNK_FRAMES
from kinesphere.shards.shard import FORMAT_VERSION, KIND, MAX_FRAMES, shard_id_of, shard_key
from kinesphere.trajectory import ARRAYS, ArraySpec, Trajectory, in_order, to_stored
from kinesphere.version import __version__
from storage.shards.array_encoder import ArrayEncoder

MAX_SHARD_BYTES = (MAX_FRAMES // CHUNK_FRAMES) * sum(
    CHUNK_FRAMES * math.prod(spec.shape) * np.dtype(spec.dtype).itemsize + 40 for spec in ARRAYS.values()
)
"""No shard of the standard arrays takes more: numbers that Blosc cannot compress, its header, a checksum and a line of
the index."""

_BLOCK_FRAMES = 1024
"""Frames that are turned into fixed point at a time, which takes two megabytes."""


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


def write_shard(
    objects: Objects, trajectories: Sequence[Trajectory], *, software: Mapping[str, str] | None = None
) -> ShardRecord:
    """Write trajectories of one contributor and one extractor as a shard, visible all at once.

    The id is a hash of the content: the same trajectories give the same id and the same bytes, so writing them
    again changes nothing, and repairs what was lost.

    Args:
        objects: where it is written.
        trajectories: in the order in which they will lie.
        software: names and versions of what made the trajectories; this package's own is added.

    Returns:
        Its id, and which trajectory lies where.

    Raises:
        InvalidInput: no trajectory, several contributors or extractors, trajectories with different arrays, or more
            than 2^18 frames.
        StorageFailed: the store refused. On a disk nothing is left of the attempt; what is left in an object store
            says whose it is, is no shard, and is written over the next time.
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
    that it gave. With the standard arrays the shard is `MAX_SHARD_BYTES` at most.

    Args:
        software: names and versions of what made the trajectories; this package's own is added.

    Yields:
        a record of each shard, once it is written.

    Raises:
        InvalidInput: several contributors or extractors, trajectories with different arrays, or one of more than 2^18
            frames. Shards of which a record was given are there, and nothing of later ones.
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


class _ShardEncoder:
    """Encodes trajectories into a shard one by one, and holds none of them."""

    def __init__(self, like: Trajectory) -> None:
        """
        Args:
            like: a trajectory of the contributor and the extractor whose trajectories will come, with the same arrays.
        """
        self._specs = in_order(like.specs.values())
        self._contributor, self._extractor = like.contributor, like.extractor
        self.begin()

    def begin(self) -> None:
        """Begin a new shard."""
        self.frames = 0
        self._arrays = {name: ArrayEncoder(spec) for name, spec in self._specs.items()}
        self._spans: list[TrajectorySpan] = []
        self._descriptions: list[dict[str, Any]] = []

    def add(self, trajectory: Trajectory) -> None:
        """Append a trajectory.

        Raises:
            InvalidInput: it is of another contributor or extractor, or has other arrays.
        """
        for kind, ours, theirs in (
            ("contributor", self._contributor, trajectory.contributor),
            ("extractor", self._extractor.extractor_id, trajectory.extractor.extractor_id),
        ):
            if ours != theirs:
                raise InvalidInput(f"a shard holds the trajectories of one {kind}, got {sorted((ours, theirs))}")
        _refuse_other_arrays(self._specs, trajectory)
        clipped = 0
        for name, encoder in self._arrays.items():
            for first in range(0, len(trajectory), _BLOCK_FRAMES):
                values = trajectory.arrays[name][first : first + _BLOCK_FRAMES]
                stored, clipped_here = to_stored(self._specs[name], values)
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
        attributes = self._attributes({"kinesphere": __version__, **(software or {})})
        group = _group_metadata(attributes, list(self._specs), contents)
        shard_id = shard_id_of(group)
        prefix = shard_key(shard_id)
        # The group last: it makes them visible, all at once.
        objects.put_all(
            {f"{prefix}/{key}": data for key, data in (contents | {"zarr.json": group}).items()},
            told_by=f"{prefix}/zarr.json",
        )
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


def _refuse_other_arrays(specs: Mapping[str, ArraySpec], trajectory: Trajectory) -> None:
    differing = [
        f"{name} ({specs.get(name, 'not there')} before, {trajectory.specs.get(name, 'not there')} now)"
        for name in sorted({*specs, *trajectory.specs})
        if specs.get(name) != trajectory.specs.get(name)
    ]
    if differing:
        raise InvalidInput(
            f"a shard holds trajectories with the same arrays, with all that is said of them; in that of recording "
            f"{trajectory.recording} these differ: {', '.join(differing)}"
        )


def _group_metadata(attributes: dict[str, Any], names: Sequence[str], contents: Mapping[str, bytes]) -> bytes:
    """The group's `zarr.json`, which holds the hashes of all other objects and a copy of the arrays' metadata.

    The copy is Zarr's "consolidated metadata", which xarray asks for and which saves a request an array.
    """
    attributes["objects"] = {
        key: {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)} for key, data in contents.items()
    }
    arrays = {name: json.loads(contents[f"{name}/zarr.json"]) for name in names}
    group = {
        "zarr_format": 3,
        "node_type": "group",
        "attributes": attributes,
        "consolidated_metadata": {"kind": "inline", "must_understand": False, "metadata": arrays},
    }
    return json.dumps(group, sort_keys=True, allow_nan=False).encode()
