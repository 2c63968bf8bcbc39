"""Skeletons, labels and a legend, painted into RGB pictures in place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import needs_extra
from pose.landmarks import BODY_HEAD, BODY_MIDDLE, BODY_SIDES, HAND_BONES, VISIBLE, Bone

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]

LEFT, RIGHT, MIDDLE, OUTLINE = (255, 138, 61), (56, 189, 248), (245, 245, 245), (16, 18, 22)
SIDE_COLOURS: tuple[Colour, Colour] = (LEFT, RIGHT)
"""Of the contributor's own left and right."""
FADED = 0.35
"""Opacity of bones with an end that the body model does not see."""


def draw_skeleton(image: Picture, episode: Mapping[str, NDArray[Any]], row: int) -> None:
    """Draw body and hands of one row of an episode; what is missing is left out, what is hidden is faded."""
    with needs_extra("pose"):
        import cv2

    height, width = image.shape[:2]
    points = episode["body_image"][row, :, :2] * (width, height)
    seen = episode["body_visibility"][row] >= VISIBLE
    thickness = _thickness(points, image)
    groups = [(BODY_MIDDLE + BODY_HEAD, MIDDLE), *zip(BODY_SIDES, SIDE_COLOURS, strict=True)]
    if np.isfinite(points).all() and not seen.all():
        faded = image.copy()
        for bones, colour in groups:
            hidden = [bone for bone in bones if not seen[list(bone)].all()]
            _draw_bones(faded, points, hidden, colour, thickness)
        cv2.addWeighted(faded, FADED, image, 1 - FADED, 0, dst=image)
    for bones, colour in groups:
        _draw_bones(image, points, [bone for bone in bones if seen[list(bone)].all()], colour, thickness)
    for side, colour in enumerate(SIDE_COLOURS):
        hand = episode["hands_image"][row, side, :, :2] * (width, height)
        _draw_bones(image, hand, HAND_BONES, colour, max(1.0, _thickness(hand, image) * 0.8))


def draw_legend(image: Picture, text_height: float | None = None) -> None:
    """Say in the bottom left corner which colour is which side of the person."""
    with needs_extra("pose"):
        import cv2

    size = text_height or _text_size(image)
    margin = round(size * 0.4)
    x, y = margin, image.shape[0] - margin
    entries = ("left side", LEFT), ("right side", RIGHT)
    widths = [_text_width(text, size) for text, _ in entries]
    box_width = sum(widths) + round(size * (1.4 * len(entries) + 1.2))
    _shade(image, x, y - round(size * 1.7), x + box_width, y)
    x += round(size * 0.6)
    for (text, colour), text_width in zip(entries, widths, strict=True):
        centre = (x + round(size * 0.35), y - round(size * 0.85))
        cv2.circle(image, centre, round(size * 0.35), colour, -1, cv2.LINE_AA)
        _write(image, text, x + round(size * 0.95), y - round(size * 0.5), size)
        x += text_width + round(size * 1.7)


def draw_label(image: Picture, text: str) -> None:
    """Write a short text in the top left corner."""
    size = _text_size(image)
    _shade(image, 0, 0, _text_width(text, size) + round(size * 1.2), round(size * 1.7))
    _write(image, text, round(size * 0.6), round(size * 1.2), size)


def scaled(image: Picture, longest_side: int, *, even: bool = False) -> Picture:
    """A copy, made smaller if it is longer than `longest_side`; with `even`, both sides are even, as H.264 asks."""
    with needs_extra("pose"):
        import cv2

    height, width = image.shape[:2]
    factor = min(1.0, longest_side / max(height, width))
    width, height = (max(2, round(length * factor)) for length in (width, height))
    if even:
        width, height = width // 2 * 2, height // 2 * 2
    if (height, width) == image.shape[:2]:
        return image.copy()
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _draw_bones(
    image: Picture, points: NDArray[np.floating[Any]], bones: Iterable[Bone], colour: Colour, thickness: float
) -> None:
    """Lines with a dark outline, so that they show on any ground, and a dot at each joint."""
    import cv2

    drawable = [bone for bone in bones if np.isfinite(points[list(bone)]).all()]
    # Fractional pixels: `shift` gives OpenCV four bits behind the point, which keeps slow movements smooth.
    ends = [[tuple((points[end] * 16).round().astype(int).tolist()) for end in bone] for bone in drawable]
    line, outline = max(1, round(thickness)), max(1, round(thickness)) + max(2, round(thickness * 0.7))
    for first, second in ends:
        cv2.line(image, first, second, OUTLINE, outline, cv2.LINE_AA, 4)
    for first, second in ends:
        cv2.line(image, first, second, colour, line, cv2.LINE_AA, 4)
    for joint in {end for bone in ends for end in bone}:
        cv2.circle(image, joint, round(thickness * 0.9 * 16), MIDDLE, -1, cv2.LINE_AA, 4)


def _thickness(points: NDArray[np.floating[Any]], image: Picture) -> float:
    """Width of a line that suits both the figure's size and the picture's."""
    if not np.isfinite(points).all():
        return 1.0
    figure = float(np.ptp(points, axis=0).max())
    return float(np.clip(figure / 90, min(image.shape[:2]) / 400, min(image.shape[:2]) / 130))


def _shade(image: Picture, left: int, top: int, right: int, bottom: int) -> None:
    """Darken a rectangle, for text to be read on."""
    area = image[max(top, 0) : bottom, max(left, 0) : right]
    area[:] = area // 3 + np.array(OUTLINE, np.uint8) // 2


def _text_size(image: Picture) -> float:
    """Height of a line of text in pixels."""
    return float(np.clip(min(image.shape[:2]) / 26, 9, 28))


def _text_width(text: str, size: float) -> int:
    import cv2

    return int(cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, size / 26, 1)[0][0])


def _write(image: Picture, text: str, x: int, baseline: int, size: float) -> None:
    import cv2

    cv2.putText(image, text, (x, baseline), cv2.FONT_HERSHEY_DUPLEX, size / 26, MIDDLE, 1, cv2.LINE_AA)
