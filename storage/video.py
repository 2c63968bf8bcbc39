"""Reads videos the way a player shows them: upright, in order, each frame with its true time."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from .errors import InvalidInput, InvalidVideo, needs_extra
from .upright import Orientation, Upright, shown_size

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame as Picture
    from av.video.stream import VideoStream

_CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,live_flv,asf,ogg,mxf,nut,ivf,dv,gif,apng,rm,wtv"
)
"""Demuxers that may open a file: containers of moving pictures. Playlists and concatenation scripts, which name
other files to read, are not among them; nor are still images, nor the one that draws text as video."""

_SHORTFALL_SECONDS = 0.5
"""How much earlier than its header says a file may end before it counts as cut off."""


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

    Raises:
        InvalidVideo: it is no video, empty, cut off, or holds no moving picture.
        InvalidInput: there is no such file, or it may not be read.
    """
    return VideoReader(source, name or str(source if isinstance(source, Path) else getattr(source, "name", "video")))


class VideoReader:
    """A video opened with `open_video`. Holds nothing open between calls, so it can be read many times."""

    def __init__(self, source: Path | IO[bytes], name: str) -> None:
        self.name = name
        self._source = source
        self._damaged: list[int] = []
        with self._opened() as (container, stream):
            self._refuse_if_cut_off(container, stream)
            first = next((picture for picture, _ in _Decoding(container, stream)), None)
            if first is None:
                raise InvalidVideo(f"{name} has no frame that can be decoded")
            self._orientation = Orientation.of(first)
            size = first.width, first.height, stream.sample_aspect_ratio
            self.width, self.height = shown_size(*size, self._orientation)
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
        shown: set[int] = set()
        last_duration = 0
        end = Fraction(0)
        with self._opened() as (container, stream):
            base = _time_base(stream)
            for packet in container.demux():
                if packet.pts is None or packet.time_base is None:
                    continue
                end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base)
                if packet.stream_index == stream.index and _is_shown(packet):
                    if packet.pts > max(shown, default=packet.pts - 1):
                        last_duration = packet.duration or 0
                    shown.add(packet.pts)
            self._refuse_if_cut_off(container, stream, end)
        return self._summary(sorted(shown), last_duration, base)

    @property
    def damaged(self) -> tuple[int, ...]:
        """Times in nanoseconds of the frames that the last reading met and could not decode.

        Those that lie before the first frame that could be decoded have a negative time.
        """
        return tuple(self._damaged)

    def frames(self) -> Iterator[VideoFrame]:
        """Read every frame once, in order, in bounded memory. Frames that do not decode are left out; see `damaged`.

        Raises:
            InvalidVideo: the file cannot be read on, or its times run backwards.
        """
        for shown in self.pictures():
            pixels = np.ascontiguousarray(shown.picture.to_ndarray(format="rgb24"), dtype=np.uint8)
            yield VideoFrame(shown.index, shown.timestamp_ns, pixels)

    def pictures(self, *, even: bool = False) -> Iterator[VideoPicture]:
        """The same as `frames`, before conversion to RGB; with `even`, odd sizes lose their last row or column."""
        upright = Upright(self._orientation, self.width, self.height, even=even)
        with self._opened() as (container, stream):
            base = _time_base(stream)
            decoding = _Decoding(container, stream)
            first = latest = None
            index = 0
            try:
                for picture, stamp in decoding:
                    if first is None:
                        first = stamp
                    if latest is not None and (stamp - latest) * base < -1:
                        raise InvalidVideo(
                            f"the frame times of {self.name} run backwards after "
                            f"{float((latest - first) * base):.1f} s; convert it to MP4 and try again"
                        )
                    # of two frames with one time a player shows only one
                    if latest is None or stamp > latest:
                        latest = stamp
                        yield VideoPicture(index, _nanoseconds(stamp - first, base), upright(picture))
                        index += 1
            finally:
                origin = first or 0
                self._damaged = [_nanoseconds(stamp - origin, base) for stamp in decoding.undecoded()]

    @contextmanager
    def _opened(self) -> Iterator[tuple[InputContainer, VideoStream]]:
        """Open the file from its beginning; FFmpeg's errors leave this block as ours."""
        with needs_extra("video", "kinesphere"):
            import av
            from av.error import FFmpegError
        file = f"file:{self._source}" if isinstance(self._source, Path) else _View(self._source)
        options = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}
        try:
            with av.open(file, container_options=options) as container:
                stream = container.streams.best("video")
                if stream is None or stream.disposition & av.stream.Disposition.attached_pic:
                    raise InvalidVideo(f"{self.name} has no video in it, only {_kinds(container)}")
                stream.thread_type = "AUTO"  # type: ignore[assignment]
                yield container, stream
        except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
            raise InvalidInput(f"cannot read {self.name}: {error.strerror}") from error
        except FFmpegError as error:
            raise InvalidVideo(self._why_unreadable(error)) from error

    def _why_unreadable(self, error: Exception) -> str:
        head = b""
        if isinstance(self._source, Path):
            with self._source.open("rb") as file:
                head = file.read(12)
        else:
            self._source.seek(0)
            head = bytes(self._source.read(12))
        if not head:
            return f"{self.name} is empty (0 bytes)"
        if head[4:8] in (b"ftyp", b"mdat", b"wide", b"free"):
            return f"{self.name} is cut off: its table of frames is missing; copy it again from the camera"
        return f"{self.name} is not a video that can be read"

    def _refuse_if_cut_off(self, container: InputContainer, stream: VideoStream, end: Fraction | None = None) -> None:
        """Compare what the header lists with what the file holds.

        A fragmented MP4 lists nothing in its header: it is made to be read as far as it goes.
        """
        if stream.frames and container.size > 0:
            held = container.size
            lost = sum(entry.pos + entry.size > held for entry in stream.index_entries)
            if lost:
                raise InvalidVideo(
                    f"{self.name} is cut off: its header lists {stream.frames} frames and the last {lost} are not "
                    "in the file; copy it again from the camera"
                )
        listed = container.duration
        if end is not None and listed and "mov" not in container.format.name:
            start = max(container.start_time or 0, 0)
            missing = Fraction(listed + start, 1_000_000) - end
            if missing > _SHORTFALL_SECONDS:
                raise InvalidVideo(
                    f"{self.name} is cut off: its header says {listed / 1e6:.1f} s and the last {float(missing):.1f} s "
                    "are not in the file; copy it again from the camera"
                )

    def _summary(self, stamps: list[int], last_duration: int, base: Fraction) -> VideoInfo:
        if not stamps:
            raise InvalidVideo(f"{self.name} has no frames")
        between = stamps[-1] - stamps[0]
        last = last_duration or (round(between / (len(stamps) - 1)) if between else 0)
        duration = between + last
        rate = (len(stamps) - 1) / (between * base) if between else (1 / (last * base) if last else 0)
        return VideoInfo(
            width=self.width,
            height=self.height,
            frames=len(stamps),
            duration_ns=_nanoseconds(duration, base),
            frame_rate=float(rate),
            codec=self.codec,
            pixel_format=self.pixel_format,
            rotation=self.rotation,
        )


