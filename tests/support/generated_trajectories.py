"""Trajectories and datasets made from a seed, with motion, jitter and gaps like those of real ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kinesphere.objects.store import Objects
from kinesphere.trajectory import ADDITIONAL_ARRAYS, BASIC_ARRAYS, ExtractorIdentity, Trajectory, Valid
from kinesphere.versions.episode_table import EPISODE_SCHEMA
from kinesphere.versions.manifests import Version
from storage.publishing.version_writer import write_version
from storage.shards.shard_writer import ShardRecord, write_shard

EXTRACTOR = ExtractorIdentity(name="generated", revision=1, models={"none": "0" * 64}, settings={"jitter_m": 0.002})

_BODY = ("body_image", "body_world", "body_visibility")
_HANDS = ("hands_image", "hands_world", "hand_score", "wrist_pose", "grip")


def make_trajectory(
    frames: int,
    *,
    seed: int = 0,
    recording: str | None = None,
    contributor: str = "anna",
    gaps: float = 0.15,
    frame_rate: float = 30.0,
    with_sd: bool = False,
) -> Trajectory:
    """A trajectory of smooth, jittering motion; `gaps` is the share of frames without body, left or right hand.

    `with_sd` adds all additional arrays: smooth standard deviations, and velocities, where the values are.
    """
    random = np.random.default_rng([seed, frames])
    arrays: dict[str, NDArray[Any]] = {
        name: _motion(random, frames, spec.shape)
        for name, spec in BASIC_ARRAYS.items()
        if name not in ("timestamp", "valid")
    }
    for name in ("body_visibility", "hand_score", "grip"):
        arrays[name] = np.clip(np.abs(arrays[name]), 0.01, 1).astype(np.float32)
    there = {flag: _presence(random, frames, gaps) for flag in (Valid.BODY, Valid.LEFT_HAND, Valid.RIGHT_HAND)}
    for name in _BODY:
        arrays[name][~there[Valid.BODY]] = np.nan
    for hand, flag in enumerate((Valid.LEFT_HAND, Valid.RIGHT_HAND)):
        for name in _HANDS:
            arrays[name][~there[flag], hand] = np.nan
    for name in ("body_visibility", "hand_score"):
        arrays[name] = np.nan_to_num(arrays[name], nan=0.0)
    steps = random.normal(1e9 / frame_rate, 1e6, frames).astype(np.int64)
    arrays["timestamp"] = np.cumsum(steps) - steps[0]
    arrays["valid"] = sum(
        (present.astype(np.uint8) * np.uint8(flag) for flag, present in there.items()), np.zeros(frames, np.uint8)
    )
    if with_sd:
        arrays |= _additional(np.random.default_rng([seed, frames, 1]), arrays)
    return Trajectory(
        recording=recording or f"20261123-094500-{seed:08x}",
        contributor=contributor,
        extractor=EXTRACTOR,
        image_width=1280,
        image_height=720,
        scale="relative",
        intrinsics={"fx": 1108.5, "fy": 1108.5, "cx": 640.0, "cy": 360.0, "source": "assumed"},
        arrays=arrays,
    )


def make_row(shard: ShardRecord, span: int = 0, /, **changes: Any) -> dict[str, Any]:
    """The row of the episode table for one trajectory of a shard, with `changes` to its columns."""
    place = shard.spans[span]
    row: dict[str, Any] = {
        "episode": place.recording,
        "recording": place.recording,
        "contributor": shard.contributor,
        "task": "pour-water",
        "task_version": 1,
        "shard": shard.shard_id,
        "first_frame": place.first_frame,
        "length": place.length,
        "start_ns": 0,
        "end_ns": place.length * 33_333_333,
        "frame_rate": 30.0,
        "scale": "relative",
        "extractor": shard.extractor_id,
        "body_share": 0.9,
        "left_hand_share": 0.8,
        "right_hand_share": 0.7,
        "image_width": 1280,
        "image_height": 720,
    }
    return row | changes


def make_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """An episode table of rows."""
    return pa.Table.from_pylist(list(rows), schema=EPISODE_SCHEMA)


def make_dataset(
    objects: Objects,
    name: str,
    lengths: Mapping[str, Sequence[int]],
    *,
    seed: int = 0,
    with_sd: Collection[str] = (),
) -> Version:
    """Write a dataset with one shard a contributor, whose recordings have the given lengths in frames.

    Those of the contributors in `with_sd` have the additional arrays.
    """
    rows = []
    for number, (contributor, frames) in enumerate(lengths.items()):
        trajectories = [
            make_trajectory(
                length, seed=seed + 1000 * number + place, contributor=contributor, with_sd=contributor in with_sd
            )
            for place, length in enumerate(frames)
        ]
        shard = write_shard(objects, trajectories)
        labels = ("reach", "pour", None)
        rows += [make_row(shard, span, label=labels[span % 3]) for span in range(len(trajectories))]
    return write_version(objects, name, make_table(rows), created_by="generated")


def _motion(random: np.random.Generator, frames: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Sums of a few slow sines around a place within half a metre, with 2 mm of jitter."""
    time = np.arange(frames)[:, None] / 30.0
    numbers = int(np.prod(shape))
    values = random.uniform(-0.5, 0.5, numbers) + random.normal(0, 0.002, (frames, numbers))
    for _ in range(3):
        frequency, phase = random.uniform(0.1, 1.5, numbers), random.uniform(0, 2 * np.pi, numbers)
        values += random.uniform(0, 0.1, numbers) * np.sin(2 * np.pi * frequency * time + phase)
    return values.reshape(frames, *shape).astype(np.float32)


def _additional(random: np.random.Generator, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Standard deviations of a few millimetres to decimetres that change slowly, and velocities."""
    found = {}
    for name, spec in ADDITIONAL_ARRAYS.items():
        of = "wrist_pose" if name.startswith("wrist") else name.removesuffix("_sd")
        values = _motion(random, len(arrays[of]), spec.shape)
        if spec.log_scale is not None:
            values = (0.02 * np.exp(2 * values)).astype(np.float32)
        missing = np.isnan(arrays[of]).any(axis=-1) if of != "grip" else np.isnan(arrays[of])
        values[missing] = np.nan
        found[name] = values
    return found


def _presence(random: np.random.Generator, frames: int, gaps: float) -> NDArray[np.bool_]:
    """Which frames are there: gaps come in stretches of about half a second."""
    stretches = -(-frames // 15)
    return np.repeat(random.random(stretches) >= gaps, 15)[:frames]
