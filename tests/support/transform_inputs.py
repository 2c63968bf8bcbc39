"""What tests of transforms share: motions whose answers are known, and a transform applied with all its promises."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from kinesphere.transforms.transform import Batch
from tests.support.expected_windows import same_batches

SECOND = 1_000_000_000


def uneven(frames: int, seed: int = 0) -> NDArray[np.int64]:
    """Times of frames that follow each other after 20 to 60 ms: int64 nanoseconds, from 0 on."""
    steps = np.random.default_rng(seed).integers(20_000_000, 60_000_000, frames)
    return np.asarray(np.cumsum(steps) - steps[0], np.int64)


def moving(times: NDArray[np.int64], speed: Any, turning: Any, seed: int = 1) -> NDArray[np.float32]:
    """Two wrists at constant speed, which turn about a fixed axis of the camera frame: (T, 2, 7)."""
    seconds = times[:, None] / SECOND
    poses = np.empty((len(times), 2, 7), np.float32)
    for side, start in enumerate(Rotation.random(2, random_state=seed)):
        poses[:, side, :3] = np.array([0.1, -0.2, 0.5]) + seconds * np.array(speed)
        turned = Rotation.from_rotvec(seconds * np.array(turning)) * start
        poses[:, side, 3:] = turned.as_quat(scalar_first=True)
    return poses


def unchanged(transform: Callable[[Batch], Batch], batch: Batch) -> Batch:
    """Apply a transform, and hold it to leaving what it was given as it was, and to surviving a pickle."""
    before = {name: values.copy() for name, values in batch.items()}
    given = batch.copy()
    found = transform(given)
    assert same_batches([given], [before])
    assert same_batches([pickle.loads(pickle.dumps(transform))(batch)], [found])
    return found
