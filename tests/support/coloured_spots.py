"""Pictures and clips in which soft spots of red, green and blue move on black: what the networks of tests look for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

Place = tuple[float, float] | None
"""Pixels right and down; None where there is no spot."""


def spotted(
    size: tuple[int, int], places: Sequence[Place], width: float = 6.0, level: float = 250
) -> NDArray[np.uint8]:
    """A picture with a spot of each colour that has a place."""
    y, x = np.mgrid[: size[1], : size[0]]
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    for colour, place in enumerate(places):
        if place is not None:
            squared = (x - place[0]) ** 2 + (y - place[1]) ** 2
            picture[..., colour] = np.rint(level * np.exp(-squared / 2 / width**2))
    return picture


def spotted_clip(path: Path, size: tuple[int, int], frames: Sequence[Sequence[Place]], width: float = 6.0) -> Path:
    """A clip of such pictures, 30 a second, with full colour resolution and hardly any loss."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=30, options={"crf": "6", "preset": "ultrafast"})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv444p"
        for places in frames:
            frame = av.VideoFrame.from_ndarray(spotted(size, places, width), format="rgb24")
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    return path