class _Decoding:
    """Decodes a stream, giving each picture its time in units of the stream's time base.

    Keeps the times of packets that have gone in and not come out: what is left at the end did not decode.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self._container = container
        self._stream = stream
        self._pending: list[int] = []
        self._done: set[int] = set()
        # AVI stores frames in decoding order without times: pictures come out in order, their stamps do not
        self._stamps_are_unordered = container.format.name == "avi"

    def __iter__(self) -> Iterator[tuple[Picture, int]]:
        from av.error import FFmpegError

        for packet in self._container.demux(self._stream):
            stamp = packet.pts if packet.pts is not None else packet.dts
            if packet.size and stamp is not None and _is_shown(packet):
                heapq.heappush(self._pending, stamp)
            if packet.is_corrupt:
                continue
            try:
                pictures = packet.decode()
            except FFmpegError:
                continue
            for picture in pictures:
                if not picture.is_corrupt:
                    yield picture, self._stamp_of(picture)

    def undecoded(self) -> list[int]:
        """Times of the packets that gave no picture, in order."""
        return sorted(self._pending)

    def _stamp_of(self, picture: Picture) -> int:
        stamp = picture.pts
        if stamp is None or self._stamps_are_unordered or stamp not in self._pending:
            return heapq.heappop(self._pending) if self._pending else (stamp or 0)
        self._pending.remove(stamp)
        heapq.heapify(self._pending)
        return stamp
