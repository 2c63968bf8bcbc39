"""Reads videos the way a player shows them: upright, in order, each frame with its true time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import InvalidVideo
from kinesphere.video.decoding import Decoding, is_shown, opened, packet_stamp, refuse_if_cut_off
from kinesphere.video.upright import Orientation, RgbConverter, Upright, shown_size
from storage.footage.time_repair import FrameTimes

if TYPE_CHECKING:
    from av.video.frame import VideoFrame as Picture
    from av.video.stream import VideoStream

_SECOND = 1_000_000_000


@dataclass(frozen=True)
class VideoInfo:
    """What a video holds. `width` and `height` are those of the upright picture with square pixels."""

    width: int
    height: int
    frames: int
    """Frames that a player would show, counted in the file and not taken from its header."""
    duration_ns: int
    """From the first frame's beginning to the last one's end."""
    frame_rate: float
    """Mean frames a second of the true times; 0 when there is one frame of unknown length."""
    codec: str
    pixel_format: str
    rotation: int
    """Degrees clockwise that the stored picture is turned by to be upright: 0, 90, 180 or 270."""


@dataclass(frozen=True)
class VideoFrame:
    """One frame as shown."""

    index: int
    timestamp_ns: int
    """Time since the first frame; strictly increasing."""
    image: NDArray[np.uint8]
    """uint8 `(height, width, 3)`, RGB, C-contiguous, upright."""


@dataclass(frozen=True)
class VideoPicture:
    """One frame as shown, before conversion to RGB."""

    index: int
    timestamp_ns: int
    picture: Picture
    """Upright, in the video's own pixel format."""


def open_video(source: Path | IO[bytes], name: str | None = None) -> VideoReader:
    """Open a video file, or a seekable binary file such as `Objects.open` gives.

    Args:
        source: where the video is. An open file is read from its beginning and stays open.
        name: what error messages call it; the path by default.

    Returns:
        A reader, to be closed by whoever opened it.

    Raises:
        InvalidVideo: it is no video, empty, cut off, or holds no moving picture.
        InvalidInput: there is no such file, or it may not be read.
    """
    return VideoReader(source, name or str(source if isinstance(source, Path) else getattr(source, "name", "video")))


