"""Recordings whose frames come at uneven times, with frames dropped, as webcams give them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kinesphere.objects.store import Objects
from kinesphere.streaming.window_index import Integers
from kinesphere.trajectory import Trajectory
from storage.shards.shard_writer import ShardRecord, write_shard
from tests.support.generated_trajectories import make_trajectory


def uneven_times(frames: int, seed: int, *, dropped: float = 0.05) -> Integers:
    """Times around 30 frames a second, with jitter; after a share of frames from one to forty are dropped."""
    random = np.random.default_rng([seed, frames])
    steps = random.normal(33.3e6, 4e6, frames)
    lost = random.random(frames) < dropped
    steps[lost] += random.choice([1, 2, 4, 40], int(lost.sum())) * 33.3e6
    times = np.cumsum(steps.astype(np.int64))
    return np.asarray(times - times[0], np.int64)


def timed_trajectory(times: Integers, *, seed: int, contributor: str = "anna") -> Trajectory:
    """A trajectory of frames at these times, with rotations that are some."""
    made = make_trajectory(len(times), seed=seed, contributor=contributor)
    poses = made.arrays["wrist_pose"].copy()
    poses[..., 3:] /= np.linalg.norm(poses[..., 3:], axis=-1, keepdims=True)
    return replace(made, arrays={**made.arrays, "timestamp": times, "wrist_pose": poses})


def write_uneven(objects: Objects) -> list[ShardRecord]:
    """Two shards of 1,500 uneven frames, of which tests make episodes of any length."""
    return [
        write_shard(objects, [timed_trajectory(uneven_times(1500, seed), seed=seed, contributor=contributor)])
        for seed, contributor in ((11, "anna"), (12, "ben"))
    ]
