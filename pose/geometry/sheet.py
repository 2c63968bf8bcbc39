"""Finds a flat thing of known size in pictures, the calibration board or a sheet of paper, and where its plane lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import needs_extra
from pose.geometry.board import COLUMNS, PAPERS_MM, ROWS, SQUARE_MM, charuco_board, found_corners
from pose.geometry.intrinsics import undistorted
from storage.footage.video_reader import VideoFrame
from storage.recordings.camera_calibration import KnownLength

LOOKED_AT_NS = 10_000_000_000
"""Only the beginning is searched: that is when contributors are asked to hold it, and searching costs time."""
EVERY_NS = 100_000_000
SMALLEST_AREA = 0.01
"""Of the picture; at 1280x720 a sheet of 120 x 80 pixels, whose size is known to about 2 %."""
LARGEST_MISS = 0.015
"""RMS distance of the corners from where a sheet of this paper has them over its diagonal; A4 and Letter differ by 3 %,
and a sheet that bends or a bright window by more."""


@dataclass(frozen=True)
class Sighting:
    """The plane of the board or sheet in one frame, in the camera's frame (x right, y down, z forward), in metres."""

    timestamp_ns: int
    outline: NDArray[np.float64]
    """(4, 2) its corners in pixels of a pinhole camera, in order around it."""
    normal: NDArray[np.float64]
    offset: float
    """`normal` times a point is this for the points of the plane."""

    def depth_along(self, ray: NDArray[np.float64]) -> float:
        """z in metres where a ray through the camera, (3,) with z = 1, meets the plane; negative behind the camera."""
        along = float(self.normal @ ray)
        return self.offset / along if along else float("inf")

    def reaches(self, point: NDArray[np.float64], share: float) -> bool:
        """Whether a point in pixels lies on it, or beside it by less than a share of its diagonal."""
        import cv2

        diagonal = float(np.linalg.norm(self.outline[2] - self.outline[0]))
        place = (float(point[0]), float(point[1]))
        return cv2.pointPolygonTest(self.outline.astype(np.float32), place, True) > -share * diagonal


