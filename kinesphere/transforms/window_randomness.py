"""Random numbers of windows: they follow from the seed and the window's place alone, in whatever batch it comes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput
from kinesphere.transforms.transform import Batch


def checked_seed(seed: int) -> int:
    """Return a seed.

    Args:
        seed: the seed.

    Returns:
        The same.

    Raises:
        InvalidInput: it is negative.
    """
    if seed < 0:
        raise InvalidInput(f"seed should be at least 0, got {seed}")
    return seed


def window_generators(batch: Batch, seed: int, purpose: int) -> list[np.random.Generator]:
    """A generator for each window of a batch.

    Args:
        batch: with "episode" and "frame".
        seed: of the transform.
        purpose: what the numbers are for; no two transforms share theirs.

    Returns:
        One a window.
    """
    source = batch.get("source", np.zeros_like(batch["episode"]))
    places = zip(source.tolist(), batch["episode"].tolist(), batch["frame"].tolist(), strict=True)
    return [np.random.Generator(np.random.PCG64([seed, purpose, *place])) for place in places]


def normal_numbers(generators: list[np.random.Generator], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Standard normal numbers of each window.

    Args:
        generators: one a window.
        shape: of the numbers of a window.

    Returns:
        float32 `[B, *shape]`.
    """
    found = np.empty((len(generators), *shape), np.float32)
    for place, generator in enumerate(generators):
        generator.standard_normal(out=found[place], dtype=np.float32)
    return found
