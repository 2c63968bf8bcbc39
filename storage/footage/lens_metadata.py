"""What a phone's video says about the lens that took it: its focal length for the format of 35 mm film.

QuickTime keeps such things in boxes `meta` of the file or of a track: `keys` has their names, `ilst` their values by
the number of the name. Apple's cameras write the focal length to the video track, as text such as "50.00mm"
(AVFoundation, `quickTimeMetadataKeyCameraFocalLength35mmEquivalent`), iPhones in practice as a whole number. FFmpeg,
and so PyAV, shows only those of the whole file. Android's camera writes none, and WebM has no place for it.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from pathlib import Path

from storage.footage.mp4_boxes import NoIndex, boxes, find_box, is_video, movie_box

KEY = "com.apple.quicktime.camera.focal_length.35mm_equivalent"
SHORTEST, LONGEST = 8.0, 400.0
"""Millimetres; 0 is written for unknown, and beyond these no camera films people."""
_TEXT = 1
_FLOATS = {23: ">f", 24: ">d"}
_SIGNED, _UNSIGNED = (21, 65, 66, 67, 74), (22, 75, 76, 77, 78)
"""Types of values, after Apple's QuickTime File Format Specification, "Well-known types"."""


def focal_length_35mm(video: Path) -> float | None:
    """The focal length that a video's own metadata state.

    Args:
        video: a file of any kind.

    Returns:
        Millimetres for the format of 35 mm film; None where the file, which need not be a video, does not say.
    """
    with video.open("rb") as file:

        def read(start: int, stop: int) -> bytes:
            file.seek(start)
            return file.read(stop - start)

        try:
            movie = movie_box(read, os.fstat(file.fileno()).st_size)
            stated = [value for content in _metadata(movie) for value in _values(content)]
        except (NoIndex, struct.error, IndexError):
            return None  # whether the video can be used is for its reader to say
    return next((value for value in stated if SHORTEST <= value <= LONGEST), None)


def _metadata(movie: memoryview) -> Iterator[memoryview]:
    """The boxes `meta` of the tracks with pictures, then those of the file."""
    tracks = [content for name, content in boxes(movie) if name == "trak"]
    shown = [track for track in tracks if (media := find_box(track, "mdia")) is not None and is_video(media)]
    for place in (*shown, movie):
        for name, content in boxes(place):
            if name == "meta":
                yield content
            elif name == "udta":
                yield from (inner for inside, inner in boxes(content) if inside == "meta")


def _values(content: memoryview) -> Iterator[float]:
    """What a box `meta` says of the focal length. QuickTime's begins with a box, that of MP4 with a version."""
    inside = content if bytes(content[4:8]) == b"hdlr" else content[4:]
    keys, values = find_box(inside, "keys"), find_box(inside, "ilst")
    if keys is None or values is None:
        return
    names = _names(keys)
    for number, item in boxes(values):
        place = int.from_bytes(number.encode("latin-1"), "big")
        data = find_box(item, "data")
        if 0 < place <= len(names) and names[place - 1] == KEY and data is not None:
            value = _number(data)
            if value is not None:
                yield value


def _names(keys: memoryview) -> list[str]:
    (count,) = struct.unpack_from(">I", keys, 4)
    position = 8
    names: list[str] = []
    while len(names) < count and position + 8 <= len(keys):
        (length,) = struct.unpack_from(">I", keys, position)
        if length < 8:
            break
        names.append(bytes(keys[position + 8 : position + length]).decode("utf-8", "replace"))
        position += length
    return names


def _number(data: memoryview) -> float | None:
    kind, value = struct.unpack_from(">I", data)[0] & 0xFFFFFF, bytes(data[8:])
    if kind == _TEXT:
        found = re.match(r"\s*(\d{1,4}(?:\.\d+)?)\s*(?:mm)?\s*\0?$", value.decode("utf-8", "replace"))
        return float(found[1]) if found else None
    if kind in _FLOATS and len(value) == struct.calcsize(_FLOATS[kind]):
        return float(struct.unpack(_FLOATS[kind], value)[0])
    if kind in _SIGNED + _UNSIGNED and 1 <= len(value) <= 8:
        return float(int.from_bytes(value, "big", signed=kind in _SIGNED))
    return None
