"""Reads from an MP4's index alone when each frame of its video is played: hours of video, a few hundred kilobytes.

Boxes are those of ISO/IEC 14496-12. Edit lists are applied as FFmpeg does, whose demuxer Chromium plays with.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.footage.mp4_boxes import NoIndex, ReadPart, boxes, find_box, is_video, movie_box

Integers = NDArray[np.int64]

_MOST_FRAMES = 1 << 24
_LATEST = 1 << 62


@dataclass(frozen=True)
class FrameIndex:
    """When the frames that are shown are played."""

    ticks: Integers
    """Of each frame, in the order of playing, strictly increasing."""
    end: int
    """Of the last frame; that frame's own time, if the file gives it no length."""
    ticks_per_second: int


@dataclass(frozen=True)
class _Edit:
    """The part of a track that is played: from when in the movie, and which ticks of the track."""

    begin: int
    start: int
    end: int


def read_frame_index(read: ReadPart, size: int) -> FrameIndex:
    """When each frame of an MP4's first video track is played.

    Raises:
        NoIndex: the file is no MP4, is fragmented or damaged, or its times depend on how it is read (see the messages).
    """
    try:
        movie = movie_box(read, size)
        if find_box(movie, "mvex") is not None:
            raise NoIndex("it is fragmented")
        movie_scale = _timescale(_required(movie, "mvhd"))
        for name, track in boxes(movie):
            if name == "trak" and (media := find_box(track, "mdia")) is not None and is_video(media):
                return _track_index(track, media, movie_scale)
    except (struct.error, ValueError, IndexError, OverflowError, MemoryError) as error:
        raise NoIndex(str(error)) from error
    raise NoIndex("it has no video track")


def _required(content: memoryview, *path: str) -> memoryview:
    found = find_box(content, *path)
    if found is None:
        raise NoIndex(f"it has no {'/'.join(path)}")
    return found


def _timescale(header: memoryview) -> int:
    """Ticks a second, out of `mvhd` or `mdhd`."""
    (scale,) = struct.unpack_from(">I", header, 20 if header[0] == 1 else 12)
    if not scale:
        raise NoIndex("its clock stands still")
    return int(scale)


def _track_index(track: memoryview, media: memoryview, movie_scale: int) -> FrameIndex:
    scale = _timescale(_required(media, "mdhd"))
    table = _required(media, "minf", "stbl")
    durations = _runs(_required(table, "stts"), signed=False)
    shown_at = np.cumsum(durations) - durations
    offsets = find_box(table, "ctts")
    if offsets is not None:
        given = _runs(offsets, signed=True)[: len(shown_at)]
        shown_at[: len(given)] += given
        if given.min(initial=0) < 0:
            raise NoIndex("pictures are shown before they are decoded")  # FFmpeg then moves all of them
    edit = _edit(track, scale, movie_scale)
    if edit is not None:
        if shown_at.min(initial=edit.start) < edit.start or shown_at.max(initial=edit.start) >= edit.end:
            raise NoIndex("its edit list cuts frames away")  # which ones FFmpeg shows then depends on their order
        shown_at += edit.begin - shown_at.min(initial=_LATEST)  # the first begins when the edit does
    if not len(shown_at):
        raise NoIndex("it shows no frame")
    last = int(shown_at.argmax())
    # of two frames with one time a player shows only one
    return FrameIndex(np.unique(shown_at), int(shown_at[last] + durations[last]), scale)


def _runs(box: memoryview, *, signed: bool) -> Integers:
    """The values of `stts` or `ctts`, one a frame, out of runs of equal ones.

    `ctts` of version 0 is read as signed too, as FFmpeg does: writers put negative offsets there.
    """
    (count,) = struct.unpack_from(">I", box, 4)
    pairs = np.frombuffer(box[8 : 8 + 8 * count], ">u4").reshape(-1, 2)
    lengths = pairs[:, 0].astype(np.int64)
    if len(pairs) != count or lengths.sum() > _MOST_FRAMES:
        raise NoIndex("its table of times is damaged")
    values = pairs[:, 1].astype(np.uint32)
    return np.repeat((values.view(np.int32) if signed else values).astype(np.int64), lengths)


def _edit(track: memoryview, scale: int, movie_scale: int) -> _Edit | None:
    """What the edit list shows: nothing for a while, perhaps, and then one part of the track; None without a list."""
    box = find_box(track, "edts", "elst")
    if box is None:
        return None
    wide = box[0] == 1
    (count,) = struct.unpack_from(">I", box, 4)
    if count > 1000:
        raise NoIndex("its edit list is damaged")
    entries = [struct.unpack_from(">QqI" if wide else ">IiI", box, 8 + i * (20 if wide else 12)) for i in range(count)]
    begin = 0
    while entries and entries[0][1] == -1:
        begin += entries.pop(0)[0]
    if not entries:
        return None
    if len(entries) > 1 or entries[0][1] < 0 or entries[0][2] != 0x10000:
        raise NoIndex("its edit list has several parts")
    length, start, _ = entries[0]
    end = start + _rescaled(length, scale, movie_scale) if length else _LATEST
    return _Edit(_rescaled(begin, scale, movie_scale), start, end)


def _rescaled(value: int, scale: int, movie_scale: int) -> int:
    """Ticks of the movie in ticks of the track, rounded half away from zero as FFmpeg does."""
    return (2 * value * scale + movie_scale) // (2 * movie_scale)
