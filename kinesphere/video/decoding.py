"""Opens video files with FFmpeg (through PyAV) and decodes them, knowing where files lie and where they are damaged."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from kinesphere.errors import InvalidInput, InvalidVideo, KinesphereError, StorageFailed, needs_extra

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

_STATE_THEIR_DURATION = ("matroska", "avi", "flv", "asf")
_SHORTFALL_SECONDS = 0.5
"""How much earlier than its header says a file may end before it counts as cut off."""


@contextmanager
def opened(source: Path | IO[bytes], name: str) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video from its beginning; FFmpeg's errors leave the block as ours, naming the video `name`.

    Args:
        source: the file, or an open one that can be sought in.
        name: what errors call it.

    Yields:
        The container and the stream of moving pictures, before its first packet.

    Raises:
        InvalidVideo: it is no video, is empty, or holds no moving picture; or reading it failed inside the block.
        InvalidInput: there is no such file, or it may not be read.
        StorageFailed: the disk refused.
        MissingDependency: PyAV is not installed.
    """
    with needs_extra("video"):
        import av
        from av.error import FFmpegError
    file = f"file:{source}" if isinstance(source, Path) else _View(source)
    options = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}
    try:
        with av.open(file, "r", container_options=options) as container:
            stream = _chosen_stream(container, name)
            stream.thread_type = "AUTO"
            yield container, stream
    except KinesphereError:
        raise
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise InvalidInput(f"cannot read {name}: {error.strerror}") from error
    except OSError as error:
        raise StorageFailed(f"cannot read {name}: {error.strerror or error}") from error
    except FFmpegError as error:
        raise InvalidVideo(_why_unreadable(source, name)) from error


def refuse_if_cut_off(container: InputContainer, stream: VideoStream, name: str, end: Fraction | None = None) -> None:
    """Compare what the header promises with what the file holds (up to `end` seconds, once that is known).

    A fragmented MP4 promises nothing: it is made to be read as far as it goes.

    Args:
        container: the open file.
        stream: its moving picture.
        name: what the error calls it.
        end: where its last frame ends, in seconds.

    Raises:
        InvalidVideo: there is less than promised.
    """
    if stream.frames and container.size > 0:
        missing = sum(entry.pos + entry.size > container.size for entry in stream.index_entries)
        if missing:
            raise InvalidVideo(
                f"{name} is cut off: it lists {stream.frames} frames and the last {missing} are not there; "
                "copy it again from where it came"
            )
    if end is None or not container.duration or not container.format.name.startswith(_STATE_THEIR_DURATION):
        return
    promised = Fraction(container.duration, 1_000_000)
    if promised - end > _SHORTFALL_SECONDS:
        raise InvalidVideo(
            f"{name} is cut off: it should last {float(promised):.1f} s and ends after {float(end):.1f} s; "
            "copy it again from where it came"
        )


class Decoding:
    """Decodes a stream: iterate for each picture and its time in units of the stream's time base.

    Pictures come in the order of their times, so a packet whose picture is passed over has not decoded. Those that
    follow are made from it, up to the next keyframe, and are left out with it: they are not what the camera saw.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self._container = container
        self._stream = stream
        self._pending: list[int] = []
        self._lost: list[int] = []
        # AVI states no presentation times: pictures come out in order, their stamps do not
        self._stamps_are_unordered = container.format.name == "avi"

    def __iter__(self) -> Iterator[tuple[Picture, int]]:
        is_broken = False
        for picture in self._pictures():
            stamp = self._stamp_of(picture)
            passed_over = len(self._lost)
            while self._pending and self._pending[0] < stamp:
                self._lost.append(heapq.heappop(self._pending))
            is_broken = (is_broken or len(self._lost) > passed_over) and not picture.key_frame
            if is_broken or picture.is_corrupt:
                is_broken = True
                self._lost.append(stamp)
            else:
                yield picture, stamp

    def undecoded(self) -> list[int]:
        """Times of the packets that have given no picture to rely on, in order.

        Returns:
            Ascending, in units of the stream's time base.
        """
        return sorted(self._lost + self._pending)

    def _pictures(self) -> Iterator[Picture]:
        from av.error import FFmpegError

        for packet in self._container.demux(self._stream):
            stamp = packet_stamp(packet)
            if stamp is not None and is_shown(packet):
                heapq.heappush(self._pending, stamp)
            if packet.is_corrupt:
                continue
            try:
                yield from self._stream.decode(packet)
            except FFmpegError:
                # its time stays among the pending
                continue

    def _stamp_of(self, picture: Picture) -> int:
        stamp = picture.pts
        if stamp is None or self._stamps_are_unordered or stamp not in self._pending:
            return heapq.heappop(self._pending) if self._pending else (stamp or 0)
        self._pending.remove(stamp)
        heapq.heapify(self._pending)
        return stamp


def packet_stamp(packet: Packet[Any]) -> int | None:
    """A packet's presentation time, or its decoding time where the container states no other; None at the end.

    Args:
        packet: of a stream of pictures.

    Returns:
        In units of the stream's time base.
    """
    if not packet.size:
        return None
    return packet.pts if packet.pts is not None else packet.dts


def is_shown(packet: Packet[Any]) -> bool:
    """Whether the packet's picture is to be seen: not cut away by an edit list, nor a hidden reference of VP8.

    Args:
        packet: of a stream of pictures.

    Returns:
        True where it is to be seen.
    """
    if packet.is_discard:
        return False
    if packet.stream.codec_context.name == "vp8":
        # RFC 6386, 9.1: bit 4 of the first byte is show_frame
        return bool(memoryview(packet)[0] & 0x10)
    return True


class _View:
    """An open file as FFmpeg wants it, with a position of its own, so that two readings do not disturb each other."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._position = 0

    def read(self, size: int) -> bytes:
        self._file.seek(self._position)
        data = bytes(self._file.read(size))
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_END:
            self._position = self._file.seek(offset, whence)
        else:
            self._position = offset + (self._position if whence == os.SEEK_CUR else 0)
        return self._position

    def tell(self) -> int:
        return self._position


def _chosen_stream(container: InputContainer, name: str) -> VideoStream:
    """The stream to read: the one a player would choose, and no cover picture of a song."""
    from av.stream import Disposition

    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        kinds = sorted({stream.type for stream in container.streams if stream.type != "video"})
        raise InvalidVideo(f"{name} has no video in it, only {' and '.join(kinds) or 'a header'}")
    best = container.streams.best("video")
    stream = next((stream for stream in streams if stream is best), streams[0])
    if stream.codec_context is None:
        raise InvalidVideo(f"{name} is in a format that cannot be decoded here; convert it to H.264 and try again")
    return stream


def _why_unreadable(source: Path | IO[bytes], name: str) -> str:
    if isinstance(source, Path):
        with source.open("rb") as file:
            head = file.read(12)
    else:
        source.seek(0)
        head = bytes(source.read(12))
    if not head:
        return f"{name} is empty (0 bytes)"
    if head[4:8] in (b"ftyp", b"mdat", b"wide", b"free"):
        return f"{name} is cut off: its table of frames is missing; copy it again from where it came"
    return f"{name} is not a video that can be read"
