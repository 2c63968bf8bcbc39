"""Turns decoded pictures the way a player shows them: rotated or mirrored as the file asks, with square pixels, RGB."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av.filter import Graph
    from av.video.frame import VideoFrame as Picture


@dataclass(frozen=True)
class Orientation:
    """How stored pictures become upright: first x and y swap places, then the picture is mirrored.

    The eight values are the rotations by quarter turns and their mirror images.
    """

    transposed: bool = False
    mirrored_x: bool = False
    mirrored_y: bool = False

    @classmethod
    def of(cls, picture: Picture) -> Orientation:
        """Read the display matrix that the decoder attached to a picture.

        The matrix maps a stored point to a shown one as x' = a x + c y, y' = b x + d y, y pointing down
        (ISO/IEC 14496-12, 6.2.2); it is nine int32: a b u, c d v, x y w. Only its signs matter here.

        Args:
            picture: as decoded.

        Returns:
            How it is to be turned.
        """
        # typed as a dict with string keys; it is a mapping that also iterates over values
        side_data: Any = picture.side_data
        found = side_data.get("DISPLAYMATRIX")
        if found is None:
            return cls()
        a, b, _, c, d, *_ = struct.unpack("=9i", bytes(found)[:36])
        if abs(b) + abs(c) > abs(a) + abs(d):
            return cls(transposed=True, mirrored_x=c < 0, mirrored_y=b < 0)
        return cls(mirrored_x=a < 0, mirrored_y=d < 0)

    @property
    def rotation(self) -> int:
        """Degrees clockwise that the picture is turned by: 0, 90, 180 or 270; a mirror image adds none."""
        if self.transposed:
            return 90 if self.mirrored_x else 270
        return 180 if self.mirrored_y else 0

    def filters(self) -> list[tuple[str, str]]:
        """The same as FFmpeg filters, name and arguments.

        Returns:
            In the order in which they are applied.
        """
        mirrors = [("hflip", "")] * self.mirrored_x + [("vflip", "")] * self.mirrored_y
        return [("transpose", "cclock_flip")] * self.transposed + mirrors


def shown_size(width: int, height: int, pixel_aspect: Fraction | None, orientation: Orientation) -> tuple[int, int]:
    """Width and height of the upright picture with square pixels: stored pixels are stretched, never squeezed.

    Args:
        width: of the stored picture, in pixels.
        height: of the stored picture, in pixels.
        pixel_aspect: width of a pixel over its height; None and 0 mean that it is not known.
        orientation: how the picture is turned.

    Returns:
        Width and height in pixels.
    """
    if pixel_aspect is not None and pixel_aspect > 1:
        width = round(width * pixel_aspect)
    elif pixel_aspect is not None and 0 < pixel_aspect < 1:
        height = round(height / pixel_aspect)
    return (height, width) if orientation.transposed else (width, height)


class Upright:
    """Turns pictures upright, at one size, whatever the size or pixel format they arrive in.

    Pictures of another shape, as when a phone is turned, get black borders. With `even`, an odd last row or column is
    cut off, as 4:2:0 video needs. Timestamps pass through.
    """

    def __init__(self, orientation: Orientation, width: int, height: int, *, even: bool = False) -> None:
        self._orientation = orientation
        self._size = (width, height)
        self._target = (width - width % 2, height - height % 2) if even else (width, height)
        self._graph: Graph | None = None
        self._graph_input: tuple[int, int, str] | None = None
        self._first_size: tuple[int, int] | None = None

    def __call__(self, picture: Picture) -> Picture:
        found = (picture.width, picture.height, picture.format.name)
        if found != self._graph_input:
            self._graph = self._graph_for(picture)
            self._graph_input = found
        if self._graph is None:
            return picture
        self._graph.vpush(picture)
        return self._graph.vpull()

    def _graph_for(self, picture: Picture) -> Graph | None:
        """The filters for pictures like this one, or None where there is nothing to do."""
        import av.filter

        filters = self._orientation.filters()
        size = (picture.height, picture.width) if self._orientation.transposed else (picture.width, picture.height)
        self._first_size = self._first_size or size
        if size != self._size:
            filters += self._fitted(*size)
        if self._target != self._size:
            filters.append(("crop", f"{self._target[0]}:{self._target[1]}:0:0:exact=1"))
        if not filters:
            return None
        graph = av.filter.Graph()
        # the time base is a formality: timestamps are not rescaled by these filters
        last = graph.add_buffer(
            width=picture.width,
            height=picture.height,
            format=picture.format,
            time_base=picture.time_base or Fraction(1, 1000),
        )
        for name, arguments in [*filters, ("buffersink", "")]:
            step = graph.add(name, arguments or None)
            last.link_to(step)
            last = step
        graph.configure()
        return graph

    def _fitted(self, width: int, height: int) -> list[tuple[str, str]]:
        """Filters that scale a picture: one of the first's own shape to all of the size, others between borders."""
        size = f"{self._size[0]}:{self._size[1]}"
        first_width, first_height = self._first_size or (width, height)
        if width * first_height == height * first_width:
            return [("scale", size)]
        return [
            ("scale", f"{size}:force_original_aspect_ratio=decrease"),
            ("setsar", "1"),
            ("pad", f"{size}:(ow-iw)/2:(oh-ih)/2"),
        ]


class RgbConverter:
    """Converts pictures to RGB. One serves all pictures of a video, one at a time.

    PyAV's `VideoFrame.reformat` sets up a converter for every picture anew, with a thread for every core, which costs
    more than the conversion.
    """

    def __init__(self) -> None:
        from av.video.reformatter import VideoReformatter

        self._reformatter = VideoReformatter()

    def __call__(self, picture: Picture, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        """uint8 (height, width, 3), whose rows may be padded; scaled to height and width, bilinearly, where given."""
        height, width = size or (picture.height, picture.width)
        converted = self._reformatter.reformat(picture, width=width, height=height, format="rgb24", threads=1)
        return np.asarray(converted.to_ndarray(), dtype=np.uint8)