class VideoReader:
    """A video opened with `open_video`. It keeps no file open between calls, so it can be read again and again."""

    def __init__(self, source: Path | IO[bytes], name: str) -> None:
        self.name = name
        self._source = source
        self._damaged: tuple[int, ...] = ()
        self._retimed: tuple[int, ...] = ()
        self._reshaped: tuple[int, ...] = ()
        self.states_times_of_decoding = False
        """Whether the file says when frames are decoded, not when they are shown, as a doubtful reading found."""
        self._are_in_order = False
        """Whether times ascend from packet to packet, once the file was scanned."""
        with opened(source, name) as (container, stream):
            refuse_if_cut_off(container, stream, name)
            first = next((picture for picture, _ in Decoding(container, stream)), None)
            if first is None:
                raise InvalidVideo(f"{name} has no frame that can be decoded")
            stored = first.width, first.height
            self._orientation = Orientation.of(first)
            self.width, self.height = shown_size(*stored, stream.sample_aspect_ratio, self._orientation)
            self.is_shown_as_stored = self._orientation == Orientation() and stored == (self.width, self.height)
            """Whether the stored pictures are upright already: neither turned, mirrored nor stretched when shown."""
            self.ticks_per_second = _time_base(stream).denominator if _time_base(stream).numerator == 1 else None
            """The unit of the file's frame times, where a second is a whole number of it."""
            stated = stream.duration * _time_base(stream) if stream.duration else None
            self.stated_ns = None if stated is None else _nanoseconds(stated)
            """How long the file says that its picture lasts, in nanoseconds; None where it does not say."""
            self.container = container.format.name
            self.codec = stream.codec_context.codec.canonical_name
            self.pixel_format = first.format.name
            self.rotation = self._orientation.rotation

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    @cached_property
    def info(self) -> VideoInfo:
        """What the video holds, by reading it once without decoding.

        Raises:
            InvalidVideo: it is cut off.
        """
        stamps, last_duration, base = self._scanned
        intervals = len(stamps) - 1
        between = (stamps[-1] - stamps[0]) * base
        last = last_duration * base or (between / intervals if intervals else Fraction(0))
        rate = intervals / between if between else (1 / last if last else 0)
        return VideoInfo(
            width=self.width,
            height=self.height,
            frames=len(stamps),
            duration_ns=_nanoseconds(between + last),
            frame_rate=float(rate),
            codec=self.codec,
            pixel_format=self.pixel_format,
            rotation=self.rotation,
        )

    @property
    def times(self) -> tuple[int, ...]:
        """The time of every frame as the file states it, in nanoseconds since the first, read without decoding."""
        stamps, _, base = self._scanned
        return tuple(_nanoseconds((stamp - stamps[0]) * base) for stamp in stamps)

    @cached_property
    def _scanned(self) -> tuple[list[int], int, Fraction]:
        """The times of all frames shown, how long the last lasts (0 where the file does not say), their time base."""
        shown: dict[int, int] = {}
        end = Fraction(0)
        latest = None
        self._are_in_order = True
        with opened(self._source, self.name) as (container, stream):
            base = _time_base(stream)
            for packet in container.demux():
                stamp = packet_stamp(packet)
                if stamp is None:
                    continue
                duration = packet.duration or 0
                end = max(end, (stamp + duration) * packet.time_base)
                if packet.stream_index == stream.index and is_shown(packet):
                    shown[stamp] = duration
                    self._are_in_order &= latest is None or stamp > latest
                    latest = stamp
            refuse_if_cut_off(container, stream, self.name, end)
        if not shown:
            raise InvalidVideo(f"{self.name} has no frames")
        return sorted(shown), shown[max(shown)], base

    @property
    def damaged(self) -> tuple[int, ...]:
        """Times in nanoseconds of the frames that the last reading met and could not decode.

        Those that lie before the first frame that could be decoded have a negative time.
        """
        return self._damaged

    @property
    def retimed(self) -> tuple[int, ...]:
        """Times in nanoseconds of the frames that the last doubtful reading had to give a time of their own."""
        return self._retimed

    @property
    def reshaped(self) -> tuple[int, ...]:
        """Times in nanoseconds of the frames at which the last reading saw the stored pictures change their form."""
        return self._reshaped

    def frames(self) -> Iterator[VideoFrame]:
        """Read every frame once, in order, in bounded memory. Frames that do not decode are left out; see `damaged`.

        Yields:
            Frames with their times and upright RGB pictures.

        Raises:
            InvalidVideo: the file cannot be read on, or its times run backwards.
        """
        rgb = RgbConverter()
        for shown in self.pictures():
            yield VideoFrame(shown.index, shown.timestamp_ns, np.ascontiguousarray(rgb(shown.picture)))

    def pictures(self, *, even: bool = False, doubtful: bool = False) -> Iterator[VideoPicture]:
        """The same as `frames`, before conversion to RGB; with `even`, odd sizes lose their last row or column.

        Args:
            even: whether sides are to be even, as encoders need it.
            doubtful: whether what the file says is to be doubted: times that cannot be true are put right, and
                frames that are made from missing ones are left out. No stored recording needs it.

        Yields:
            Frames with their times and pictures as decoded.

        Raises:
            InvalidVideo: no frame can be decoded, or reading failed.
        """
        upright = Upright(self._orientation, self.width, self.height, even=even)
        with opened(self._source, self.name) as (container, stream):
            base = _time_base(stream)
            are_in_order = doubtful and bool(self._scanned) and self._are_in_order
            decoding = Decoding(container, stream, doubtful=doubtful, are_in_order=are_in_order)
            times: _StatedTimes | FrameTimes = FrameTimes() if doubtful else _StatedTimes(self.name)
            origin: int | None = None
            index = 0
            form: tuple[int, int, str] | None = None
            damaged: list[int] = []
            reshaped: list[int] = []
            try:
                for picture, stamp in decoding:
                    origin = stamp if origin is None else origin
                    damaged += (times.lost(_nanoseconds((s - origin) * base)) for s in decoding.take_lost())
                    time = times.of(_nanoseconds((stamp - origin) * base))
                    if time is None:
                        continue
                    found = picture.width, picture.height, picture.format.name
                    if found != form:
                        if form is not None:
                            reshaped.append(time)
                        form = found
                    yield VideoPicture(index, time, upright(picture))
                    index += 1
            finally:
                damaged += (times.lost(_nanoseconds((s - (origin or 0)) * base)) for s in decoding.undecoded())
                self._damaged = tuple(sorted(damaged))
                self.states_times_of_decoding = doubtful and self._are_in_order and decoding.are_reordered
                self._retimed, self._reshaped = tuple(times.retimed), tuple(reshaped)


class _StatedTimes:
    """The times of frames as the file states them."""

    def __init__(self, name: str) -> None:
        self.retimed: list[int] = []
        self._name = name
        self._latest: int | None = None

    def of(self, stated: int) -> int | None:
        """The same time; None for a frame that no player shows: of two with one time only the first is seen.

        Raises:
            InvalidVideo: times step back by more than a second.
        """
        if self._latest is not None and stated <= self._latest:
            if stated < self._latest - _SECOND:
                at = self._latest / _SECOND
                raise InvalidVideo(f"the frame times of {self._name} run backwards after {at:.1f} s")
            return None
        self._latest = stated
        return stated

    def lost(self, stated: int) -> int:
        """The same time."""
        return stated


def _time_base(stream: VideoStream) -> Fraction:
    if stream.time_base is None:
        raise InvalidVideo("the video states no times for its frames")
    return stream.time_base


def _nanoseconds(seconds: Fraction) -> int:
    return round(seconds * _SECOND)
