"""Opens video files with FFmpeg (through PyAV) and decodes them, knowing where files lie and where they are damaged."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from kinesphere.errors import InvalidInput, InvalidVideo, KinesphereError, StorageFailed, needs_extra
from kinesphere.video.h264_references import ReferenceCount

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
MOST_PIXELS = 40_000_000
"""Of a picture: 8K has 35 million. A decoder holds up to 20 pictures, however few bytes they are encoded in."""
_LATEST_PICTURE = 48
"""Packets after its own by which a picture has come out: 16 for the order of H.264 and H.265, and one a thread."""
_HEAD_BYTES = 1 << 21
"""Of a file that is not opened, to tell what it is: raw MJPEG shows itself by a second picture."""
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
        InvalidVideo: it is no video, is empty, too large, or holds no moving picture; or reading it failed inside the
            block.
        InvalidInput: there is no such file, or it may not be read.
        StorageFailed: the disk refused.
        MissingDependency: PyAV is not installed.
    """
    with needs_extra("video"):
        import av
        from av.error import FFmpegError
    file = f"file:{source}" if isinstance(source, Path) else _View(source)
    decoder_options = {"max_pixels": str(MOST_PIXELS)}  # FFmpeg decodes some pictures to open a file
    options = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}
    try:
        # a title in another encoding than it should be is no reason to refuse the pictures
        with av.open(
            file, "r", options=decoder_options, container_options=options, metadata_errors="replace"
        ) as container:
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

    A packet whose picture is not shown in its turn has not decoded. Those that follow are made from it, up to the next
    keyframe, and are left out with it: they are not what the camera saw.
    """

    def __init__(
        self, container: InputContainer, stream: VideoStream, *, doubtful: bool = False, are_in_order: bool = False
    ) -> None:
        """
        Args:
            container: the open file.
            stream: its moving picture.
            doubtful: whether to look for packets that are missing, and not to rely on times, as no stored recording
                needs it.
            are_in_order: whether the file's times ascend from packet to packet. They are not those of pictures then,
                if pictures are not decoded in the order in which they are shown.
        """
        codec = stream.codec_context
        self._container = container
        self._stream = stream
        self._pending: dict[int, int] = {}
        """Times of the packets that have not given a picture yet, by their place in the order of decoding."""
        self._lost: list[int] = []
        self._given_up: set[int] = set()
        self._is_doubtful = doubtful
        self._has_failed = False
        # AVI states no presentation times: pictures come out in order, their stamps do not
        self._stamps_are_unordered = container.format.name == "avi" or (are_in_order and codec.reorder_depth > 0)
        is_h264 = codec.name == "h264"
        self._references = ReferenceCount(codec.extradata) if doubtful and is_h264 else None
        # FFmpeg shows no picture of H.264 before a keyframe, or before all of the picture was refreshed
        self._started_at = 0 if is_h264 else None
        codec.copy_opaque = True
        self.are_reordered = False
        """Whether a picture has come out that is decoded before one that came out earlier."""

    def __iter__(self) -> Iterator[tuple[Picture, int]]:
        is_broken, latest = False, -1
        for picture in self._pictures():
            if picture.opaque in self._given_up:
                continue
            place, stamp = self._place_of(picture)
            if isinstance(picture.opaque, int):
                self.are_reordered |= picture.opaque < latest
                latest = picture.opaque
            is_first = self._started_at is not None and place >= self._started_at
            is_key = bool(picture.key_frame)
            passed_over = self._give_up(place, stamp, is_key=is_key or is_first)
            if is_first:
                self._started_at = None
            is_broken = (is_broken or passed_over) and not (is_key or is_first)
            if is_broken or picture.is_corrupt:
                is_broken = True
                self._lost.append(stamp)
            else:
                yield picture, stamp

    def _give_up(self, place: int, stamp: int, *, is_key: bool) -> bool:
        """Count the packets as lost whose pictures should have come before this one; gives whether there are any.

        Pictures come in the order of their times, and none from before a keyframe after it. Times that are doubted
        say nothing, except where something is known to have failed.
        """
        if self._is_doubtful and not self._has_failed and not is_key:
            passed_over = [at for at in self._pending if at < place - _LATEST_PICTURE]
        else:
            passed_over = [at for at, time in self._pending.items() if at < place and (is_key or time < stamp)]
        if is_key:
            self._has_failed = False
        self._given_up.update(passed_over)
        self._lost += (self._pending.pop(at) for at in passed_over)
        return bool(passed_over)

    def take_lost(self) -> list[int]:
        """Times of the packets of which it is known since the last call that they give no picture to rely on.

        Returns:
            Ascending, in units of the stream's time base.
        """
        if not self._lost:
            return []
        lost, self._lost = sorted(self._lost), []
        return lost

    def undecoded(self) -> list[int]:
        """Times of the packets that have given no picture to rely on, besides those that were taken, in order.

        Returns:
            Ascending, in units of the stream's time base.
        """
        return sorted([*self._lost, *self._pending.values()])

    def _pictures(self) -> Iterator[Picture]:
        from av.error import FFmpegError

        for place, packet in enumerate(self._container.demux(self._stream)):
            stamp = packet_stamp(packet)
            if stamp is not None and is_shown(packet):
                self._pending[place] = stamp
            if packet.is_corrupt:
                self._has_failed = True
                continue
            if self._references is not None and packet.size and self._references.is_skipped_by(memoryview(packet)):
                yield from self._started_anew(place)
            packet.opaque = place
            try:
                yield from self._stream.decode(packet)
            except FFmpegError:
                # its time stays among the pending
                self._has_failed = True

    def _started_anew(self, place: int) -> Iterator[Picture]:
        """What is still in the decoder; then it is made to wait for a picture that is whole, as at the beginning."""
        from av.error import FFmpegError

        with suppress(FFmpegError):
            yield from self._stream.decode(None)
        self._stream.codec_context.flush_buffers()
        self._started_at = place

    def _place_of(self, picture: Picture) -> tuple[int, int]:
        """Which packet a picture comes from, and its time."""
        place, stamp = picture.opaque, picture.pts
        if self._stamps_are_unordered or place not in self._pending:
            if not self._pending:
                return -1, stamp or 0
            place = min(self._pending, key=self._pending.__getitem__)
        return place, self._pending.pop(place)


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
    codec = stream.codec_context
    if codec.width * codec.height > MOST_PIXELS:
        raise InvalidVideo(
            f"{name} has pictures of {codec.width}x{codec.height} and can have at most {MOST_PIXELS // 1_000_000} "
            "million pixels; scale it down and try again"
        )
    codec.options = {"max_pixels": str(MOST_PIXELS)}  # a picture may also grow in the middle
    return stream


def _why_unreadable(source: Path | IO[bytes], name: str) -> str:
    if isinstance(source, Path):
        with source.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    else:
        source.seek(0)
        head = bytes(source.read(_HEAD_BYTES))
    if not head:
        return f"{name} is empty (0 bytes)"
    if head[4:8] in (b"ftyp", b"mdat", b"wide", b"free"):
        return f"{name} is cut off: its table of frames is missing; copy it again from where it came"
    raw = _raw_kind(head)
    if raw is not None:
        kind, demuxer, target = raw
        return (
            f"{name} is raw {kind}, which states no frame times; put it into a container at the rate it was recorded "
            f"with, as in: ffmpeg -f {demuxer} -framerate 30 -i {name} {target}"
        )
    return f"{name} is not a video that can be read"


def _raw_kind(head: bytes) -> tuple[str, str, str] | None:
    """What a stream of pictures without a container is, and how FFmpeg wraps it: its demuxer, and where to.

    Raw H.264 and H.265 have no times that could be copied into an MP4, so they are encoded, without loss.
    """
    if head.count(b"\xff\xd8\xff") > 1 and head.startswith(b"\xff\xd8\xff"):
        return "MJPEG", "mjpeg", "-c copy wrapped.mkv"
    if not head.startswith((b"\0\0\1", b"\0\0\0\1")):
        return None
    unit = head[head.index(b"\1") + 1 :][:1] or b"\0"
    if unit[0] & 0x9F in (7, 9):
        return "H.264", "h264", "-c:v libx264 -crf 12 wrapped.mp4"
    if unit[0] & 0x81 == 0 and unit[0] >> 1 in (32, 33, 34, 35):
        return "H.265", "hevc", "-c:v libx264 -crf 12 wrapped.mp4"
    return None
