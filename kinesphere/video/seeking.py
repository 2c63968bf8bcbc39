"""Finds frames of a video by their times, from the keyframe before; times and pictures are those of `VideoReader`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import CorruptObject, InvalidVideo
from kinesphere.video.decoding import Decoding, opened, refuse_if_cut_off
from kinesphere.video.upright import Orientation, RgbConverter, Upright, shown_size

if TYPE_CHECKING:
    from av.video.frame import VideoFrame as Picture

SAME_FRAME_NS = 500_000
"""Times closer than this are of one frame: containers round to their clock, and no camera gives 1,000 frames/s."""
_SECOND = 1_000_000_000
_WORTH_SEEKING_NS = _SECOND
"""Recordings have a keyframe a second, so frames this far ahead are not reached sooner by decoding on."""


class SeekingVideo:
    """A video kept open for reading frames in any order; not to be used by two threads at once. To be closed.

    After an error it is closed, and what is wrong with it is raised as `InvalidVideo` or `StorageFailed`.
    """

    def __init__(self, source: Path | IO[bytes], name: str) -> None:
        """
        Raises:
            InvalidVideo: it is no video, or is cut off.
            MissingDependency: PyAV is not installed.
        """
        self.name = name
        self._open = ExitStack()
        self._container, self._stream = self._open.enter_context(opened(source, name))
        try:
            # One thread a video: several would decode ahead of what is asked for, and videos are read side by side.
            self._stream.thread_type = "NONE"
            self._stream.codec_context.thread_count = 1
            refuse_if_cut_off(self._container, self._stream, name)
            self._base = self._stream.time_base or Fraction(1)
            self._decoded = iter(Decoding(self._container, self._stream))
            first = next(self._decoded, None)
            if first is None:
                raise InvalidVideo(f"{name} has no frame that can be decoded")
        except BaseException:
            self._fail()
            raise
        picture, self._origin = first
        # Of a small copy: PyAV ties a picture whose side data was read into a cycle, which holds its memory for long.
        orientation = Orientation.of(picture.reformat(width=16, height=16))
        self.width, self.height = shown_size(
            picture.width, picture.height, self._stream.sample_aspect_ratio, orientation
        )
        self._upright = Upright(orientation, self.width, self.height)
        self._rgb = RgbConverter()
        self._current: tuple[int, Picture] = (0, picture)
        self._following: tuple[int, Picture] | None = None

    def close(self) -> None:
        """Close the file."""
        self._open.close()

    def images(
        self, times: Sequence[int], *, size: tuple[int, int] | None = None, exact: bool = True
    ) -> Iterator[NDArray[np.uint8]]:
        """The frames at some times: RGB, upright.

        Args:
            times: nanoseconds since the first frame, ascending.
            size: height and width to scale to, by bilinear interpolation.
            exact: times are those of frames. Otherwise the frame shown at that time is given: the last one that
                begins at or before it, or the first of the video.

        Yields:
            uint8 `(height, width, 3)`, one array a time, in their order.

        Raises:
            CorruptObject: with `exact`, there is no frame with such a time.
            InvalidVideo: the file cannot be read on.
        """
        try:
            for target in times:
                found, picture = self._frame_at(target)
                if exact and abs(found - target) > SAME_FRAME_NS:
                    raise CorruptObject(
                        f"{self.name} has no frame at {target / _SECOND:.6f} s, where its trajectory has one; "
                        "restore it from a copy"
                    )
                yield self._rgb(self._upright(picture), size)
        except GeneratorExit:
            raise
        except BaseException:
            self._fail()
            raise

    def _fail(self) -> None:
        """Close the file because of the error being handled, which leaves as one of ours."""
        self._open.__exit__(*sys.exc_info())

    def _frame_at(self, target: int) -> tuple[int, Picture]:
        """The last frame that begins at or before a time, with its own time."""
        if not self._current[0] - SAME_FRAME_NS <= target <= self._current[0] + _WORTH_SEEKING_NS:
            self._seek(target)
        while self._current[0] < target - SAME_FRAME_NS:
            following = self._following or self._next()
            if following is None or following[0] > target + SAME_FRAME_NS:
                self._following = following
                break
            self._current, self._following = following, None
        return self._current

    def _next(self) -> tuple[int, Picture] | None:
        """The next frame in the order of times; of two frames with one time a player shows only the first."""
        for picture, stamp in self._decoded:
            time = self._time_of(stamp)
            if time > self._current[0]:
                return time, picture
        return None

    def _seek(self, target: int) -> None:
        """Go to a keyframe at or before a time, or to the first frame.

        A container may list keyframes by their decoding times, and pictures that follow a keyframe in the file may
        be shown before it and not be whole: what comes before the keyframe's own time is passed over.
        """
        self._following = None
        back = 0
        while True:
            at = max(target - back, 0)
            self._container.seek(self._origin + int(at / _SECOND / self._base), stream=self._stream)
            self._decoded = iter(Decoding(self._container, self._stream))
            keyframe = next(((p, stamp) for p, stamp in self._decoded if p.key_frame or stamp <= self._origin), None)
            if keyframe is not None:
                self._current = self._time_of(keyframe[1]), keyframe[0]
                if at == 0 or self._current[0] <= target + SAME_FRAME_NS:
                    return
            elif at == 0:
                raise InvalidVideo(f"{self.name} has no keyframe that can be decoded")
            back = 2 * back or _SECOND

    def _time_of(self, stamp: int) -> int:
        return round((stamp - self._origin) * self._base * _SECOND)
