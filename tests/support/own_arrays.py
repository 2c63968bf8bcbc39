"""Trajectories of an extractor that gives arrays of its own, and none of the landmarks of the built-in one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kinesphere.objects.store import Objects
from kinesphere.trajectory import ARRAYS, ArraySpec, ExtractorIdentity, Trajectory, Valid, in_order
from kinesphere.versions.manifests import Version
from storage.publishing.version_writer import write_version
from storage.shards.shard_writer import write_shard
from tests.support.generated_trajectories import make_row, make_table

ELBOWS = ArraySpec("elbow_angle", "float32", (2,), ("frame", "hand"), "rad", "angle of each elbow")
TOOL = ArraySpec("tool_world", "int16", (4, 3), ("frame", "tool_landmark", "xyz"), "m", "corners of the tool", "camera",
                 1e-3, ("a", "b", "c", "d"))  # fmt: skip
TOUCHES = ArraySpec("touches", "int64", (), ("frame",), "1", "touches so far")
OWN = (ELBOWS, TOOL, TOUCHES)


def own_trajectory(
    frames: int, *, seed: int = 0, contributor: str = "anna", extra: Sequence[ArraySpec] = OWN
) -> Trajectory:
    """`timestamp`, `valid` and arrays of random numbers, with NaN in some frames of those that can be missing."""
    random = np.random.default_rng([seed, frames])
    specs = in_order([ARRAYS["timestamp"], ARRAYS["valid"], *extra])
    arrays: dict[str, NDArray[Any]] = {
        "timestamp": np.arange(frames, dtype=np.int64) * 33_333_333,
        "valid": np.full(frames, Valid.BODY, np.uint8),
    }
    for spec in extra:
        values = random.uniform(0, 1, (frames, *spec.shape))
        if spec.in_units == "float32":
            arrays[spec.name] = values.astype(np.float32)
            arrays[spec.name][::7] = np.nan
        else:
            arrays[spec.name] = (values * 100).astype(spec.dtype)
    return Trajectory(
        recording=f"20261124-094500-{seed:08x}",
        contributor=contributor,
        extractor=ExtractorIdentity("elbows", 1, {}, {}),
        image_width=640,
        image_height=480,
        scale="relative",
        intrinsics={},
        arrays=arrays,
        specs=specs,
    )


def own_dataset(objects: Objects, name: str, trajectories: Mapping[str, Sequence[Trajectory]]) -> Version:
    """A version of one shard a key, with an episode for each trajectory."""
    return write_version(objects, name, own_table(objects, trajectories), created_by="generated")


def own_table(objects: Objects, trajectories: Mapping[str, Sequence[Trajectory]]) -> pa.Table:
    """Write a shard a key; gives the table of episodes."""
    shards = [write_shard(objects, each) for each in trajectories.values()]
    return make_table([make_row(shard, span) for shard in shards for span in range(len(shard.spans))])
