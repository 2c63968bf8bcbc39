"""A body and a hand as the networks see them in one frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Body:
    """One person in one frame, all float32, in the units and frames of `kinesphere.trajectory`."""

    image: NDArray[np.float32]
    """(33, 3): x right in image widths, y down in image heights, z relative in image widths."""
    world: NDArray[np.float32]
    """(33, 3): metres of a model human, origin between the hips."""
    visibility: NDArray[np.float32]
    """(33,): 0..1."""
    sure: bool = True
    """False where this may be somebody else than the contributor."""
    person: int = 0
    """Which person of the video this is, counted as they were followed."""
    others: int = 0
    """How many other people were lately seen beside this one."""


@dataclass(frozen=True)
class Hand:
    """One hand in one frame, not yet given to anybody, all float32."""

    image: NDArray[np.float32]
    """(21, 3): x right in image widths, y down in image heights, z relative to the wrist in image widths."""
    world: NDArray[np.float32]
    """(21, 3): metres of a model hand, origin at its centre."""
    score: float
    """0..1: how sure the network is that it looks at a hand."""
    right: float
    """0..1: how sure the network is that it is its owner's right hand; 0 means the left one."""
