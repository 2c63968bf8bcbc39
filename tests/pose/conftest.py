"""Two frames of the real clip, decoded once: in one the man stands clear of everybody, in the other the passer-by."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from storage.footage.video_reader import open_video


@dataclass(frozen=True)
class Cast:
    """The two people of the clip, cut out, uint8 (480, width, 3), and the whole frame that the passer-by is in."""

    woman: NDArray[np.uint8]
    man: NDArray[np.uint8]
    street: NDArray[np.uint8]


@pytest.fixture(scope="session")
def cast(body_clip: Path) -> Cast:
    with open_video(body_clip) as video:
        frames = {frame.index: frame.image for frame in itertools.islice(video.frames(), 97) if frame.index in (48, 96)}
    return Cast(frames[96][480:960, 925:1155].copy(), frames[48][0:480, 500:790].copy(), frames[96].copy())
