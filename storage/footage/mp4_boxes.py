"""The boxes of an MP4 or QuickTime file (ISO/IEC 14496-12), read without the pictures between them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

ReadPart = Callable[[int, int], bytes]
"""Bytes `[start, stop)` of a file."""

_HEADER_BYTES = 16
_LARGEST_INDEX = 1 << 28
_MOST_BOXES = 1 << 16
"""Before the index: somebody could write a gigabyte of empty ones."""


class NoIndex(Exception):
    """The file says when its frames are played in another way than by one index; it has to be read through."""


def movie_box(read: ReadPart, size: int) -> memoryview:
    """The content of the box `moov`, which tells of all tracks.

    Args:
        read: gives parts of the file.
        size: of the file in bytes.

    Returns:
        What is in the box.

    Raises:
        NoIndex: there is none, or it is cut off or too large.
        struct.error: the file ends inside a box's header.
    """
    position = 0
    for _ in range(_MOST_BOXES):
        if position + 8 > size:
            break
        header = read(position, min(position + _HEADER_BYTES, size))
        name, head, length = _box_header(memoryview(header), size - position)
        if name == "moov":
            if length > _LARGEST_INDEX:
                raise NoIndex("its index is too large")
            content = read(position + head, position + length)
            if len(content) != length - head:
                raise NoIndex("its index is cut off")
            return memoryview(content)
        position += length
    raise NoIndex("it has no index")


def _box_header(header: memoryview, available: int) -> tuple[str, int, int]:
    """Name of a box, length of its header, and its whole length."""
    length, name = struct.unpack(">I4s", header[:8])
    head = 8
    if length == 1:
        (length,) = struct.unpack(">Q", header[8:16])
        head = 16
    elif length == 0:
        length = available
    if not head <= length <= available:
        raise NoIndex("a box does not end where it should")
    return bytes(name).decode("latin-1"), head, length


def boxes(content: memoryview) -> Iterator[tuple[str, memoryview]]:
    """The boxes that follow each other in a content: the name of each, and what is in it."""
    position = 0
    while position + 8 <= len(content):
        name, head, length = _box_header(content[position : position + _HEADER_BYTES], len(content) - position)
        yield name, content[position + head : position + length]
        position += length


def find_box(content: memoryview, *path: str) -> memoryview | None:
    """What is in the first box at a path of names; None if there is none."""
    for name in path:
        found = next((inner for box, inner in boxes(content) if box == name), None)
        if found is None:
            return None
        content = found
    return content


def is_video(media: memoryview) -> bool:
    """Whether the box `mdia` is of a track with pictures."""
    handler = find_box(media, "hdlr")
    return handler is not None and bytes(handler[8:12]) == b"vide"
