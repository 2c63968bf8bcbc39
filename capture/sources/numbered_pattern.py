"""A moving test picture that carries its own frame number, for tests and rehearsals without a camera."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput, needs_extra

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_COLUMNS = 32
_BITS = 24
_START, _END = (1, 1, 0), (0,)
_WHITE, _BLACK = 235, 16
_GLYPHS = {
    digit: np.array([[cell == "#" for cell in row] for row in rows.split()], dtype=bool)
    for digit, rows in zip(
        "0123456789",
        (
            "### #.# #.# #.# ###",
            ".#. ##. .#. .#. ###",
            "### ..# ### #.. ###",
            "### ..# ### ..# ###",
            "#.# #.# ### ..# ..#",
            "### #.. ### ..# ###",
            "### #.. ### #.# ###",
            "### ..# ..# ..# ..#",
            "### #.# ### #.# ###",
            "### #.# ### ..# ###",
        ),
        strict=True,
    )
}


def draw_counter(luma: NDArray[np.uint8], number: int) -> None:
    """Burn a frame number into a picture, in place: 32 black and white cells along the top, and digits below them.

    Args:
        luma: uint8 `(height, width)`, at least 96 wide and high; a view of a larger array will do.
        number: 0 to 2**24 - 1.

    The cells, from the left: white, white, black; 24 bits, the highest first; 4 bits of checksum; black. Each is
    a 32nd of the width wide and (rounded down) high.
    """
    width = luma.shape[1]
    cell = width // _COLUMNS
    columns = np.arange(width) * _COLUMNS // width
    luma[:cell] = np.where(np.array(_cells(number), dtype=bool)[columns], _WHITE, _BLACK)
    scale = max(1, cell // 2)
    left, top = cell, 2 * cell
    for digit in f"{number:06d}":
        glyph = np.kron(_GLYPHS[digit], np.ones((scale, scale), dtype=bool))
        tall, wide = glyph.shape
        luma[top : top + tall, left : left + wide] = np.where(glyph, _WHITE, _BLACK)
        left += wide + scale


def read_counter(image: NDArray[np.uint8]) -> int:
    """Read the frame number that `draw_counter` burnt into an upright, unmirrored picture.

    Args:
        image: uint8 `(height, width)` or `(height, width, 3)`, scaled and compressed as it may be.

    Raises:
        InvalidInput: there is no such number in it.
    """
    cell = image.shape[1] / _COLUMNS
    middle = slice(round(cell * 0.3), max(round(cell * 0.3) + 1, round(cell * 0.7)))
    values: NDArray[Any] = np.array(
        [image[middle, round(cell * (i + 0.3)) : round(cell * (i + 0.7)) + 1].mean() for i in range(_COLUMNS)]
    )
    white, black = values[:2].mean(), values[[2, -1]].mean()
    if white - black > 64:
        bits = [int(value > (white + black) / 2) for value in values]
        number = int("".join(map(str, bits[len(_START) : len(_START) + _BITS])), 2)
        if bits == _cells(number):
            return number
    raise InvalidInput("there is no frame number in this picture")


class Pattern:
    """Draws the pictures of the test source: texture that moves, with the frame number burnt in.

    Cheap on purpose, so that the source does not compete with what it tests.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width - width % 2, height - height % 2
        y, x = np.mgrid[0 : self.height, 0 : 2 * self.width]
        wave = 40 * np.sin(2 * np.pi * (2 * x / self.width + y / self.height))
        tiles = 30 * ((x // 32 + y // 32) % 2)
        # the second half repeats the first, so that a window sliding over it never jumps
        self._texture = (96 + wave + tiles).astype(np.uint8)
        self._planes = np.full((self.height * 3 // 2, self.width), 128, dtype=np.uint8)
        colours = self._planes[self.height :].reshape(-1, self.width // 2)
        colours[: self.height // 2] = np.linspace(96, 160, self.width // 2)
        colours[self.height // 2 :] = np.linspace(160, 96, self.width // 2)

    def frame(self, number: int) -> VideoFrame:
        """Picture `number`, yuv420p."""
        with needs_extra("capture"):
            import av
        luma = self._planes[: self.height]
        offset = 4 * number % self.width
        luma[:] = self._texture[:, offset : offset + self.width]
        draw_counter(luma, number % 2**_BITS)
        return av.VideoFrame.from_ndarray(self._planes, format="yuv420p")


def _cells(number: int) -> list[int]:
    """The 32 cells of a number, 1 for white."""
    bits = [number >> shift & 1 for shift in reversed(range(_BITS))]
    checksum = (5 + sum(number >> shift & 15 for shift in range(0, _BITS, 4))) % 16
    return [*_START, *bits, *(checksum >> shift & 1 for shift in (3, 2, 1, 0)), *_END]
