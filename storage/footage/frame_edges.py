"""When each frame of a stored video is played, on the clock of the container: what a player seeks by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import InvalidVideo
from kinesphere.objects.store import Objects
from kinesphere.video.decoding import is_shown, opened, packet_stamp
from storage.footage.mp4_boxes import NoIndex
from storage.footage.mp4_index import read_frame_index

Edges = NDArray[np.float64]


def frame_edges(objects: Objects, key: str, without_index: Callable[[Objects, str], Edges] | None = None) -> Edges:
    """Nanoseconds at which the frames of the video `key` begin, and at which the last one ends.

    float64 `(frames + 1,)`, strictly increasing, on the container's own clock with its edit list applied: a browser's
    `currentTime` and `mediaTime` mean the same. The first frame need not be at 0. Only the index of an MP4 is read;
    files without one (fragmented, other containers) are read through.

    Args:
        objects: an object store.
        key: of the video.
        without_index: reads those through; by default `read_through`, here.

    Returns:
        int64 `[frames + 1]`, since the recording began.

    Raises:
        InvalidVideo: it is no video, or shows no frame.
        CorruptObject: there is no such object.
        StorageFailed: the store refused.
    """
    _, size = objects.get_part(key, 0, 1)
    try:
        index = read_frame_index(lambda start, stop: objects.get(key, (start, stop)), size)
    except NoIndex:
        return (without_index or read_through)(objects, key)
    return _edges(index.ticks.tolist(), index.end, Fraction(1, index.ticks_per_second))


def read_through(objects: Objects, key: str) -> Edges:
    """The edges of the frames of a video, as `frame_edges` gives them, by demuxing every packet with FFmpeg.

    Args:
        objects: an object store.
        key: of the video.

    Returns:
        As `frame_edges`.

    Raises:
        InvalidVideo: it is no video, or shows no frame.
    """
    ends: dict[int, int] = {}
    with objects.open(key) as file, opened(file, key) as (container, stream):
        if stream.time_base is None:
            raise InvalidVideo(f"{key} states no times for its frames")
        base = stream.time_base
        for packet in container.demux(stream):
            stamp = packet_stamp(packet)
            if stamp is not None and is_shown(packet):
                ends[stamp] = stamp + (packet.duration or 0)
    if not ends:
        raise InvalidVideo(f"{key} has no frames")
    stamps = sorted(ends)
    return _edges(stamps, ends[stamps[-1]], base)


def _edges(stamps: Sequence[int], end: int, base: Fraction) -> Edges:
    """A last frame without a length is given that of the one before, or one tick."""
    if end <= stamps[-1]:
        end = stamps[-1] + (stamps[-1] - stamps[-2] if len(stamps) > 1 else 1)
    ticks = np.array([*stamps, end], np.int64)
    if abs(int(ticks[-1])) < 1 << 32 and base.numerator == 1:  # exact: within int64
        whole = ticks * 1_000_000_000
        return np.asarray(whole / base.denominator, np.float64)
    return np.array([float(tick * base * 1_000_000_000) for tick in ticks.tolist()], np.float64)
