"""Landmarks of a trajectory frame by frame of its video, packed for drawing over it in a browser."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annotate.signals.trajectory_reader import TrajectoryReader
from kinesphere.errors import InvalidInput
from kinesphere.trajectory import MISSING

SAME_FRAME_NS = 500_000
"""Times closer than this are of one frame: containers round to their clock, and no camera gives 1,000 frames/s."""
MOST_FRAMES = 4096
"""Of one answer: 1.4 MB."""


@dataclass(frozen=True)
class Skeletons:
    """The trajectory of a video's recording, by the video's frames."""

    trajectory: TrajectoryReader
    rows: NDArray[np.int64]
    """The trajectory's row of each frame of the video, -1 where it has none because the frame does not decode."""

    def to_bytes(self, first: int, count: int) -> bytes:
        """The landmarks of the frames `[first, first + count)`, array after array, little endian:

        * body: int16 `(count, 33, 2)`, x and y in ten-thousandths of the picture's width and height; -32768 missing
        * hands: int16 `(count, 2, 21, 2)`, the same; left, right
        * body visibility: uint8 `(count, 33)`, 255 is sure
        * hand score: uint8 `(count, 2)`, 0 where no hand was found
        * valid: uint8 `(count,)`, the flags of `kinesphere.trajectory.Valid`; 0 where the trajectory has no such frame

        Args:
            first: frame of the video.
            count: how many, at most `MOST_FRAMES`.

        Returns:
            The arrays, one after the other.

        Raises:
            InvalidInput: these are not frames of the video, or too many.
            CorruptObject: the shard is damaged.
        """
        if not 0 <= first < len(self.rows) or not 0 < count <= min(MOST_FRAMES, len(self.rows) - first):
            raise InvalidInput(
                f"frames {first} to {first + count} cannot be given: the video has {len(self.rows)}, "
                f"and at most {MOST_FRAMES} are given at once"
            )
        rows = self.rows[first : first + count]
        there = rows[rows >= 0]
        parts = []
        for name, missing in (
            ("body_image", MISSING), ("hands_image", MISSING), ("body_visibility", 0), ("hand_score", 0), ("valid", 0)
        ):  # fmt: skip
            stored = self.trajectory.read_stored(name, int(there[0]), int(there[-1]) + 1) if len(there) else None
            parts.append(_of_frames(stored, rows, there, name, missing).tobytes())
        return b"".join(parts)


def skeletons_of(trajectory: TrajectoryReader, frame_edges: NDArray[np.float64]) -> Skeletons:
    """Find the trajectory's row of every frame of the video.

    Args:
        trajectory: of the video's recording.
        frame_edges: of the video, see `storage.footage.frame_edges`; a trajectory's times count from the first frame.

    Returns:
        The trajectory by the frames of the video.
    """
    begins = np.rint(frame_edges[:-1] - frame_edges[0]).astype(np.int64)
    times = trajectory.times_ns()
    after = np.searchsorted(times, begins - SAME_FRAME_NS)
    nearest = np.minimum(after, len(times) - 1)
    return Skeletons(trajectory, np.where(np.abs(times[nearest] - begins) <= SAME_FRAME_NS, nearest, -1))


_SHAPES = {"body_image": (33, 2), "hands_image": (2, 21, 2), "body_visibility": (33,), "hand_score": (2,), "valid": ()}


def _of_frames(
    stored: NDArray[np.generic] | None, rows: NDArray[np.int64], there: NDArray[np.int64], name: str, missing: int
) -> NDArray[np.generic]:
    """What is stored, of each frame; depth is left away."""
    kind = "<i2" if name.endswith("_image") else "u1"
    found = np.full((len(rows), *_SHAPES[name]), missing, kind)
    if stored is not None:
        of_rows = stored[there - there[0]]
        found[rows >= 0] = of_rows[..., :2] if name.endswith("_image") else of_rows
    return found
