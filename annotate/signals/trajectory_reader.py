"""Reads the frames of one recording's trajectory in blocks, so that hours of them take little memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import Conflict, CorruptObject
from kinesphere.shards.array_layout import FILL_VALUES
from kinesphere.shards.shard import Shard
from kinesphere.trajectory import ARRAYS, ArraySpec, Trajectory, from_stored, to_stored
from storage.workspace import Workspace

BLOCK_FRAMES = 4096
"""A multiple of the shards' chunks, so that nothing is decoded twice."""


@dataclass(frozen=True)
class TrajectoryReader:
    """One trajectory, of which only the frames that are asked for are read.

    A standard array that its extractor does not give is read as one in which everything is missing.
    """

    key: str
    """Names these frames for ever: shards are immutable."""
    recording: str
    length: int
    image_width: int
    image_height: int
    read_stored: Callable[[str, int, int], NDArray[Any]]
    """Array name, first frame, frame after the last: what the shard stores of them."""
    specs: Mapping[str, ArraySpec] = field(default_factory=lambda: ARRAYS)
    """What its arrays are, the missing standard ones included."""

    def read(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Some frames of an array.

        Args:
            name: of the array.
            start: the first frame.
            stop: the frame after the last.

        Returns:
            `(stop - start, *spec.shape)`, in the array's units with NaN where missing.
        """
        return from_stored(self.specs[name], self.read_stored(name, start, stop))

    def times_ns(self) -> NDArray[np.int64]:
        """The times of all frames.

        Returns:
            int64 `(frames,)`, nanoseconds since the recording began.
        """
        return self.read_stored("timestamp", 0, self.length)

    def blocks(self) -> Iterator[tuple[int, int]]:
        """Cut the frames into blocks, in order.

        Yields:
            The first frame of a block, and the frame after its last.
        """
        for start in range(0, self.length, BLOCK_FRAMES):
            yield start, min(start + BLOCK_FRAMES, self.length)


def open_trajectory(workspace: Workspace, recording: str) -> TrajectoryReader:
    """Open the newest trajectory of a recording.

    Args:
        workspace: that the recording is in.
        recording: its id.

    Returns:
        A reader of it; nothing but its place is read yet.

    Raises:
        NotFound: there is no such recording.
        Conflict: it is not extracted yet.
        CorruptObject: its shard is missing or damaged, now or when frames are read.
    """
    place = workspace.catalog.trajectory(recording)
    if place is None:
        workspace.catalog.recording(recording)
        raise Conflict(f"recording {recording} is not extracted yet; run: kinesphere process {recording}")
    shard = Shard(workspace.objects, place.shard)
    spans = (span for span in shard.attributes["trajectories"] if span["recording"] == recording)
    span = next(spans, None)
    if span is None:
        raise CorruptObject(f"shard {place.shard} does not hold recording {recording}; run: kinesphere process --again")
    first = place.first_frame

    def read_stored(name: str, start: int, stop: int) -> NDArray[Any]:
        if name not in shard.specs and name in ARRAYS:
            return _all_missing(ARRAYS[name], stop - start)
        return shard.read(name, first + start, first + stop)

    size = int(span["image_width"]), int(span["image_height"])
    return TrajectoryReader(
        f"{place.shard}-{first}-{place.length}", recording, place.length, *size, read_stored, {**ARRAYS, **shard.specs}
    )


def in_memory(trajectory: Trajectory) -> TrajectoryReader:
    """A trajectory that is in memory already, read as if it came from a shard."""

    def read_stored(name: str, start: int, stop: int) -> NDArray[Any]:
        if name not in trajectory.specs and name in ARRAYS:
            return _all_missing(ARRAYS[name], stop - start)
        return to_stored(trajectory.specs[name], trajectory.arrays[name][start:stop])[0]

    size, specs = (trajectory.image_width, trajectory.image_height), {**ARRAYS, **trajectory.specs}
    return TrajectoryReader("in memory", trajectory.recording, len(trajectory), *size, read_stored, specs)


def _all_missing(spec: ArraySpec, frames: int) -> NDArray[Any]:
    return np.full((frames, *spec.shape), FILL_VALUES[spec.dtype], spec.dtype)
