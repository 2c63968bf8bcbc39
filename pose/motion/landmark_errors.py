"""How wrong each landmark is: by which it is, how large its part is in the picture, and how well it is seen.

The numbers were measured on rendered people whose joints are known (decision 48): nine errors of ten are within 1.645
of these standard deviations. They hold what the definitions of joints differ by.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.trajectory import BODY_LANDMARKS, HAND_LANDMARKS
from pose.landmarks import BODY_HIPS, BODY_SHOULDERS
from pose.motion.error_model import ErrorModel

Floats = NDArray[np.float64]

_BODY = {  # across the picture, in sizes of the trunk; across and along the view, in metres
    "face": (0.040, 0.035, 0.09),
    "ear": (0.050, 0.035, 0.11),
    "shoulder": (0.060, 0.040, 0.08),
    "elbow": (0.050, 0.048, 0.09),
    "wrist": (0.048, 0.060, 0.11),
    "hand": (0.055, 0.070, 0.11),
    "hip": (0.070, 0.018, 0.028),
    "knee": (0.080, 0.060, 0.10),
    "foot": (0.040, 0.070, 0.10),
}
_HAND = {  # across the picture, in lengths of the hand; across and along the view, in metres
    "wrist": (0.10, 0.014, 0.023),
    "thumb_cmc": (0.11, 0.015, 0.018),
    "thumb_mcp": (0.11, 0.012, 0.017),
    "thumb_ip": (0.14, 0.014, 0.020),
    "thumb_tip": (0.18, 0.019, 0.025),
    "mcp": (0.08, 0.008, 0.008),
    "pip": (0.08, 0.008, 0.009),
    "dip": (0.10, 0.009, 0.012),
    "tip": (0.13, 0.014, 0.019),
}
_VISIBILITY = (0.0, 0.3, 0.45, 0.6, 0.8, 0.93, 1.0)
_HIDDEN_IN_PICTURE = (16.0, 14.0, 12.0, 4.0, 2.6, 1.5, 1.0)
"""Times the error in the picture, at these visibilities."""
_HIDDEN_IN_METRES = (4.0, 4.0, 4.0, 2.4, 2.0, 1.3, 1.0)
_SCORES, _DOUBTED_HAND = (0.6, 0.8, 0.95), (2.4, 2.0, 1.0)
"""Times the error of a hand of these scores."""
FEWEST_PIXELS = 3.0
"""Pixels by which a landmark of a hand is wrong at least: a small hand is guessed."""
FILLED_SCORE = 0.5
"""As which a hand counts that was filled between two frames, whose score is 0."""
ELSEWHERE = 10.0
"""Times the error of a body that is not the owner of the hands: there is none, or it is somewhere else."""
TRUNK_METRES = 0.5
"""Of the model human, from shoulders to hips: turns the picture's units of depth into metres."""
_BLOCK_FRAMES = 4096


def _kind_of_body(name: str) -> str:
    joint = name.removeprefix("left_").removeprefix("right_")
    kinds = {"pinky": "hand", "index": "hand", "thumb": "hand", "ankle": "foot", "heel": "foot", "foot_index": "foot"}
    return joint if joint in _BODY else kinds.get(joint, "face")


def _kind_of_hand(name: str) -> str:
    return name if name in _HAND else name.split("_")[1]


_BODY_ERRORS = np.array([_BODY[_kind_of_body(name)] for name in BODY_LANDMARKS])
_HAND_ERRORS = np.array([_HAND[_kind_of_hand(name)] for name in HAND_LANDMARKS])


def landmark_deviations(arrays: Mapping[str, NDArray[Any]], size: tuple[int, int], is_owner: NDArray[np.bool_]) -> None:
    """Fill the standard deviations of all landmarks, in place; NaN where there is no landmark.

    Args:
        arrays: `body_image`, `body_visibility`, `hands_image` and `hand_score` of a trajectory are read;
            `body_image_sd`, `body_world_sd`, `hands_image_sd` and `hands_world_sd` are filled.
        size: width and height of the picture in pixels.
        is_owner: (frames,) whether the body can be that of the hands, as `wrist_motion` tells.
    """
    for first in range(0, len(arrays["timestamp"]), _BLOCK_FRAMES):
        frames = slice(first, first + _BLOCK_FRAMES)
        block = {name: values[frames] for name, values in arrays.items()}
        _body_deviations(block, size, np.where(is_owner[frames], 1.0, ELSEWHERE)[:, None])
        _hand_deviations(block, size)


def _body_deviations(arrays: Mapping[str, NDArray[Any]], size: tuple[int, int], doubt: Floats) -> None:
    pixels = arrays["body_image"][:, [*BODY_SHOULDERS, *BODY_HIPS], :2] * np.array(size)
    trunk = np.ptp(pixels, axis=1).max(axis=1)[:, None]
    seen = arrays["body_visibility"]
    in_picture = trunk * _BODY_ERRORS[:, 0] * np.interp(seen, _VISIBILITY, _HIDDEN_IN_PICTURE)
    hidden = np.interp(seen, _VISIBILITY, _HIDDEN_IN_METRES)
    across, along = _BODY_ERRORS[:, 1] * hidden * doubt, _BODY_ERRORS[:, 2] * np.sqrt(hidden) * doubt
    _fill(arrays, "body", in_picture * doubt, across, along, trunk / TRUNK_METRES, size)


def _hand_deviations(arrays: Mapping[str, NDArray[Any]], size: tuple[int, int]) -> None:
    length = np.ptp(arrays["hands_image"][..., :2] * np.array(size), axis=2).max(axis=2)[..., None]
    score = arrays["hand_score"][..., None]
    doubted = np.interp(np.where(score > 0, score, FILLED_SCORE), _SCORES, _DOUBTED_HAND)
    in_picture = np.hypot(length * _HAND_ERRORS[:, 0], FEWEST_PIXELS) * doubted
    # what the picture does not resolve adds to what the network gets wrong
    coarse = doubted * np.hypot(1.0, 30.0 / np.maximum(length, 1.0))
    across, along = _HAND_ERRORS[:, 1] * coarse, _HAND_ERRORS[:, 2] * coarse
    _fill(arrays, "hands", in_picture, across, along, length / _METRES_OF_HAND, size)


_METRES_OF_HAND = 0.16
"""Of a model hand's box in the picture."""


def _fill(
    arrays: Mapping[str, NDArray[Any]],
    part: str,
    in_picture: Floats,
    across: Floats,
    along: Floats,
    pixels_a_metre: Floats,
    size: tuple[int, int],
) -> None:
    """Fill both arrays of a part from deviations in pixels and metres; depth in the picture is in its widths."""
    width, height = size
    image = np.stack([in_picture / width, in_picture / height, along * pixels_a_metre / width], axis=-1)
    # a person of another stature than the model's is larger in all directions
    stature = ErrorModel.STATURE * np.abs(arrays[f"{part}_world"])
    world = np.hypot(np.stack([across, across, along], axis=-1), stature)
    for name, deviations in ((f"{part}_image", image), (f"{part}_world", world)):
        arrays[f"{name}_sd"][...] = np.where(np.isfinite(arrays[name]), deviations, np.nan)
