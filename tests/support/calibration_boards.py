"""Pictures of the calibration board, rendered through a camera that is known to the last digit."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from pose.geometry.board import COLUMNS, ROWS, SQUARE_MM, board_rectangles

SIZE = (640, 480)
FOCAL, CENTRE = (520.0, 524.0), (327.0, 236.0)
DISTORTION = np.array([-0.12, 0.06, 0.001, -0.0015, 0.0])
CAMERA = np.array([[FOCAL[0], 0, CENTRE[0] - 0.5], [0, FOCAL[1], CENTRE[1] - 0.5], [0, 0, 1]])
"""As OpenCV counts, from the centre of the first pixel."""
PIXELS_PER_MM, MARGIN_MM = 4.0, 12.0


def rays() -> NDArray[np.float64]:
    """(height, width, 3) directions of all pixels."""
    across, down = np.meshgrid(np.arange(SIZE[0], dtype=np.float64), np.arange(SIZE[1], dtype=np.float64))
    straight = cv2.undistortPoints(
        np.stack([across, down], -1).reshape(-1, 1, 2), CAMERA, DISTORTION, criteria=(3, 50, 1e-10)
    )
    return np.concatenate([straight.reshape(*SIZE[::-1], 2), np.ones((*SIZE[::-1], 1))], axis=-1)


def draw_board(pixels_per_mm: float, margin_mm: float = 0) -> NDArray[np.uint8]:
    """The board as a grey picture, uint8 (height, width): 0 is black, 255 paper."""
    shape = (ROWS * SQUARE_MM + 2 * margin_mm, COLUMNS * SQUARE_MM + 2 * margin_mm)
    picture: NDArray[np.uint8] = np.full([round(side * pixels_per_mm) for side in shape], 255, np.uint8)
    for x, y, w, h in board_rectangles():
        begin, end = np.array([y, x]) + margin_mm, np.array([y + h, x + w]) + margin_mm
        (top, left), (bottom, right) = (
            np.rint(begin * pixels_per_mm).astype(int),
            np.rint(end * pixels_per_mm).astype(int),
        )
        picture[top:bottom, left:right] = 0
    return picture


RAYS = rays()
PAPER = cv2.GaussianBlur(draw_board(PIXELS_PER_MM, MARGIN_MM), (0, 0), 1.5)
"""As finely as a camera's pixel sees it, or the remapping below would pick single dots."""


def rendered(turn: tuple[float, float, float], place: tuple[float, float, float]) -> NDArray[np.uint8]:
    """The board's picture: its centre at `place` in metres, turned by a rotation vector. Each pixel asks the paper."""
    rotation, _ = cv2.Rodrigues(np.array(turn))
    middle = np.array([COLUMNS, ROWS]) * SQUARE_MM / 2000
    origin = np.array(place) - rotation @ np.array([*middle, 0])
    normal = rotation[:, 2]
    hit = RAYS * ((normal @ origin) / (RAYS @ normal))[..., None]
    flat = ((hit - origin) @ rotation)[..., :2] * 1000  # millimetres on the board
    where = ((flat + MARGIN_MM) * PIXELS_PER_MM - 0.5).astype(np.float32)
    seen = cv2.remap(PAPER, where[..., 0], where[..., 1], cv2.INTER_LINEAR, borderValue=(120,))
    return np.asarray(cv2.GaussianBlur(seen, (0, 0), 0.6), np.uint8)


def shown(count: int, seed: int = 0, tilt: float = 0.6, nearest: float = 0.45) -> list[NDArray[np.uint8]]:
    """The board as somebody shows it: everywhere in the picture, near and far, tilted to every side."""
    random = np.random.default_rng(seed)
    pictures = []
    for _ in range(count):
        z = nearest * random.uniform(1, 1.8)
        x, y = random.uniform(-0.3, 0.3, 2) * z * (1, 0.6)
        turn = random.uniform(-tilt, tilt, 3)
        pictures.append(rendered((turn[0], turn[1], turn[2]), (x, y, z)))
    return pictures


def make_board_clip(path: Path, pictures: Sequence[NDArray[np.uint8]]) -> Path:
    """Write a clip of grey pictures, five a second."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=5, options={"preset": "ultrafast", "crf": "10"})
        stream.height, stream.width = pictures[0].shape
        stream.codec_context.time_base = Fraction(1, 5)
        for number, grey in enumerate(pictures):
            picture = av.VideoFrame.from_ndarray(np.repeat(grey[..., None], 3, axis=2), format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, 5)
            file.mux(stream.encode(picture))
        file.mux(stream.encode(None))
    return path
