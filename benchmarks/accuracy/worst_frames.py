"""Pictures of the worst frames, with what is true and what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.estimate import Estimate
from benchmarks.accuracy.evaluation import Evaluated, extracted
from benchmarks.rendered_people.clips import Clip
from pose.landmarks import BODY_HEAD, BODY_MIDDLE, BODY_SIDES, HAND_BONES, WRIST
from storage.footage.video_reader import open_video

COUNT = 10
TRUE = ((40, 220, 60), (20, 150, 255))
"""Colours of what is true, the left side's and the right side's."""
FOUND = ((255, 60, 220), (255, 200, 0))
"""Of what was found."""
_FAR = 10_000

Points = NDArray[np.float64]


def draw_worst(rows: Sequence[Evaluated], clips: Mapping[int, Clip], extractor: str, folder: Path) -> list[Path]:
    """Draw an extractor's worst frames.

    Args:
        rows: what was evaluated.
        clips: by seed.
        extractor: whose.
        folder: where the pictures go, as `01-seed5-frame30.png` from the worst on.

    Returns:
        The pictures.
    """
    own = [row for row in rows if row.way == extractor]
    worst = sorted(((error, row.seed, frame) for row in own for frame, error in row.worst), reverse=True)[:COUNT]
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    found = {seed: extracted(clips[seed], extractor) for seed in {seed for _, seed, _ in worst}}
    for place, (error, seed, frame) in enumerate(worst, 1):
        picture = _draw(clips[seed], found[seed], frame, error)
        path = folder / f"{place:02}-seed{seed}-frame{frame}.png"
        cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        drawn.append(path)
    return drawn


def _draw(clip: Clip, found: Estimate, frame: int, error: float) -> NDArray[np.uint8]:
    with open_video(clip.video) as video:
        picture = next(shown.image.copy() for shown in video.frames() if shown.index == frame)
    truth = clip.truth
    for body, hands, colours in (
        (truth.body_pixels, truth.hands_pixels, TRUE),
        (found.body_pixels, found.hands_pixels, FOUND),
    ):
        for side, bones in enumerate(BODY_SIDES):
            _lines(picture, body[frame], bones, colours[side])
            _lines(picture, hands[frame, side], HAND_BONES, colours[side])
        _lines(picture, body[frame], (*BODY_MIDDLE, *BODY_HEAD), colours[0])
    true, own = truth.hands_camera[frame, :, WRIST], found.wrist_pose[frame, :, :3]
    place = "  ".join(f"{side} {_place(a)} found {_place(b)}" for side, a, b in zip("LR", true, own, strict=True))
    scene = clip.scene
    title = f"seed {scene.seed} frame {frame}: {scene.framing}, {scene.actors[0].motion}; off by {error:.2f} m"
    picture[:64] //= 4
    for line, text in enumerate((title, place)):
        corner = 12, 26 + 26 * line
        cv2.putText(picture, text, corner, cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 1, cv2.LINE_AA)
    return picture


def _place(point: Points) -> str:
    return " ".join(f"{value:.2f}" for value in point) if np.isfinite(point).all() else "nowhere"


def _lines(
    picture: NDArray[np.uint8], points: Points, bones: Sequence[tuple[int, int]], colour: tuple[int, int, int]
) -> None:
    for first, last in bones:
        ends = points[[first, last]]
        if np.isfinite(ends).all() and np.abs(ends).max() < _FAR:
            start, end = ((int(x), int(y)) for x, y in ends)
            cv2.line(picture, start, end, colour, 2, cv2.LINE_AA)
