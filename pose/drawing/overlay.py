"""Pictures for people: a skeleton over the video, and a contact sheet of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput, needs_extra
from pose.drawing.drawn_video import CLOCK, H264Writer, written_whole
from pose.drawing.skeleton_drawing import draw_label, draw_legend, draw_skeleton, scaled
from storage.footage.video_reader import VideoFrame, open_video

Episode = Mapping[str, NDArray[Any]]
"""What `Dataset.episode()` returns: float32 arrays with NaN where missing, and `timestamp` in int64 ns."""

OVERLAY_LONGEST_SIDE = 1920
OVERLAY_CRF = 20
TILE_LONGER_SIDE = 480
TILE_GAP = 8
LEGEND_STRIP = 40
BACKGROUND = (24, 26, 30)
_SAME_FRAME_NS = 1_000_000
"""Times that differ by less are of the same frame: a container may have rounded them."""


def draw_overlay(video: Path, episode: Episode, output: Path, on_progress: Callable[[int], None] | None = None) -> None:
    """Write the frames of an episode with body and hands drawn over them, as an MP4 that browsers play.

    H.264, yuv420p, index in front, the frames' own times, at most 1920 pixels along the longer side. `output` is
    there whole or not at all.

    Args:
        video: the recording's video.
        episode: its trajectory, or the part of it to draw.
        output: the file to write.
        on_progress: called with the number of frames done.

    Raises:
        InvalidInput: the video has no frame in the episode's time.
        InvalidVideo: the video cannot be read.
        StorageFailed: `output` cannot be written.
    """
    with needs_extra("pose"):
        import av

    done = 0
    with written_whole(output) as partial, ExitStack() as stack:
        for frame, row in _frames(video, episode):
            image = scaled(frame.image, OVERLAY_LONGEST_SIDE, even=True)
            if done == 0:
                begin = frame.timestamp_ns
                size = image.shape[1], image.shape[0]
                file = stack.enter_context(closing(H264Writer(partial, size, CLOCK, OVERLAY_CRF)))
            if row is not None:
                draw_skeleton(image, episode, row)
            draw_legend(image)
            picture = av.VideoFrame.from_ndarray(image, format="rgb24")
            file.write(picture, round((frame.timestamp_ns - begin) * CLOCK / 1e9))
            done += 1
            if on_progress is not None:
                on_progress(done)
        if done == 0:
            raise InvalidInput(f"{video} has no frame in the episode's time")


def contact_sheet(video: Path, episode: Episode, output: Path, columns: int = 4, rows: int = 3) -> None:
    """Write a PNG with frames taken evenly from an episode, each with its skeleton and its time.

    Args:
        video: the episode's video.
        episode: as `Dataset.episode()` gives it.
        output: the PNG file to write.
        columns: tiles beside each other.
        rows: tiles above each other; a short episode leaves some empty.

    Raises:
        InvalidInput: the video has no frame in the episode's time.
        InvalidVideo: the video cannot be read.
        StorageFailed: `output` cannot be written.
    """
    with needs_extra("pose"):
        import cv2

    times = episode["timestamp"]
    count = min(columns * rows, len(times))
    chosen = {int((place + 0.5) * len(times) / count) for place in range(count)}  # the middles of equal parts
    tiles: list[NDArray[np.uint8]] = []
    for frame, row in _frames(video, episode):
        if row is not None and row in chosen:
            tile = scaled(frame.image, TILE_LONGER_SIDE)
            draw_skeleton(tile, episode, row)
            draw_label(tile, f"{frame.timestamp_ns / 1e9:.2f} s")
            tiles.append(tile)
    if not tiles:
        raise InvalidInput(f"{video} has no frame in the episode's time")
    sheet = _arranged(tiles, columns)
    draw_legend(sheet, LEGEND_STRIP * 0.45)
    encoded, png = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    if not encoded:
        raise InvalidInput(f"a contact sheet of {columns} x {rows} tiles is too large to encode")
    with written_whole(output) as partial:
        partial.write_bytes(png.tobytes())


def _arranged(tiles: list[NDArray[np.uint8]], columns: int) -> NDArray[np.uint8]:
    """Tiles of one size, row by row, with gaps, and a strip below for the legend."""
    height, width = tiles[0].shape[:2]
    columns = min(columns, len(tiles))
    rows = math.ceil(len(tiles) / columns)
    shape = (rows * (height + TILE_GAP) + LEGEND_STRIP, columns * (width + TILE_GAP) + TILE_GAP, 3)
    sheet: NDArray[np.uint8] = np.empty(shape, np.uint8)
    sheet[:] = BACKGROUND
    for place, tile in enumerate(tiles):
        top = TILE_GAP + place // columns * (height + TILE_GAP)
        left = TILE_GAP + place % columns * (width + TILE_GAP)
        sheet[top : top + height, left : left + width] = tile
    return sheet


def _frames(video: Path, episode: Episode) -> Iterator[tuple[VideoFrame, int | None]]:
    """The frames of the video in the episode's time, each with its row in the episode, if it has one."""
    times = episode["timestamp"]
    with open_video(video) as reader:
        for frame in reader.frames():
            if frame.timestamp_ns > times[-1] + _SAME_FRAME_NS:
                return
            row = int(np.searchsorted(times, frame.timestamp_ns - _SAME_FRAME_NS))
            if row < len(times) and times[row] <= frame.timestamp_ns + _SAME_FRAME_NS:
                yield frame, row
            elif frame.timestamp_ns >= times[0]:
                yield frame, None
