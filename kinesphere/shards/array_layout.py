"""How one array of a shard is laid out: its chunks, what stands for missing ones, and its one object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kinesphere.trajectory import MISSING, ArraySpec

CHUNK_FRAMES = 256
"""Frames in an inner chunk, the smallest unit that is read and decoded, on one grid for all arrays."""

FILL_VALUES: Mapping[str, Any] = {"int16": MISSING, "float32": np.nan, "uint8": 0, "int64": 0}
"""What a chunk that is not stored holds, by stored type."""

NOT_STORED = 2**64 - 1
"""Offset and size of such a chunk in the index."""


def chunk_key(spec: ArraySpec) -> str:
    """Key, in the shard, of the one object that holds an array's values.

    Args:
        spec: the array.

    Returns:
        The key, below that of the shard's group.
    """
    return "/".join([spec.name, "c", "0", *("0" for _ in spec.shape)])