class SheetFinder:
    """Looks for what the contributor holds, as frames go by; call it with each frame, then read `sightings`."""

    def __init__(self, known: KnownLength, intrinsics: Mapping[str, Any]) -> None:
        with needs_extra("pose"):
            import cv2
        self.sightings: list[Sighting] = []
        self._known = known
        self._intrinsics = intrinsics
        self._due_ns = 0
        self._detector = cv2.aruco.CharucoDetector(charuco_board()) if known.kind == "board" else None

    def __call__(self, frame: VideoFrame) -> None:
        if self._known.kind == "height" or not self._due_ns <= frame.timestamp_ns < LOOKED_AT_NS:
            return
        self._due_ns = frame.timestamp_ns + EVERY_NS - 1_000_000  # frame times are rounded
        import cv2

        grey = np.asarray(cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY), np.uint8)
        found = self._board(grey) if self._detector is not None else self._sheet(grey)
        if found is not None:
            rotation, place, outline = found
            normal = rotation[:, 2]
            self.sightings.append(Sighting(frame.timestamp_ns, outline, normal, float(normal @ place)))

    def _board(
        self, grey: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]] | None:
        found = found_corners(self._detector, grey)
        if found is None or len(found[0]) < 6:  # PnP needs four; fewer than six are easily all wrong
            return None
        corners = np.asarray(charuco_board().getChessboardCorners(), np.float64)[found[1]]
        located = self._locate(corners, undistorted(found[0] + 0.5, self._intrinsics))
        if located is None:
            return None
        rotation, place, _ = located
        return rotation, place, self._seen(_rectangle(COLUMNS * SQUARE_MM, ROWS * SQUARE_MM), rotation, place)

    def _sheet(
        self, grey: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]] | None:
        quad = _brightest_quad(grey)
        if quad is None or self._known.paper is None:
            return None
        corners = undistorted(quad, self._intrinsics)
        sides = PAPERS_MM[self._known.paper]
        fits = [
            (located[2], located)
            for width, height in (sides, sides[::-1])
            if (located := self._locate(_rectangle(width, height), corners)) is not None
        ]
        if not fits:
            return None
        miss, (rotation, place, _) = min(fits, key=lambda fit: fit[0])
        if miss > LARGEST_MISS * float(np.linalg.norm(corners[2] - corners[0])):
            return None
        return rotation, place, corners

    def _locate(
        self, points: NDArray[np.float64], pixels: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], float] | None:
        """Rotation and place of a plane's points in the camera's frame, and by how many pixels (RMS) they miss."""
        import cv2

        solved, turn, place = cv2.solvePnP(points, pixels, self._matrix, None, flags=cv2.SOLVEPNP_IPPE)
        if not solved or float(place[2, 0]) <= 0:
            return None
        rotation = np.asarray(cv2.Rodrigues(turn)[0], np.float64)
        at = np.asarray(place, np.float64).ravel()
        miss = float(np.sqrt(((self._seen(points, rotation, at) - pixels) ** 2).sum(axis=1).mean()))
        return rotation, at, miss

    def _seen(
        self, points: NDArray[np.float64], rotation: NDArray[np.float64], place: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        seen = (points @ rotation.T + place) @ self._matrix.T
        return np.asarray(seen[:, :2] / seen[:, 2:], np.float64)

    @property
    def _matrix(self) -> NDArray[np.float64]:
        camera = self._intrinsics
        return np.array([[camera["fx"], 0, camera["cx"]], [0, camera["fy"], camera["cy"]], [0, 0, 1.0]])


def _brightest_quad(grey: NDArray[np.uint8]) -> NDArray[np.float64] | None:
    """(4, 2) corners of the largest bright thing with four, in pixels from the picture's corner, in order around it.

    Its convex hull is taken, so that fingers over an edge do not matter; over a corner they do.
    """
    import cv2

    smooth = cv2.GaussianBlur(grey, (5, 5), 0)
    _, bright = cv2.threshold(smooth, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    contours, _ = cv2.findContours(bright, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    for contour in sorted(contours, key=cv2.contourArea, reverse=True):
        hull = cv2.convexHull(contour)
        if cv2.contourArea(hull) < SMALLEST_AREA * grey.size:
            return None
        corners = cv2.approxPolyDP(hull, 0.03 * cv2.arcLength(hull, True), True).reshape(-1, 2)
        inside = (corners > 1).all() and (corners < np.array(grey.shape[::-1]) - 2).all()
        if len(corners) == 4 and inside and cv2.contourArea(contour) > 0.8 * cv2.contourArea(hull):
            return _straight_corners(hull.reshape(-1, 2).astype(np.float64), corners.astype(np.float64)) + 0.5
    return None


def _straight_corners(edge: NDArray[np.float64], corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Corners as where lines through their sides meet: better than a pixel, which a single point of the edge is not."""
    lines = []
    for begin, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        along = (end - begin) / np.linalg.norm(end - begin)
        across = np.array([-along[1], along[0]])
        position, distance = (edge - begin) @ along, (edge - begin) @ across
        length = float(np.linalg.norm(end - begin))
        near = (np.abs(distance) < 3) & (position > 0.05 * length) & (position < 0.95 * length)
        offset = float(np.median(distance[near])) if near.sum() >= 2 else 0.0
        lines.append((across, float(across @ begin) + offset))
    met = [
        np.linalg.solve(np.array([one[0], other[0]]), np.array([one[1], other[1]]))
        for one, other in zip([lines[-1], *lines], lines, strict=False)
    ]
    return np.array(met)


def _rectangle(width_mm: float, height_mm: float) -> NDArray[np.float64]:
    """(4, 3) corners in metres, in order around, from the top left one."""
    width, height = width_mm / 1000, height_mm / 1000
    return np.array([[0, 0, 0], [width, 0, 0], [width, height, 0], [0, height, 0]], np.float64)
