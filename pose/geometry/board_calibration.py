"""Finds a camera's intrinsics from pictures of the calibration board."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput, needs_extra
from pose.geometry.board import COLUMNS, ROWS, charuco_board, found_corners

SAMPLE_NS = 200_000_000
"""Pictures closer in time show nearly the same view; five a second are plenty of somebody turning a board."""
FEWEST_CORNERS = 12
"""A quarter of the board's 48: enough to fix its place well, and to use the picture's edges where it sticks out."""
FEWEST_VIEWS = 8
"""Zhang (2000) needs three; below eight the standard deviations themselves are not to be trusted."""
MOST_VIEWS = 40
"""More add time and hardly any knowledge (the solver's time grows with their square)."""
LEAST_DISTANCE = 0.04
"""Two views count as different from here on: by 4 % of the picture in place, or as much in slant or size."""
SHARP_SHARE = 0.5
"""A view with less than this share of the detail of a good one is blurred; a blur of 1.5 pixels takes 60 % of it."""
SMALLEST_SLANT = 0.04
"""A quarter of the views show one end of the board this much farther away than the other: 10 degrees at half a metre.
Without slant any focal length fits, and the standard deviations do not say so (Zhang 2000, degenerate views)."""
LARGEST_FOCAL_SD = 0.02
"""Standard deviation over focal length; boards tilted by 30 degrees leave less than 0.005."""
LARGEST_ERROR = 2.0
"""Pixels (RMS) at 1000 along the longer side; a rolling shutter, a bent board or a cut zoom show so."""

_MOST_PIXELS_PER_SQUARE = 96


@dataclass(frozen=True)
class View:
    """The board in one picture."""

    size: tuple[int, int]
    """Width and height of the picture in pixels."""
    places: NDArray[np.float32]
    """(n, 2) inner corners of the board in pixels, from the centre of the first pixel."""
    numbers: NDArray[np.int32]
    """(n,) which corners."""
    detail: float
    """Variance of the Laplacian of the board seen from above, at the picture's own resolution, over its contrast and
    its edges' density: low is blurred, near or far."""


@dataclass(frozen=True)
class FoundCamera:
    """A pinhole camera with Brown-Conrady distortion; lengths in pixels from the picture's top left corner."""

    size: tuple[int, int]
    focal: tuple[float, float]
    centre: tuple[float, float]
    distortion: tuple[float, float, float, float, float]
    focal_sd: tuple[float, float]
    centre_sd: tuple[float, float]
    reprojection_error: float
    views: int


def find_views(pictures: Iterable[NDArray[np.uint8]]) -> list[View]:
    """Look for the board in pictures.

    Args:
        pictures: uint8 (height, width), grey, all of one size.

    Returns:
        A view for each picture in which enough of the board is seen.

    Raises:
        InvalidInput: the pictures differ in size.
    """
    with needs_extra("pose"):
        import cv2

    detector = cv2.aruco.CharucoDetector(charuco_board())
    views: list[View] = []
    for grey in pictures:
        size = (grey.shape[1], grey.shape[0])
        if views and views[0].size != size:
            raise InvalidInput(
                f"the board was shown at {_shown(views[0].size)} and at {_shown(size)}; calibrate one size at a time"
            )
        found = found_corners(detector, grey)
        if found is not None and len(found[0]) >= FEWEST_CORNERS and _spans_a_plane(found[1]):
            views.append(View(size, *found, _detail(grey, *found)))
    return views


def sharp_views(views: list[View]) -> list[View]:
    """The views that are not blurred, against the better ones among them."""
    good = float(np.quantile([view.detail for view in views], 0.75))
    return [view for view in views if view.detail >= SHARP_SHARE * good]


def solve_camera(views: list[View]) -> FoundCamera:
    """Find the camera from views of the board (Zhang 2000, as `cv2.calibrateCameraExtended` does it).

    Blurred views are left out, and of those that are left the most different ones are used. k3 stays 0: webcams and
    phones do not need it, and it takes its value from noise.

    Args:
        views: as `find_views` gives them.

    Returns:
        The camera, and how well it is known.

    Raises:
        InvalidInput: the board was not seen, or too little of it to say what camera it is.
    """
    with needs_extra("pose"):
        import cv2

    if not views:
        raise InvalidInput(
            "the board was not seen; print it with: kinesphere calibrate --board board.pdf, and show all of it"
        )
    sharp = sharp_views(views)
    if len(sharp) < FEWEST_VIEWS:
        raise InvalidInput(
            f"the board was seen sharply {len(sharp)} times and blurred {len(views) - len(sharp)} times, "
            f"{FEWEST_VIEWS} sharp views are needed; show it longer, move it slowly, in good light"
        )
    chosen = _most_different(sharp)
    if len(chosen) < FEWEST_VIEWS:
        raise InvalidInput(
            f"the board's views are all alike ({len(chosen)} different ones, {FEWEST_VIEWS} are needed); "
            "tilt it to every side, bring it near and far, and into the picture's corners"
        )
    if np.quantile([_slant(view) for view in chosen], 0.75) < SMALLEST_SLANT:
        raise InvalidInput("the board was hardly tilted, so that any focal length fits; tilt it by 30 degrees")
    corners = np.asarray(charuco_board().getChessboardCorners(), np.float32)
    error, matrix, distortion, _, _, deviations, _, _ = cv2.calibrateCameraExtended(
        [corners[view.numbers] for view in chosen],
        [view.places for view in chosen],
        chosen[0].size,
        np.eye(3),
        np.zeros(5),
        flags=cv2.CALIB_FIX_K3,
    )
    sd = np.ravel(deviations)[:4]
    focal = (float(matrix[0, 0]), float(matrix[1, 1]))
    if not np.isfinite([*focal, *sd]).all() or max(sd[0] / focal[0], sd[1] / focal[1]) > LARGEST_FOCAL_SD:
        raise InvalidInput(
            "the board's views leave the focal length uncertain; show more, tilted by 30 degrees to every side"
        )
    if error > LARGEST_ERROR * max(chosen[0].size) / 1000:
        raise InvalidInput(
            f"the board's corners miss their places by {error:.1f} pixels; is it glued flat, the zoom fixed, "
            "the picture not stabilised? Show it again, slowly"
        )
    return FoundCamera(
        size=chosen[0].size,
        focal=focal,
        centre=(float(matrix[0, 2]) + 0.5, float(matrix[1, 2]) + 0.5),
        distortion=tuple(float(value) for value in np.ravel(distortion)[:5]),  # type: ignore[arg-type]  # five of them
        focal_sd=(float(sd[0]), float(sd[1])),
        centre_sd=(float(sd[2]), float(sd[3])),
        reprojection_error=float(error),
        views=len(chosen),
    )


def _spans_a_plane(numbers: NDArray[np.int32]) -> bool:
    """Whether corners do not all lie in one row or column, which would say nothing of the board's place."""
    return len(set(numbers % (COLUMNS - 1))) > 1 and len(set(numbers // (COLUMNS - 1))) > 1


def _detail(grey: NDArray[np.uint8], places: NDArray[np.float32], numbers: NDArray[np.int32]) -> float:
    import cv2

    corners = np.asarray(charuco_board().getChessboardCorners(), np.float32)[:, :2]
    square = float(corners[1, 0] - corners[0, 0])
    spans = [float(np.ptp(places, axis=0).prod()), float(np.ptp(corners[numbers], axis=0).prod()) / square**2]
    side = int(np.clip(np.sqrt(spans[0] / spans[1]), 8, _MOST_PIXELS_PER_SQUARE))
    flat = corners[numbers] / square * side
    transform, _ = cv2.findHomography(places, flat)
    left, top = flat.min(axis=0).astype(int)
    right, bottom = flat.max(axis=0).astype(int)
    board = cv2.warpPerspective(grey, transform, (COLUMNS * side, ROWS * side))
    seen = board[top:bottom, left:right].astype(np.float64)
    contrast = seen.var()
    return float(cv2.Laplacian(seen, cv2.CV_64F).var() / contrast * side) if contrast > 0 else 0.0


def _most_different(views: list[View]) -> list[View]:
    """At most `MOST_VIEWS`, each the one farthest from those chosen before it, until the next is like one of them."""
    looks = np.array([_look(view) for view in views])
    chosen = [int(np.argmax([len(view.numbers) for view in views]))]
    distance = np.linalg.norm(looks - looks[chosen[0]], axis=1)
    while len(chosen) < min(MOST_VIEWS, len(views)):
        farthest = int(distance.argmax())
        if distance[farthest] < LEAST_DISTANCE:
            break
        chosen.append(farthest)
        distance = np.minimum(distance, np.linalg.norm(looks - looks[farthest], axis=1))
    return [views[index] for index in sorted(chosen)]


def _look(view: View) -> NDArray[np.float64]:
    """What makes a view differ: where the outermost four inner corners are, in shares of the picture.

    They follow from the corners seen, so that views of different parts of the board can be compared.
    """
    seen = _outermost(view)
    return np.ravel(seen[:, :2] / seen[:, 2:] / np.array(view.size)) / 2  # if all four move by d, the distance is d


def _slant(view: View) -> float:
    """How much farther away the farthest of the outermost inner corners is than the nearest, as a share."""
    depths = np.abs(_outermost(view)[:, 2])
    return float(depths.max() / depths.min() - 1)


def _outermost(view: View) -> NDArray[np.float64]:
    """(4, 3) homogeneous places in pixels of the outermost inner corners; the third number grows with their depth."""
    import cv2

    corners = np.asarray(charuco_board().getChessboardCorners(), np.float32)[:, :2]
    transform, _ = cv2.findHomography(corners[view.numbers], view.places)
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    outline = np.array([[left, top, 1], [right, top, 1], [left, bottom, 1], [right, bottom, 1]], np.float64)
    return np.asarray(outline @ np.asarray(transform, np.float64).T, np.float64)


def _shown(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
